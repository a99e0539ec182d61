/** The list of shortcuts. */
import { shortcuts } from '../keys.ts';
import { Dialog } from './dialog.tsx';

/** Every shortcut, by where it works. */
export function Help({ close }: { close: () => void }) {
  return (
    <Dialog title="Keyboard" close={close}>
      <div class="shortcuts">
        {shortcuts.map(({ where, list }) => (
          <section key={where}>
            <h3>{where}</h3>
            <dl>
              {list.map(({ keys, does }) => (
                <div key={does}>
                  <dt>
                    {keys.map((key) => (
                      <kbd key={key}>{key}</kbd>
                    ))}
                  </dt>
                  <dd>{does}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
