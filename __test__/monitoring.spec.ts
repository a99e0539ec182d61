/**
 * What a node tells Prometheus, what docs/operations.md says of it, and the alerts and the dashboard in docs/monitoring/: they name the same
 * metrics, labels and words. The metrics are those of a real node that has had something to do.
 */
import test, { type ExecutionContext } from 'ava';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { parse } from 'yaml';
import { Node, type Context } from 'troupe';
import { blocksOf } from '../scripts/documents.mjs';
import { families, type Family } from './support/exposition.ts';
import { captureLog } from './support/node.ts';
import { worker } from './support/nodes.ts';
import { namesIn } from './support/promql.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** Names that a class can have in JavaScript, and a label in Prometheus. */
const HOSTILE = ['"quoted"', 'back\\slash', 'two\nlines', '<script>alert(1)</script>', '{a="b"} 7', 'Grüße 🎭', ''];

function classNamed(name: string): new () => { handleMessage(context: Context, message: string): Promise<void> } {
  const made = class {
    async handleMessage(context: Context, message: string) {
      if (message === 'fail') throw new Error('as it was told');
      await context.reply(message);
    }
  };
  return Object.defineProperty(made, 'name', { value: name });
}

/** The metrics of a node with workers, failures, dead letters, and a peer whose distance has been measured. */
async function told(): Promise<Map<string, Family>> {
  const home = mkdtempSync(join(tmpdir(), 'troupe-monitoring-'));
  process.env['TROUPE_HOME'] = home;
  captureLog();
  const nodes: Node[] = [];
  try {
    const here = await Node.create({ name: 'here', http: {} });
    nodes.push(here);
    const there = await Node.create({ name: 'there' });
    nodes.push(there);
    await there.startWorker('echo', classNamed('Echo'));
    for (const [i, name] of HOSTILE.entries()) await here.startWorker(`hostile-${i}`, classNamed(name));
    await here.sendAndReceive('hostile-0', 'fail').catch(() => {});
    await here.startWorker(
      'plain',
      worker((context) => context.reply('')),
    );
    for (;;) {
      await here.sendAndReceive('there/echo', 'x');
      const text = await (await fetch(`http://${here.http}/metrics`)).text();
      const found = families(text);
      if (found.has('troupe_peer_round_trip_seconds')) return found;
    }
  } finally {
    for (const node of nodes) await node.stop({ timeout: 0 });
    rmSync(home, { recursive: true, force: true });
  }
}

let cached: Promise<Map<string, Family>> | undefined;
/** The same for all tests of this file. */
const metrics = () => (cached ??= told());

/** Labels of a family, apart from those of the format itself. */
const labelsOf = ({ samples }: Family) =>
  [...new Set(samples.flatMap(({ labels }) => Object.keys(labels)))].filter((label) => label !== 'le');

/** A row of a table of docs/operations.md, by its cells. */
const rows = (pattern: RegExp) => [...read('docs/operations.md').matchAll(pattern)].map(([, ...cells]) => cells);

/** The names in backticks of a cell. */
const quoted = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);

test('each metric stands in the document with its type, unit, labels and help, and no other does', async (t) => {
  const real = [...(await metrics())].map(([name, family]) => {
    const unit = /_(seconds|bytes)(?:_total)?$/.exec(name)?.[1] ?? '';
    return { name, type: family.type, unit, labels: labelsOf(family).sort(), help: family.help };
  });
  const written = rows(/^\| `(troupe_\w+)` \| (\w+) \| ?(\w*) \| ?([^|]*) \| (.+) \|$/gm).map(
    ([name = '', type, unit, labels, text = '']) => {
      const help = real.find((metric) => metric.name === name)?.help ?? '';
      return { name, type, unit, labels: quoted(labels).sort(), help: text.startsWith(help) ? help : text };
    },
  );
  const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
  t.deepEqual(written.sort(byName), real.sort(byName));
});

test('names of metrics and labels keep to what Prometheus asks for', async (t) => {
  for (const [name, family] of await metrics()) {
    t.regex(name, /^troupe_[a-z]+(?:_[a-z]+)*$/, 'one prefix, small letters');
    t.is(/_total$/.test(name), family.type === 'counter', `${name} is a ${family.type}`);
    t.notRegex(name, /_(?:count|sum|bucket|created|gauge|counter|histogram)$/, 'endings that mean something else');
    t.notRegex(
      name,
      /_(?:ms|millis|milliseconds|minutes|kb|kilobytes|percent|ratio_percent)(?:_|$)/,
      'base units only',
    );
    t.regex(family.help, /^[A-Z1].*\.$/, `${name} has a sentence for help`);
    for (const label of labelsOf(family)) {
      t.regex(label, /^[a-z]+$/, name);
      t.false(['job', 'instance', 'quantile'].includes(label), `${name} takes a label of Prometheus' own`);
    }
    t.is(
      family.type === 'histogram',
      family.samples.some(({ labels }) => 'le' in labels),
      name,
    );
  }
});

