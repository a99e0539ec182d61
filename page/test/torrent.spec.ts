/** A zone that logs 5 000 lines a second, with as many lines in the page as it holds: none is lost without being counted. */
import test from 'ava';
import { readFileSync } from 'node:fs';
import { type Page } from 'playwright-core';
import { Shell } from '../../__test__/support/cli.ts';
import { closeBrowser, openPage, rowCount, until, untilText } from './support.ts';
import { openInlet, pod, project } from './zone.ts';

closeBrowser(test);

/** What the page holds at most; and the lines that come then, at that many a second. */
const [held, more, perSecond] = [200_000, 30_000, 5_000];

/** Runs in the page, as text: what tsx does to functions only works here. */
const countFrames = `
  window.seen = { frames: 0, late: 0, long: 0, longest: 0, rows: 0 };
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) {
      seen.long += 1;
      seen.longest = Math.max(seen.longest, duration);
    }
  }).observe({ type: 'longtask' });
  let last = performance.now();
  requestAnimationFrame(function frame(now) {
    seen.frames += 1;
    // Of 60 frames a second this one has missed at least one.
    if (now - last > 25) seen.late += Math.round((now - last) / 16.7) - 1;
    last = now;
    seen.rows = Math.max(seen.rows, document.querySelectorAll('.row').length);
    requestAnimationFrame(frame);
  });`;

/** All lines that the page holds, by its own download. */
async function download(page: Page): Promise<string[]> {
  const [file] = await Promise.all([
    page.waitForEvent('download', { timeout: 120_000 }),
    page.getByRole('button', { name: 'Download' }).click(),
  ]);
  return readFileSync(await file.path(), 'utf8')
    .split('\n')
    .slice(0, -1);
}

/** How many lines a line says are missing; 0: it says nothing of the kind. */
const missing = (line: string): number =>
  Number(/(\d+) (?:of its records were dropped here|lines that the supervisor has are missing)/.exec(line)?.[1] ?? 0) ||
  Number(/^… (\d+) lines are missing here/.exec(line)?.[1] ?? 0);

test.serial('at 5 000 lines a second with 200 000 held, every line arrives or is counted as missing', async (t) => {
  const shell = new Shell(t);
  project(shell, pod('torrent', 'torrent'), ['torrent']);
  await shell.ok('zone', 'deploy');
  const { url } = await openInlet(shell);
  const { page, problems } = await openPage(t, url, '/logs');
  const write = (lines: number, rate: number) =>
    shell.ok('ask', 'torrent/torrent', `${lines} ${rate}`, '--timeout', '10m');

  await write(held, 4 * perSecond);
  await page.evaluate(countFrames);
  const begun = performance.now();
  const { stdout } = await write(more, perSecond);
  const took = (performance.now() - begun) / 1000;
  const seen = await page.evaluate<Record<'frames' | 'late' | 'long' | 'longest' | 'rows', number>>('seen');
  t.log(
    `${more} lines in ${took.toFixed(1)} s: ${seen.frames} frames, ${seen.late} missed, ` +
      `${seen.long} tasks over 50 ms, the longest ${Math.round(seen.longest)} ms`,
  );
  const total = Number(stdout);
  t.is(total, held + more);

  const newest = page.locator('.lines .message').last();
  await until('the newest line is in sight', async () =>
    ((await newest.textContent()) ?? '').startsWith(`torrent ${total} `),
  );
  const holds = await rowCount(page);
  t.true(holds <= held, 'no more are held than 200 000');
  t.true(seen.rows <= 64, `${seen.rows} rows at most at once`);

  let [last, counted, losses] = [0, 0, 0];
  let order = true;
  for (const line of await download(page)) {
    const number = Number(/: torrent (\d+) /.exec(line)?.[1] ?? 0);
    if (number === 0) {
      losses += missing(line);
      continue;
    }
    if (last !== 0) {
      order &&= number > last;
      counted += number - last - 1;
    }
    last = number;
  }
  t.true(order, 'in order, and none twice');
  t.is(last, total);
  t.is(counted, losses, 'what is not there is counted where it is missing');
  // A link to a line that has made room for newer ones, and one to the oldest that is there.
  const { lines: oldest } = (await (await fetch(`${url}/logs?limit=1&after=00000000-1`)).json()) as {
    lines: { id: string; message: string }[];
  };
  const first = oldest[0] ?? { id: '', message: '' };
  const [history, number] = first.id.split('-');
  t.true(Number(number) > 2, `the oldest has number ${number}`);
  await page.goto(`${url}/logs?line=${history}-2`);
  await page.getByText('the line this link names has not come; it may no longer be held').waitFor();
  await until('what is held is there', async () => (await rowCount(page)) === held);
  await page.goto(`${url}/logs?line=${first.id}`);
  await untilText(page.locator('.details pre'), first.message);
  t.log(`${holds} lines held, ${losses} counted as missing`);
  t.deepEqual(problems, []);
});
