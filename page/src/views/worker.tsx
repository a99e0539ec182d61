/** One worker: what it did in the last quarter of an hour, and what failed in it. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import { getJson, Unread } from '../fetch.ts';
import { count, duration, hueOf, rate } from '../format.ts';
import { Failures } from '../parts/failures.tsx';
import { LazyChart } from '../parts/lazy-chart.tsx';
import { Figure, Section, View } from '../parts/view.tsx';
import { readDetail } from '../reading.ts';
import { pathOf } from '../router.ts';
import { type Sample, type WorkerDetail } from '../shapes.ts';
import { workers } from '../store.ts';
import { keyOf } from '../workers.ts';

/** How often its address is read anew, in milliseconds: the samples in it are 5 s apart. */
const every = 5000;

/** How much a count grew a second from each sample to the next; null where it shrank: the worker began anew. */
function growth(samples: readonly Sample[], value: (sample: Sample) => number): (number | null)[] {
  return samples.map((sample, i) => {
    const before = samples[i - 1];
    if (!before) return null;
    const more = value(sample) - value(before);
    const passed = (sample[0] - before[0]) / 1000;
    return more < 0 || passed <= 0 ? null : more / passed;
  });
}

/** The worker's address read again and again: what it answered last, and why it does not answer now. */
function useDetail(node: string, name: string): { detail?: WorkerDetail; problem?: string } {
  const [answer, setAnswer] = useState<{ detail?: WorkerDetail; problem?: string }>({});
  useEffect(() => {
    const ending = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    setAnswer({});
    const read = async () => {
      try {
        const detail = readDetail(await getJson(pathOf({ view: 'worker', node, name }), ending.signal));
        setAnswer({ detail });
      } catch (error) {
        if (ending.signal.aborted) return;
        if (!(error instanceof Unread)) throw error;
        setAnswer((before) => ({ ...before, problem: error.message }));
      }
      timer = setTimeout(() => void read(), every);
    };
    void read();
    return () => {
      ending.abort();
      clearTimeout(timer);
    };
  }, [node, name]);
  return answer;
}

/** The view of the worker of that name on that node. */
export function WorkerView({ node, name }: { node: string; name: string }) {
  const { detail, problem } = useDetail(node, name);
  const seen = workers.value.get(keyOf({ node, name }));
  const now = seen ?? detail;
  const samples = detail?.samples;
  const series = useMemo(() => {
    const known = samples ?? [];
    return {
      times: known.map(([time]) => time / 1000),
      handled: growth(known, ([, , handled]) => handled),
      queued: known.map(([, queued]) => queued),
      failed: growth(known, ([, , , failed]) => failed),
    };
  }, [samples]);
  return (
    <View
      title={name}
      note={
        <>
          {now && <span>{now.type} on </span>}
          <a class={`hue-${hueOf(node)}`} href={pathOf({ view: 'node', node })}>
            {node}
          </a>
          {seen?.gone && <span class="tag">gone</span>}
        </>
      }
      tools={
        <a class="button quiet" href={`/logs?node=${encodeURIComponent(node)}&worker=${encodeURIComponent(name)}`}>
          Its lines
        </a>
      }
    >
      {seen?.gone && <p class="callout">Its node is gone. What stands here is the last that was seen of it.</p>}
      {problem && !seen?.gone && <p class="callout">{problem}</p>}
      {now && (
        <dl class="figures">
          <Figure name="state">{seen?.gone ? `was ${now.state}` : now.state}</Figure>
          <Figure name="queued">{count(now.queued)}</Figure>
          <Figure name="handled a second">{rate(seen?.rate ?? series.handled.at(-1) ?? undefined)}</Figure>
          <Figure name="oldest waits">{duration(now.oldestMs)}</Figure>
          <Figure name="slowest handler">{duration(now.slowestMs)}</Figure>
          <Figure name="handled">{count(now.handled)}</Figure>
          <Figure name="failed" alarming={now.failed > 0}>
            {count(now.failed)}
          </Figure>
          <Figure name="restarts">{count(now.restarts)}</Figure>
        </dl>
      )}
      {detail && (
        <>
          <div class="charts">
            <LazyChart
              title="Handled a second"
              times={series.times}
              values={series.handled}
              colour="accent"
              format={rate}
            />
            <LazyChart
              title="Queued"
              times={series.times}
              values={series.queued}
              colour="calm"
              format={count}
              steps="whole"
            />
            <LazyChart title="Failed a second" times={series.times} values={series.failed} colour="bad" format={rate} />
          </div>
          <Section title="Last failures">
            <Failures failures={detail.failures} />
          </Section>
        </>
      )}
      {!now && !problem && <p class="empty">Waiting for its node to tell of it.</p>}
    </View>
  );
}
