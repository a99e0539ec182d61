/** Bad days of a zone while somebody looks at it: the page mends itself, and no line is lost or stands there twice. */
import test, { type ExecutionContext } from 'ava';
import { once } from 'node:events';
import { get } from 'node:http';
import { type Page } from 'playwright-core';
import { Shell } from '../../__test__/support/cli.ts';
import { type Program } from '../../__test__/support/program.ts';
import { closeBrowser, openPage, rowCount, until, untilText } from './support.ts';
import { allRows, asDiary, Diary, openInlet, pod, project } from './zone.ts';

closeBrowser(test);

const word = 'scribe';

/** A zone of two nodes that keep diaries, not yet up. */
class Zone {
  readonly shell: Shell;
  readonly diary: Diary;
  readonly #t: ExecutionContext;

  constructor(t: ExecutionContext) {
    this.#t = t;
    this.shell = new Shell(t);
    this.diary = new Diary(this.shell);
    project(this.shell, pod('scribe', 'scribe', { DIARY: this.diary.folder, SCRIBE: word }, 2), ['scribe']);
  }

  deploy = () => this.shell.ok('zone', 'deploy');

  /** Has both write so many lines of each kind. */
  async write(lines: number): Promise<void> {
    for (const node of ['scribe-0', 'scribe-1']) await this.shell.ok('ask', `${node}/scribe`, String(lines));
  }

  get supervisor(): number {
    const found = this.shell.processes().find(({ command }) => command.includes('troupe-supervisor'));
    return found?.pid ?? 0;
  }

  /** Opens a page of an inlet; it has to be without a fault in the end, but for connections that were cut. */
  async look(): Promise<{ page: Page; inlet: Program; url: string; end(): void }> {
    const { inlet, url } = await openInlet(this.shell);
    const { page, problems } = await openPage(this.#t, url, `/logs?text=${word}`, { cuts: true });
    return { page, inlet, url, end: () => this.#t.deepEqual(problems, []) };
  }

  /** The page has what the processes wrote, each line once and in order. */
  async compare(page: Page, what: string): Promise<void> {
    const written = this.diary.lines();
    const count = Object.values(written).flat().length;
    await until(`${what}: ${count} lines are there`, async () => (await rowCount(page)) >= count);
    this.#t.deepEqual(asDiary(await allRows(page), word), written, what);
  }
}

test.serial('a supervisor that is killed while one looks, and a deploy that brings the zone back', async (t) => {
  const zone = new Zone(t);
  await zone.deploy();
  const { page, url, end } = await zone.look();
  await zone.write(20);
  await zone.compare(page, 'before');
  process.kill(zone.supervisor, 'SIGKILL');
  await page.getByText('Nobody is in zone shop any more').waitFor();
  await until('its containers have ended', async () => zone.shell.processes().length === 1);
  await zone.deploy();
  await page.getByText('Nobody is in zone shop any more').waitFor({ state: 'detached' });
  await zone.write(20);
  await zone.compare(page, 'after');
  await page.goto(`${url}/nodes`);
  for (const name of ['scribe-0', 'scribe-1'])
    await untilText(page.locator('tbody tr', { hasText: name }).locator('.presence'), 'up');
  end();
});

test.serial('a supervisor that stands still when one begins to look', async (t) => {
  const zone = new Zone(t);
  await zone.deploy();
  process.kill(zone.supervisor, 'SIGSTOP');
  const { page, end } = await zone.look();
  // What the nodes have themselves comes from them; what was printed only the supervisor can tell.
  await until('the records of both are there', async () => (await rowCount(page)) >= 200);
  process.kill(zone.supervisor, 'SIGCONT');
  await zone.write(20);
  await until('all lines are there', async () => (await rowCount(page)) >= 720);
  const rows = asDiary(await allRows(page), word);
  t.deepEqual(rows, zone.diary.lines());
  end();
});

test.serial(
  'an inlet that was opened before the zone was there, and another beside it, also when it is deleted and deployed again',
  async (t) => {
    const zone = new Zone(t);
    const first = await zone.look();
    await first.page.getByText('Nobody is in this zone yet').waitFor();
    await zone.deploy();
    await first.page.getByText('Nobody is in this zone yet').waitFor({ state: 'detached' });
    await zone.compare(first.page, 'the first');
    const second = await zone.look();
    await zone.write(20);
    await zone.compare(second.page, 'the second');
    await zone.compare(first.page, 'the first again');
    await zone.shell.ok('zone', 'delete', '--yes');
    await first.page.getByText('Nobody is in zone shop any more').waitFor();
    await zone.deploy();
    await zone.write(20);
    await zone.compare(first.page, 'the first, of a zone that was deleted and is there again');
    await zone.compare(second.page, 'the second');
    first.end();
    second.end();
  },
);

test.serial('an inlet that stands still for a while, as on a machine that sleeps', async (t) => {
  const zone = new Zone(t);
  await zone.deploy();
  const { page, inlet, end } = await zone.look();
  await zone.compare(page, 'before');
  await inlet.suspend();
  await zone.write(200);
  inlet.signal('SIGCONT');
  await zone.compare(page, 'after');
  end();
});

test.serial('an inlet that is started anew at its port', async (t) => {
  const zone = new Zone(t);
  await zone.deploy();
  const { page, inlet, url, end } = await zone.look();
  await zone.compare(page, 'before');
  inlet.signal('SIGKILL');
  await page.getByText('connection lost').waitFor();
  await zone.write(20);
  await openInlet(zone.shell, ['--port', new URL(url).port]);
  await page.getByRole('status').getByText('live').waitFor();
  await zone.compare(page, 'after');
  end();
});

/** Reads `/events` until it has had so many lines of the diary; resolves with their messages. */
async function readEvents(t: ExecutionContext, url: string, count: number): Promise<string[]> {
  const request = get(`${url}/events?history=20000`);
  t.teardown(() => request.destroy());
  const [response] = (await once(request, 'response')) as [AsyncIterable<Buffer>];
  const messages: string[] = [];
  let text = '';
  for await (const chunk of response) {
    text += chunk.toString();
    const events = text.split('\n\n');
    text = events.pop() ?? '';
    for (const event of events) {
      const [, data] = /^event: lines\ndata: (.*)$/m.exec(event) ?? [];
      const lines = data === undefined ? [] : (JSON.parse(data) as { message: string }[]);
      messages.push(...lines.map(({ message }) => message).filter((message) => message.startsWith(`${word} `)));
    }
    if (messages.length >= count) break;
  }
  return messages;
}

test.serial('fifty readers beside the page: each has every line once', async (t) => {
  const zone = new Zone(t);
  await zone.deploy();
  const { page, url, end } = await zone.look();
  const readers = Array.from({ length: 50 }, () => readEvents(t, url, 720));
  await zone.write(20);
  await zone.compare(page, 'the page');
  const written = Object.values(zone.diary.lines()).flat().sort();
  for (const messages of await Promise.all(readers)) t.deepEqual(messages.sort(), written);
  end();
});
