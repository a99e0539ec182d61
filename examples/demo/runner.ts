// The demo's runner: a node of the zone that waits for work. It knows none of the classes that will run on it.
import { info, Node } from 'troupe';

await Node.start((node) => info(`${node.name} is process ${process.pid} and waits for work`));
