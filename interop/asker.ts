// Asks the node `python-peer`, whatever language it is written in, for everything a node of this package could be asked for.
import { Node, Zone, type TroupeError } from 'troupe';

/** The reply, or what the error says by its fields. */
const outcome = (asked: Promise<string>) =>
  asked.catch((error: TroupeError & { stage?: string }) => {
    const cause = error.cause instanceof Error ? `, ${error.cause.name}: ${error.cause.message}` : '';
    return `${error.code}${error.stage === undefined ? '' : ` ${error.stage}`}${cause}`;
  });

await Node.start(
  async (node) => {
    const [peer] = await Zone.nodes(node, { filter: 'python-peer', atLeast: 1, timeout: '10s' });
    console.log('in the zone:', peer?.name);
    console.log('by address:', await outcome(node.sendAndReceive('python-peer/echo', 'Hello', { timeout: '10s' })));
    console.log('by name:', await outcome(node.sendAndReceive('echo', 'hello again', { timeout: '10s' })));
    const large = 'grüße \u{1f41d} \udfff'.repeat(500_000);
    console.log('large:', (await node.sendAndReceive('echo', large, { timeout: '60s' })) === large);
    const many = Array.from({ length: 2000 }, (_, i) => `${i}`);
    const replies = await Promise.all(many.map((text) => node.sendAndReceive('echo', text, { timeout: '60s' })));
    console.log(
      'many:',
      replies.every((reply, i) => reply === many[i]),
    );
    console.log('scissors:', await outcome(node.sendAndReceive('python-peer/scissors', '101', { timeout: '10s' })));
    const cut = Array.from({ length: 2000 }, (_, i) => `${i}`.repeat(i % 100 === 0 ? 5000 : 1));
    const whole = await Promise.all(cut.map((text) => node.sendAndReceive('echo', text, { timeout: '60s' })));
    console.log(
      'cut:',
      whole.every((reply, i) => reply === cut[i]),
    );
    console.log('scissors:', await outcome(node.sendAndReceive('python-peer/scissors', '0', { timeout: '10s' })));
    console.log('grumpy:', await outcome(node.sendAndReceive('python-peer/grumpy', 'tea', { timeout: '10s' })));
    console.log('sleepy:', await outcome(node.sendAndReceive('python-peer/sleepy', 'dawn', { timeout: 200 })));
    const given = AbortSignal.timeout(200);
    const left = node.sendAndReceive('python-peer/sleepy', 'noon', { timeout: '10s', signal: given });
    console.log('left:', await left.catch((error: Error) => error.name));
    console.log('nobody:', await outcome(node.sendAndReceive('python-peer/nobody', '?', { timeout: '10s' })));
    console.log(
      'betrayed:',
      await outcome(node.sendAndReceive('python-peer/betrayed', 'the truth', { timeout: '10s' })),
    );
    console.log('list:', await outcome(peer!.listWorkers().then(String)));
  },
  { name: 'asker', waitUntilInterrupted: false },
);
