/**
 * The commands with their arguments. Each loads its own file when it is called, so that `--help` and `--version` load neither the
 * add-on nor a parser.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { version } from './version.ts';

/** How the text of an option becomes its value; what it throws is wrong usage. */
type Parse<T> = (text: string) => T;

/** As the library takes it, but with its unit: a plain number could be seconds or milliseconds. */
const duration: Parse<string> = (text) => {
  if (/^\d+(\.\d+)?(ms|s|m|h)$/.test(text)) return text;
  throw new InvalidArgumentError('Expected a number with a unit, such as "500ms", "10s", "5m" or "1h".');
};

const zone = () => new Option('-z, --zone <name>', 'the zone (default: the "name" in ./troupe.yaml, else TROUPE_ZONE)');
const timeout = () =>
  new Option('-t, --timeout <duration>', 'how long it may take, such as 500ms, 10s or 5m')
    .argParser(duration)
    .default('30s');

/** The program, ready to parse its arguments. */
export function program(): Command {
  const troupe = new Command('troupe')
    .description('Actors on nodes that form a zone: make a project, deploy it on this machine, watch it and ask it.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help, or that of a command')
    .showHelpAfterError('(`troupe --help` and `troupe COMMAND --help` list what there is)')
    .exitOverride();
  troupe
    .command('init')
    .description('make a folder with a project that can be deployed: two programs and troupe.yaml; only writes files')
    .argument('<name>', 'the new folder; its last part names the zone and the package')
    .action(async (name: string) => (await import('./commands/init.ts')).init(name));
  troupe
    .command('ask')
    .description('send a message to a worker and print its reply')
    .argument('<address>', '"worker" or "node/worker"')
    .argument('<message>', 'the text; "-" reads it from standard input')
    .addOption(timeout())
    .addOption(zone())
    .action(async (address, message, options) =>
      (await import('./commands/message.ts')).ask(address, message, options),
    );
  troupe
    .command('send')
    .description('send a message to a worker without waiting for what it does')
    .argument('<address>', '"worker" or "node/worker"')
    .argument('<message>', 'the text; "-" reads it from standard input')
    .addOption(timeout())
    .addOption(zone())
    .action(async (address, message, options) =>
      (await import('./commands/message.ts')).send(address, message, options),
    );
  return troupe;
}
