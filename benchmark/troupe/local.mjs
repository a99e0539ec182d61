// troupe within one process.
import { Node } from 'troupe';
import { Counter, Greeter } from './workers.mjs';

export async function open() {
  const node = await Node.create({ zone: false, name: 'local' });
  await node.startWorker('greeter', Greeter);
  await node.startWorker('counter', Counter);
  const side = {
    ask: (message) => node.sendAndReceive('greeter', message),
    send: (message) => void node.send('counter', message),
    received: () => node.sendAndReceive('counter', 'count'),
    startIdle: (name) => node.startWorker(name, Greeter),
    askIdle: (name, message) => node.sendAndReceive(name, message),
  };
  return { side };
}
