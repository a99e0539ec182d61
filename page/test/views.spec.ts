/** The other views in a browser, the frame around them, and that everyone can use them. */
import test from 'ava';
import { type Page } from 'playwright-core';
import { barriers, everyPath, inBrowser, list, messages, status, until, untilLines, untilText } from './support.ts';

const shows = inBrowser(test);
for (const colorScheme of ['light', 'dark'] as const) {
  shows(
    `no view keeps anyone out (axe), ${colorScheme}`,
    { context: { colorScheme }, cuts: true },
    async (t, { page, mock, zone, url }) => {
      zone.become('runner-1', 'stalled');
      zone.become('client', 'gone');
      zone.chat(400);
      for (const path of everyPath) {
        await page.goto(url + path);
        await page.getByRole('status').getByText('live').waitFor();
        if (path === '/logs') {
          mock.drop(3);
          await page.locator('.row.level-error').first().click();
        }
        if (path.startsWith('/workers/')) await page.locator('canvas').first().waitFor();
        t.deepEqual(await barriers(page), [], path);
      }
      await page.keyboard.press('?');
      await page.getByRole('dialog').waitFor();
      t.deepEqual(await barriers(page), [], 'the list of shortcuts');
      await page.keyboard.press('Escape');
      for (const node of ['client', 'runner-0', 'runner-1']) zone.become(node, 'gone');
      mock.pushStates();
      await page.getByText('Nobody is in zone demo any more').waitFor();
      t.deepEqual(await barriers(page), [], 'a zone that is gone');
    },
  );
}

shows("the page is light or dark as the reader's system is, at once", { path: '/nodes' }, async (t, { page }) => {
  const lightness = () => page.evaluate(() => Number(/\d+/.exec(getComputedStyle(document.body).backgroundColor)?.[0]));
  await page.emulateMedia({ colorScheme: 'dark' });
  t.true((await lightness()) < 60);
  await page.emulateMedia({ colorScheme: 'light' });
  t.true((await lightness()) > 200);
});

shows('the keyboard alone is enough', { lines: 500 }, async (t, { page, url }) => {
  await untilLines(page, 500);
  const focused = () => page.evaluate(() => document.activeElement?.textContent?.trim() || document.activeElement?.id);
  await page.keyboard.press('Tab');
  t.is(await focused(), 'Skip to the content');
  await page.keyboard.press('Enter');
  t.is(await page.evaluate(() => document.activeElement?.id), 'content');
  t.is(page.url(), `${url}/logs#content`);

  await page.keyboard.press('/');
  await page.keyboard.type('line 49');
  await untilLines(page, 11);
  await page.keyboard.press('Escape');
  await list(page).focus();
  await page.keyboard.press('ArrowUp');
  await untilText(page.locator('.details pre'), 'line 499');
  await page.keyboard.press('ArrowUp');
  await untilText(page.locator('.details pre'), 'line 498');
  const active = await list(page).getAttribute('aria-activedescendant');
  t.is(await page.locator(`#${active} .message`).textContent(), 'line 498');
  await page.keyboard.press('Escape');
  await page.locator('.details').waitFor({ state: 'detached' });

  const titles = ['Logs', 'Nodes', 'Workers', 'Dead letters', 'Zone demo'];
  for (const [i, title] of titles.entries()) {
    await page.keyboard.press(String(i + 1));
    await page.getByRole('heading', { level: 1, name: title }).waitFor({ state: 'attached' });
    await until(`the tab says ${title}`, async () => (await page.title()).startsWith(title));
  }
  await page.goBack();
  await page.getByRole('heading', { level: 1, name: 'Dead letters' }).waitFor();
  await page.keyboard.press('3');
  await page.getByRole('button', { name: 'Class' }).focus();
  await page.keyboard.press('Enter');
  await until('the table is sorted', async () => page.url().endsWith('/workers?by=type'));
  await page.keyboard.press('?');
  const dialog = page.getByRole('dialog', { name: 'Keyboard' });
  await dialog.waitFor();
  // A key in a dialog is the dialog's.
  await page.keyboard.press('2');
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  t.true(page.url().endsWith('/workers?by=type'));
  t.is(await focused(), 'Class↑');
});

shows(
  'a node that vanishes while it is looked at stays, as gone, with its workers',
  { path: '/workers' },
  async (t, { page, mock, zone }) => {
    const rows = page.locator('tbody tr');
    await until('18 workers are shown', async () => (await rows.count()) === 18);
    zone.become('runner-1', 'gone');
    mock.pushStates();
    await until('its six workers are marked', async () => (await page.locator('tr.gone').count()) === 6);
    t.is(await rows.count(), 18);
    await page.locator('tr.gone').first().getByRole('link').first().click();
    await untilText(page.locator('.callout').first(), /Its node is gone/);
    await page.keyboard.press('2');
    await untilText(page.locator('tr', { hasText: 'runner-1' }).locator('.presence'), 'gone');
    zone.become('runner-0', 'stalled');
    mock.pushStates();
    await untilText(page.locator('tr', { hasText: 'runner-0' }).locator('.presence'), 'stalled');
    zone.become('runner-1', 'up');
    zone.pass(1000);
    mock.pushStates();
    await untilText(page.locator('tr', { hasText: 'runner-1' }).locator('.presence'), 'up');
  },
);

