/** What somebody may have meant who wrote a word that nobody knows. */

/**
 * The word of `known` that `word` most likely stands for: the one with the fewest characters to add, leave out or change, as long as those
 * are at most half of it. Undefined where all are farther: a guess would mislead.
 */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const written = word.slice(0, MAX_WORD).toLowerCase();
  let best: { name: string; distance: number } | undefined;
  for (const name of known) {
    const distance = editDistance(written, name.toLowerCase());
    if (best === undefined || distance < best.distance) best = { name, distance };
  }
  return best !== undefined && best.distance <= best.name.length / 2 ? best.name : undefined;
}

/** Longer than any key there is; what is looked for beyond it costs time only. Characters. */
const MAX_WORD = 64;

/** How many characters have to be added, left out or changed to make one word the other. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
