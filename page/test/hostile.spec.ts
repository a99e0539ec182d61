/** A page of another origin in the same browser: whatever it tries with what a zone serves on this machine, nothing comes of it. */
import test, { type ExecutionContext } from 'ava';
import { once } from 'node:events';
import { createServer, request as ask } from 'node:http';
import { type AddressInfo } from 'node:net';
import { type Page } from 'playwright-core';
import { type Context, Node } from 'troupe';
import { Shell } from '../../__test__/support/cli.ts';
import { closeBrowser, openContext, until } from './support.ts';
import { openInlet } from './zone.ts';

closeBrowser(test);

/** A server of pages of another origin; resolves with its address under a name. */
async function elsewhere(t: ExecutionContext, host: string): Promise<string> {
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'text/html');
    response.end('<!doctype html><title>elsewhere</title><body>');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => server.close());
  return `http://${host}:${(server.address() as AddressInfo).port}/`;
}

/**
 * A way to a server that writes down what comes by: for what a browser asks, of which the browser tells a page nothing, and a test little.
 * Resolves with its address and with each request's kind and answer.
 */
async function watched(t: ExecutionContext, target: string): Promise<{ url: string; seen: Set<string> }> {
  const seen = new Set<string>();
  const { hostname, port } = new URL(target);
  const server = createServer((request, response) => {
    const { method, headers, url: path } = request;
    const onward = ask({ host: hostname, port, method, path, headers }, (answer) => {
      const kind = headers.upgrade ?? headers['sec-fetch-dest'];
      seen.add(`${answer.statusCode} ${method} ${kind}`);
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => (server.close(), server.closeAllConnections()));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

/** Tries everything that a page can do to another origin; each try says what it got. Runs in the page as text. */
const attempts = (target: string, paths: readonly string[]) => `(async () => {
  const got = {};
  const settled = (element, loads = 'load') => new Promise((resolve) => {
    element.addEventListener(loads, () => resolve('loaded'));
    element.addEventListener('error', () => resolve('refused'));
  });
  const put = async (what, path, make) => {
    got[what + ' ' + path] = await make(${JSON.stringify(target)} + path).catch(() => 'refused');
  };
  const add = (tag, fields) => {
    const element = Object.assign(document.createElement(tag), fields);
    document.body.append(element);
    return element;
  };
  for (const path of ${JSON.stringify(paths)}) {
    await put('fetch', path, async (url) => (await fetch(url)).text());
    await put('blind fetch', path, async (url) => {
      // Its answer is nobody's to read; whether it came at all shows.
      await fetch(url, { mode: 'no-cors' });
      return 'came';
    });
    await put('post', path, async (url) => (await fetch(url, { method: 'POST', body: 'x', mode: 'no-cors' }), 'came'));
    await put('script', path, async (url) => settled(add('script', { src: url })));
    await put('picture', path, async (url) => settled(add('img', { src: url })));
    await put('style', path, async (url) => settled(add('link', { rel: 'stylesheet', href: url })));
    await put('events', path, async (url) => settled(new EventSource(url), 'message'));
    await put('socket', path, async (url) => settled(new WebSocket(url.replace('http', 'ws')), 'open'));
    await put('form', path, async (url) => {
      const frame = add('iframe', { name: 'form' + Math.random() });
      const form = add('form', { action: url, method: 'post', target: frame.name, enctype: 'text/plain' });
      form.append(Object.assign(document.createElement('input'), { name: 'x', value: 'y' }));
      const done = new Promise((resolve) => (frame.onload = resolve));
      form.submit();
      await done;
      return 'refused';
    });
    await put('frame', path, async (url) => {
      const frame = add('iframe', { src: url });
      await settled(frame);
      return 'refused';
    });
  }
  return got;
})()`;

/** What the page got that it should not have. */
async function tried(page: Page, target: string, paths: readonly string[]): Promise<string[]> {
  const got = await page.evaluate<Record<string, string>>(attempts(target, paths));
  const reached = Object.entries(got).filter(([what, result]) => {
    // The browser hands over that an answer came, and nothing of it.
    if (what.startsWith('blind fetch') || what.startsWith('post')) return !['came', 'refused'].includes(result);
    return result !== 'refused';
  });
  return reached.map(([what, result]) => `${what}: ${result}`);
}

/** All that a browser asks for a page of another origin, and that none of it is answered. */
const refusals = [
  '403 GET empty',
  '403 GET iframe',
  '403 GET image',
  '403 GET script',
  '403 GET style',
  '403 GET websocket',
  '403 POST empty',
  '403 POST iframe',
];

for (const host of ['127.0.0.1', 'localhost']) {
  test.serial(
    `a page of another origin gets nothing of an inlet and does nothing to a node, from ${host}`,
    async (t) => {
      const shell = new Shell(t);
      const { url } = await openInlet(shell);
      const heard: string[] = [];
      const node = await Node.create({ zone: false, http: { listen: '127.0.0.1:0', workers: true } });
      t.teardown(() => node.stop({ timeout: 0 }));
      await node.startWorker('listener', {
        handleMessage: (context: Context, message: string) => {
          heard.push(message);
          return context.reply('yes');
        },
      });
      const context = await openContext(t);
      const page = await context.newPage();
      const home = await elsewhere(t, host);
      await page.goto(home);
      const inlet = await watched(t, url);
      t.deepEqual(await tried(page, inlet.url, ['/logs', '/events', '/nodes', '/zone']), []);
      t.deepEqual([...inlet.seen].sort(), refusals);
      const program = await watched(t, `http://${node.http ?? ''}`);
      const paths = ['/workers/listener', '/workers/listener/send', '/metrics', '/logs/levels'];
      t.deepEqual(await tried(page, program.url, paths), []);
      t.deepEqual([...program.seen].sort(), refusals);
      t.deepEqual(heard, []);

      // By a name of the page's own that leads here by now.
      const rebound = await page.goto(url.replace('127.0.0.1', 'rebound.example') + '/logs');
      t.is(rebound?.status(), 421);

      // The same browser is let in where a person goes there, also by a link.
      await page.goto(home);
      await page.setContent(`<a href="${url}/logs">there</a>`);
      await page.getByText('there').click();
      await until('the page is there', async () => (await page.title()).startsWith('Logs'));
      await page.getByRole('status').getByText('live').waitFor();
    },
  );
}
