/** The last failures of handlers, each with its stack. */
import { dayAndTime, iso } from '../format.ts';
import { pathOf } from '../router.ts';
import { type HandlerFailure } from '../shapes.ts';

/** Newest first. With `node`, each names its worker and leads to it. */
export function Failures({ failures, node }: { failures: readonly HandlerFailure[]; node?: string }) {
  if (failures.length === 0) return <p class="empty">No handler has failed.</p>;
  const newest = [...failures].sort((a, b) => b.time - a.time);
  return (
    <ol class="failures">
      {newest.map((failure, i) => (
        <li key={`${failure.time} ${i}`}>
          <p>
            <time dateTime={iso(failure.time)}>{dayAndTime(failure.time)}</time>{' '}
            {node !== undefined && (
              <>
                <a href={pathOf({ view: 'worker', node, name: failure.worker })}>{failure.worker}</a>{' '}
                <span class="muted">{failure.type}</span>{' '}
              </>
            )}
            <span class="error">{failure.message}</span>
          </p>
          {failure.stack && (
            <details>
              <summary>Stack</summary>
              <pre tabIndex={0} role="region" aria-label="Stack">
                {failure.stack}
              </pre>
            </details>
          )}
        </li>
      ))}
    </ol>
  );
}
