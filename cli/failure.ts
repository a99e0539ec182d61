/** What a command ends with when it does not succeed: words for the person who must act, and a status for the script that called. */

/** The statuses a command ends with; docs/operations.md has the same table. */
export const EXIT = {
  /** All was done. */
  done: 0,
  /** Something failed that stands in no other row. */
  failed: 1,
  /** The command line or troupe.yaml is wrong: nothing was done. */
  usage: 2,
  /** What was asked for is not there: no such zone, node or worker, or the zone is not up. */
  absent: 3,
  /** The time was up before an answer came. */
  timeout: 4,
  /** Ended by SIGINT, as shells count it. */
  interrupted: 130,
} as const;

/** A status of {@link EXIT}. */
export type Exit = (typeof EXIT)[keyof typeof EXIT];

/** A failure that explains itself: printed without a stack. */
export class CommandFailure extends Error {
  /** The status the process ends with. */
  readonly exit: Exit;

  /** `message`: what happened, to what, and what to do next. */
  constructor(message: string, exit: Exit = EXIT.failed, options?: ErrorOptions) {
    super(message, options);
    this.exit = exit;
  }
}

/** Which status the library's own failures come to, by their code. */
const BY_CODE: Readonly<Record<string, Exit>> = {
  INVALID_ARGUMENT: EXIT.usage,
  NO_SUCH_WORKER: EXIT.absent,
  NODE_UNREACHABLE: EXIT.absent,
  TIMEOUT: EXIT.timeout,
};

/** The status that a failure of any kind ends the process with. */
export function exitOf(error: unknown): Exit {
  if (error instanceof CommandFailure) return error.exit;
  return BY_CODE[String((error as { code?: unknown } | null)?.code)] ?? EXIT.failed;
}

/** A failure as a person reads it; the stack only of what nobody foresaw. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const foreseen = error instanceof CommandFailure || typeof (error as { code?: unknown }).code === 'string';
  return foreseen ? error.message : (error.stack ?? error.message);
}
