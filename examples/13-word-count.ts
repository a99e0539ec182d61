// Work spread over all nodes: each counts the words of some lines, this one adds up. What was started is stopped, whatever happens.
// With two runners up, prints:
//   the 4 times, sea 3 times, old 2 times
//   left behind: 0
import { Node, Zone, type Context } from 'troupe';

const LINES = [
  'The old ship left the harbour',
  'and the sea was calm',
  'An old sailor looked at the sea',
  'and said that sea and sky are one',
];

class WordCounter {
  async handleMessage(context: Context, line: string) {
    const counts: Record<string, number> = {};
    for (const word of line.toLowerCase().split(' ')) counts[word] = (counts[word] ?? 0) + 1;
    await context.reply(JSON.stringify(counts));
  }
}

async function countWords(node: Node, lines: string[]) {
  const runners = await Zone.nodes(node, { filter: 'runner', atLeast: 2, timeout: '20s' });
  const total = new Map<string, number>();
  try {
    await Promise.all(runners.map((runner, i) => runner.startWorker(`words-${i}`, WordCounter)));
    const replies = lines.map((line, i) =>
      node.sendAndReceive(`words-${i % runners.length}`, line, { timeout: '30s' }),
    );
    for (const reply of await Promise.all(replies)) {
      for (const [word, count] of Object.entries(JSON.parse(reply) as Record<string, number>)) {
        total.set(word, (total.get(word) ?? 0) + count);
      }
    }
  } finally {
    // One that was never started can't be stopped; the others must be, all the same.
    await Promise.allSettled(runners.map((runner, i) => runner.stopWorker(`words-${i}`)));
  }
  return [...total].sort(([a, m], [b, n]) => n - m || a.localeCompare(b));
}

await Node.start(
  async (node) => {
    const top = (await countWords(node, LINES)).filter(([word]) => word !== 'and').slice(0, 3);
    console.log(top.map(([word, count]) => `${word} ${count} times`).join(', '));
    const workers = await Promise.all((await Zone.nodes(node)).map((n) => n.listWorkers({ prefix: 'words-' })));
    console.log(`left behind: ${workers.flat().length}`);
  },
  { waitUntilInterrupted: false },
);
