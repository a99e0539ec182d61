/** The keyboard: one key, one action, told of in one list. Keys go to fields and dialogs where those have the focus. */

/** A shortcut as the list of them shows it. */
export interface Shortcut {
  readonly keys: readonly string[];
  readonly does: string;
}

/** Every shortcut there is. */
export const shortcuts: readonly { readonly where: string; readonly list: readonly Shortcut[] }[] = [
  {
    where: 'Everywhere',
    list: [
      { keys: ['1', '…', '5'], does: 'Logs, nodes, workers, dead letters, zone' },
      { keys: ['/'], does: 'Find' },
      { keys: ['?'], does: 'This list' },
      { keys: ['Esc'], does: 'Close, or leave a field' },
    ],
  },
  {
    where: 'Logs',
    list: [
      { keys: ['f'], does: 'Follow the newest line, or stop following' },
      { keys: ['p'], does: 'Pause, or go on' },
      { keys: ['↓', '↑'], does: 'Next line, line before' },
      { keys: ['Home', 'End'], does: 'Oldest line, newest line' },
      { keys: ['c'], does: 'Copy the link to the line' },
      { keys: ['d'], does: 'Download what is shown' },
    ],
  },
];

const actions = new Map<string, () => void>();

/** Has a key do something until the returned function is called. */
export function bind(keys: Readonly<Record<string, () => void>>): () => void {
  for (const [key, action] of Object.entries(keys)) actions.set(key, action);
  return () => {
    for (const [key, action] of Object.entries(keys)) if (actions.get(key) === action) actions.delete(key);
  };
}

const isField = (target: EventTarget | null) =>
  target instanceof Element && target.matches('input:not([type=radio]), select, textarea');

/** Listens to the keyboard. */
export function watchKeys(): void {
  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (document.querySelector('dialog[open]')) return;
    if (isField(event.target)) {
      if (event.key === 'Escape') (event.target as HTMLElement).blur();
      return;
    }
    const action = actions.get(event.key);
    if (!action) return;
    event.preventDefault();
    action();
  });
}
