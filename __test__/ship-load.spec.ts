// The receiving side: what is kept on the disk, what is refused, and that a module runs once.
import { createHash } from 'node:crypto';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { NotPermittedError, NotPortableError, WorkerFailedError } from '../lib/errors.ts';
import { bundle, has, load } from '../lib/ship/index.ts';
import { Quick, Quicker } from './fixtures/ship/app/quick.ts';

const shipped = (code: string, label = 'A') => {
  const bytes = Buffer.from(code);
  return { hash: createHash('sha256').update(bytes).digest('hex'), label, code: bytes };
};
/** A module by hand, different from all others. */
let made = 0;
const moduleOf = (body: string) =>
  `const self = globalThis[Symbol.for('troupe.ship.modules')].get(import.meta.url); self.writtenIn('/app/a.ts'); // ${made++}\n${body}`;
const CLASS = 'class A {} self.declare(() => ({ A: () => A }));';

function folder(t: ExecutionContext): string {
  const made = realpathSync(mkdtempSync(path.join(tmpdir(), 'troupe-load-')));
  t.teardown(() => rmSync(made, { recursive: true, force: true }));
  return path.join(made, 'zone', 'code');
}

test('classes of one module share a bundle, and its module runs once', async (t) => {
  const directory = folder(t);
  const [first, second, again] = await Promise.all([bundle(Quick), bundle(Quicker), bundle(Quick)]);
  t.is(again, first);
  t.is(second.hash, first.hash);
  t.is(createHash('sha256').update(first.code).digest('hex'), first.hash);
  t.deepEqual([first.label, second.label], ['Quick', 'Quicker']);
  t.true(first.file.endsWith('/quick.ts'));

  t.false(await has(first.hash, directory));
  const [quick, quicker, sameQuick] = await Promise.all([
    load(first, directory),
    load(second, directory),
    load(first, directory),
  ]);
  t.is(quick, sameQuick);
  t.true(quick !== Quick);
  t.is(Object.getPrototypeOf(quicker), quick);
  t.is((new quick() as Quick).handleMessage(), 'quick');
  t.is((globalThis as { quickRuns?: number }).quickRuns, 2, 'once here, once shipped');
  t.true(await has(first.hash, directory));
  t.is(await load({ hash: first.hash, label: 'Quick' }, folder(t)), quick, 'from any folder, without the code');

  const onward = await bundle(quicker);
  t.deepEqual([onward.hash, onward.label], [second.hash, second.label], 'what was received is passed on as it is');
  t.true(Buffer.from(onward.code).equals(second.code));
});

test('code is kept in a folder and a file of its user alone', async (t) => {
  const directory = folder(t);
  const { hash, code } = shipped(moduleOf(CLASS));
  await load({ hash, label: 'A', code }, directory);
  t.is(lstatSync(directory).mode & 0o777, 0o700);
  t.deepEqual(readdirSync(directory), [`${hash}.mjs`]);
  t.is(lstatSync(path.join(directory, `${hash}.mjs`)).mode & 0o777, 0o600);
});

test('a bundle whose code is not what its hash says is refused, and neither kept nor run', async (t) => {
  const directory = folder(t);
  const { hash, label, code } = shipped(moduleOf(`${CLASS} globalThis.tampered = true;`));
  const changed = Buffer.concat([code, Buffer.from('\n')]);
  const error = await t.throwsAsync(load({ hash, label, code: changed }, directory), { instanceOf: NotPermittedError });
  t.regex(error!.message, /refused a bundle: its code has the SHA-256 [0-9a-f]{64}, not "[0-9a-f]{64}"/);
  t.false(await has(hash, directory));
  t.false('tampered' in globalThis);
  await t.notThrowsAsync(load({ hash, label, code }, directory), 'the right bytes are still welcome');
});

