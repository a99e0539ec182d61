/** How a node is: a word, and a dot whose shape says the same as its colour. */
import { type Presence } from '../shapes.ts';

/** A node's presence. */
export function PresenceMark({ presence }: { presence: Presence }) {
  return (
    <span class={`presence presence-${presence}`}>
      <span class="dot" aria-hidden="true" />
      {presence}
    </span>
  );
}
