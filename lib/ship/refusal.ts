/** How this folder says no: what can't travel, why, and the form that works. */
import { NotPortableError } from '../errors.ts';

/**
 * A refusal in one shape: `WHAT can't travel to another node: WHY. INSTEAD.`
 * `what` names the class and its file, or the value's path; `instead` is an imperative sentence without its full stop.
 */
export function refusal(what: string, why: string, instead: string, cause?: unknown): NotPortableError {
  const message = `${what} can't travel to another node: ${why}. ${instead}.`;
  return cause === undefined ? new NotPortableError(message) : new NotPortableError(message, { cause });
}

/** `class Greeter (/app/greeter.ts)`; the file only where one is known. */
export function classAt(name: string, file?: string): string {
  return (name ? `class ${name}` : 'an anonymous class') + (file === undefined ? '' : ` (${file})`);
}

/** What went wrong, in the words of whoever threw it: the message of an error, else the value as text. */
export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
