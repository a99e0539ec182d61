// `npm run bench`: troupe beside a hand-written JavaScript mailbox and beside hand-framed mutual TLS in plain Node, in one run, as ratios.
//
//   npm run bench                      every figure
//   npm run bench -- local-request     one figure, or several
//   npm run bench -- --quick           few messages: that everything runs and every reply is right, not how fast
//   npm run bench -- --json            one JSON object instead of a table
import { cpus } from 'node:os';
import { figures } from './figures.mjs';
import { measure } from './measure.mjs';

const labels = { mailbox: 'a JavaScript mailbox', tls: 'mutual TLS in Node' };

function options(args) {
  const flags = ['--json', '--quick'];
  const names = args.filter((arg) => !flags.includes(arg));
  const unknown = names.filter((name) => !figures.some((figure) => figure.name === name));
  if (unknown.length > 0) {
    const known = figures.map(({ name }) => name).join(', ');
    throw new Error(`There is no figure ${unknown.join(', ')}. There are: ${known}; and ${flags.join(', ')}.`);
  }
  const chosen = figures.filter(({ name }) => names.length === 0 || names.includes(name));
  return { chosen, json: args.includes('--json'), quick: args.includes('--quick') };
}

const digits = (value) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));

/** One line of the table: the ratio with its quartiles, that of the CPU time, and the values the first comes from. */
function line({ title, unit, better, peer, ratio, cpu, troupe, other }) {
  const spread = `${digits(ratio.median)} × (${digits(ratio.low)} to ${digits(ratio.high)})`;
  const values = `${digits(troupe.median)} ${unit}, ${labels[peer]} ${digits(other.median)} ${unit}`;
  return `${title.padEnd(36)} ${spread.padEnd(24)} ${better} is better; CPU time ${digits(cpu.median)} ×; ${values}`;
}

try {
  const { chosen, json, quick } = options(process.argv.slice(2));
  const processors = cpus();
  const machine = { node: process.versions.node, cores: processors.length, model: processors[0]?.model ?? 'unknown' };
  if (!json)
    console.log(`Node ${machine.node}, ${machine.cores} cores, ${machine.model}; troupe's value by the other's`);
  const results = [];
  for (const figure of chosen) {
    const result = await measure(figure, quick);
    results.push(result);
    if (!json) console.log(line(result));
  }
  const compared = results.reduce((sum, result) => sum + result.compared, 0);
  if (json) console.log(JSON.stringify({ ...machine, quick, figures: results }, undefined, 2));
  else console.log(`medians with quartiles of the rounds; ${compared} messages, every reply compared`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
