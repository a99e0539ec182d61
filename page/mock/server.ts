/**
 * Serves the built page and a made-up zone, in the shapes and with the headers of the real server. `node --import tsx page/mock/server.ts`
 * shows it at 127.0.0.1:32102 (`--port`), with `--rate` lines a second.
 */
import { createReadStream, existsSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { parseArgs } from 'node:util';
import { filterOf, matcher } from '../src/filter.ts';
import { held } from '../src/lines.ts';
import { routeOf } from '../src/router.ts';
import { MockZone } from './zone.ts';

/** Under which every answer stands; the same as the real server's. */
export const headers = {
  'content-security-policy':
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain',
};

/** A reader never gets more of what was before. */
const mostBehind = 20_000;

/** One that reads `/events`, and up to which line it has got. */
interface Reader {
  readonly response: ServerResponse;
  sent: number;
}

/** A server of a made-up zone. Lines go out when `push` is called; `live` calls it by itself. */
export class MockServer {
  readonly zone: MockZone;
  readonly #page: string;
  readonly #readers = new Set<Reader>();
  readonly #server = createServer((request, response) => this.#answer(request, response));
  #timers: ReturnType<typeof setInterval>[] = [];
  #refusing = false;
  /** Every path that was asked for, in order. */
  readonly asked: string[] = [];

  constructor(page: string, zone: MockZone) {
    this.#page = page;
    this.zone = zone;
  }

  /** Listens; resolves with the address. */
  async listen(port = 0): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(port, '127.0.0.1', resolve);
    });
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Readers connected now. */
  get readers(): number {
    return this.#readers.size;
  }

  /** Lets the zone live: so many lines a second in twenty batches, states each second. */
  live(rate: number): void {
    let owed = 0;
    this.#timers.push(
      setInterval(() => {
        owed += rate / 20;
        this.zone.chat(Math.floor(owed));
        owed -= Math.floor(owed);
        this.push();
      }, 50),
      setInterval(() => {
        this.zone.pass(1000);
        this.pushStates();
      }, 1000),
    );
  }

  /** Sends each reader the lines it has not had yet, 500 an event. */
  push(): void {
    for (const reader of this.#readers) {
      for (;;) {
        const lines = this.zone.linesAfter(reader.sent, 500);
        const last = lines.at(-1);
        if (!last) break;
        reader.sent = this.zone.numberOf(last.id);
        send(reader.response, 'lines', lines);
      }
    }
  }

  /** Sends all readers the states of nodes and workers. */
  pushStates(): void {
    for (const { response } of this.#readers) this.#sendStates(response);
  }

  #sendStates(response: ServerResponse): void {
    send(response, 'nodes', this.zone.states());
    send(response, 'workers', this.zone.workers());
  }

  /** Goes on with every reader as if it had been too slow for so many lines. */
  drop(lines: number): void {
    for (const { response } of this.#readers) send(response, 'dropped', { lines });
  }

  /** Cuts every connection; with `refusing`, new ones too until `accept`. */
  cut(refusing = false): void {
    this.#refusing = refusing;
    this.#server.closeAllConnections();
  }

  /** Lets connections in again. */
  accept(): void {
    this.#refusing = false;
  }

  /** Ends everything. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers = [];
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    if (this.#refusing) return void request.socket.destroy();
    const url = new URL(request.url ?? '/', 'http://mock');
    this.asked.push(url.pathname + url.search);
    if (url.pathname === '/events') return this.#events(url, response);
    const file = normalize(join(this.#page, url.pathname));
    if (url.pathname.startsWith('/assets/') && file.startsWith(this.#page) && existsSync(file)) {
      return serve(response, file);
    }
    if (request.headers.accept?.includes('text/html') && url.searchParams.get('format') !== 'json') {
      return serve(response, join(this.#page, 'index.html'), routeOf(url.pathname).view === 'unknown' ? 404 : 200);
    }
    const body = this.#json(url);
    if (body)
      return void response.writeHead(200, { ...headers, 'content-type': 'application/json' }).end(JSON.stringify(body));
    const problem = {
      title: 'Not found',
      status: 404,
      code: 'NOT_FOUND',
      detail: `There is nothing at ${url.pathname}.`,
    };
    response.writeHead(404, { ...headers, 'content-type': 'application/problem+json' }).end(JSON.stringify(problem));
  }

  #json(url: URL): object | undefined {
    const route = routeOf(url.pathname);
    switch (route.view) {
      case 'logs': {
        const fits = matcher(filterOf(url.searchParams));
        const limit = Math.min(Number(url.searchParams.get('limit') ?? 500), 10_000);
        const fitting = this.zone
          .linesAfter(this.zone.numberOf(url.searchParams.get('after') ?? ''))
          .filter((line) => fits(held(line)));
        const lines = fitting.slice(0, limit);
        const next = lines.at(-1)?.id ?? url.searchParams.get('after') ?? '0';
        return { next, more: fitting.length > limit, lines };
      }
      case 'nodes':
      case 'zone':
        return this.zone.states();
      case 'node':
        return this.zone.states().find(({ node }) => node === route.node);
      case 'workers':
        return this.zone.workers();
      case 'worker':
        return this.zone.worker(route.node, route.name);
      case 'dead-letters':
        return this.zone.states().map(({ node, deadLetters }) => ({ node, deadLetters }));
      case 'unknown':
        return undefined;
    }
  }

  #events(url: URL, response: ServerResponse): void {
    response.writeHead(200, { ...headers, 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write(': here\n\n');
    const after = url.searchParams.get('after');
    const history = Math.min(Number(url.searchParams.get('history') ?? 500), mostBehind);
    const reader = {
      response,
      sent: after === null ? Math.max(0, this.zone.last - history) : this.zone.numberOf(after),
    };
    this.#readers.add(reader);
    response.once('close', () => this.#readers.delete(reader));
    this.push();
    this.#sendStates(response);
  }
}

function send(response: ServerResponse, event: string, data: unknown): void {
  response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

function serve(response: ServerResponse, file: string, status = 200): void {
  response.writeHead(status, { ...headers, 'content-type': types[extname(file)] ?? 'application/octet-stream' });
  createReadStream(file).pipe(response);
}

if (import.meta.url === `file://${process.argv[1]}`) {
  const { values } = parseArgs({ options: { port: { type: 'string' }, rate: { type: 'string' } } });
  const nodes = ['client', 'runner-0', 'runner-1', 'runner-2', 'gateway', 'archive'];
  const server = new MockServer(
    join(import.meta.dirname, '..', '..', 'dist', 'page'),
    new MockZone({ name: 'demo', nodes, workersPerNode: 24 }),
  );
  server.zone.chat(5000, 20 * 60_000);
  server.live(Number(values.rate ?? 40));
  console.log(await server.listen(Number(values.port ?? 32102)));
}
