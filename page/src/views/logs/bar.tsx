/** Above the lines: what is filtered, and whether the list goes along. Below them: how many there are, and whether any are missing. */
import { useEffect, useRef } from 'preact/hooks';
import { levels } from '../../filter.ts';
import { count, rate } from '../../format.ts';
import { bind } from '../../keys.ts';
import { announce } from '../../parts/announce.tsx';
import { JsonButton } from '../../parts/json.tsx';
import { lines, linesRate, linesVersion, lostLines, members, workers, zoneName } from '../../store.ts';
import {
  filter,
  follow,
  listLength,
  pause,
  pausedAt,
  plainText,
  setFilter,
  toggleFollow,
  waiting,
  wanted,
} from './state.ts';

/** Saves the lines of the list as a file. */
export function download(): void {
  const url = URL.createObjectURL(new Blob(plainText(), { type: 'text/plain' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = `${zoneName.value || 'zone'}-logs-${new Date().toISOString().replaceAll(/[:.]/g, '-')}.log`;
  link.click();
  // The browser has begun to read it by then; a URL that is never given back keeps the text in memory.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  announce(`${count(listLength.value)} lines downloaded`);
}

/** The filters and the buttons. */
export function Bar() {
  const text = useRef<HTMLInputElement>(null);
  useEffect(() => bind({ '/': () => text.current?.focus() }), []);
  const now = filter.value;
  const names = [...members.value.keys()].sort();
  if (now.node && !names.includes(now.node)) names.unshift(now.node);
  return (
    <div class="bar" role="search" aria-label="Filter of the log">
      <input
        ref={text}
        type="search"
        placeholder="Find in lines  /"
        aria-label="Text in the line"
        value={now.text}
        onInput={(event) => setFilter({ text: event.currentTarget.value })}
      />
      <fieldset class="segments">
        <legend class="unseen">Least level</legend>
        {levels.map((level) => (
          <label key={level} class={`level-${level}`}>
            <input
              type="radio"
              name="level"
              value={level}
              checked={now.level === level}
              onChange={() => setFilter({ level })}
            />
            <span>{level === 'debug' ? 'all' : level}</span>
          </label>
        ))}
      </fieldset>
      <select aria-label="Node" value={now.node} onChange={(event) => setFilter({ node: event.currentTarget.value })}>
        <option value="">every node</option>
        {names.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
      <WorkerField />
      <div class="tools">
        <button
          type="button"
          aria-pressed={follow.value}
          onClick={toggleFollow}
          title="Keep the newest line in view (f)"
        >
          Follow
        </button>
        <button
          type="button"
          aria-pressed={pausedAt.value !== undefined}
          onClick={pause}
          title="Let nothing move; lines that come meanwhile wait (p)"
        >
          Pause
        </button>
        <button type="button" class="quiet" onClick={download} title="The lines of this list as a file (d)">
          Download
        </button>
        <JsonButton />
      </div>
    </div>
  );
}

/** Names offered while one types a worker's; more would only slow the field down. */
const mostOffered = 200;

function WorkerField() {
  const offered = [...new Set([...workers.value.values()].map(({ name }) => name))].slice(0, mostOffered);
  return (
    <>
      <input
        type="search"
        class="worker-field"
        placeholder="worker, or begin*"
        aria-label="Worker"
        list="worker-names"
        value={filter.value.worker}
        onInput={(event) => setFilter({ worker: event.currentTarget.value })}
      />
      <datalist id="worker-names">
        {offered.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </>
  );
}

/** The line below the list. */
export function Status() {
  void linesVersion.value;
  const held = lines.end - lines.start;
  const length = listLength.value;
  return (
    <div class="status">
      <span>
        {length === held ? `${count(held)} lines` : `${count(length)} of ${count(held)} lines`}
        {lines.start > 0 && <span class="muted"> · {count(lines.start)} older ones given up</span>}
      </span>
      <span class="muted">{rate(linesRate.value)} a second</span>
      {wanted.value !== '' && <span class="warn">the line this link names has not come; it may no longer be held</span>}
      {lostLines.value > 0 && <span class="warn">{count(lostLines.value)} lines missed</span>}
      <span class="grow" />
      {pausedAt.value !== undefined && (
        <button type="button" class="pill" onClick={pause}>
          paused{waiting.value > 0 ? `, ${count(waiting.value)} new` : ''} · go on
        </button>
      )}
      {pausedAt.value === undefined && !follow.value && (
        <button type="button" class="pill" onClick={toggleFollow}>
          ↓ to the newest
        </button>
      )}
      {pausedAt.value === undefined && follow.value && <span class="muted">following</span>}
    </div>
  );
}
