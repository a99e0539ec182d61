/** What the built package has for those who look on at a zone, in the types of its public API. */
import type { Node } from 'troupe';
import type * as Http from '../../lib/http.ts';
import type * as Observer from '../../lib/observer.ts';
import type * as Options from '../../lib/options.ts';

const file = new URL('../../dist/observer.js', import.meta.url).href;

type NodeSettings = ReturnType<typeof Options.observerSettings>;

interface Observing extends Pick<typeof Observer, 'OBSERVE' | 'SUPERVISE'> {
  openObserver(zone?: string): Promise<Node>;
  members(observer: Node): Observer.Member[];
  ask(observer: Node, member: string, kind: 'O' | 'V', json: unknown, timeout?: number): Promise<unknown>;
}

export const { ask, members, openObserver, OBSERVE, SUPERVISE } = (await import(file)) as Observing;

/** Opens a member of any name and role. */
export async function openAs(settings: NodeSettings): Promise<Node> {
  const { Node } = (await import('troupe')) as unknown as { Node: { openAs(settings: NodeSettings): Promise<Node> } };
  return Node.openAs(settings);
}

const options = new URL('../../dist/options.js', import.meta.url).href;

export const { observerSettings } = (await import(options)) as Pick<typeof Options, 'observerSettings'>;

const http = new URL('../../dist/http.js', import.meta.url).href;

interface Serving {
  serve(node: Node, settings: Parameters<typeof Http.serve>[1], view?: boolean, page?: string): Promise<string>;
}

export const { serve } = (await import(http)) as Serving;
