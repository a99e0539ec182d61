// The page in a browser: its size, then every test of page/test/, against a made-up zone and against real ones.
import { delimiter, join } from 'node:path';
import { chromium } from './toolbox.mjs';
import { packAll } from './package.mjs';
import { checkPageFiles } from './page.mjs';
import { isMain, main, NotHere, root, run, say, toolEnv } from './shell.mjs';
import { setUp } from './setup.mjs';

/** Resolves with what was found; `NotHere` where there is no browser. */
export async function checkPage(args = []) {
  const bytes = checkPageFiles();
  const browser = await chromium();
  if (!browser) throw new NotHere('there is no Chromium; TROUPE_CHROMIUM may name one');
  const tarballs = join(root, 'dist-packages');
  const packed = (await packAll(tarballs)).map((name) => join(tarballs, name));
  await run('ava', ['--config', 'ava.page.config.js', ...args], {
    quiet: true,
    env: toolEnv({ TROUPE_TEST_CHROMIUM: browser, TROUPE_TEST_TARBALLS: packed.join(delimiter) }),
  });
  return `${(bytes / 1024).toFixed(1)} KB compressed, in ${browser}`;
}

if (isMain(import.meta.url)) {
  await main(async () => {
    await setUp();
    say(await checkPage(process.argv.slice(2)));
  });
}
