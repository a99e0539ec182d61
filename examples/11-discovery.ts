// Nodes of one user on one machine find each other by themselves; every channel between them is encrypted and both ends are known.
// With two runners up, prints:
//   2 runners and this node, 3 in all
//   watching: joined, joined
//   a node that is not there: NODE_UNREACHABLE
//   more nodes than there are: TIMEOUT
import { Node, Zone, type TroupeError } from 'troupe';

const codeOf = (error: TroupeError) => error.code;

await Node.start(
  async (node) => {
    const runners = await Zone.nodes(node, { filter: 'runner', atLeast: 2, timeout: '20s' });
    const all = await Zone.nodes(node);
    console.log(`${runners.length} runners and this node, ${all.length} in all`);

    // First those that are there, then whoever joins or leaves.
    const events: string[] = [];
    for await (const { type } of Zone.watch(node, { filter: 'runner' })) {
      events.push(type);
      if (events.length === 2) break;
    }
    console.log(`watching: ${events.join(', ')}`);

    console.log(`a node that is not there: ${await Zone.node(node, 'atlantis').catch(codeOf)}`);
    const tooMany = Zone.nodes(node, { filter: 'runner', atLeast: 99, timeout: 200 });
    console.log(`more nodes than there are: ${await tooMany.catch(codeOf)}`);
  },
  { waitUntilInterrupted: false },
);
