// A process of a random program: does what its parent says, tells it what it sees, and ends with it.
import { Agent, type Command } from './agent.ts';

const agent = new Agent((seen) => process.send?.(seen));
process.on('message', (command: Command | 'reset') => {
  if (command === 'reset') void agent.reset().then(() => process.send?.('reset'));
  else agent.perform(command);
});
process.on('disconnect', () => process.exit());
process.send?.('up');
