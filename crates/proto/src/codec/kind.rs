//! Kinds and flags of frames, as numbers on the wire.

/// Bytes before a frame's content: kind, flags, length.
pub const HEADER_LEN: usize = 4;
/// Set in the kind of a frame that a reader who does not know it skips.
pub const IGNORE_BIT: u8 = 0x80;
/// Set in the kind of a frame that counts in `ACK` and `CLOSE`.
pub const NUMBERED_BIT: u8 = 0x40;

pub(super) const HELLO: u8 = 0x01;
pub(super) const RESUME: u8 = 0x02;
pub(super) const RESET: u8 = 0x03;
pub(super) const ACK: u8 = 0x04;
pub(super) const WINDOW: u8 = 0x05;
pub(super) const PING: u8 = 0x06;
pub(super) const PONG: u8 = 0x07;
pub(super) const CLOSE: u8 = 0x08;
/// Not numbered: the body takes its number with the last piece.
pub(super) const FRAG: u8 = 0x09;

pub(super) const MSG: u8 = NUMBERED_BIT | 0x01;
pub(super) const REPLY: u8 = NUMBERED_BIT | 0x02;
pub(super) const FAIL: u8 = NUMBERED_BIT | 0x03;
pub(super) const CANCEL: u8 = NUMBERED_BIT | 0x04;
pub(super) const STAGE: u8 = NUMBERED_BIT | 0x05;
pub(super) const WHERE: u8 = NUMBERED_BIT | 0x06;
pub(super) const HERE: u8 = NUMBERED_BIT | 0x07;
pub(super) const GONE: u8 = NUMBERED_BIT | 0x08;
pub(super) const BIND: u8 = NUMBERED_BIT | 0x09;
pub(super) const CREDIT: u8 = NUMBERED_BIT | 0x0a;
pub(super) const EMPTY: u8 = NUMBERED_BIT | 0x0b;

/// MSG, REPLY, FAIL: the body follows in FRAG frames.
pub(super) const PIECES: u8 = 0x80;
/// MSG, REPLY, FAIL: the body is bytes, not text.
pub(super) const BYTES: u8 = 0x40;

pub(super) const MSG_REQUEST: u8 = 0x01;
pub(super) const MSG_CONTROL: u8 = 0x02;
pub(super) const MSG_SENDER: u8 = 0x04;
pub(super) const MSG_EXTENSIONS: u8 = 0x08;
/// Two bits: 0 slot, 1 name, 2 control service.
pub(super) const MSG_TARGET: u8 = 0x30;
pub(super) const MSG_TO_NAME: u8 = 0x10;
pub(super) const MSG_TO_CONTROL: u8 = 0x20;

pub(super) const FAIL_MAYBE_EXECUTED: u8 = 0x01;
pub(super) const CANCEL_DEADLINE: u8 = 0x01;
pub(super) const HERE_PRESENT: u8 = 0x01;
pub(super) const FRAG_LAST: u8 = 0x01;
pub(super) const HELLO_ACCEPT_CODE: u8 = 0x01;
/// RESUME: the session goes on; without either it begins.
pub(super) const RESUME_GOES_ON: u8 = 0x01;
/// RESUME: the session moves here from a channel that stands.
pub(super) const RESUME_MOVES: u8 = 0x02;
/// WINDOW: replies; otherwise messages.
pub(super) const WINDOW_REPLIES: u8 = 0x01;
