// `npm run verify -- mutations`: removes each security check and each bound, one by one, in a copy of the tree, and runs the narrowest tests
// that should notice. A mutation that they do not notice survives, and is a test that is missing.
//
// `node scripts/mutations.mjs [--from N] [WORD …]` runs those whose file or words hold one of these, from the Nth on, so that a run that was
// ended can go on; `--list` names them, each with its number.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { access } from './mutations/access.mjs';
import { bounds } from './mutations/bounds.mjs';
import { channel } from './mutations/channel.mjs';
import { frames } from './mutations/frames.mjs';
import { handshake } from './mutations/handshake.mjs';
import { http } from './mutations/http.mjs';
import { ship } from './mutations/ship.mjs';
import { supervisor } from './mutations/supervisor.mjs';
import { tracing } from './mutations/traces.mjs';
import { attempt, colour, Failure, isMain, main, root, say, toolEnv } from './shell.mjs';

/**
 * What is changed: `in` a file, the exact text `from`, which must stand there once, becomes `to`; `test` is the command that must fail
 * then, as words for cargo (`cargo …`) or ava.
 */
export const mutations = [
  ...handshake,
  ...frames,
  ...channel,
  ...bounds,
  ...access,
  ...ship,
  ...http,
  ...supervisor,
  ...tracing,
];

/** Longer than any of the tests takes; one that waits for what no longer comes has noticed, too. Seconds. */
const PATIENCE = 180;
/** Longer than a build from nothing takes on a machine that others use as well. Seconds. */
const BUILD_PATIENCE = 1800;
/** More than any test needs, in KiB: one that fills up what has no bound any more must not take the machine along. */
const MEMORY = 4 << 20;

const copy = join(root, 'target', 'mutations', 'tree');
const env = toolEnv({
  CARGO_TARGET_DIR: join(root, 'target', 'mutations', 'build'),
  // Half of the time of a build is debug information and what is kept for the next one.
  CARGO_PROFILE_DEV_DEBUG: '0',
  // A failure that proptest finds is not to be kept: it is the mutation's.
  PROPTEST_FAILURE_PERSISTENCE: 'off',
});

/** The files of the tree as they are now, in a folder of their own; what git ignores is left out, installed packages are linked. */
function makeCopy() {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root });
  const files = listed
    .toString()
    .split('\0')
    .filter((file) => file && existsSync(join(root, file)));
  rmSync(copy, { recursive: true, force: true });
  for (const file of files) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    copyFileSync(join(root, file), join(copy, file));
  }
  for (const shared of ['node_modules', 'dist', ...built()]) {
    if (existsSync(join(root, shared))) symlinkSync(join(root, shared), join(copy, shared));
  }
}

/** The built add-ons and supervisors, which are ignored by git and used by the tests. */
function built() {
  const files = ['*.node', 'troupe-supervisor.*'];
  const ignored = ['ls-files', '-z', '--others', '--ignored', '--exclude-standard', '--', ...files];
  const listed = execFileSync('git', ignored, { cwd: root }).toString().split('\0');
  return listed.filter((file) => file !== '' && !/^(target|node_modules|dist|\.cache)/.test(file));
}

/** The text of a file with the mutation in it. */
function mutated(mutation, text) {
  const parts = text.split(mutation.from);
  if (parts.length !== 2) {
    throw new Failure(`${mutation.in} holds the text of "${mutation.what}" ${parts.length - 1} times, not once.`);
  }
  return parts.join(mutation.to);
}

const run = (words, more = [], patience = PATIENCE) => {
  const [command, ...args] = words.split(' ');
  const limits = `ulimit -d ${MEMORY} && exec timeout --kill-after=5 ${patience} "$@"`;
  return attempt('sh', ['-c', limits, 'sh', command, ...args, ...more], { cwd: copy, env, quiet: true });
};

/** `caught`, `survived` or `broken`: it is no program any more, which proves nothing. (`untried`: its test fails without it, too.) */
async function tryOut(mutation) {
  const file = join(copy, mutation.in);
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, mutated(mutation, text));
  try {
    if (mutation.test.startsWith('cargo ')) {
      const built = await run(mutation.test.replace(/ -- .*$/, ''), ['--no-run']);
      if (built.status !== 0) return { result: 'broken', output: built.output };
    }
    const { status, output } = await run(mutation.test);
    return { result: status === 0 ? 'survived' : 'caught', output };
  } finally {
    writeFileSync(file, text);
  }
}

/** Whether a test passes without a mutation, which is tried once, when a mutation first needs it; says so where it does not. */
async function passes(test, tried) {
  if (!tried.has(test)) {
    // The first build makes all that the tests need.
    if (test.startsWith('cargo ')) await run(test.replace(/ -- .*$/, ''), ['--no-run'], BUILD_PATIENCE);
    const { status, output } = await run(test);
    tried.set(test, status === 0);
    if (status !== 0) console.log(`\`${test}\` fails without any mutation:\n${colour.dim(output.slice(-4000))}`);
  }
  return tried.get(test);
}

/** Runs the mutations from the one with this number on; resolves with how many were caught, fails with those that were not. */
export async function checkMutations(words = [], first = 1) {
  const chosen = [...mutations.entries()].filter(([index, mutation]) => {
    const text = `${mutation.in} ${mutation.what}`;
    return index + 1 >= first && (words.length === 0 || words.some((word) => text.includes(word)));
  });
  if (chosen.length === 0) throw new Failure('There is no such mutation; --list names them.');
  const stale = chosen.flatMap(([, mutation]) => {
    try {
      mutated(mutation, readFileSync(join(root, mutation.in), 'utf8'));
      return [];
    } catch (error) {
      return [error.message];
    }
  });
  if (stale.length > 0) throw new Failure(`The list no longer fits the code:\n${stale.join('\n')}`);
  makeCopy();
  const tried = new Map();
  const missed = [];
  for (const [index, mutation] of chosen) {
    const { result, output } = (await passes(mutation.test, tried)) ? await tryOut(mutation) : { result: 'untried' };
    const mark = result === 'caught' ? colour.green('✓') : colour.red('✗');
    console.log(`${mark} ${index + 1}/${mutations.length} ${mutation.in}: ${mutation.what}: ${result}`);
    if (result === 'broken') console.log(colour.dim(output.slice(-1500)));
    if (result !== 'caught') missed.push(`${mutation.in}: ${mutation.what}: ${result}`);
  }
  if (missed.length > 0) throw new Failure(`${missed.length} of ${chosen.length} not caught:\n${missed.join('\n')}`);
  return `${chosen.length} mutations, each caught`;
}

if (isMain(import.meta.url)) {
  await main(async () => {
    const { values, positionals } = parseArgs({
      options: { from: { type: 'string', default: '1' }, list: { type: 'boolean' } },
      allowPositionals: true,
    });
    const first = Number(values.from);
    if (!(first >= 1 && first <= mutations.length))
      throw new Failure(`--from is a number from 1 to ${mutations.length}.`);
    if (values.list) return console.log(mutations.map((m, index) => `${index + 1} ${m.in}: ${m.what}`).join('\n'));
    say(await checkMutations(positionals, first));
  });
}
