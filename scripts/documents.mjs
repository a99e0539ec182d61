// The code blocks of a Markdown file, with what stands behind them: so that what the documents show can be run and compared.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './shell.mjs';

/**
 * @typedef {object} Block
 * @property {string} language The first word behind the fence, e.g. `ts`.
 * @property {string} info What follows it, e.g. `hello.mts`.
 * @property {string} text
 * @property {number} line Where it begins.
 * @property {string | undefined} output The `text` block that follows it with only prose of one line between: what it prints.
 */

/**
 * The fenced blocks of a document, in order.
 *
 * @param {string} path From the project's root.
 * @returns {Block[]}
 */
export function blocksOf(path) {
  const lines = readFileSync(join(root, path), 'utf8').split('\n');
  /** @type {(Block & { end: number })[]} */
  const blocks = [];
  for (let i = 0; i < lines.length; i++) {
    const open = /^```(\w*) ?(.*)$/.exec(lines[i]);
    if (!open) continue;
    const end = lines.indexOf('```', i + 1);
    if (end < 0) throw new Error(`${path}:${i + 1}: a code block without an end`);
    blocks.push({
      language: open[1],
      info: open[2].trim(),
      text: `${lines.slice(i + 1, end).join('\n')}\n`,
      line: i + 1,
      end,
    });
    i = end;
  }
  return blocks.map((block, i) => {
    const next = blocks[i + 1];
    const prose = next ? lines.slice(block.end + 1, next.line - 1).filter((line) => line.trim() !== '') : [];
    return { ...block, output: next?.language === 'text' && prose.length <= 1 ? next.text : undefined };
  });
}
