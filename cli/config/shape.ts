/**
 * What may stand in troupe.yaml: the one description from which files are checked and the JSON schema for editors is made. A schema
 * library would bring megabytes and a hundred milliseconds for these five kinds, and lose where in the file each value stands.
 */
import { OWN_VARIABLES } from '../plan/environment.ts';

/** A value of troupe.yaml. `doc` is what an editor shows. */
export type Shape = Text | Count | Flag | List | Dictionary | Keyed;

/** A string. `scalars`: numbers, true and false are taken too, as they are written. */
interface Text {
  readonly kind: 'text';
  readonly doc: string;
  readonly expected: string;
  readonly pattern?: RegExp;
  readonly scalars?: boolean;
}

/** A whole number from `least` to `most`. */
interface Count {
  readonly kind: 'count';
  readonly doc: string;
  readonly least: number;
  readonly most: number;
}

/** True or false. */
interface Flag {
  readonly kind: 'flag';
  readonly doc: string;
}

/** Several values of one shape; at least one of them where `needsOne`. */
interface List {
  readonly kind: 'list';
  readonly doc: string;
  readonly of: Shape;
  readonly expected: string;
  readonly needsOne?: boolean;
}

/** Values by keys that the user chooses. */
interface Dictionary {
  readonly kind: 'dictionary';
  readonly doc: string;
  readonly key: RegExp;
  readonly keyExpected: string;
  /** Keys that are not the user's to set. */
  readonly reserved: readonly string[];
  readonly of: Shape;
  readonly expected: string;
}

/** Values by keys that are known. */
interface Keyed {
  readonly kind: 'keyed';
  readonly doc: string;
  readonly expected: string;
  readonly keys: Readonly<Record<string, Shape>>;
  readonly needed: readonly string[];
}

/** Names of nodes, zones and workers, as the library takes them. */
const NAME = /^[A-Za-z0-9_-]{1,128}$/;
const NAME_EXPECTED = 'a name of 1 to 128 letters, digits, "_" or "-"';

/** A path below images/ that does not leave it. */
const IMAGE = /^[A-Za-z0-9_-][A-Za-z0-9._-]*(?:\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/;

/** More processes of one pod are a typing error rather than a plan for one machine. */
const MOST_CLONES = 1_000;

/** No process takes a NUL in an argument or a variable. */
// eslint-disable-next-line no-control-regex -- that is what must not be there
const WITHOUT_NUL = /^[^\u0000]*$/;

/** What a process is given: text, or a number or truth value as it is written. */
const given = (doc: string): Text => ({
  kind: 'text',
  doc,
  expected: 'text, a number, true or false, without NUL characters',
  pattern: WITHOUT_NUL,
  scalars: true,
});

const name = (doc: string): Text => ({ kind: 'text', doc, expected: NAME_EXPECTED, pattern: NAME });

const container: Keyed = {
  kind: 'keyed',
  doc: 'One process: a program that is a node.',
  expected: 'a container with "image"',
  needed: ['image'],
  keys: {
    name: name('Stands in the name of the node where the pod has several containers. Default: the image.'),
    image: {
      kind: 'text',
      doc: 'The folder under images/ whose main file is run.',
      expected: 'the name of a folder under images/',
      pattern: IMAGE,
    },
    env: {
      kind: 'dictionary',
      doc: 'Variables of its environment beside those that every container has. No secrets: name a file that holds them.',
      key: /^[A-Za-z_][A-Za-z0-9_]*$/,
      keyExpected: 'letters, digits and "_", not beginning with a digit',
      reserved: OWN_VARIABLES,
      of: given('The value.'),
      expected: 'variables and their values',
    },
    args: {
      kind: 'list',
      doc: 'Arguments behind the program. No secrets: everyone on the machine can read them.',
      of: given('One argument.'),
      expected: 'a list of arguments',
    },
  },
};

const pod: Keyed = {
  kind: 'keyed',
  doc: 'Containers that are started, replaced and stopped together.',
  expected: 'a pod with "name" and "containers"',
  needed: ['name', 'containers'],
  keys: {
    name: name('The name of its node, with -<clone> behind it where there are several clones.'),
    clones: {
      kind: 'count',
      doc: 'How many of it there are, numbered from 0. Default: 1.',
      least: 1,
      most: MOST_CLONES,
    },
    public: {
      kind: 'flag',
      doc: 'Whether programs outside of the zone reach its nodes over HTTP: probes, metrics, and messages to workers. Each node gets a free port of 127.0.0.1, which `troupe zone nodes` shows; TROUPE_HTTP in "env" says another address, TROUPE_HTTP_TOKEN_FILE the file with the token that all but a loopback address needs. Default: false.',
    },
    containers: {
      kind: 'list',
      doc: 'Its processes.',
      of: container,
      expected: 'a list of containers',
      needsOne: true,
    },
  },
};

/** The whole file. */
export const ZONE: Keyed = {
  kind: 'keyed',
  doc: 'A zone: which programs run in it, and how many of each.',
  expected: 'a zone with "name" and "pods"',
  needed: ['name', 'pods'],
  keys: {
    name: name('The name of the zone.'),
    pods: { kind: 'list', doc: 'Its pods.', of: pod, expected: 'a list of pods', needsOne: true },
  },
};

/** The JSON schema (draft 7, which every editor knows) of troupe.yaml. */
export function jsonSchema(): object {
  return { $schema: 'http://json-schema.org/draft-07/schema#', title: 'troupe.yaml', ...schemaOf(ZONE) };
}

function schemaOf(shape: Shape): object {
  const description = shape.doc;
  switch (shape.kind) {
    case 'text':
      return {
        description,
        type: shape.scalars === true ? ['string', 'number', 'boolean'] : 'string',
        ...(shape.pattern === undefined ? {} : { pattern: shape.pattern.source }),
      };
    case 'count':
      return { description, type: 'integer', minimum: shape.least, maximum: shape.most };
    case 'flag':
      return { description, type: 'boolean' };
    case 'list':
      return {
        description,
        type: 'array',
        items: schemaOf(shape.of),
        ...(shape.needsOne === true ? { minItems: 1 } : {}),
      };
    case 'dictionary':
      return {
        description,
        type: 'object',
        propertyNames: { pattern: shape.key.source, not: { enum: shape.reserved } },
        additionalProperties: schemaOf(shape.of),
      };
    case 'keyed':
      return {
        description,
        type: 'object',
        properties: Object.fromEntries(Object.entries(shape.keys).map(([key, value]) => [key, schemaOf(value)])),
        required: shape.needed,
        additionalProperties: false,
      };
  }
}
