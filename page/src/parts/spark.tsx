/** A small chart in a line of text: the shape of the last values, nothing more. */

/** `values`, oldest first, from 0 to `top` (or to the largest of them). For eyes only: the number stands beside it. */
export function Spark({ values, top = 0 }: { values: readonly number[]; top?: number }) {
  const [width, height] = [64, 16];
  const shown = values.slice(-60);
  const most = Math.max(top, ...shown, 1e-9);
  const points = shown.map((value, i) => {
    const x = width - (shown.length - 1 - i) * (width / 59);
    return `${x.toFixed(1)},${(height - 1 - (value / most) * (height - 2)).toFixed(1)}`;
  });
  return (
    <svg class="spark" viewBox={`0 0 ${width} ${height}`} width={width} height={height} aria-hidden="true">
      <line x1="0" x2={width} y1={height - 0.5} y2={height - 0.5} />
      {points.length > 1 && <polyline points={points.join(' ')} />}
    </svg>
  );
}
