// Runs each target of fuzz/ for a minute, from the corpus in the tree. cargo-fuzz comes from crates.io into .cache/tools/, once.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { attempt, Failure, isMain, main, NotHere, root, say, toolEnv } from './shell.mjs';

/** Seconds for each target. */
const SECONDS = 60;
/** The version whose options are used here. */
const CARGO_FUZZ = '0.13.2';

const folder = join(root, 'fuzz');
const targetFolder = join(root, 'target', 'fuzz');

/** The targets, as fuzz/Cargo.toml declares them. */
export function fuzzTargets() {
  const manifest = readFileSync(join(folder, 'Cargo.toml'), 'utf8');
  return [...manifest.matchAll(/^\[\[bin\]\]\nname = "(.+)"/gm)].map(([, name]) => name);
}

/** The path of cargo-fuzz, which is installed if it is missing. */
async function cargoFuzz() {
  const tools = join(root, '.cache', 'tools', 'cargo-fuzz');
  const program = join(tools, 'bin', 'cargo-fuzz');
  if (!existsSync(program)) {
    const args = ['install', 'cargo-fuzz', '--version', CARGO_FUZZ, '--locked', '--root', tools];
    const { status, output } = await attempt('cargo', args, { quiet: true });
    if (status !== 0) throw new NotHere(`cargo-fuzz could not be installed: ${output.trim().split('\n').at(-1)}`);
  }
  return program;
}

/** libFuzzer is C++: without a compiler for it there is nothing to link. */
async function compiler() {
  for (const name of [process.env.CXX, 'c++', 'clang++', 'g++']) {
    if (name && (await attempt(name, ['--version'], { quiet: true })).status === 0) return name;
  }
  return undefined;
}

/**
 * Builds and runs all targets; resolves with what was run. Fails with the output of the first target that found something; the input
 * lies under target/fuzz/.
 */
export async function checkFuzz(seconds = SECONDS, targets = fuzzTargets()) {
  if (!(await compiler())) throw new NotHere('there is no C++ compiler, which libFuzzer needs');
  const program = await cargoFuzz();
  const env = toolEnv({ RUSTC_BOOTSTRAP: '1' });
  const common = ['--fuzz-dir', folder, '--target-dir', targetFolder];
  const built = await attempt(program, ['fuzz', 'build', ...common], { cwd: folder, env, quiet: true });
  if (built.status !== 0) throw new Failure(`the fuzz targets can't be built:\n${built.output}`);
  const runs = [];
  const left = [...targets];
  // Each uses one core.
  const lanes = Array.from({ length: Math.min(availableParallelism(), 4) }, async () => {
    for (let target = left.shift(); target !== undefined; target = left.shift()) runs.push(await fuzz(target));
  });
  await Promise.all(lanes);
  return `${seconds} s each; inputs: ${runs.join(', ')}`;

  async function fuzz(target) {
    const found = join(targetFolder, 'corpus', target);
    mkdirSync(found, { recursive: true });
    const corpus = [found, join(folder, 'corpus', target)];
    const limits = [`-max_total_time=${seconds}`, `-artifact_prefix=${join(targetFolder, `${target}-`)}`];
    const args = ['fuzz', 'run', ...common, target, ...corpus, '--', ...limits];
    const { status, output } = await attempt(program, args, { cwd: folder, env, quiet: true });
    if (status !== 0) throw new Failure(`${target} found something:\n${output.split('\n').slice(-60).join('\n')}`);
    return `${target} ${/Done (\d+) runs/.exec(output)?.[1] ?? '?'}`;
  }
}

if (isMain(import.meta.url))
  await main(async () => {
    const [seconds, ...targets] = process.argv.slice(2);
    say(await checkFuzz(seconds ? Number(seconds) : SECONDS, targets.length > 0 ? targets : fuzzTargets()));
  });
