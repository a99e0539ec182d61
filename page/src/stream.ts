/**
 * The one stream of events the page reads. It is opened again after it broke, from the last line that arrived, so that no line is shown
 * twice; and it says how it is.
 */
import { type Line, type NodeState, type WorkerState } from './shapes.ts';

/** How the stream is. `retryAt`: when it is tried again. */
export type Connection =
  | { readonly state: 'opening' }
  | { readonly state: 'live' }
  | { readonly state: 'lost'; readonly since: number; readonly retryAt: number };

/** Who reads the stream. */
export interface StreamReader {
  connection(connection: Connection): void;
  /** `first`: the first of this connection. */
  nodes(states: readonly NodeState[], first: boolean): void;
  lines(lines: readonly Line[]): void;
  workers(workers: readonly WorkerState[]): void;
  /** The server gave up so many lines because this reader was too slow. */
  dropped(lines: number): void;
}

/** First wait before the stream is opened again, doubled up to the longest. Milliseconds. */
const [firstWait, longestWait] = [500, 8000];

/** Opens the stream with so many lines of history; returns what closes it for good, and what opens it at once when it is lost. */
export function openStream(reader: StreamReader, history: number): { close(): void; retry(): void } {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let wait = firstWait;
  let lostSince = 0;
  let last = '';

  const open = () => {
    clearTimeout(timer);
    source?.close();
    const query = new URLSearchParams(last ? { after: last } : { history: String(history) });
    const opened = new EventSource(`/events?${query}`);
    source = opened;
    let sawNodes = false;
    const on = <T>(name: string, take: (data: T) => void) =>
      opened.addEventListener(name, (event) => {
        if (opened === source) take(JSON.parse((event as MessageEvent<string>).data) as T);
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
      lostSince ||= Date.now();
      reader.connection({ state: 'lost', since: lostSince, retryAt: Date.now() + wait });
      timer = setTimeout(open, wait);
      wait = Math.min(wait * 2, longestWait);
    };
    on<Line[]>('lines', (lines) => {
      last = lines.at(-1)?.id ?? last;
      reader.lines(lines);
    });
    on<NodeState[]>('nodes', (states) => {
      reader.nodes(states, !sawNodes);
      sawNodes = true;
    });
    on<WorkerState[]>('workers', (workers) => reader.workers(workers));
    on<{ lines: number }>('dropped', ({ lines }) => reader.dropped(lines));
  };

  reader.connection({ state: 'opening' });
  open();
  return {
    close: () => {
      clearTimeout(timer);
      source?.close();
      source = undefined;
    },
    retry: () => {
      if (source?.readyState !== EventSource.OPEN) open();
    },
  };
}
