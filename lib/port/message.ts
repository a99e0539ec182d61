/** Checks of a message, at the call that sends it. */
import { invalidType, MessageTooLargeError } from '../errors.ts';

/** Bytes of one message as UTF-8, inclusive; a lone surrogate counts three. */
export const MAX_MESSAGE = 16 * 1024 * 1024;

/** The failure of a message that can't be sent, or undefined. */
export function refusal(message: unknown, to: string): Error | undefined {
  if (typeof message !== 'string')
    return invalidType('message', 'a string; JSON.stringify makes one of other values', message);
  // No UTF-16 unit takes more than three bytes: most messages are known to fit by their length alone.
  if (message.length * 3 <= MAX_MESSAGE) return undefined;
  const bytes = Buffer.byteLength(message, 'utf8');
  if (bytes <= MAX_MESSAGE) return undefined;
  return new MessageTooLargeError(
    `the message for ${to} has ${bytes} bytes as UTF-8, and at most ${MAX_MESSAGE} can be sent; split it, or send where to find it`,
  );
}
