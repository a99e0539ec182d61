/**
 * What a node is asked to start for another, checked. It comes from a member, which may be any program that speaks the protocol: what the
 * sending side of this package would never put into it must not get past here.
 */
import { checkName } from './address.ts';
import type { StartRequest } from './control.ts';
import { invalidType } from './errors.ts';

/** The largest of the counts: that of `StartWorkerSettings`. */
const MAX_COUNT = 2 ** 31;
/** Milliseconds without a limit. */
const NO_LIMIT = 0xffff_ffff;

/** @throws an INVALID_ARGUMENT error that names the first part of the request that is not what it must be. */
export function checkStartRequest(data: unknown): StartRequest {
  const request = record(data, 'request');
  const { name, settings, type, hash, label, args, fields } = request;
  checkName(name, 'name');
  const { mailbox, overflow, onFailure, maxRestarts, withinMs } = record(settings, 'settings');
  if (fields !== undefined) bytes(fields, 'fields');
  return {
    name,
    settings: {
      mailbox: whole(mailbox, 'mailbox', 1, MAX_COUNT),
      overflow: whole(overflow, 'overflow', 0, 1) as 0 | 1,
      // An instance can't be made anew: with one there is no restart.
      onFailure: whole(onFailure, 'onFailure', 0, 2, fields === undefined ? undefined : 1) as 0 | 1 | 2,
      maxRestarts: whole(maxRestarts, 'maxRestarts', 0, MAX_COUNT),
      withinMs: whole(withinMs, 'withinMs', 0, NO_LIMIT),
    },
    type: text(type, 'type'),
    hash: text(hash, 'hash'),
    label: text(label, 'label'),
    args: bytes(args, 'args'),
    fields: fields as Uint8Array | undefined,
  };
}

/** The constructor's arguments, decoded. */
export function checkArguments(args: unknown): unknown[] {
  if (!Array.isArray(args)) throw invalidType('args', "an array of the constructor's arguments", args);
  return args;
}

function record(value: unknown, argument: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidType(argument, 'an object', value);
  return value as Record<string, unknown>;
}

function whole(value: unknown, argument: string, least: number, most: number, but?: number): number {
  if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most || value === but)
    throw invalidType(
      argument,
      `a whole number from ${least} to ${most}${but === undefined ? '' : ` but ${but}`}`,
      value,
    );
  return value as number;
}

function text(value: unknown, argument: string): string {
  if (typeof value !== 'string') throw invalidType(argument, 'text', value);
  return value;
}

function bytes(value: unknown, argument: string): Uint8Array {
  if (!(value instanceof Uint8Array)) throw invalidType(argument, 'bytes', value);
  return value;
}
