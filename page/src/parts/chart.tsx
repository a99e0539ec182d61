/** A chart over time, drawn by uPlot; loaded only by the views that have one. */
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { timeOfDay } from '../format.ts';

/** What a chart shows: the same moments (seconds since 1970) for all its values. */
export interface ChartProps {
  readonly title: string;
  readonly times: readonly number[];
  readonly values: readonly (number | null)[];
  /** Which of the theme's colours: `accent`, `warn`, … */
  readonly colour: string;
  readonly format: (value: number) => string;
  /** Steps of the scale: powers of two, as bytes have them; whole ones; or any. */
  readonly steps?: 'binary' | 'whole';
}

const height = 140;

const theme = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Seconds between marks of time: no mark says the same as the one before. */
const timeSteps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
const scales = {
  binary: Array.from({ length: 40 }, (_, power) => 2 ** power),
  whole: Array.from({ length: 30 }, (_, i) => ([1, 2, 5][i % 3] ?? 1) * 10 ** Math.floor(i / 3)),
};

function options({ title, colour, format, steps }: ChartProps, width: number): uPlot.Options {
  const axis = {
    stroke: theme('muted'),
    font: '11px system-ui',
    grid: { stroke: theme('line'), width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height,
    padding: [8, 28, 0, 0],
    cursor: { y: false, points: { size: 6 } },
    legend: { show: false },
    scales: { y: { range: (_chart, _low, high) => [0, Math.max(high * 1.1, 1)] } },
    axes: [
      {
        ...axis,
        size: 26,
        space: 70,
        incrs: timeSteps,
        values: (_chart, splits, _axis, _space, step) =>
          splits.map((time) => timeOfDay(time * 1000).slice(0, step < 60 ? 8 : 5)),
      },
      { ...axis, size: 56, ...(steps && { incrs: scales[steps] }), values: (_chart, splits) => splits.map(format) },
    ],
    series: [
      {},
      { label: title, stroke: theme(colour), fill: `${theme(colour)}22`, width: 1.5, points: { show: false } },
    ],
  };
}

/** The chart, with its last and its largest value in words. */
export default function Chart(props: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | undefined>(undefined);
  const latest = useRef(props);
  latest.current = props;

  useEffect(() => {
    const element = place.current;
    if (!element) return undefined;
    const draw = () => {
      chart.current?.destroy();
      const { times, values } = latest.current;
      const size = Math.max(element.clientWidth, 120);
      chart.current = new uPlot(options(latest.current, size), [[...times], [...values]], element);
    };
    draw();
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', draw);
    const resized = new ResizeObserver(() => {
      chart.current?.setSize({ width: Math.max(element.clientWidth, 120), height });
    });
    resized.observe(element);
    return () => {
      resized.disconnect();
      scheme.removeEventListener('change', draw);
      chart.current?.destroy();
    };
  }, []);

  useEffect(() => {
    chart.current?.setData([[...props.times], [...props.values]]);
  }, [props.times, props.values]);

  const known = props.values.filter((value): value is number => value !== null);
  const last = known.at(-1);
  const words =
    last === undefined ? 'nothing yet' : `now ${props.format(last)}, at most ${props.format(Math.max(...known))}`;
  return (
    <figure class="chart">
      <figcaption>
        {props.title} <span class="muted">{words}</span>
      </figcaption>
      <div ref={place} role="img" aria-label={`${props.title} over time: ${words}`} />
    </figure>
  );
}
