/** Runs what the arguments of `troupe` ask for, and ends the process as that ends. */
import { EXIT, exitOf, wordsOf } from './failure.ts';
import { program } from './program.ts';
import { endArray, FAILED, note } from './terminal.ts';

// Who reads (`head`, a pager) may have seen enough: that is no failure of ours.
for (const output of [process.stdout, process.stderr]) {
  output.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.done);
    throw error;
  });
}

const troupe = program();
/** Whether standard output is to be an array: not with --follow, where each line is an object. */
let isArray = false;
troupe.hook('preAction', (_, command) => {
  const { json, follow } = command.opts<{ json?: boolean; follow?: boolean }>();
  isArray = json === true && follow !== true;
});

try {
  await troupe.parseAsync();
} catch (error) {
  if (isArray) endArray();
  const { code, exitCode } = error as { code?: unknown; exitCode?: unknown };
  if (typeof code === 'string' && code.startsWith('commander.')) {
    // It has printed its own words: help and version are no failures, all others are wrong usage.
    process.exitCode = exitCode === 0 ? EXIT.done : EXIT.usage;
  } else {
    note(wordsOf(error), FAILED);
    process.exitCode = exitOf(error);
  }
}
