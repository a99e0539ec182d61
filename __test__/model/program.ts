/** Random programs: what may happen to the nodes of a zone, drawn from a seed, and how a failing one is made small. */
import type { ActorOptions, Ending } from './agent.ts';

/** One step. Numbers are taken modulo what there is, so that any part of a program is a program. */
export type Step = {
  /** Whether everything that has to come of it is waited for before the next step. */
  settles: boolean;
} & (
  | { step: 'start'; by: number; on: number; name: number; options: ActorOptions }
  | { step: 'stop'; by: number; worker: number; drains: boolean }
  | { step: 'say'; from: number; to: number; isPlain: boolean; message: MessageDraw }
  /** From inside of the handler of a worker that has a message in hand. */
  | { step: 'nest'; from: number; to: number; message: MessageDraw }
  | { step: 'finish'; worker: number; ending: Ending }
  | { step: 'reply later'; message: number }
  | { step: 'give up'; message: number }
  /** Until everything has timed out that can. */
  | { step: 'wait' }
  | { step: 'join'; isMortal: boolean }
  | { step: 'leave'; node: number; drains: boolean }
  | { step: 'kill'; node: number }
);

/** What a message is like; `times`: so many of it in one go. */
export interface MessageDraw {
  times: number;
  isRequest: boolean;
  isQuick: boolean;
  timeout: number | undefined;
  size: number;
}

/** Numbers from a seed: Steele, Lea and Flood's SplitMix (2014), in its form for 32 bits. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  below(limit: number): number {
    this.#state = (this.#state + 0x9e37_79b9) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x85eb_ca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2_ae35);
    return ((z ^ (z >>> 16)) >>> 0) % limit;
  }

  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  of<T>(...values: [T, ...T[]]): T {
    return values[this.below(values.length)] as T;
  }
}

const ANY = 1 << 20;

/** A program of so many steps: it begins with workers on two nodes. */
export function draw(random: Random, steps: number): Step[] {
  return Array.from({ length: steps }, (_, number) => {
    if (number < 3) return { ...start(random), on: number % 2, settles: true };
    return step(random);
  });
}

function start(random: Random): Step & { step: 'start' } {
  const options: ActorOptions = {
    mailbox: 1 + random.below(4),
    overflow: random.oneIn(5) ? 'reject' : 'wait',
    onFailure: random.of('resume', 'restart', 'stop'),
    maxRestarts: random.below(3),
  };
  const [by, on, name] = [random.below(ANY), random.below(ANY), random.below(3)];
  return { step: 'start', by, on, name, options, settles: true };
}

function message(random: Random): MessageDraw {
  const isMany = random.oneIn(5);
  return {
    times: isMany ? 2 + random.below(12) : 1,
    isRequest: !random.oneIn(3),
    isQuick: random.oneIn(isMany ? 2 : 5),
    timeout: random.oneIn(10) ? 20 + random.below(60) : undefined,
    // One record of a channel holds 16 KiB: what is longer goes in pieces.
    size: random.oneIn(8) ? random.below(200_000) : random.below(20),
  };
}

function step(random: Random): Step {
  const settles = !random.oneIn(3);
  const [one, two] = [random.below(ANY), random.below(ANY)];
  const chance = random.below(100);
  if (chance < 6) return start(random);
  if (chance < 36)
    return { step: 'say', from: one, to: two, isPlain: random.oneIn(3), message: message(random), settles };
  if (chance < 46) return { step: 'nest', from: one, to: two, message: message(random), settles };
  if (chance < 74) {
    const ending = random.of<Ending>('replies', 'replies', 'replies', 'replies twice', 'is silent', 'throws', 'throws');
    return { step: 'finish', worker: one, ending, settles };
  }
  if (chance < 77) return { step: 'reply later', message: one, settles };
  if (chance < 84) return { step: 'give up', message: one, settles };
  if (chance < 89) return { step: 'stop', by: one, worker: two, drains: !random.oneIn(3), settles };
  if (chance < 91) return { step: 'wait', settles: true };
  if (chance < 95) return { step: 'join', isMortal: random.oneIn(2), settles: true };
  if (chance < 98) return { step: 'leave', node: one, drains: !random.oneIn(3), settles };
  return { step: 'kill', node: one, settles };
}

/** The smallest program found that still fails: parts are left out, halves first, single steps last. */
export async function shrink(program: Step[], fails: (program: Step[]) => Promise<boolean>): Promise<Step[]> {
  let smallest = program;
  for (let size = Math.ceil(program.length / 2); size > 0; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < smallest.length;) {
      const smaller = smallest.toSpliced(at, size);
      if (await fails(smaller)) smallest = smaller;
      else at += size;
    }
  }
  return smallest;
}