shows(
  'a lost connection is shown, and mended from the last line on: none twice, none missing',
  { lines: 100, cuts: true },
  async (t, { page, mock, zone }) => {
    await untilLines(page, 100);
    mock.cut(true);
    await page
      .getByRole('status')
      .getByText(/connection lost at/)
      .waitFor();
    zone.emit({ message: 'while nobody listened' });
    mock.accept();
    await page.getByRole('button', { name: 'Try now' }).click();
    await page.getByRole('status').getByText('live').waitFor();
    await untilLines(page, 101);
    t.deepEqual((await messages(page)).slice(-2), ['line 100', 'while nobody listened']);
    mock.cut();
    await until('it is back by itself', async () => mock.readers === 1);
    zone.emit({ message: 'and again' });
    mock.push();
    await untilLines(page, 102);
    t.deepEqual(
      mock.asked.filter((path) => path.startsWith('/events')),
      ['/events?history=20000', '/events?after=0000a11e-100', '/events?after=0000a11e-101'],
    );
  },
);

/** Has the page believe that its tab is in the background, or no longer. */
const hide = (page: Page, hidden: boolean) =>
  page.evaluate(`
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => ${hidden} });
    document.dispatchEvent(new Event('visibilitychange'));`);

shows(
  'a page that nobody sees gives its connection back, and has every line when it is seen again',
  { lines: 10 },
  async (t, { page, mock, zone }) => {
    await untilLines(page, 10);
    await hide(page, true);
    await until('nobody reads', async () => mock.readers === 0);
    // More than the stream goes back, and of some of them the server has none any more.
    for (let i = 0; i < 25_000; i += 1) zone.emit({ message: `unseen ${i}` });
    await hide(page, false);
    await untilLines(page, 25_010);
    t.is((await messages(page)).at(-1), 'unseen 24999');
    for (const hidden of [true, false, true, false]) await hide(page, hidden);
    zone.emit({ message: 'seen' });
    mock.push();
    await untilLines(page, 25_011);
    t.is(mock.readers, 1);
    await hide(page, true);
    zone.forget(30_000);
    zone.emit({ message: 'after those that were forgotten' });
    await hide(page, false);
    await untilText(status(page).locator('.warn'), /^30\u202f000 lines missed/);
    await until(
      'the newest line is there',
      async () => (await messages(page)).at(-1) === 'after those that were forgotten',
    );
  },
);

shows('any number of tabs of one browser show the zone', { lines: 10 }, async (t, { page, mock, url }) => {
  const tabs = [page];
  for (let i = 0; i < 9; i += 1) {
    // What is in front hides what was there.
    for (const tab of tabs.slice(-1)) await hide(tab, true);
    const tab = await page.context().newPage();
    tabs.push(tab);
    await tab.goto(`${url}/logs`);
    await untilLines(tab, 10);
  }
  await hide(tabs.at(-1) ?? page, true);
  await hide(page, false);
  await page.getByRole('status').getByText('live').waitFor();
  t.is(mock.readers, 1);
});

shows(
  'a server that began anew sends what it has once more; nothing is shown twice',
  { lines: 50, cuts: true },
  async (t, { page, mock, zone }) => {
    await untilLines(page, 50);
    zone.beginAnew('0000b0b0');
    mock.cut();
    zone.emit({ message: 'after that' });
    await untilLines(page, 51);
    t.is((await messages(page)).at(-1), 'after that');
    await page.getByRole('status').getByText('began anew').waitFor();
  },
);

shows(
  'a node that has said nothing of itself yet is shown all the same, on every view',
  { path: '/nodes', nodes: ['a'] },
  async (t, { page, mock, url }) => {
    const said = { node: 'silent', id: 'x', role: 'node', presence: 'up', presentSince: 5 };
    const strange = {
      ...said,
      node: 'strange',
      peers: 5,
      isolates: [null],
      classes: 'x',
      deadLetters: [1],
      cpuMs: '<b>',
    };
    mock.zone.states = () => [said, strange] as never[];
    mock.zone.workers = () => [null, { node: 'silent', name: 'w' }] as never[];
    mock.pushStates();
    await page.getByRole('link', { name: 'strange' }).waitFor();
    for (const path of ['/nodes/silent', '/nodes/strange', '/workers', '/zone', '/dead-letters']) {
      await page.goto(url + path);
      await until(`${path} is shown`, async () => (await page.locator('nav .badge').first().textContent()) === '2');
      t.is(await page.locator('main h1').count(), 1, path);
    }
  },
);

