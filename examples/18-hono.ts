// A node inside a program's own HTTP server, here one of Hono: the routes are its own, what they do is done by workers.
// Prints:
//   soup of the cook: 200 soup is served
//   stone of the cook: 500 WORKER_FAILED
//   cake of the cook: 504 TIMEOUT
//   bread of the baker: 404 NO_SUCH_WORKER
//   the goose is called off: its client has left
//   tea of the cook: 200 tea is served
//   the server is closed, the node has drained
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { once } from 'node:events';
import { Node, TroupeError, type Context } from 'troupe';

class Cook {
  async handleMessage(context: Context, dish: string) {
    if (dish === 'stone') throw new Error('nobody can cook that');
    if (dish === 'goose') {
      client.abort();
      await once(context.signal, 'abort');
      console.log('the goose is called off: its client has left');
    }
    if (dish === 'tea' && process.kill(process.pid, 'SIGTERM')) await once(process, 'SIGTERM');
    if (dish !== 'cake') await context.reply(`${dish} is served`);
  }
}
const STATUS = { INVALID_ARGUMENT: 400, NO_SUCH_WORKER: 404, MAILBOX_FULL: 429, NODE_STOPPED: 503, TIMEOUT: 504 };
const node = await Node.create({ zone: false });
await node.startWorker('cook', Cook);
const app = new Hono();
app.post('/:worker', async (c) => {
  // The signal aborts when the client goes away, and with it that of the handler which works for it.
  const { signal } = c.req.raw;
  return c.text(await node.sendAndReceive(c.req.param('worker'), await c.req.text(), { timeout: '1s', signal }));
});
app.onError((error, c) => {
  const code = error instanceof TroupeError ? error.code : 'INTERNAL';
  return c.body(code, (STATUS[code as keyof typeof STATUS] ?? 500) as 500);
});
const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 });
await once(server, 'listening');
const { port } = server.address() as { port: number };
const ended = once(process, 'SIGTERM').then(async () => {
  // Nobody new is let in. Whoever waits is answered, which takes the workers; then they end as well.
  await new Promise((resolve) => server.close(resolve));
  await node.stop();
});
const client = new AbortController();
async function order(dish: string, to = 'cook', signal: AbortSignal | null = null) {
  const response = await fetch(`http://127.0.0.1:${port}/${to}`, { method: 'POST', body: dish, signal });
  console.log(`${dish} of the ${to}: ${response.status} ${await response.text()}`);
}
for (const dish of ['soup', 'stone', 'cake']) await order(dish);
await order('bread', 'baker');
await order('goose', 'cook', client.signal).catch(() => {});
await order('tea');
await ended;
console.log('the server is closed, the node has drained');
