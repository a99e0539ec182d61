// The node that asks: another member of the zone, over its encrypted channel.
import { Node, Zone } from 'troupe';

export async function open() {
  const node = await Node.create({ name: 'client' });
  await Zone.node(node, 'server');
  return { side: { ask: (message) => node.sendAndReceive('server/greeter', message) } };
}
