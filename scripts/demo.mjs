// `npm run demo`: three processes on this machine form a zone, in a home of their own that is removed afterwards: two runners and a main
// that spreads work over them. Prints who did what, and ends with status 0 when all three did.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startProgram } from './program.mjs';
import { colour, Failure, main } from './shell.mjs';
import { setUp } from './setup.mjs';

const paints = { 'runner-1': colour.blue, 'runner-2': colour.magenta, main: colour.green };
/** On an idle machine the whole demo takes a second or two. */
const patience = 90_000;

/** A line of standard error: a log record as JSON, or anything else as it is. */
function recordIn(line) {
  try {
    const record = JSON.parse(line);
    return typeof record?.message === 'string' ? record : undefined;
  } catch {
    return undefined;
  }
}

/** Starts a process of the zone, prints its lines behind its name and gathers its log records. */
function start(name, file, home) {
  const records = [];
  const print = (text) => console.log(`  ${paints[name](name.padEnd(8))} ${colour.dim('│')} ${text}`);
  const program = startProgram(file, {
    env: { TROUPE_HOME: home, TROUPE_NODE: name, TROUPE_LOG: 'info,channel=debug', TROUPE_LOG_FORMAT: 'json' },
    onLine: (line, stream) => {
      const record = stream === 'stderr' ? recordIn(line) : undefined;
      if (record) records.push(record);
      if (!record) print(line);
      else if (record.level !== 'debug') print(colour.dim(record.message));
    },
  });
  return { name, records, ...program };
}

async function demonstrate(home) {
  console.log(`\n${colour.bold('Three processes, one zone, no server')}  ${colour.dim('(examples/demo/)')}\n`);
  const started = performance.now();
  const runners = ['runner-1', 'runner-2'].map((name) => start(name, 'examples/demo/runner.ts', home));
  const asker = start('main', 'examples/demo/main.ts', home);
  const all = [asker, ...runners];
  const killAll = () => all.forEach(({ child }) => child.kill('SIGKILL'));
  const late = setTimeout(killAll, patience);
  process.once('SIGINT', killAll);
  try {
    // A runner that dies early would leave main waiting for it.
    const first = await Promise.race(all.map(async ({ name, ended }) => [name, await ended]));
    if (first[0] !== 'main') throw new Failure(`${first[0]} ended (${first[1]}) before main was done.`);
    for (const { child } of runners) child.kill('SIGTERM');
    const statuses = await Promise.all(all.map(({ ended }) => ended));
    const failed = all.filter((_, i) => statuses[i] !== 0).map(({ name }, i) => `${name} (${statuses[i]})`);
    if (failed.length > 0) throw new Failure(`Ended badly: ${failed.join(', ')}.`);
  } finally {
    clearTimeout(late);
    killAll();
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const peers = channelsOf(asker.records);
  if (peers.length !== runners.length)
    throw new Failure(`main logged channels to ${peers.join(', ') || 'nobody'}; it should have one to each runner.`);
  console.log(`\n${colour.bold('What happened')}`);
  console.log(
    `  main and its runners talked over ${peers.length} encrypted channels: ${peers.map((name) => `main ⇄ ${name}`).join(', ')}.`,
  );
  console.log(
    '  Each was opened by a Noise handshake in which both ends proved who they are; nothing crossed in the clear.',
  );
  console.log(
    `  All three processes ended with status 0, after ${seconds} s. Nothing is left: no file, no process, no port.\n`,
  );
}

/** The nodes to which a process opened or accepted a channel, by what it logged about each. */
function channelsOf(records) {
  const opened = records.filter(({ name, message }) => name === 'channel' && /^open to node /.test(message));
  return [...new Set(opened.flatMap(({ message }) => message.match(/\brunner-\d\b/g) ?? []))].sort();
}

await main(async () => {
  await setUp();
  const home = mkdtempSync(join(tmpdir(), 'troupe-demo-'));
  try {
    await demonstrate(home);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});