shows(
  'nodes show what they cost: CPU from one state to the next, memory, delay',
  { path: '/nodes' },
  async (t, { page, mock, zone }) => {
    const row = page.locator('tbody tr', { hasText: 'runner-0' });
    await row.waitFor();
    t.regex((await row.textContent()) ?? '', /–/);
    zone.pass(1000);
    mock.pushStates();
    await untilText(row, /\d %/);
    await untilText(row, /MB/);
    await untilText(row, /\d ms/);
    await untilText(row, /2 \/ 2/);
  },
);

shows(
  'workers are sorted and found as the address says',
  { path: '/workers?by=name' },
  async (t, { page, zone, mock }) => {
    const names = () => page.locator('tbody th').allTextContents();
    await until('they are there', async () => (await names()).length === 18);
    const up = await names();
    t.deepEqual(up, [...up].sort());
    await page.getByRole('button', { name: 'Worker' }).click();
    await until('the other way round', async () => (await names())[0] === up.at(-1));
    t.is(await page.locator('th[aria-sort]').getAttribute('aria-sort'), 'descending');
    zone.addWorker({ node: 'client', name: '<b>bold</b>', type: '<script>alert(1)</script>' });
    mock.pushStates();
    await page.keyboard.press('/');
    await page.keyboard.type('SCRIPT');
    await until('one is found', async () => (await names()).length === 1);
    t.deepEqual(await names(), ['<b>bold</b>']);
    t.is(await page.locator('main :is(b, script)').count(), 0);
    await page.getByRole('link', { name: '<b>bold</b>' }).click();
    await page.getByRole('heading', { level: 1, name: '<b>bold</b>' }).waitFor();
    t.true(page.url().endsWith('/workers/client/%3Cb%3Ebold%3C%2Fb%3E'));
  },
);

shows(
  'a worker has its last quarter of an hour, its failures with their stacks, and its JSON',
  { cuts: true, path: '/workers' },
  async (t, { page, zone, url }) => {
    const failed = zone.workers().find(({ failed: count }) => count > 0);
    if (!failed) return t.fail('no made-up worker has failed');
    await page.goto(`${url}/workers/${failed.node}/${failed.name}`);
    await page.locator('canvas').nth(2).waitFor();
    const chart = page.getByRole('img', { name: /^Handled a second over time: now/ });
    t.is(await chart.count(), 1);
    await page.locator('summary').first().click();
    await untilText(page.locator('.failures pre').first(), /handleMessage/);
    await page.getByRole('button', { name: 'JSON' }).click();
    const dialog = page.getByRole('dialog');
    await untilText(
      dialog.locator('code'),
      `curl -H 'Accept: application/json' '${url}/workers/${failed.node}/${failed.name}'`,
    );
    await until(
      'it has answered',
      async () => (await dialog.locator('pre').textContent())?.includes('"samples"') ?? false,
    );
    const link = await dialog.getByRole('link', { name: 'Open' }).getAttribute('href');
    t.is(link, `${url}/workers/${failed.node}/${failed.name}?format=json`);
    await page.goto(link ?? '');
    t.true((await page.locator('body').textContent())?.includes('"samples"'));
    await page.goto(`${url}/workers/nobody/nothing`);
    await untilText(page.locator('.callout'), 'There is nothing at /workers/nobody/nothing.');
  },
);

shows('dead letters stand by reason and node', { path: '/dead-letters' }, async (t, { page }) => {
  await until('there are two reasons', async () => (await page.locator('tbody tr').count()) === 2);
  t.deepEqual(await page.locator('tbody tr').first().locator('td.number').allTextContents(), ['14', '14', '0']);
});

shows(
  'the picture of the zone has its nodes and channels, and leads to the nodes',
  { path: '/zone' },
  async (t, { page, mock, zone, url }) => {
    await until('three nodes, three channels', async () => (await page.locator('.box').count()) === 3);
    t.is(await page.locator('.channel-connected').count(), 3);
    zone.become('client', 'gone');
    mock.pushStates();
    await until('two channels are away', async () => (await page.locator('.channel-away').count()) === 2);
    await page.locator('.picture').getByRole('link', { name: 'runner-0' }).click();
    await until('the node is shown', async () => page.url() === `${url}/nodes/runner-0`);
    await page.getByRole('link', { name: 'Its lines' }).click();
    await until('its lines are shown', async () => page.url() === `${url}/logs?node=runner-0`);
    await untilText(status(page), /lines/);
  },
);
