/** Durations by size: what came since an earlier count, and below which duration a share of them lies. */
import { type Histogram } from './shapes.ts';

/** What was counted after `before`. An earlier count that is no earlier one (its node began anew) is passed over. */
export function since(now: Histogram, before: Histogram | undefined): Histogram {
  if (!before || before.count > now.count) return now;
  const counted = new Map(before.buckets.map(([bound, count]) => [bound, count]));
  const buckets = now.buckets.map(([bound, count]) => [bound, count - (counted.get(bound) ?? 0)] as const);
  if (buckets.some(([, count]) => count < 0)) return now;
  return { count: now.count - before.count, sumMs: now.sumMs - before.sumMs, buckets };
}

/**
 * The upper bound, in milliseconds, of the bucket in which that share of the durations ends: "at most so long". Infinity in the bucket
 * without a bound; undefined where nothing was counted.
 */
export function quantile(histogram: Histogram, share: number): number | undefined {
  const total = histogram.buckets.reduce((sum, [, count]) => sum + count, 0);
  if (total === 0) return undefined;
  let passed = 0;
  for (const [bound, count] of histogram.buckets) {
    passed += count;
    if (passed >= total * share && count > 0) return bound ?? Infinity;
  }
  return Infinity;
}

/** Histograms of several isolates as one. */
export function together(histograms: readonly Histogram[]): Histogram {
  const buckets = new Map<number | null, number>();
  for (const histogram of histograms) {
    for (const [bound, count] of histogram.buckets) buckets.set(bound, (buckets.get(bound) ?? 0) + count);
  }
  return {
    count: histograms.reduce((sum, { count }) => sum + count, 0),
    sumMs: histograms.reduce((sum, { sumMs }) => sum + sumMs, 0),
    buckets: [...buckets].sort(([a], [b]) => (a ?? Infinity) - (b ?? Infinity)),
  };
}
