// What Prometheus makes of a node: its metrics by the reader that Prometheus' people keep for Python, and, where there is a promtool, by that;
// the alerts with their tests, and the expressions of the dashboard. __test__/monitoring.spec.ts holds all of them against the document.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { capture, Failure, isMain, main, NotHere, readJson, run, toolEnv } from './shell.mjs';
import { setUp } from './setup.mjs';
import { programOf, pythonWith } from './toolbox.mjs';

/** Prints the metrics of a node with a worker, a failure, a dead letter and a peer. */
const program = `
  import { Node, setLogger } from '${new URL('../dist/index.js', import.meta.url)}';
  setLogger(() => {});
  const node = await Node.create({ name: 'here', http: {} });
  const there = await Node.create({ name: 'there' });
  class Echo {
    handleMessage(context, message) {
      if (message === 'fail') throw new Error('as it was told');
      return context.reply(message);
    }
  }
  await there.startWorker('echo', Echo);
  await node.startWorker('odd', Object.defineProperty(class extends Echo {}, 'name', { value: 'a"b\\n<c>\\\\' }));
  await node.sendAndReceive('odd', 'fail').catch(() => {});
  await node.send('nobody', 'x').catch(() => {});
  let text = '';
  while (!text.includes('troupe_peer_round_trip_seconds')) {
    await node.sendAndReceive('there/echo', 'x');
    text = await (await fetch('http://' + node.http + '/metrics')).text();
  }
  process.stdout.write(text);
  await node.stop();
  await there.stop();
`;

/** Reads what stands on its input, and prints each family with its type. */
const reader = `
import sys
from prometheus_client.parser import text_string_to_metric_families as families
for family in families(sys.stdin.read()):
    print(family.name, family.type, len(family.samples) > 0)
`;

/** Runs a program with a text as its input. */
function fed(command, args, text) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (more) => (output += more));
    child.once('error', (error) => resolve({ status: 127, output: error.message }));
    child.once('close', (status, signal) => resolve({ status: status ?? signal, output }));
    // It may end before it has read all.
    child.stdin.on('error', () => {}).end(text);
  });
}

async function readByPython(text) {
  const python = await pythonWith('tools', join('scripts', 'python-tools.txt'));
  const { status, output } = await fed(python, ['-c', reader], text);
  if (status !== 0) throw new Failure(`prometheus_client can't read the metrics:\n${output}`);
  // Its name of a counter has no "_total".
  const expected = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(
    ([, name, type]) => `${name.replace(/_total$/, '')} ${type} True`,
  );
  if (output.trim() !== expected.join('\n'))
    throw new Failure(`prometheus_client reads the metrics as\n${output}instead of\n${expected.join('\n')}`);
  return expected.length;
}

/** The expressions of the dashboard, as rules, which is what promtool reads. */
function dashboardRules() {
  const { panels } = readJson('docs/monitoring/dashboard.json');
  const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  const rules = expressions.map((expr, i) => ({
    record: `dashboard:${i}`,
    expr: expr.replaceAll('$__rate_interval', '5m').replace(/\$(?:zone|node)\b/g, '.*'),
  }));
  return JSON.stringify({ groups: [{ name: 'dashboard', rules }] });
}

async function readByPromtool(promtool, text, folder) {
  const linted = await fed(promtool, ['check', 'metrics'], text);
  if (linted.status !== 0) throw new Failure(`promtool check metrics:\n${linted.output}`);
  const dashboard = join(folder, 'dashboard.json');
  writeFileSync(dashboard, dashboardRules());
  await run(promtool, ['check', 'rules', '--lint=all', '--lint-fatal', dashboard], { quiet: true });
  const alerts = join('docs', 'monitoring', 'alerts.yaml');
  await run(promtool, ['check', 'rules', '--lint=all', '--lint-fatal', alerts], { quiet: true });
  await run(promtool, ['test', 'rules', join('docs', 'monitoring', 'alerts.test.yaml')], { quiet: true });
}

/** Runs the whole check; resolves with what was done. */
export async function checkMonitoring() {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-monitoring-'));
  try {
    const env = toolEnv({ TROUPE_HOME: join(folder, 'home') });
    const text = await capture(process.execPath, ['--input-type=module', '--eval', program], { env });
    const count = await readByPython(text);
    const promtool = programOf('promtool', 'TROUPE_PROMTOOL');
    if (!promtool)
      throw new NotHere(
        `promtool is not installed (TROUPE_PROMTOOL may name one): the tests of the alerts did not run; prometheus_client reads ${count} metrics`,
      );
    await readByPromtool(promtool, text, folder);
    return `${count} metrics, alerts with their tests, the dashboard's expressions`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (isMain(import.meta.url)) {
  await main(async () => {
    await setUp();
    console.log(await checkMonitoring());
  });
}
