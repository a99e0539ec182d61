/**
 * The session of a person with a browser, from an empty folder and with the package as npm installs it: every line that the processes say
 * they wrote is on the page, once. `npm run verify -- page` makes the tarballs and names them in TROUPE_TEST_TARBALLS.
 */
import test from 'ava';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type ContainerStatus, type Line, type WorkerState } from '../../cli/zone/reports.ts';
import { Shell } from '../../__test__/support/cli.ts';
import { closeBrowser, openPage, rowCount, until, untilText } from './support.ts';
import { addImage, allRows, asDiary, Diary, openInlet, pod, type Row } from './zone.ts';

closeBrowser(test);

const tarballs = (process.env.TROUPE_TEST_TARBALLS ?? '').split(delimiter);
const word = 'scribe';

function npmInstall(folder: string): void {
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  execFileSync('npm', ['install', ...quiet, ...tarballs], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
}

/** What one node said, what it printed apart: that has the time at which the supervisor took it. */
function voices(lines: readonly { node: string; name: string; message: string }[]): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const { node, name, message } of lines) {
    (found[`${node} ${name === 'stdout' || name === 'stderr' ? name : 'record'}`] ??= []).push(message);
  }
  return found;
}

test('from an empty folder to a page with every line that was written, once, and through all that a zone goes through', async (t) => {
  const shell = new Shell(t);
  const diary = new Diary(shell);
  // The version of the package is in no registry: the tarballs stand for it, here and in the project.
  writeFileSync(join(shell.folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  npmInstall(shell.folder);
  const bin = join('node_modules', '.bin', 'troupe');
  shell.main = join(shell.folder, bin);
  await shell.ok('init', 'demo');
  shell.folder = join(shell.folder, 'demo');
  npmInstall(shell.folder);
  shell.main = join(shell.folder, bin);
  addImage(shell, 'scribe');
  const env = { DIARY: diary.folder, SCRIBE: word };
  const config = join(shell.folder, 'troupe.yaml');
  const plain = readFileSync(config, 'utf8');
  const setScribes = (version: number) =>
    writeFileSync(config, plain + pod('scribe', 'scribe', { ...env, VERSION: String(version) }, 2));
  setScribes(1);
  await shell.ok('zone', 'deploy');
  const { inlet, url } = await openInlet(shell);
  const { page, problems } = await openPage(t, url, '/logs', { cuts: true });

  /** Waits until the page has as many lines as the processes have written, and compares each. */
  const compare = async (what: string): Promise<Row[]> => {
    const written = diary.lines();
    const count = Object.values(written).flat().length;
    const search = page.getByRole('searchbox', { name: 'Text in the line' });
    await search.fill(`${word} `);
    await until(`${what}: the page has ${count} lines of the diary`, async () => (await rowCount(page)) >= count);
    await search.fill('');
    // Keys are the field's for as long as it has the focus.
    await search.blur();
    const rows = await allRows(page);
    t.deepEqual(asDiary(rows, word), written, what);
    t.is(await page.locator('main :is(img, script)').count(), 0, 'a line is text, whatever it says');
    return rows;
  };
  const pids = async (): Promise<Record<string, number>> =>
    Object.fromEntries((await shell.list<ContainerStatus>('zone', 'show')).map(({ node, pid }) => [node, pid ?? 0]));

  t.is(Object.values(diary.lines()).flat().length, 600);
  await compare('the history');

  t.is((await shell.ok('ask', 'scribe-0/scribe', '50')).stdout, '150\n');
  await shell.ok('send', 'scribe-1/scribe', '7');
  await until('the second one has written', async () => diary.lines()['scribe-1.stderr']?.length === 107);
  await compare('what came live');

  // What the nodes of the project from `init` say, by the word of another reader.
  const listed = voices(await shell.list<Line>('zone', 'logs'));
  t.true(Object.keys(listed).length >= 9, Object.keys(listed).join(', '));
  const shown = voices((await allRows(page)).map(({ node, source, message }) => ({ node, name: source, message })));
  for (const [voice, messages] of Object.entries(listed)) {
    // The page is at least as far as the list was.
    const first = (text: string) => text.split('\n')[0] ?? '';
    t.deepEqual(shown[voice]?.slice(0, messages.length).map(first), messages.map(first), voice);
  }

  // Who is there, as the nodes say.
  await page.keyboard.press('3');
  const rows = page.locator('tbody tr');
  await until('a main on each node, two greeters, two scribes and two that fail are in the table', async () => {
    const workers = await shell.list<WorkerState & { node: string }>('zone', 'workers');
    const named = workers.map(({ name, type, node }) => [name, type, node].join(' ')).sort();
    const cells = await rows.evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.textContent)));
    const shown = cells.map((row) => row.slice(0, 3).join(' ')).sort();
    return named.length === 11 && JSON.stringify(shown) === JSON.stringify(named);
  });

  // What nothing but data is, however it looks.
  t.is((await shell.run('ask', 'scribe-0/html', 'x')).code, 1);
  await page.locator('tr', { hasText: 'scribe-0' }).getByRole('link', { name: 'html', exact: true }).click();
  await page.locator('.failures').getByText('<script>document.title=2</script>').first().waitFor();
  t.is(await page.locator('main :is(img, script)').count(), 0);
  t.is(await page.title(), 'html · demo');
  await page.keyboard.press('1');
  await page.locator('.fields', { hasText: '<script>document.title=2</script>' }).first().waitFor();
  await compare('a worker has failed');

  // Of two replies to one request the second one reaches nobody.
  await shell.ok('ask', 'scribe-1/scribe', 'twice');
  await page.keyboard.press('4');
  const letters = page.getByRole('row').filter({ has: page.getByRole('rowheader') });
  const column = page.getByRole('columnheader', { name: 'scribe-1', exact: true });
  await column.waitFor();
  const place = await column.evaluate((cell) => [...(cell.parentElement?.children ?? [])].indexOf(cell));
  t.deepEqual(await letters.locator(`:nth-child(${place + 1})`).allTextContents(), ['1']);

  // One that is killed while it is looked at. Its supervisor can't bring it back for as long as it stands still.
  await page.keyboard.press('2');
  const node = (name: string) =>
    page.locator('tbody tr').filter({ has: page.getByRole('link', { name, exact: true }) });
  for (const name of ['client', 'runner-0', 'runner-1', 'scribe-0', 'scribe-1'])
    await untilText(node(name).locator('.presence'), 'up');
  const before = await pids();
  const supervisor = shell.processes().find(({ command }) => command.includes('troupe-supervisor'));
  process.kill(supervisor?.pid ?? 0, 'SIGSTOP');
  process.kill(before['scribe-0'] ?? 0, 'SIGKILL');
  await untilText(node('scribe-0').locator('.presence'), 'gone');
  await page.keyboard.press('3');
  await until('its three workers are marked', async () => (await page.locator('tr.gone').count()) === 3);
  process.kill(supervisor?.pid ?? 0, 'SIGCONT');
  await until('no worker is marked', async () => (await page.locator('tr.gone').count()) === 0);
  await page.keyboard.press('2');
  await untilText(node('scribe-0').locator('.presence'), 'up');
  t.not((await pids())['scribe-0'], before['scribe-0']);
  await page.keyboard.press('1');
  await compare('one was killed and is there again');

  // Another version of two of them.
  setScribes(2);
  await shell.ok('zone', 'deploy');
  const replaced = await pids();
  for (const name of ['scribe-0', 'scribe-1']) t.not(replaced[name], before[name]);
  t.is(replaced['client'], before['client']);
  await compare('two were replaced');

  await shell.ok('zone', 'delete', '--yes');
  await page.getByText('Nobody is in zone demo any more').waitFor();
  await compare('the zone is gone');
  await page.keyboard.press('2');
  await until('all nodes are gone', async () => (await page.locator('tr.gone').count()) === 5);
  t.deepEqual(problems, [], 'errors in the browser, or what it loaded from elsewhere');
  inlet.signal('SIGINT');
  t.is((await inlet.ended).code, 130);
});
