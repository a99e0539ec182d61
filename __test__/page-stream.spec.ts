/** The page's one stream: what it reads before it listens, of a server that is stood for by functions. */
import test from 'ava';
import { openStream, type StreamReader } from '../page/src/stream.ts';
import { type Line } from '../page/src/shapes.ts';

const line = (number: number) =>
  ({ id: `0000000a-${number}`, time: number, node: 'a', level: 'info', name: 'node', message: 'x' }) satisfies Line;

test('lines before a linked one are read answer by answer while there are more, and then the stream goes on behind them', async (t) => {
  const asked: string[] = [];
  // Bounded in bytes: the first has few lines and is not all, the last has as many as it was asked for and is.
  const answers = [
    { next: '0000000a-2', more: true, lines: [line(1), line(2)] },
    { next: '0000000a-3', more: true, lines: [line(3)] },
    { next: '0000000a-9', more: true, lines: [] },
    { next: '0000000a-10009', more: false, lines: Array.from({ length: 10_000 }, (_, i) => line(10 + i)) },
  ];
  globalThis.fetch = (address) => {
    asked.push(String(address));
    return Promise.resolve(Response.json(answers.shift()));
  };
  const read: string[] = [];
  const opened = new Promise<string>((resolve) => {
    globalThis.EventSource = class extends EventTarget {
      constructor(address: string) {
        super();
        resolve(address);
      }
    } as unknown as typeof EventSource;
  });
  const reader: StreamReader = {
    connection: () => {},
    nodes: () => {},
    lines: (lines) => read.push(...lines.map(({ id }) => id)),
    workers: () => {},
    dropped: () => {},
    anew: () => t.fail(),
  };
  openStream(reader, { hidden: false, addEventListener: () => {} }, '0000000a-150');
  t.is(await opened, '/events?after=0000000a-10009');
  t.deepEqual(
    asked.map((address) => new URLSearchParams(address.split('?')[1]).get('after')),
    ['0000000a-0', '0000000a-2', '0000000a-3', '0000000a-9'],
  );
  t.is(read.length, 10_003);
});
