/**
 * Pictures of the page for docs/screenshots/: `node --import tsx page/mock/screenshots.ts [address of a page] [path …]`. Without an address
 * they show a made-up zone. A path of its own (`/workers/runner-0/greeter`) is added to those that are always made.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import { MockServer } from './server.ts';
import { MockZone } from './zone.ts';

/** Largest picture, in bytes: they stand in the repository. */
const mostBytes = 150 * 1024;
const folder = join(import.meta.dirname, '..', '..', 'docs', 'screenshots');

const always: readonly { name: string; path: string; dark?: boolean; of?: 'error' }[] = [
  { name: 'logs-light', path: '/logs', of: 'error' },
  { name: 'logs-dark', path: '/logs', dark: true },
  { name: 'nodes-light', path: '/nodes' },
  { name: 'workers-light', path: '/workers' },
  { name: 'workers-dark', path: '/workers', dark: true },
  { name: 'zone-light', path: '/zone' },
  { name: 'zone-dark', path: '/zone', dark: true },
];

/** Lets a zone that is made up have had a quarter of an hour of life. */
async function madeUp(): Promise<{ url: string; close(): Promise<void> }> {
  const nodes = ['client', 'gateway', 'runner-0', 'runner-1', 'runner-2', 'archive'];
  const server = new MockServer(
    join(import.meta.dirname, '..', '..', 'dist', 'page'),
    new MockZone({ name: 'demo', nodes, workersPerNode: 24 }),
  );
  server.zone.chat(5000, 15 * 60_000);
  server.live(60);
  return { url: await server.listen(), close: () => server.close() };
}

async function take(page: Page, name: string): Promise<void> {
  const devtools = await page.context().newCDPSession(page);
  const { data } = await devtools.send('Page.captureScreenshot', { format: 'webp', quality: 82 });
  const picture = Buffer.from(data, 'base64');
  if (picture.length > mostBytes) throw new Error(`${name} has ${picture.length} bytes, ${mostBytes} at most`);
  writeFileSync(join(folder, `${name}.webp`), picture);
  console.log(`docs/screenshots/${name}.webp ${Math.round(picture.length / 1024)} KB`);
}

const [given, ...paths] = process.argv.slice(2);
const zone = given ? { url: given.replace(/\/$/, ''), close: async () => {} } : await madeUp();
mkdirSync(folder, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.TROUPE_CHROMIUM ?? '/usr/bin/chromium',
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
});
try {
  const wanted = paths.map((path) => ({ name: path.split('/').filter(Boolean).join('-'), path }));
  for (const { name, path, dark, of } of [...always, ...wanted] as typeof always) {
    const context = await browser.newContext({
      viewport: { width: 1360, height: 760 },
      colorScheme: dark ? 'dark' : 'light',
      locale: 'en-US',
    });
    const page = await context.newPage();
    await page.goto(zone.url + path);
    // Rates stand there from the second state on; a screenshot is for eyes, so it may wait for more than one.
    await page.waitForTimeout(4500);
    const line = page.locator(`.row.level-${of}`).last();
    if (of && (await line.count()) > 0) await line.click();
    await page.waitForTimeout(500);
    await take(page, name);
    await context.close();
  }
} finally {
  await browser.close();
  await zone.close();
}