test('a hash that is no hash never becomes a path', async (t) => {
  const { label, code } = shipped(moduleOf(CLASS));
  await t.throwsAsync(has('../../evil', folder(t)), { instanceOf: NotPermittedError, message: /is no SHA-256/ });
  await t.throwsAsync(load({ hash: '../evil', label }, folder(t)), {
    instanceOf: NotPermittedError,
    message: /is no SHA-256/,
  });
  for (const hash of ['../../evil', '', 'A'.repeat(64), `${'a'.repeat(64)}/..`]) {
    await t.throwsAsync(load({ hash, label, code }, folder(t)), {
      instanceOf: NotPermittedError,
      message: /refused a bundle/,
    });
  }
});

test('a file that was changed since is not run: it is replaced, or asked for again', async (t) => {
  const directory = folder(t);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const { hash, label, code } = shipped(moduleOf(CLASS));
  const file = path.join(directory, `${hash}.mjs`);
  writeFileSync(file, 'globalThis.planted = true; export {};');
  t.false(await has(hash, directory));
  await t.throwsAsync(load({ hash, label }, directory), {
    instanceOf: WorkerFailedError,
    message: /is not on this node/,
  });
  await load({ hash, label, code }, directory);
  t.deepEqual(readFileSync(file), code);
  t.false('planted' in globalThis);
});

test('a link in the place of a file is replaced, never followed', async (t) => {
  const directory = folder(t);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const { hash, label, code } = shipped(moduleOf(CLASS));
  const target = path.join(directory, '../target');
  writeFileSync(target, code);
  symlinkSync(target, path.join(directory, `${hash}.mjs`));
  t.false(await has(hash, directory));
  await load({ hash, label, code }, directory);
  t.true(lstatSync(path.join(directory, `${hash}.mjs`)).isFile());
});

test('a folder that others can enter, or a link to one, is refused', async (t) => {
  const directory = folder(t);
  const bundle = shipped(moduleOf(CLASS));
  mkdirSync(directory, { recursive: true });
  chmodSync(directory, 0o750);
  await t.throwsAsync(load(bundle, directory), {
    instanceOf: NotPermittedError,
    message: /must be a real folder of this user with mode 0700/,
  });
  chmodSync(directory, 0o700);
  const link = path.join(directory, '../link');
  symlinkSync(directory, link);
  await t.throwsAsync(load(bundle, link), { instanceOf: NotPermittedError, message: /must be a real folder/ });
  t.deepEqual(readdirSync(directory), []);
});

test('a class passed on after its file was changed is refused', async (t) => {
  const directory = folder(t);
  const { hash, label, code } = shipped(moduleOf(CLASS));
  const cls = await load({ hash, label, code }, directory);
  writeFileSync(path.join(directory, `${hash}.mjs`), 'changed');
  await t.throwsAsync(bundle(cls), {
    instanceOf: NotPortableError,
    message: /its file was removed or changed since it was received/,
  });
});

test('a module that fails stays failed, and each caller hears why', async (t) => {
  const directory = folder(t);
  const bundle = shipped(moduleOf(`throw Object.assign(new Error('no luck'), { code: 'E_LUCK' });`));
  for (let i = 0; i < 2; i++) {
    const error = await t.throwsAsync(load(bundle, directory), { instanceOf: WorkerFailedError });
    t.is(error!.message, 'the module of class A (/app/a.ts) failed while it was loaded: no luck');
    t.is((error!.cause as { code?: string }).code, 'E_LUCK');
  }
});

test('a label the module does not declare is refused, whatever it is', async (t) => {
  const directory = folder(t);
  const code = moduleOf(
    `class A {} self.declare(() => ({ A: () => A, ['B']: () => later, C: () => 'text' })); if (false) var later;`,
  );
  for (const label of ['toString', '__proto__', 'constructor', 'B', 'C', '']) {
    await t.throwsAsync(
      load({ ...shipped(code), label }, directory),
      { instanceOf: NotPortableError, message: /ran to its end without declaring it/ },
      label,
    );
  }
});
