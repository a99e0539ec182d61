// A node with nothing to do by itself: others start workers here.
import { info, Node } from 'troupe';

await Node.start((node) => info(`${node.name} is up`));
