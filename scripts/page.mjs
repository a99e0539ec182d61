// What the page must be besides right: small, all of it its own, and with the notices of the code that was bundled into it.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { filesUnder } from './freshness.mjs';
import { Failure, root } from './shell.mjs';

/** Where the built page is. */
export const pageFolder = join(root, 'dist', 'page');

/** Most bytes of the whole page as it is sent, compressed by gzip: less than a second on a slow line. */
const mostBytes = 60 * 1024;
/** What is bundled into it; each asks for no more than its notice. */
const bundled = ['preact', '@preact/signals', '@preact/signals-core', 'uplot'];
/** Written into the folder, but read by no browser. */
const notices = 'licences.txt';

/** The bytes of each of its files, compressed. */
export function pageSizes() {
  return filesUnder('dist/page')
    .map((file) => ({ file: relative(pageFolder, file), bytes: gzipSync(readFileSync(file), { level: 9 }).length }))
    .filter(({ file }) => file !== notices);
}

/** Writes the notices beside what was bundled; fails where the page is too large or would load what is not its own. */
export function finishPage() {
  const texts = bundled.map((name) => {
    const folder = join(root, 'node_modules', name);
    const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const file = ['LICENSE', 'LICENSE.md', 'license'].map((each) => join(folder, each)).find(existsSync);
    return `${name} ${version} (${license})\n\n${file ? readFileSync(file, 'utf8').trim() : ''}\n`;
  });
  writeFileSync(join(pageFolder, notices), texts.join(`\n${'-'.repeat(80)}\n\n`));
  checkPageFiles();
}

/** Fails where the page is too large, has parts within its HTML that the policy forbids, or loads anything from elsewhere. */
export function checkPageFiles() {
  const sizes = pageSizes();
  const total = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
  if (total > mostBytes) {
    const list = sizes.map(({ file, bytes }) => `  ${file} ${bytes}`).join('\n');
    throw new Failure(`The page has ${total} bytes compressed, ${mostBytes} at most:\n${list}`);
  }
  const html = readFileSync(join(pageFolder, 'index.html'), 'utf8');
  const inline = /<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=/i.exec(html);
  if (inline) throw new Failure(`dist/page/index.html has ${inline[0]}, which \`default-src 'self'\` forbids.`);
  const foreign = [...html.matchAll(/\s(?:src|href)="([^"]*)"/g)].find(
    ([, address]) => !address.startsWith('/assets/'),
  );
  if (foreign) throw new Failure(`dist/page/index.html loads ${foreign[1]}: everything it loads is in assets/.`);
  for (const file of filesUnder('dist/page').filter((name) => name.endsWith('.css'))) {
    const loaded = /url\((?!#)[^)]*\)|@import/.exec(readFileSync(file, 'utf8'));
    if (loaded) throw new Failure(`${relative(root, file)} loads ${loaded[0]}.`);
  }
  return total;
}
