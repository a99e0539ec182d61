// A node with nothing to do yet: the examples that need other nodes start their workers here.
// Start it twice, each in a terminal of its own. Logs its name and stays up until it is interrupted.
import { info, Node } from 'troupe';

await Node.start((node) => info(`${node.name} is up`));
