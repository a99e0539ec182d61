/** The records that an isolate and its port exchange, word by word; `crates/node/src/port/record.rs` says what each word means. */

/** Words in one record. */
export const STRIDE = 8;
/** Words before the first incoming record. */
export const HEADER = 8;
/** "None" for an index. */
export const NIL = 0xffff_ffff;
export const KIND = 0x7f;
/** Flag: the body never left the isolate; word 4 is an index into the slab. */
export const REF = 0x80;
export const NO_WAIT = 0x100;
export const TO_TARGET = 0x200;
export const SENDER_ELSEWHERE = 0x100;
export const INBOUND = 0x8000_0000;
export const ASYNC = 0x100;
export const FAILED_START = 0x100;

/** What an isolate hands to its port. */
export const OUT = {
  MESSAGE: 1,
  PARENT: 2,
  REPLY: 3,
  FAILED: 4,
  TRACE: 5,
  ACK: 6,
  CANCEL: 7,
  STAGE: 8,
  READY: 9,
  ENDED: 10,
  REFUSED: 11,
} as const;

/** What a port hands to its isolate. */
export const IN = {
  MESSAGE: 1,
  REPLY: 2,
  FAIL: 3,
  SENT: 4,
  WAITING: 5,
  REFUSED: 6,
  UNSENT: 7,
  DROPPED: 8,
  CANCEL: 9,
  RESTART: 10,
  SHUTDOWN: 11,
  ABORT: 12,
  GONE: 13,
  CONTROL: 14,
  CONTROLLED: 15,
  MEMBERS: 16,
  TRACE: 17,
  DEAD_LETTER: 18,
} as const;

/** What is full when there is no room, by number. */
export const FULL = ['mailbox', 'line', 'requests', 'there'] as const;

/** Stages of a request, by number. */
export const STAGES = ['in-transit', 'queued', 'running', 'handled'] as const;
export const QUEUED = 1;
export const RUNNING = 2;
export const HANDLED = 3;
