/** The logs in a browser: what is shown of what has come. */
import test from 'ava';
import { readFileSync } from 'node:fs';
import { type Page } from 'playwright-core';
import { inBrowser, list, messages, status, until, untilLines, untilText } from './support.ts';

const shows = inBrowser(test);
/** What the cursors of the made-up lines begin with. */
const cursor = '0000a11e-';

/** Runs in the page, as text: what tsx does to functions only works here. */
const countFrames = `
  window.seen = { frames: 0, drawn: 0, long: 0, rows: 0 };
  new MutationObserver(() => (seen.drawn += 1)).observe(document.querySelector('.lines'), { attributeFilter: ['aria-rowcount'] });
  new PerformanceObserver((list) => (seen.long += list.getEntries().length)).observe({ type: 'longtask' });
  requestAnimationFrame(function frame() {
    seen.frames += 1;
    seen.rows = Math.max(seen.rows, document.querySelectorAll('.row').length);
    requestAnimationFrame(frame);
  });`;

/** Which line stands at the top of the list, and how many pixels below its edge. */
const place = (page: Page) =>
  page.evaluate(() => {
    const top = document.querySelector('.lines')?.getBoundingClientRect().top ?? 0;
    const row = [...document.querySelectorAll('.lines .row:not(.header)')].find(
      (each) => each.getBoundingClientRect().top >= top + 20,
    );
    return `${row?.querySelector('.message')?.textContent} at ${Math.round((row?.getBoundingClientRect().top ?? 0) - top)}`;
  });

shows(
  'what was written before is shown, then every line as it comes',
  { lines: 300 },
  async (t, { page, mock, zone }) => {
    await untilLines(page, 300);
    t.is((await messages(page)).at(-1), 'line 300');
    zone.emit({ message: 'one more', node: 'runner-1', worker: 'greeter', fields: { user: 'u-7' } });
    mock.push();
    await untilLines(page, 301);
    t.is((await messages(page)).at(-1), 'one more user=u-7');
    await untilText(list(page).locator('.row').last().locator('.node'), 'runner-1');
  },
);

shows(
  'at 5 000 lines a second every line arrives, and the page has no more rows than fit',
  {},
  async (t, { page, mock, zone }) => {
    await page.evaluate(countFrames);
    let batch = 0;
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        // In 25 events each: more events than frames.
        for (let i = 1; i <= 250; i += 1) {
          zone.emit({ message: `\u001b[32mline\u001b[0m ${batch * 250 + i}` });
          if (i % 10 === 0) mock.push();
        }
        batch += 1;
        if (batch < 80) return;
        clearInterval(timer);
        resolve();
      }, 50);
    });
    await untilLines(page, 20_000);
    await until('the newest line is in sight', async () => (await messages(page)).at(-1) === 'line 20000');
    const seen = await page.evaluate<Record<'frames' | 'drawn' | 'long' | 'rows', number>>('seen');
    t.log(`${seen.frames} frames, ${seen.long} tasks longer than 50 ms while 20 000 lines came in 4 s`);
    t.true(seen.rows <= 64, `${seen.rows} rows at most at once`);
    // However much comes, it is drawn once a frame. The first may have been asked for before frames were counted.
    t.true(seen.drawn > 0 && seen.drawn <= seen.frames + 1, `drawn ${seen.drawn} times in ${seen.frames} frames`);
  },
);

shows(
  '200 000 lines are held, the oldest given up first, and both ends can be reached',
  { lines: 203_000, path: `/logs?line=${cursor}3200` },
  async (t, { page, mock, zone }) => {
    await untilLines(page, 200_000);
    await until('the linked line is in sight', async () => (await messages(page)).includes('line 3200'));
    const before = await place(page);
    for (let i = 1; i <= 100; i += 1) zone.emit({ message: `newer ${i}` });
    mock.push();
    await untilText(status(page), /100 older ones given up/);
    await untilLines(page, 200_000);
    t.is(await page.locator('.row.selected .message').textContent(), 'line 3200');
    t.is(await place(page), before, 'what is looked at stays where it is while lines above it go');
    await list(page).focus();
    await page.keyboard.press('Home');
    await until('the oldest is in sight', async () => (await messages(page))[0] === 'line 3101');
    await page.keyboard.press('End');
    await until('the newest is in sight', async () => (await messages(page)).at(-1) === 'newer 100');
    t.true((await page.locator('.row').count()) <= 64);
  },
);

shows('HTML in a line is text, and so is every other part of it', {}, async (t, { page, mock, zone }) => {
  const html = '<img src=x onerror="document.title=1"><script>document.title=1</script>';
  zone.emit({ message: html, worker: '<b>w</b>', name: '<i>n</i>', fields: { '<u>f</u>': '<s>v</s>' } });
  zone.emit({ message: `\u001b[31m${html}\u001b[0m` });
  mock.push();
  await untilLines(page, 2);
  t.deepEqual(await messages(page), [`${html} <u>f</u>=<s>v</s>`, html]);
  await page.locator('.row', { hasText: '<b>w</b>' }).click();
  await untilText(page.locator('.details pre'), html);
  await untilText(page.locator('.details dd'), '<s>v</s>');
  t.is(await page.locator('main :is(img, script, b, i, u, s)').count(), 0);
  t.is(await page.title(), 'Logs · demo');
});

