/** The logs: every line of every node, live, with what came before. */
import { useEffect } from 'preact/hooks';
import { bind } from '../keys.ts';
import { useTitle } from '../parts/view.tsx';
import { Bar, download, Status } from './logs/bar.tsx';
import { copyLink, Details } from './logs/details.tsx';
import { List } from './logs/list.tsx';
import { pause, select, selected, toggleFollow } from './logs/state.ts';

/** The view. */
export function Logs() {
  useTitle('Logs');
  useEffect(
    () =>
      bind({
        f: toggleFollow,
        p: pause,
        d: download,
        c: () => selected.value !== undefined && copyLink(),
        Escape: () => select(undefined),
      }),
    [],
  );
  return (
    <div class="logs">
      <h1 class="unseen">Logs</h1>
      <Bar />
      <List />
      <Details />
      <Status />
    </div>
  );
}
