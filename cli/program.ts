/**
 * The commands with their arguments. Each loads its own file when it is called, so that `--help` and `--version` load neither the
 * add-on nor a parser.
 */
import { Command } from 'commander';
import { version } from './version.ts';

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
  return troupe;
}
