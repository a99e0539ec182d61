// The node that answers, in a process of its own.
import { Node } from 'troupe';
import { Greeter } from './workers.mjs';

export async function open() {
  const node = await Node.create({ name: 'server' });
  await node.startWorker('greeter', Greeter);
  return {};
}