test('whatever a class is called, its metrics have that name and no line more', async (t) => {
  const { samples } = (await metrics()).get('troupe_class_workers') as Family;
  const types = samples.map(({ labels }) => labels['type']);
  for (const name of HOSTILE.filter((name) => name !== '')) t.is(types.filter((type) => type === name).length, 1, name);
});

test('the reasons of dead letters in the document are those that are counted', async (t) => {
  const { samples } = (await metrics()).get('troupe_dead_letters_total') as Family;
  const [, table = ''] =
    /^\| reason \| what to do \|\n\|---\|---\|\n((?:\|.*\n)+)/m.exec(read('docs/operations.md')) ?? [];
  t.deepEqual(
    [...table.matchAll(/^\| `([^`]+)` \|/gm)].map(([, reason]) => reason).sort(),
    samples.map(({ labels }) => labels['reason']).sort(),
  );
});

/** Labels that Prometheus gives to what it scrapes. */
const SCRAPED = ['job', 'instance'];
/** Labels whose values are known words. */
const WORDS = ['state', 'reason', 'direction', 'isolate'];

/** Fails for each metric, label or word of an expression that a node does not have; resolves with the labels it may come to. */
async function checkExpression(t: ExecutionContext, expression: string): Promise<string[]> {
  const real = await metrics();
  const { selectors, labels } = namesIn(expression);
  t.true(selectors.length > 0, expression);
  const known = new Set(SCRAPED);
  for (const { metric, matchers } of selectors) {
    const isUp = metric === 'up';
    const base = real.has(metric) ? metric : metric.replace(/_(?:bucket|sum|count)$/, '');
    const family = real.get(base);
    t.true(isUp || family !== undefined, `no metric ${metric}: ${expression}`);
    if (!family) continue;
    t.is(family.type === 'histogram', base !== metric, `${metric} of a ${family.type}: ${expression}`);
    const own = [...labelsOf(family), ...(metric.endsWith('_bucket') ? ['le'] : [])];
    own.forEach((label) => known.add(label));
    for (const { label, operator, value } of matchers) {
      t.true([...own, ...SCRAPED].includes(label), `${metric} has no label ${label}: ${expression}`);
      if (!WORDS.includes(label)) continue;
      const words = new Set(family.samples.map((sample) => sample.labels[label]));
      for (const word of operator.includes('~') ? value.split('|') : [value])
        t.true(words.has(word), `${metric} has no ${label} "${word}": ${expression}`);
    }
  }
  for (const label of labels) t.true(known.has(label), `no metric of it has a label ${label}: ${expression}`);
  return [...known];
}

interface Rule {
  alert: string;
  expr: string;
  for?: string;
  labels: { severity: string };
  annotations: { summary: string; description: string };
}

const { groups } = parse(read('docs/monitoring/alerts.yaml')) as { groups: { name: string; rules: Rule[] }[] };

test('alerts name only what a node has, in expressions that Prometheus takes', async (t) => {
  t.is(new Set(groups.map(({ name }) => name)).size, groups.length);
  for (const rule of groups.flatMap(({ rules }) => rules)) {
    t.true(
      Object.keys(rule).every((key) => ['alert', 'expr', 'for', 'labels', 'annotations'].includes(key)),
      rule.alert,
    );
    t.regex(rule.for ?? '0s', /^\d+[sm]$/, rule.alert);
    t.true(['warning', 'critical'].includes(rule.labels.severity), rule.alert);
    t.deepEqual(Object.keys(rule.annotations), ['summary', 'description'], rule.alert);
    const known = await checkExpression(t, rule.expr);
    const used = [...JSON.stringify(rule.annotations).matchAll(/\$labels\.(\w+)/g)].map(([, label = '']) => label);
    for (const label of used) t.true(known.includes(label), `${rule.alert}: no label ${label}`);
  }
});

test('the alerts in the document are those of the file', (t) => {
  t.deepEqual(
    rows(/^\| `(Troupe\w+)` \|/gm).flat(),
    groups.flatMap(({ rules }) => rules.map(({ alert }) => alert)),
  );
});

test('each alert has a test in which it fires, and one in which it does not', (t) => {
  interface Run {
    alert_rule_test?: { alertname: string; exp_alerts?: object[] }[];
    promql_expr_test?: { exp_samples: { labels: string }[] }[];
  }
  const { tests } = parse(read('docs/monitoring/alerts.test.yaml')) as { tests: Run[] };
  const names = groups.flatMap(({ rules }) => rules.map(({ alert }) => alert)).sort();
  const samples = tests.flatMap((run) => run.promql_expr_test ?? []).flatMap(({ exp_samples: expected }) => expected);
  const firing = samples.map(({ labels }) => /alertname="(\w+)"/.exec(labels)?.[1] ?? '');
  t.deepEqual([...new Set(firing)].sort(), names);
  const silent = tests.flatMap((run) => run.alert_rule_test ?? []).filter(({ exp_alerts: expected }) => !expected);
  t.deepEqual(silent.map(({ alertname }) => alertname).sort(), names);
});

test('each alert has the reason for its threshold above it', (t) => {
  for (const [, before = '', name] of read('docs/monitoring/alerts.yaml').matchAll(/(.*)\n +- alert: (\w+)/g))
    t.regex(before, /^ +# /, name);
});

interface Panel {
  title: string;
  type: string;
  description?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { expr: string; legendFormat: string }[];
}

const dashboardText = read('docs/monitoring/dashboard.json');
const dashboard = JSON.parse(dashboardText) as {
  panels: Panel[];
  templating: { list: { name: string; query: string | { query: string } }[] };
};

/** An expression of the dashboard with values for its variables, as Grafana puts them in. */
const filled = (expression: string) =>
  expression.replaceAll('$__rate_interval', '5m').replace(/\$(?:zone|node)\b/g, '.*');

test('the dashboard shows every metric, and names only what a node has', async (t) => {
  const shown = new Set<string>();
  const variables = new Set(dashboard.templating.list.map(({ name }) => name));
  for (const { title, targets = [], type } of dashboard.panels) {
    t.is(type === 'row', targets.length === 0, title);
    for (const { expr, legendFormat } of targets) {
      for (const [, name = ''] of expr.matchAll(/\$\{?(\w+)/g))
        t.true(name === '__rate_interval' || variables.has(name), `${title}: no variable ${name}`);
      const known = await checkExpression(t, filled(expr));
      for (const [, label = ''] of legendFormat.matchAll(/{{(\w+)}}/g))
        t.true(known.includes(label), `${title}: ${label}`);
      for (const { metric } of namesIn(filled(expr)).selectors) shown.add(metric.replace(/_bucket$/, ''));
    }
  }
  for (const { query } of dashboard.templating.list) {
    // The first one is the data source.
    if (typeof query === 'string') continue;
    const [, selector = '', label = ''] = /^label_values\((.*), (\w+)\)$/.exec(query.query) ?? [];
    t.true((await checkExpression(t, filled(selector))).includes(label), query.query);
  }
  t.deepEqual([...shown].sort(), [...(await metrics()).keys()].sort());
});

test('the dashboard has the shape that Grafana describes', (t) => {
  // Its types have enumerations where a file has their values. What is written out is held against them, unknown keys included.
  const source = `
    import type { Dashboard, Panel, RowPanel } from '@grafana/schema';
    import type { Options as Stat } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
    import type { Options as Series } from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';
    type Plain<T> = T extends string ? \`\${T}\` : T extends number ? T | (\`\${T}\` extends \`\${infer N extends number}\` ? N : never)
      : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
    type Own<Kind, Options> = Omit<Panel, 'type' | 'options'> & { type: Kind; options: Options };
    type OwnPanel = RowPanel | Own<'stat', Stat> | Own<'timeseries', Series>;
    export const dashboard: Plain<Omit<Dashboard, 'panels'> & { panels: OwnPanel[] }> = `;
  t.deepEqual(mistakesIn(`${source}${dashboardText};`), []);
  for (const [right, wrong] of [
    ['"mode": "multi"', '"mode": "many"'],
    ['"type": "stat"', '"type": "stats"'],
    ['"gridPos"', '"gridPosition"'],
    ['"schemaVersion": ', '"schemaVersion": "39" + '],
  ] as const)
    t.not(mistakesIn(`${source}${dashboardText.replace(right, wrong)};`).length, 0, wrong);
});

test('no two panels of the dashboard lie over each other', (t) => {
  const taken = new Set<string>();
  for (const { title, gridPos } of dashboard.panels) {
    t.true(gridPos.x + gridPos.w <= 24, title);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        t.false(taken.has(`${x} ${y}`), title);
        taken.add(`${x} ${y}`);
      }
    }
  }
});

/** What the compiler says of a program, which stands in the tree as far as imports go. */
function mistakesIn(text: string): string[] {
  const file = join(root, '__test__', 'dashboard-as-a-program.ts');
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (path) => path === file || fileExists(path);
  host.readFile = (path) => (path === file ? text : readFile(path));
  host.getSourceFile = (path, language, ...rest) =>
    path === file ? ts.createSourceFile(path, text, language) : getSourceFile(path, language, ...rest);
  return ts
    .getPreEmitDiagnostics(ts.createProgram([file], options, host))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '));
}

test('the scrape of the document is a configuration of Prometheus for the job that the alerts expect', (t) => {
  const block = blocksOf('docs/operations.md').find(({ info }) => info === 'monitoring');
  const { scrape_configs: jobs } = parse(block?.text ?? '') as { scrape_configs: { job_name: string }[] };
  t.deepEqual(
    jobs.map(({ job_name: name }) => name),
    ['troupe'],
  );
});
