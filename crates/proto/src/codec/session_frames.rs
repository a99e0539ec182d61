//! Contents of the frames that open, watch and end a session.

use super::Extensions;

/// What a node can do and how much it takes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello<'a> {
    /// Bit set of optional features; none are defined yet, unknown ones are ignored.
    pub features: u64,
    /// Number of the newest deny-list the node holds; 0 = none.
    pub deny_list: u64,
    /// Longest body it takes in, in bytes.
    pub max_message: u32,
    /// Bytes of bodies in pieces that it holds at once.
    pub max_reassembly: u32,
    /// Bodies in pieces that it holds at once.
    pub max_pieces: u16,
    /// First offset of the window for messages, in bytes.
    pub message_window: u32,
    /// First offset of the window for replies, in bytes.
    pub reply_window: u32,
    /// Whether it starts code that it does not have.
    pub accept_code: bool,
    /// Further fields.
    pub extensions: Extensions<'a>,
}

/// What becomes of the session on a new channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// A session begins: both sides count from 0, and keep nothing of an earlier one.
    Begins,
    /// The session goes on: what the other side does not own is sent again, then what is new.
    GoesOn,
    /// The session moves here from a channel that stands: it is read to its CLOSE, then this one.
    Moves,
}

/// Which session the channel carries on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    /// Whether the session begins or goes on.
    pub course: Course,
    /// The sender's own incarnation.
    pub incarnation: u64,
    /// The receiver's incarnation as the sender knew it last; 0 = none.
    pub known_incarnation: u64,
    /// Number of the session, counted from 1 for one incarnation of each node. The higher one counts.
    pub session: u64,
    /// How many numbered frames the sender owns of that session: the next one it expects. 0 unless the session goes on.
    pub next_expected: u64,
}

/// Why a session starts over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ResetReason {
    /// The sender keeps nothing to send again.
    NothingKept = 1,
    /// The other node was started anew.
    NewIncarnation = 2,
    /// The session was away for too long.
    Expired = 3,
}

/// Answer to a ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pong<'a> {
    /// The token of the ping.
    pub token: u64,
    /// For each isolate of the node, milliseconds since it last had a turn, as little-endian `u32`s; at most 64.
    pub turns: &'a [u8],
}

impl Pong<'_> {
    /// Milliseconds since each isolate last had a turn.
    pub fn turn_times(&self) -> impl Iterator<Item = u32> {
        self.turns.chunks_exact(4).map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }
}

/// Why a node ended a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CloseReason {
    /// The node stops.
    NodeStops = 1,
    /// The pair has another channel, which stays.
    Duplicate = 2,
    /// A credential ends; the channel may be dialled again.
    Expired = 3,
    /// The other side broke the protocol.
    Violation = 4,
    /// The node is no longer let in.
    Denied = 5,
    /// A new channel takes over.
    Replaced = 6,
}
