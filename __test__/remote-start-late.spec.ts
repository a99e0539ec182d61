// A start on another node that takes too long: what its caller hears, and what becomes of it there.
import test from 'ava';
import { startThere } from '../lib/control.ts';
import { type Context, Node, TimeoutError } from '../lib/index.ts';
import { startWorkerSettings } from '../lib/options.ts';
import { zoneHome } from './support/program.ts';

let initialize = () => {};
const initialized = new Promise<void>((resolve) => (initialize = resolve));

class Slow {
  readonly #isSlow: boolean;

  constructor(isSlow: boolean) {
    this.#isSlow = isSlow;
  }

  async initialize() {
    if (this.#isSlow) await initialized;
  }

  handleMessage(context: Context) {
    return context.reply('started');
  }
}

test.serial('a start on another node that takes too long says so, and goes on there', async (t) => {
  process.env['TROUPE_HOME'] = zoneHome(t);
  const there = await Node.create({ name: 'there', workers: { Slow } });
  const here = await Node.create({ name: 'here' });
  t.teardown(() => Promise.all([there.stop({ timeout: 0 }), here.stop({ timeout: 0 })]));
  const states = async () => (await there.listWorkers({ prefix: 'slow' })).map(({ state }) => state);
  const settings = (isSlow: boolean) => startWorkerSettings({ args: [isSlow] }, true);
  // The module is bundled by then, and the nodes know each other: what is left of a second goes to `initialize`.
  await startThere(here, 'there', 'quick', Slow, settings(false));
  const started = startThere(here, 'there', 'slow', Slow, settings(true), 1_000);
  const error = await t.throwsAsync<TimeoutError>(started, { instanceOf: TimeoutError });
  t.deepEqual([error.worker, error.node, error.stage], ['slow', 'there', undefined]);
  t.regex(
    error.message,
    /^timeout after 1000 ms: worker "slow" was not started on node "there" by then, and may be later/,
  );
  t.deepEqual(await states(), ['starting']);
  initialize();
  t.is(await here.sendAndReceive('there/slow', ''), 'started');
});
