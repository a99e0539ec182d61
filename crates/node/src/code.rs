//! Codes of failures: the same numbers on the wire, across the bridge and in `lib/errors.ts`; a test compares them.

/// Nobody answered in time.
pub const TIMEOUT: u8 = 1;
/// No worker of that name.
pub const NO_SUCH_WORKER: u8 = 2;
/// The name is in use.
pub const NAME_TAKEN: u8 = 3;
/// No room, and none to wait in.
pub const MAILBOX_FULL: u8 = 4;
/// The handler failed.
pub const WORKER_FAILED: u8 = 5;
/// The worker was stopped.
pub const WORKER_STOPPED: u8 = 6;
/// No channel to the node, or it was lost.
pub const NODE_UNREACHABLE: u8 = 7;
/// The node was stopped.
pub const NODE_STOPPED: u8 = 8;
/// The other node does not allow it.
pub const NOT_PERMITTED: u8 = 9;
/// The worker can't travel to another node.
pub const NOT_PORTABLE: u8 = 10;
/// The message is larger than the limit.
pub const MESSAGE_TOO_LARGE: u8 = 11;
/// Never seen by a user: the request in which this one was nested was given up.
pub const GIVEN_UP: u8 = 255;

/// Every code that a user can meet, with its name in TypeScript.
pub const NAMES: [(u8, &str); 11] = [
    (TIMEOUT, "TIMEOUT"),
    (NO_SUCH_WORKER, "NO_SUCH_WORKER"),
    (NAME_TAKEN, "NAME_TAKEN"),
    (MAILBOX_FULL, "MAILBOX_FULL"),
    (WORKER_FAILED, "WORKER_FAILED"),
    (WORKER_STOPPED, "WORKER_STOPPED"),
    (NODE_UNREACHABLE, "NODE_UNREACHABLE"),
    (NODE_STOPPED, "NODE_STOPPED"),
    (NOT_PERMITTED, "NOT_PERMITTED"),
    (NOT_PORTABLE, "NOT_PORTABLE"),
    (MESSAGE_TOO_LARGE, "MESSAGE_TOO_LARGE"),
];
