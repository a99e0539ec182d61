/**
 * A node that writes numbered lines in every way a program has, each into a diary of its own first: what a page of the zone is compared
 * with. `DIARY` names the folder, `SCRIBE` is a word in each line.
 */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Context, info, Node } from 'troupe';

const { DIARY = '', SCRIBE = '', TROUPE_NODE = '' } = process.env;
/** Lines of each way, first and on each request. */
const BEGINNING = 100;

const ways: Readonly<Record<string, (text: string) => void>> = {
  record: (text) => info(text),
  stdout: (text) => console.log(text),
  stderr: (text) => process.stderr.write(`${text}\n`),
};
let count = 0;

function write(lines: number): void {
  for (let i = 0; i < lines; i += 1) {
    count += 1;
    for (const [way, put] of Object.entries(ways)) {
      const text = `${SCRIBE} ${process.pid} ${way} ${count}`;
      appendFileSync(join(DIARY, `${TROUPE_NODE}.${way}`), `${text}\n`);
      put(text);
    }
  }
}

/** Writes as many lines of each way as it is told, or answers twice. */
class Scribe {
  async handleMessage(context: Context, message: string) {
    if (message === 'twice') await context.reply('once');
    else write(Number(message));
    await context.reply(`${count}`);
  }
}

const html = '<img src=x onerror="document.title=1">';
/** Fails every message; all that is shown of it is HTML to whoever takes it for that. */
const { [html]: Html } = {
  [html]: class {
    handleMessage() {
      throw new Error(`${html}<script>document.title=2</script>`);
    }
  },
};

await Node.start(async (node) => {
  // What the log says before a node is open is printed, and comes as what a program prints.
  write(BEGINNING);
  await node.startWorker('scribe', Scribe);
  if (Html) await node.startWorker('html', Html);
});
