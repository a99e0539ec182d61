/** Charts as the views use them: the drawing code comes with the first of them. */
import { type FunctionComponent } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { ChartProps } from './chart.tsx';

let loaded: FunctionComponent<ChartProps> | undefined;

/** A chart, as soon as it can be drawn. */
export function LazyChart(props: ChartProps) {
  const [problem, setProblem] = useState('');
  const [, again] = useState(0);
  useEffect(() => {
    if (loaded) return;
    import('./chart.tsx').then(
      (module) => {
        loaded = module.default;
        again((n) => n + 1);
      },
      (error: unknown) => setProblem(String(error)),
    );
  }, []);
  const Chart = loaded;
  if (Chart) return <Chart {...props} />;
  return (
    <figure class="chart">
      <figcaption>
        {props.title} {problem && <span class="warn">can’t be drawn here: {problem}</span>}
      </figcaption>
    </figure>
  );
}
