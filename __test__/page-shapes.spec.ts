/** What a zone really says over HTTP has everything that the page reads of it; and the page takes what the commands read as well. */
import test from 'ava';
import type * as commands from '../cli/zone/reports.ts';
import { readDetail, readLine, readNode, readWorker } from '../page/src/reading.ts';
import type * as page from '../page/src/shapes.ts';
import { Echo, Handler, until } from './support/node.ts';
import { nodesOf } from './support/nodes.ts';
import { openObserver, serve } from './support/observer.ts';

/** Fails to compile where a field that both know is of a type in the commands that the page does not take. */
type Taken<Page, Ours extends Pick<Page, keyof Page & keyof Ours>> = Ours;
export type AllTaken = [
  Taken<page.Line, commands.Line & { fields?: page.Line['fields'] }>,
  Taken<page.Histogram, commands.Histogram>,
  Taken<page.NodeState, commands.NodeState>,
  Taken<page.WorkerState, commands.WorkerState>,
];

type Json = { readonly [key: string]: unknown };

/** Of `json` only what `like` has: what the page made of it, where nothing had to be made up. */
function within(json: unknown, like: unknown): unknown {
  if (Array.isArray(like)) return like.map((item, i) => within((json as unknown[] | undefined)?.[i], item));
  if (typeof like !== 'object' || like === null) return json;
  return Object.fromEntries(
    Object.entries(like).map(([key, value]) => [key, within((json as Json | undefined)?.[key], value)]),
  );
}

test('every field that the page reads is in what a real zone says, and as it says it', async (t) => {
  const make = nodesOf(t);
  const a = await make('a');
  const b = await make('b');
  await b.startWorker('echo', new Echo());
  await b.startWorker('fails', new Handler(() => Promise.reject(new Error('on purpose'))));
  await a.sendAndReceive('echo', 'x');
  await t.throwsAsync(a.sendAndReceive('fails', 'x'));
  const observer = await openObserver();
  t.teardown(() => observer.stop({ timeout: 0 }));
  const settings = { host: '127.0.0.1', port: 0, workers: false, stallMs: 10_000, tokenFile: undefined };
  const address = await serve(observer, settings, true);
  const json = async (path: string) => (await (await fetch(`http://${address}${path}`)).json()) as never;
  const same = (what: string, said: unknown, read: unknown, ...named: string[]) => {
    // As JSON: what is undefined is not there.
    const found = JSON.parse(JSON.stringify(read)) as Json;
    t.deepEqual(within(said, found), found, what);
    for (const name of named) t.true(name in found, `${what}: ${name}`);
  };

  let node: Json = {};
  await until(async () => {
    node = ((await json('/nodes')) as Json[]).find((each) => each['node'] === 'b') ?? {};
    const some = (key: string) => ((node[key] as unknown[] | undefined) ?? []).length > 0;
    return some('failures') && some('classes') && some('isolates') && some('peers');
  });
  same('a node', node, readNode(node), 'presentSince');
  same('its failure', (node['failures'] as unknown[])[0], readNode(node).failures[0], 'stack');
  const { workers } = (await json('/workers')) as { workers: Json[] };
  t.true(workers.length >= 2);
  for (const worker of workers) same(`worker ${String(worker['name'])}`, worker, readWorker(worker), 'slowestMs');
  const detail = await json('/workers/b/fails');
  same('one worker', detail, readDetail(detail));
  t.is(readDetail(detail).failures.length, 1);
  t.true(readDetail(detail).samples.length > 0);
  let lines: Json[] = [];
  await until(async () => {
    ({ lines } = (await json('/logs')) as { lines: Json[] });
    return lines.some(({ worker }) => worker === 'fails');
  });
  for (const line of lines) same('a line', line, readLine(line));
  const failed = lines.find(({ worker }) => worker === 'fails');
  same('the line of the failure', failed, readLine(failed), 'worker', 'fields');
});
