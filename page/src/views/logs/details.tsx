/** The line that is selected, whole: every line of its message, its fields, and where to go from it. */
import { failureOf } from '../../filter.ts';
import { hueOf, iso } from '../../format.ts';
import { copy } from '../../parts/json.tsx';
import { AnsiText } from '../../parts/text.tsx';
import { pathOf } from '../../router.ts';
import { lines } from '../../store.ts';
import { plainLine, select, selected, setFilter } from './state.ts';

/** Copies the address of the line that is selected. */
export const copyLink = () => void copy(location.href, 'Link to the line copied');

/** The details; nothing where no line is selected. */
export function Details() {
  const number = selected.value;
  const line = number === undefined ? undefined : lines.at(number);
  if (number === undefined || line?.lost !== undefined) return null;
  if (!line) {
    return (
      <aside class="details" aria-label="Selected line">
        <p class="empty">This line is no longer held: newer ones have taken its place.</p>
      </aside>
    );
  }
  const { worker, node, fields } = line;
  return (
    <aside class="details" aria-label="Selected line">
      <div class="details-head">
        <time dateTime={iso(line.time)}>{iso(line.time)}</time>
        <span class={`level level-${line.level}`}>{line.level}</span>
        <a class={`hue-${hueOf(node)}`} href={pathOf({ view: 'node', node })}>
          {node}
        </a>
        {worker && <a href={pathOf({ view: 'worker', node, name: worker })}>{worker}</a>}
        <span class="muted">{line.name}</span>
        <div class="tools">
          <button type="button" class="quiet" onClick={() => setFilter({ node })}>
            Only this node
          </button>
          {worker && (
            <button type="button" class="quiet" onClick={() => setFilter({ worker })}>
              Only this worker
            </button>
          )}
          <button type="button" class="quiet" onClick={copyLink}>
            Copy link
          </button>
          <button type="button" class="quiet" onClick={() => void copy(plainLine(line), 'Line copied')}>
            Copy text
          </button>
          <button type="button" class="quiet" onClick={() => select(undefined)}>
            Close
          </button>
        </div>
      </div>
      <div class="details-body" tabIndex={0} role="region" aria-label="Message">
        <pre>
          <AnsiText text={line.message} />
        </pre>
        {fields && (
          <dl class="pairs">
            {Object.entries(fields).map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{failureOf(value)?.stack ?? (typeof value === 'string' ? value : JSON.stringify(value))}</dd>
              </div>
            ))}
          </dl>
        )}
      </div>
    </aside>
  );
}
