// Who looks on at a zone: a member that is no node of it, and that asks the others.
import test from 'ava';
import { Node, NodeUnreachableError, NotPermittedError, Zone, type Context } from 'troupe';
import { failure } from './support/node.ts';
import { ask, members, openObserver, SUPERVISE } from './support/observer.ts';
import { zoneHome } from './support/program.ts';

class Echo {
  async handleMessage(context: Context, message: string) {
    await context.reply(message);
  }
}

test.serial('an observer is a member of its zone and none of its nodes', async (t) => {
  process.env['TROUPE_HOME'] = zoneHome(t);
  const node = await Node.create({ name: 'runner' });
  t.teardown(() => node.stop({ timeout: 0 }));
  await node.startWorker('echo', Echo);
  const observer = await openObserver();
  t.teardown(() => observer.stop({ timeout: 0 }));
  t.regex(observer.name, new RegExp(`^observer-${process.pid}-[0-9a-f]{4}$`));
  t.deepEqual(
    (await Zone.nodes(node)).map(({ name }) => name),
    ['runner'],
  );
  t.deepEqual(
    (await Zone.nodes(observer)).map(({ name }) => name),
    ['runner'],
  );
  t.deepEqual(members(observer), [{ name: 'runner', id: node.id, role: 'node' }]);
  t.deepEqual(members(node), [{ name: observer.name, id: observer.id, role: 'observer' }]);
  t.is(await observer.sendAndReceive('echo', 'hello'), 'hello');
  const watched = Zone.watch(node)[Symbol.asyncIterator]();
  const first = (await watched.next()).value as { node: { name: string } };
  t.is(first.node.name, 'runner');
});

test.serial('a member that does not know a service says so, and one that is gone is unreachable', async (t) => {
  process.env['TROUPE_HOME'] = zoneHome(t);
  const node = await Node.create({ name: 'runner' });
  t.teardown(() => node.stop({ timeout: 0 }));
  const observer = await openObserver();
  t.teardown(() => observer.stop({ timeout: 0 }));
  const unknown = await failure(t, ask(observer, 'runner', SUPERVISE, { status: {} }));
  t.true(unknown instanceof NotPermittedError, String(unknown));
  t.regex(unknown.message, /not permitted on node "runner": node runner is not the supervisor/);
  const nobody = await failure(t, ask(observer, 'nobody', SUPERVISE, { status: {} }));
  t.true(nobody instanceof NodeUnreachableError, String(nobody));
});
