/** A page in a real browser, in front of a made-up zone of its own or of a real one; and what every page of a test must have kept to. */
import { type ExecutionContext, type TestFn } from 'ava';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Locator,
  type Page,
} from 'playwright-core';
import { MockServer } from '../mock/server.ts';
import { MockZone, type ZoneOptions } from '../mock/zone.ts';

/** What a test gets. */
export interface Shown {
  readonly page: Page;
  readonly mock: MockServer;
  readonly zone: MockZone;
  readonly url: string;
}

/** How a test wants it. */
export interface Wanted extends Partial<ZoneOptions> {
  readonly path?: string;
  /** Lines that are there before the page is opened. */
  readonly lines?: number;
  readonly context?: BrowserContextOptions;
  /** A cut connection, or an answer 404, is an error to the browser; with this, only errors of the page's own are counted. */
  readonly cuts?: boolean;
}

let browser: Promise<Browser> | undefined;

const launch = () =>
  chromium.launch({
    executablePath: process.env.TROUPE_TEST_CHROMIUM,
    // Chromium's own walls need a user other than root.
    args: [
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      // Names of a page that means no good may lead anywhere, here as well.
      '--host-resolver-rules=MAP *.example 127.0.0.1',
    ],
  });

/** Has the browser of a file of tests end with them; call it once, at its beginning. */
export function closeBrowser(test: TestFn): void {
  test.after.always(async () => {
    await (await browser)?.close();
  });
}

/** Makes the tests of a file; call it once, at its beginning. */
export function inBrowser(test: TestFn): (title: string, wanted: Wanted, body: Body) => void {
  closeBrowser(test);
  return (title, wanted, body) => test.serial(title, (t) => withPage(t, wanted, body));
}

type Body = (t: ExecutionContext, shown: Shown) => Promise<void>;

async function withPage(t: ExecutionContext, wanted: Wanted, body: Body): Promise<void> {
  const { path = '/logs', lines = 0, nodes = ['client', 'runner-0', 'runner-1'], workersPerNode = 6 } = wanted;
  const zone = new MockZone({ name: wanted.name ?? 'demo', nodes, workersPerNode });
  for (let i = 1; i <= lines; i += 1) zone.emit({ message: `line ${i}` });
  const mock = new MockServer(join(import.meta.dirname, '..', '..', 'dist', 'page'), zone);
  const url = await mock.listen();
  t.teardown(() => mock.close());
  const { page, problems } = await openPage(t, url, path, wanted);
  await body(t, { page, mock, zone, url });
  t.deepEqual(problems, [], 'errors in the browser, or what it loaded from elsewhere');
}

/** A browser with nothing of another's in it, that ends with its test. */
export async function openContext(t: ExecutionContext, options: BrowserContextOptions = {}): Promise<BrowserContext> {
  const context = await (
    await (browser ??= launch())
  ).newContext({
    viewport: { width: 1200, height: 700 },
    // A browser without a desktop has a language of which not every library has heard.
    locale: 'en-US',
    ...options,
  });
  t.teardown(() => context.close());
  return context;
}

/** A page that is live, and what it has done that no page may do: to be none when the test ends. */
export async function openPage(
  t: ExecutionContext,
  url: string,
  path: string,
  { context = {}, cuts = false }: Pick<Wanted, 'context' | 'cuts'> = {},
): Promise<{ page: Page; problems: readonly string[] }> {
  const page = await (await openContext(t, context)).newPage();
  const problems = watch(page, url, cuts);
  await page.goto(url + path);
  await page.getByRole('status').getByText('live').waitFor();
  return { page, problems };
}

/** Gathers what no page may do: fail, break the policy it is served under, ask another server. */
function watch(page: Page, url: string, cuts: boolean): string[] {
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(`failed: ${error.stack ?? error.message}`));
  page.on('console', (message) => {
    if (message.type() !== 'error' && message.type() !== 'warning') return;
    if (cuts && /net::ERR_|Failed to load resource/.test(message.text())) return;
    problems.push(`said: ${message.text()}`);
  });
  page.on('request', (request) => {
    const to = request.url();
    if (!to.startsWith(`${url}/`) && !to.startsWith(`blob:${url}/`)) problems.push(`asked ${to}`);
  });
  return problems;
}

/** Waits until something holds in the page; what is waited for stands in the failure. */
export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  // Far beyond what any of it takes: it ends a test that would never end.
  const end = Date.now() + 60_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Waits until the text of an element is, or fits, what is given. */
export const untilText = (element: Locator, text: string | RegExp): Promise<void> =>
  until(`${String(element)} says ${String(text)}`, async () => {
    const found = await element.textContent({ timeout: 60_000 });
    return typeof text === 'string' ? found === text : text.test(found ?? '');
  });

/** The list of lines. */
export const list = (page: Page): Locator => page.getByRole('grid', { name: 'Log lines' });
/** The messages in sight and a few beyond. */
export const messages = (page: Page): Promise<string[]> => list(page).locator('.message').allTextContents();
/** The line below the list. */
export const status = (page: Page): Locator => page.locator('.status');
/** How many lines are in the list; the header is a row too. */
export const rowCount = async (page: Page): Promise<number> =>
  Number(await list(page).getAttribute('aria-rowcount')) - 1;
/** Waits until so many lines are in the list. */
export const untilLines = (page: Page, count: number): Promise<void> =>
  until(`${count} lines are in the list`, async () => (await rowCount(page)) === count);

/** The script that looks. */
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Has the browser go once through what keeps people out. Resolves with what it found. */
export async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { axe: run } = window as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[] }> };
    };
    const { violations } = await run.run();
    return violations.flatMap(({ id, nodes }) =>
      nodes.map((node) => `${id}: ${node.html}\n${node.failureSummary ?? ''}`),
    );
  });
}

/** An address of each view. */
export const everyPath = [
  '/logs',
  '/nodes',
  '/nodes/runner-0',
  '/workers',
  '/workers/runner-0/index',
  '/dead-letters',
  '/zone',
  '/nothing/here',
];
