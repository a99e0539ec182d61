/** A histogram of durations as bars, with the figures that matter in words. */
import { duration } from '../format.ts';
import { quantile } from '../histogram.ts';
import { type Histogram } from '../shapes.ts';

/** The bars from the shortest to the longest duration that was counted; for screen readers only the words. */
export function Bars({ histogram }: { histogram: Histogram }) {
  const used = histogram.buckets.map(([, count], i) => (count > 0 ? i : -1)).filter((i) => i >= 0);
  const [first, last] = [used[0], used.at(-1)];
  if (first === undefined || last === undefined) return <span class="muted">–</span>;
  const buckets = histogram.buckets.slice(first, last + 1);
  const most = Math.max(...buckets.map(([, count]) => count));
  const width = 6;
  return (
    <span class="bars">
      <svg viewBox={`0 0 ${buckets.length * width} 16`} width={buckets.length * width} height={16} aria-hidden="true">
        {buckets.map(([bound, count], i) => {
          // By the logarithm: the one slow message among a million quick ones is what one looks for.
          const height = count === 0 ? 0 : 2 + (14 * Math.log1p(count)) / Math.log1p(most);
          return (
            <rect key={String(bound)} x={i * width} y={16 - height} width={width - 1} height={height}>
              <title>{`up to ${duration(bound ?? Infinity)}: ${count}`}</title>
            </rect>
          );
        })}
      </svg>
      <span>
        half ≤ {duration(quantile(histogram, 0.5))}, 99 % ≤ {duration(quantile(histogram, 0.99))}
      </span>
    </span>
  );
}
