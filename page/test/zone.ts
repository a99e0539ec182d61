/** A deployed zone for tests in a browser: its project, its inlet, and what its processes have written by their own word. */
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Page } from 'playwright-core';
import { type Shell } from '../../__test__/support/cli.ts';
import { type Program } from '../../__test__/support/program.ts';

/** A pod of one container, in the words of troupe.yaml. */
export const pod = (name: string, image: string, env: Readonly<Record<string, string>> = {}, clones = 1): string =>
  `  - { name: ${name}, clones: ${clones}, containers: [{ image: ${image}, env: ${JSON.stringify(env)} }] }\n`;

/** Copies an image of the tests into the project. */
export function addImage(shell: Shell, name: string): void {
  cpSync(join(import.meta.dirname, 'images', name), join(shell.folder, 'images', name), { recursive: true });
}

/** A project with these images, of the package of this tree. */
export function project(shell: Shell, pods: string, images: readonly string[]): void {
  shell.install('');
  writeFileSync(join(shell.folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  for (const image of images) addImage(shell, image);
  setPods(shell, pods);
}

/** What troupe.yaml is to say from here on. */
export function setPods(shell: Shell, pods: string): void {
  writeFileSync(join(shell.folder, 'troupe.yaml'), `name: shop\npods:\n${pods}`);
}

/** Opens an inlet and resolves with its address, once it says it. */
export async function openInlet(
  shell: Shell,
  args: readonly string[] = ['--port', '0'],
): Promise<{ inlet: Program; url: string }> {
  const inlet = shell.start(['zone', 'inlet', '--to', 'logs', ...args]);
  const address = /(http:\/\/\S+)\/logs/;
  await inlet.until(({ stdout }) => address.test(stdout));
  return { inlet, url: address.exec(inlet.stdout)?.[1] ?? '' };
}

/** The folder in which processes keep what they wrote. */
export class Diary {
  readonly folder: string;

  constructor(shell: Shell) {
    this.folder = join(shell.home, '..', 'diary');
    mkdirSync(this.folder);
  }

  /** The lines by who wrote them and how: `node.record`, `node.stdout`, `node.stderr`. */
  lines(): Record<string, string[]> {
    return Object.fromEntries(
      readdirSync(this.folder)
        .sort()
        .map((name) => [name, readFileSync(join(this.folder, name), 'utf8').split('\n').slice(0, -1)]),
    );
  }
}

/** One row of the list: the first line of its message, without fields. */
export interface Row {
  readonly node: string;
  readonly source: string;
  readonly message: string;
}

/**
 * Scrolls the list from its beginning to its end and takes every row that comes by, with its place. Runs in the page as text: what tsx
 * does to functions only works here.
 */
const walk = `(async () => {
  const list = document.querySelector('.lines');
  const rows = new Map();
  const rowHeight = 20;
  const frame = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  const count = () => Number(list.getAttribute('aria-rowcount')) - 1;
  for (let place = 0; place < count(); ) {
    // Again until it is obeyed: a list that follows goes back to its end with each new line.
    list.scrollTop = place * rowHeight;
    await frame();
    for (const row of list.querySelectorAll('.row:not(.header)')) {
      const text = (name) => row.querySelector('.' + name)?.textContent ?? '';
      const message = text('message').slice(0, text('message').length - text('more').length - text('fields').length);
      rows.set(Number(row.getAttribute('aria-rowindex')), { node: text('node'), source: text('source'), message });
    }
    while (rows.has(place + 2)) place += 1;
  }
  return [...rows].sort(([a], [b]) => a - b);
})()`;

/** All rows of the list from the first to the last, each with its place, from 2 on: the header is the first. */
export async function allRows(page: Page): Promise<Row[]> {
  const rows = await page.evaluate<[number, Row][]>(walk);
  return rows.map(([, row]) => row);
}

/** The messages of rows by who wrote them and how, those of a diary only. `word` is in each line of it. */
export function asDiary(rows: readonly Row[], word: string): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const { node, message } of rows) {
    const [, way] = new RegExp(`^${word} \\d+ (record|stdout|stderr) \\d+$`).exec(message) ?? [];
    if (way !== undefined) (found[`${node}.${way}`] ??= []).push(message);
  }
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)));
}
