/** Projects for tests that deploy: pods whose images are programs of one file. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerStatus } from '../../cli/zone/reports.ts';
import type { Shell } from './cli.ts';

/** A project of these pods, whose images are programs of one file. */
export function project(shell: Shell, pods: string, images: Record<string, string>): void {
  shell.install('');
  write(shell, pods, images);
}

/** The same, where the package is installed already. */
export function write(shell: Shell, pods: string, images: Record<string, string>): void {
  writeFileSync(join(shell.folder, 'package.json'), '{ "type": "module" }\n');
  writeFileSync(join(shell.folder, 'troupe.yaml'), `name: shop\npods:\n${pods}`);
  for (const [name, text] of Object.entries(images)) {
    mkdirSync(join(shell.folder, 'images', name), { recursive: true });
    writeFileSync(join(shell.folder, 'images', name, 'main.js'), text);
  }
}

/** A pod of one container. */
export const POD = (name: string, image = name): string => `  - { name: ${name}, containers: [{ image: ${image} }] }\n`;

/** A node with a worker that answers with its process's number and a word. */
export const answering = (word: string): string =>
  `import { Node } from 'troupe';
   class Answer { async handleMessage(context, message) { await context.reply(\`\${process.pid} ${word} \${message}\`); } }
   await Node.start((node) => node.startWorker('answer', Answer));`;

/** The processes of a zone by their nodes, as its supervisor tells them. */
export const pids = async (shell: Shell): Promise<Record<string, number>> =>
  Object.fromEntries((await shell.list<ContainerStatus>('zone', 'show')).map(({ node, pid }) => [node, pid ?? 0]));
