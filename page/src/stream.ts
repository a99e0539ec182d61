/**
 * The one stream of events the page reads. It is opened again after it broke, from the last line that arrived, so that no line is shown
 * twice; and it says how it is.
 *
 * A page that nobody sees has none: a browser has six connections to one server, for all its tabs, and each stream holds one.
 */
import { cursorBefore, historyOf, linesBetween } from './cursor.ts';
import { getJson } from './fetch.ts';
import { readAll, readLine, readNode, readWorker } from './reading.ts';
import { type Line, type NodeState, type WorkerState } from './shapes.ts';

/** How the stream is. */
export type Connection =
  { readonly state: 'opening' } | { readonly state: 'live' } | { readonly state: 'lost'; readonly since: number };

/** Who reads the stream. */
export interface StreamReader {
  connection(connection: Connection): void;
  /** `first`: the first of this connection, which names every node there is. */
  nodes(states: readonly NodeState[], first: boolean): void;
  lines(lines: readonly Line[]): void;
  workers(workers: readonly WorkerState[]): void;
  /** The server gave up so many lines before this reader came to them. */
  dropped(lines: number): void;
  /** The server began anew: what it sends from here on, it may have sent before. */
  anew(): void;
}

/** First wait before the stream is opened again, doubled up to the longest. Milliseconds. */
const [firstWait, longestWait] = [500, 8000];
/** Lines before those that come live: as many as the server keeps for a reader that lags. */
const history = 20_000;
/** Of an older line that a link names, so many lines before it are read too; and so many lines at once. */
const [context, page] = [200, 10_000];

/** Tells whether somebody sees the page: a `Document`, as far as it is needed here. */
export interface Sight {
  readonly hidden: boolean;
  addEventListener(type: 'visibilitychange', listener: () => void): void;
}

/** Opens the stream; with the cursor of a line, from somewhat before that line on. Returns what opens it at once when it is lost. */
export function openStream(reader: StreamReader, sight: Sight, line = ''): { retry(): void } {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let wait = firstWait;
  let lostSince = 0;
  let last = '';

  const take = (lines: readonly Line[]) => {
    const [first] = lines;
    if (first && last && historyOf(first.id) !== historyOf(last)) reader.anew();
    last = lines.at(-1)?.id ?? last;
    reader.lines(lines);
  };

  const lose = () => {
    lostSince ||= Date.now();
    reader.connection({ state: 'lost', since: lostSince });
    timer = setTimeout(open, wait);
    wait = Math.min(wait * 2, longestWait);
  };

  const open = () => {
    clearTimeout(timer);
    source?.close();
    const query = new URLSearchParams(last ? { after: last } : { history: String(history) });
    const opened = new EventSource(`/events?${query}`);
    source = opened;
    let sawNodes = false;
    const on = (name: string, act: (data: unknown) => void) =>
      opened.addEventListener(name, (event) => {
        if (opened === source) act(JSON.parse((event as MessageEvent).data as string));
      });
    opened.onopen = () => {
      wait = firstWait;
      lostSince = 0;
      reader.connection({ state: 'live' });
    };
    opened.onerror = () => {
      if (opened !== source) return;
      // The browser would try again from where this one began, and fetch the history twice.
      opened.close();
      lose();
    };
    on('lines', (data) => take(readAll(data, readLine)));
    on('nodes', (data) => {
      reader.nodes(readAll(data, readNode), !sawNodes);
      sawNodes = true;
    });
    on('workers', (data) => reader.workers(readAll(data, readWorker)));
    on('dropped', (data) => reader.dropped(Number((data as { lines?: unknown }).lines) || 0));
  };

  /** The lines after a cursor up to the newest: more than the stream would go back. */
  const fill = async (from: string | undefined, isWanted: () => boolean) => {
    let after = from;
    while (after !== undefined) {
      const answer = (await getJson(`/logs?${new URLSearchParams({ after, limit: String(page) })}`)) as {
        lines?: unknown;
        next?: unknown;
        more?: unknown;
      };
      if (!isWanted()) return;
      const lines = readAll(answer.lines, readLine);
      const lost = linesBetween(last, lines[0]?.id ?? '');
      if (lost > 0) reader.dropped(lost);
      take(lines);
      // How many came says nothing: an answer is bounded in bytes as well.
      after = answer.more === true && typeof answer.next === 'string' ? answer.next : undefined;
    }
  };

  let seen = 0;
  /** Somebody sees the page, or sees it again. */
  const see = (after: string | undefined) => {
    seen += 1;
    const now = seen;
    const isWanted = () => now === seen;
    reader.connection({ state: 'opening' });
    // Where that fails, the stream fails too, and says so.
    void fill(after, isWanted)
      .catch(() => undefined)
      .then(() => isWanted() && open());
  };
  const leave = () => {
    seen += 1;
    clearTimeout(timer);
    source?.close();
    source = undefined;
    reader.connection({ state: 'opening' });
  };

  sight.addEventListener('visibilitychange', () => (sight.hidden ? leave() : see(last || begin)));
  const begin = cursorBefore(line, context);
  reader.connection({ state: 'opening' });
  if (!sight.hidden) see(begin);
  return {
    retry: () => {
      if (source?.readyState !== EventSource.OPEN) open();
    },
  };
}