shows(
  'lines are filtered by level, node, worker and text, as the address says',
  {},
  async (t, { page, mock, zone, url }) => {
    zone.emit({ message: 'a quiet one', level: 'debug' });
    zone.emit({ message: 'a loud one', level: 'error', node: 'runner-1' });
    zone.emit({ message: 'a warning', level: 'warn', node: 'runner-0', worker: 'greeter' });
    mock.push();
    await untilLines(page, 3);
    await page.getByText('warn', { exact: true }).first().click();
    await untilLines(page, 2);
    await page.getByRole('combobox', { name: 'Node' }).selectOption('runner-0');
    await untilLines(page, 1);
    await page.getByRole('combobox', { name: 'Worker' }).fill('greet*');
    await page.getByRole('searchbox', { name: 'Text in the line' }).fill('WARNING');
    await until('the address has it', async () =>
      page.url().endsWith('/logs?level=warn&node=runner-0&worker=greet*&text=WARNING'),
    );
    t.deepEqual(await messages(page), ['a warning']);
    await page.getByRole('searchbox', { name: 'Text in the line' }).fill('nothing has this');
    await untilLines(page, 0);
    await page.goto(`${url}/logs?level=error&text=loud`);
    await untilLines(page, 1);
    zone.emit({ message: 'loud again', level: 'error' });
    zone.emit({ message: 'loud, but well', level: 'info' });
    mock.push();
    await untilLines(page, 2);
    t.deepEqual(await messages(page), ['a loud one', 'loud again']);
  },
);

shows(
  'a paused list does not move; what comes meanwhile is counted, and shown afterwards',
  { lines: 10 },
  async (t, { page, mock, zone }) => {
    await untilLines(page, 10);
    await page.getByRole('button', { name: 'Pause' }).click();
    for (let i = 0; i < 25; i += 1) zone.emit({ message: `later ${i}` });
    mock.push();
    await untilText(status(page).getByRole('button'), 'paused, 25 new · go on');
    await untilLines(page, 10);
    t.is((await messages(page)).at(-1), 'line 10');
    await page.keyboard.press('p');
    await untilLines(page, 35);
    await until('the newest is in sight', async () => (await messages(page)).at(-1) === 'later 24');
  },
);

shows(
  'who scrolls back keeps the place while lines come, and follows again at the end',
  { lines: 2000 },
  async (t, { page, mock, zone }) => {
    await untilLines(page, 2000);
    await list(page).hover();
    await page.mouse.wheel(0, -4000);
    await untilText(status(page).getByRole('button'), '↓ to the newest');
    // The wheel scrolls over several frames.
    let before = '';
    await until('the list stands still', async () => before === (before = await place(page)));
    for (let i = 0; i < 500; i += 1) zone.emit({ message: `later ${i}` });
    mock.push();
    await untilLines(page, 2500);
    t.is(await place(page), before);
    await status(page).getByRole('button').click();
    await until('the newest is in sight', async () => (await messages(page)).at(-1) === 'later 499');
    t.is(await page.getByRole('button', { name: 'Follow' }).getAttribute('aria-pressed'), 'true');
  },
);

shows('a line has an address, which leads to it', { lines: 5000 }, async (t, { page, mock, url }) => {
  await untilLines(page, 5000);
  const before = await place(page);
  await page.locator('.row', { hasText: 'line 4975' }).click();
  await untilText(page.locator('.details pre'), 'line 4975');
  t.is(await place(page), before, 'the list stays where it is');
  await page.getByRole('button', { name: 'Close' }).click();
  await page.locator('.details').waitFor({ state: 'detached' });
  // Below the edge of the list once the details are open: the list moves as little as it must.
  await page.locator('.row', { hasText: 'line 4999' }).click();
  await until('the line is in sight', () =>
    page.evaluate(() => {
      const bottom = document.querySelector('.row.selected')?.getBoundingClientRect().bottom ?? Infinity;
      return bottom <= (document.querySelector('.details')?.getBoundingClientRect().top ?? 0) + 1;
    }),
  );
  await until('the address names it', async () => page.url() === `${url}/logs?line=${cursor}4999`);
  await page.getByRole('button', { name: 'Close' }).click();
  await until('the address names none', async () => page.url() === `${url}/logs`);
  await page.goto(`${url}/logs?text=line&line=${cursor}77`);
  await until('it is in sight', async () => (await messages(page)).includes('line 77'));
  await untilText(page.locator('.details pre'), 'line 77');
  t.true(mock.asked.includes(`/logs?after=${cursor}0&limit=10000`));
  await page.goto(`${url}/logs?line=${cursor}999999`);
  await untilLines(page, 5000);
  await untilText(status(page).locator('.warn'), /may no longer be held/);
});

shows('the download has the lines that are shown, and none else', {}, async (t, { page, mock, zone }) => {
  zone.emit({ message: 'not this one', time: 0 });
  zone.emit({ message: '\u001b[31mthis one\u001b[0m', time: 1000, level: 'warn', worker: 'greeter', fields: { n: 1 } });
  mock.push();
  await untilLines(page, 2);
  await page.getByRole('searchbox', { name: 'Text in the line' }).fill('this one');
  await page.getByText('warn', { exact: true }).first().click();
  await untilLines(page, 1);
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Download' }).click(),
  ]);
  t.regex(download.suggestedFilename(), /^demo-logs-[\dTZ-]+\.log$/);
  t.is(
    readFileSync(await download.path(), 'utf8'),
    '1970-01-01T00:00:01.000Z warn  client/greeter node: this one n=1\n',
  );
});

shows(
  'a page that was too slow says so, where lines are missing and how many',
  { lines: 3 },
  async (t, { page, mock, zone }) => {
    await untilLines(page, 3);
    mock.drop(12_345);
    zone.emit({ message: 'after the gap' });
    mock.push();
    await untilLines(page, 5);
    t.regex((await page.locator('.row.gap').textContent()) ?? '', /^12\u202f345 lines are missing here/);
    await untilText(status(page).locator('.warn'), '12\u202f345 lines missed');
    await page.getByRole('searchbox', { name: 'Text in the line' }).fill('gap');
    await untilLines(page, 2);
    t.is(await page.locator('.row.gap').count(), 1);
  },
);
