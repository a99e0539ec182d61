/** Reads troupe.yaml: the zone it describes, or every mistake in it at once. */
import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
import { CommandFailure, EXIT } from '../failure.ts';
import { check, type Checked, type Mistake, type Placed } from './check.ts';
import { checkMeaning } from './meaning.ts';
import { ZONE } from './shape.ts';

/** A zone as troupe.yaml describes it. */
export interface ZoneConfig {
  readonly name: string;
  readonly pods: PodConfig[];
}

/** Containers that live and die together, `clones` times. */
export interface PodConfig {
  readonly name: Placed<string>;
  readonly clones: number;
  readonly public: boolean;
  readonly containers: ContainerConfig[];
}

/** One process. */
export interface ContainerConfig {
  readonly name: Placed<string>;
  readonly image: Placed<string>;
  readonly env: Record<string, string>;
  /** `TROUPE_HTTP` and `TROUPE_HTTP_TOKEN_FILE` of its `env`, where they stand. */
  readonly http?: Placed<string> | undefined;
  readonly tokenFile?: Placed<string> | undefined;
  readonly args: string[];
}

/** The file that describes a zone, in the folder of the project. */
export const FILE = 'troupe.yaml';

/** A file of more is no description written by people; parsing it would only take time. Bytes. */
const MAX_FILE = 1 << 20;

/** What the file describes; throws one {@link CommandFailure} that names every mistake. `project`: the folder that images/ is in. */
export function readConfig(file: string, project: string): ZoneConfig {
  const { config, mistakes } = parseConfig(textOf(file), project);
  if (config !== undefined) return config;
  const count = mistakes.length === 1 ? '1 mistake' : `${mistakes.length} mistakes`;
  const lines = mistakes.map(({ line, column, what }) => `${file}:${line}:${column}: ${what}`);
  throw new CommandFailure(
    `${lines.join('\n')}\n${count} in ${file}; nothing was done. Mend it and run this again.`,
    EXIT.usage,
  );
}

/** Only the zone's name, from a file that may have mistakes elsewhere: to look at a zone takes no more. Undefined where it has none. */
export function readName(file: string): string | undefined {
  const document = parseDocument(textOf(file));
  const checked = check(document, document.contents, ZONE, '', 0, []);
  return checked?.value instanceof Map ? (checked.value.get('name')?.value as string | undefined) : undefined;
}

function textOf(file: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') throw new CommandFailure(`${file} can't be read: ${message}`, EXIT.usage);
    throw new CommandFailure(
      `there is no ${file}: it describes what runs in the zone. Go to the folder of the project, or make one: troupe init NAME`,
      EXIT.usage,
    );
  }
  if (bytes.length <= MAX_FILE) return bytes.toString('utf8');
  throw new CommandFailure(`${file} has ${bytes.length} bytes; at most ${MAX_FILE} are read`, EXIT.usage);
}

/** A mistake by line and column, both from 1. */
export interface MistakeAt {
  readonly line: number;
  readonly column: number;
  readonly what: string;
}

/** The zone that a text describes, or, sorted by place, what is wrong with it. */
export function parseConfig(text: string, project: string): { config?: ZoneConfig; mistakes: MistakeAt[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const mistakes: Mistake[] = document.errors.map(({ pos, message }) => ({ at: pos[0], what: message }));
  // What the parser could not make sense of stands differently than it was meant: judging it would invent mistakes.
  let config: ZoneConfig | undefined;
  if (mistakes.length === 0 || document.errors.every(({ code }) => code === 'DUPLICATE_KEY')) {
    const checked = check(document, document.contents, ZONE, '', 0, mistakes);
    if (checked !== undefined) {
      config = configOf(checked);
      checkMeaning(config, project, mistakes);
    }
  }
  const placed = mistakes
    .sort((a, b) => a.at - b.at)
    .map(({ at, what }) => {
      const { line, col } = lines.linePos(at);
      return { line, column: col, what };
    });
  return placed.length === 0 && config !== undefined ? { config, mistakes: [] } : { mistakes: placed };
}

/** With every default; where a value was wrong, with nothing: the mistake has been noted. */
function configOf(checked: Checked): ZoneConfig {
  const zone = keyed(checked);
  return {
    name: text(zone.get('name'))?.value ?? '',
    pods: listed(zone.get('pods')).map((entry) => {
      const pod = keyed(entry);
      return {
        name: text(pod.get('name')) ?? { at: entry.at, value: '' },
        clones: (pod.get('clones')?.value as number | undefined) ?? 1,
        public: (pod.get('public')?.value as boolean | undefined) ?? false,
        containers: listed(pod.get('containers')).map(containerOf),
      };
    }),
  };
}

function containerOf(checked: Checked): ContainerConfig {
  const container = keyed(checked);
  const image = text(container.get('image')) ?? { at: checked.at, value: '' };
  const env = container.get('env');
  const variables = env === undefined ? new Map<string, Checked>() : keyed(env);
  return {
    name: text(container.get('name')) ?? { at: image.at, value: image.value.replace(/[^A-Za-z0-9_-]/g, '-') },
    image,
    env: Object.fromEntries([...variables].map(([key, { value }]) => [key, value as string])),
    http: text(variables.get('TROUPE_HTTP')),
    tokenFile: text(variables.get('TROUPE_HTTP_TOKEN_FILE')),
    args: listed(container.get('args')).map(({ value }) => value as string),
  };
}

const keyed = (checked: Checked): Map<string, Checked> => checked.value as Map<string, Checked>;
const listed = (checked: Checked | undefined): Checked[] => (checked?.value as Checked[] | undefined) ?? [];
const text = (checked: Checked | undefined): Placed<string> | undefined => checked as Placed<string> | undefined;
