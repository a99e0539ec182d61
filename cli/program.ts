/**
 * The commands with their arguments. Each loads its own file when it is called, so that `--help` and `--version` load neither the
 * add-on nor a parser.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { version } from './version.ts';

/** How the text of an option becomes its value; what it throws is wrong usage. */
type Parse<T> = (text: string) => T;

const wholeNumber =
  (least: number, most: number): Parse<number> =>
  (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${least} to ${most}.`);
  };

/** As the library takes it, but with its unit: a plain number could be seconds or milliseconds. */
const duration: Parse<string> = (text) => {
  if (/^\d+(\.\d+)?(ms|s|m|h)$/.test(text)) return text;
  throw new InvalidArgumentError('Expected a number with a unit, such as "500ms", "10s", "5m" or "1h".');
};

const zone = () => new Option('-z, --zone <name>', 'the zone (default: the "name" in ./troupe.yaml, else TROUPE_ZONE)');
const json = () => new Option('--json', 'print an array of objects, and nothing else, on standard output');
const node = () => new Option('--node <name>', 'only this node');
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
  addZone(troupe.command('zone').description('deploy a zone on this machine, look at it, take it down'));
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

function addZone(command: Command): void {
  command
    .command('deploy')
    .description('make the zone what ./troupe.yaml says: start, replace and stop what differs, leave the rest alone')
    .option('--dry-run', 'only print what would change')
    .addOption(json())
    .addOption(zone())
    .action(async (options) => (await import('./commands/deploy.ts')).deploy(options));
  command
    .command('list')
    .description('list the zones of this user on this machine that somebody is in')
    .addOption(json())
    .action(async (options) => (await import('./commands/zones.ts')).list(options));
  command
    .command('show')
    .description('list the containers of a deployed zone as its supervisor sees them')
    .addOption(json())
    .addOption(zone())
    .action(async (options) => (await import('./commands/zones.ts')).show(options));
  command
    .command('nodes')
    .description('list the nodes of a zone and how they are')
    .addOption(node())
    .addOption(json())
    .addOption(zone())
    .action(async (options) => (await import('./commands/nodes.ts')).nodes(options));
  command
    .command('workers')
    .description('list the workers of a zone, those with most in their mailboxes first')
    .addOption(node())
    .addOption(json())
    .addOption(zone())
    .action(async (options) => (await import('./commands/nodes.ts')).workers(options));
  command
    .command('logs')
    .description('print the lines of all nodes of a zone in the order of their times')
    .option('-f, --follow', 'go on with what comes, until it is interrupted')
    .option('-n, --lines <count>', 'only the last so many of what there is', wholeNumber(0, 1_000_000))
    .addOption(node())
    .addOption(
      new Option('--level <level>', 'only lines of this level and above')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('debug'),
    )
    .addOption(new Option('--json', 'print an array of objects; with --follow one object a line'))
    .addOption(zone())
    .action(async (options) => (await import('./commands/logs.ts')).logs(options));
  command
    .command('inlet')
    .description('serve a page that shows the zone to a browser on this machine, until it is interrupted')
    .addOption(
      new Option('--to <what>', 'what the page shows first')
        .choices(['logs', 'nodes', 'workers'])
        .makeOptionMandatory(),
    )
    .option('-p, --port <port>', 'the port; 0 takes any that is free', wholeNumber(0, 65_535), 32_101)
    .addOption(zone())
    .action(async (options) => (await import('./commands/inlet.ts')).inlet(options));
  command
    .command('delete')
    .description('drain and stop every container of a zone, and its supervisor')
    .option('-y, --yes', 'do not ask')
    .addOption(zone())
    .action(async (options) => (await import('./commands/zones.ts')).remove(options));
}
