//! Frames: what two nodes say to each other inside the records of a channel, byte for byte.
//!
//! A record's plaintext is a row of whole frames. Every frame is `kind: u8, flags: u8, length: u16`
//! and `length` bytes; integers are little-endian. Two bits of the kind speak about the frame to a
//! reader that does not know it: [`IGNORE_BIT`] (skip it; without the bit, close the channel) and
//! [`NUMBERED_BIT`] (it counts in the numbers that `ACK` and `CLOSE` carry).
//!
//! Decoding is strict and bounded, borrows from the record and never allocates.

mod decode;
mod encode;
mod error;
mod extensions;
mod kind;
mod session_frames;
mod traceparent;

pub use decode::{Decoded, Decoder, decode};
pub use encode::{age, age_all, encode, encode_head, encoded_len};
pub use error::CodecError;
pub use extensions::Extensions;
pub use kind::{HEADER_LEN, IGNORE_BIT, NUMBERED_BIT};
pub use session_frames::{CloseReason, Course, Hello, Pong, ResetReason, Resume};
pub use traceparent::Traceparent;

use crate::text::Text;

/// Plaintext bytes of one record, at most: the longest frame, header included.
pub const FRAME_MAX: usize = 16_384 - 16;
/// Longest name of a worker or node, in bytes.
pub const NAME_MAX: usize = 128;
/// What a message or reply costs in its window besides the bytes of its body, so that a flood of
/// empty ones is bounded too.
pub const FLOW_OVERHEAD: u32 = 64;

/// One frame; bodies and names are borrowed from the record or from the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A message to a worker, or a call to the node's control service.
    Message(Message<'a>),
    /// The answer to a request.
    Reply(Reply<'a>),
    /// The failure of a request.
    Fail(Fail<'a>),
    /// The asker gave up.
    Cancel {
        /// The request given up.
        correlation: Correlation,
        /// Its deadline passed; otherwise its caller aborted it.
        deadline: bool,
    },
    /// How far a request had come when its deadline passed.
    Stage {
        /// The request.
        correlation: Correlation,
        /// The router's number of the stage.
        stage: u8,
    },
    /// Asks whether a worker of this name runs on the other node.
    Where {
        /// The worker's name.
        name: &'a str,
    },
    /// Answers [`Frame::Where`]; also sent unasked when a name asked for earlier appears.
    Here {
        /// The worker's name.
        name: &'a str,
        /// Where it is, or that it is not here.
        at: Option<Handle>,
    },
    /// The worker behind a handle is gone.
    Gone {
        /// The handle that no longer leads anywhere.
        handle: Handle,
    },
    /// Tells the name behind a handle that later frames carry as sender.
    Bind {
        /// The handle.
        handle: Handle,
        /// The worker's name on the node that sends the frame.
        name: &'a str,
    },
    /// Places in a mailbox.
    Credit {
        /// Granted, asked for, or given back.
        kind: CreditKind,
        /// The worker whose mailbox it is.
        target: Handle,
        /// The port of the sending node that may use the places.
        port: u8,
        /// How many messages.
        messages: u32,
        /// How many bytes.
        bytes: u32,
    },
    /// Nothing, but numbered: stands for a message that expired before it was sent again.
    Empty,
    /// The next piece of a body that does not fit a record.
    Fragment {
        /// The number its head gave the body.
        id: u32,
        /// Nothing follows.
        last: bool,
        /// The piece.
        bytes: &'a [u8],
    },
    /// First frame of each side: what it can do.
    Hello(Hello<'a>),
    /// Second frame of each side: which session begins or goes on.
    Resume(Resume),
    /// Third frame of a side that begins a session after it gave an earlier one up: what was outstanding is lost.
    Reset {
        /// Why.
        reason: ResetReason,
    },
    /// The receiving process owns the first `count` numbered frames.
    Ack {
        /// Numbered frames since the session began.
        count: u64,
    },
    /// Messages or replies may be sent up to this offset.
    Window {
        /// Which of the two windows.
        flow: Flow,
        /// Absolute offset in bytes since the session began; see [`Frame::cost`].
        offset: u64,
    },
    /// Asks for a [`Frame::Pong`].
    Ping {
        /// Comes back in the answer.
        token: u64,
    },
    /// Answers a [`Frame::Ping`].
    Pong(Pong<'a>),
    /// The last frame of its sender: a deliberate, authenticated end.
    Close {
        /// Why.
        reason: CloseReason,
        /// How many numbered frames were sent before it.
        last: u64,
    },
}

/// A message: to a worker by slot or name, or to the control service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Set when the sender waits for an answer.
    pub request: Option<Correlation>,
    /// Exempt from windows and always read. Only for calls to the control service: refused with any other target.
    pub control: bool,
    /// Milliseconds the sender still waits; `u32::MAX` = no limit. Time spent in the link's queue is taken off.
    pub remaining_ms: u32,
    /// The worker that sent it; [`Frame::Bind`] tells its name.
    pub sender: Option<Handle>,
    /// Where it goes.
    pub target: Target<'a>,
    /// Further fields, e.g. `traceparent`.
    pub extensions: Extensions<'a>,
    /// What it says.
    pub body: Body<'a>,
}

impl Message<'_> {
    /// Whether it is a reply to a message that asked for nothing: it waits for no place and no room.
    #[must_use]
    pub fn waits_for_nothing(&self) -> bool {
        self.request.is_none() && self.remaining_ms == 0
    }
}

/// The answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The request it answers.
    pub correlation: Correlation,
    /// The answer.
    pub body: Body<'a>,
}

/// The failure of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fail<'a> {
    /// The request that failed.
    pub correlation: Correlation,
    /// The router's number of the error code.
    pub code: u8,
    /// The handler had begun, or may have.
    pub maybe_executed: bool,
    /// The cause, as JSON text; may be empty.
    pub body: Body<'a>,
}

/// Names a request to both nodes. Opaque to the one that answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Correlation {
    /// Place in the asker's table.
    pub slot: u32,
    /// Which use of that place.
    pub generation: u32,
}

/// Names a worker of one node to the other. Opaque to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle {
    /// Place in the node's table.
    pub slot: u32,
    /// Which use of that place.
    pub generation: u32,
}

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// A worker whose handle is known.
    Slot(Handle),
    /// A worker by its name on the receiving node.
    Name(&'a str),
    /// The node's own control service.
    Control,
}

/// What a message, reply or failure says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// Text; well-formed WTF-8 on the wire.
    Text(Text<'a>),
    /// Bytes as they are.
    Bytes(&'a [u8]),
}

/// What a [`Frame::Credit`] does with places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreditKind {
    /// The receiver of messages gives places.
    Grant,
    /// The sender of messages would like places.
    Ask,
    /// The sender of messages gives places back unused.
    Return,
}

/// The two windows of a session, which fill and move apart from each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flow {
    /// [`Frame::Message`] without `control`.
    Messages,
    /// [`Frame::Reply`] and [`Frame::Fail`].
    Replies,
}

impl Flow {
    /// Both, in the order of [`Flow::index`].
    pub const ALL: [Flow; 2] = [Flow::Messages, Flow::Replies];

    /// 0 or 1, for tables of two.
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Flow::Messages => 0,
            Flow::Replies => 1,
        }
    }
}

/// Announces that a body follows in [`Frame::Fragment`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pieces {
    /// Ties the pieces to their head; unique among the bodies under way on the channel.
    pub id: u32,
    /// Length of the whole body in bytes.
    pub total: u32,
}

impl Body<'_> {
    /// No text.
    pub const EMPTY: Body<'static> = Body::Text(Text::EMPTY);

    /// Length on the wire in bytes. Counts a UTF-16 text unit by unit.
    #[must_use]
    pub fn wire_len(&self) -> usize {
        match self {
            Body::Text(text) => text.wtf8_len(),
            Body::Bytes(bytes) => bytes.len(),
        }
    }

    /// Appends the form of the wire.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Body::Text(text) => text.write_wtf8(out),
            Body::Bytes(bytes) => out.extend_from_slice(bytes),
        }
    }
}

impl<'a> Frame<'a> {
    /// Which window the frame fills and by how many bytes; `None` for frames that no window holds back.
    /// Whoever receives the frame hands the same number back when it has been taken in.
    #[must_use]
    pub fn cost(&self) -> Option<(Flow, u32)> {
        let flow = self.flow()?;
        let len = self.body().map_or(0, |body| body.wire_len());
        Some((flow, cost_of(len)))
    }

    /// Which window holds the frame back, if any.
    #[must_use]
    pub fn flow(&self) -> Option<Flow> {
        match self {
            Frame::Message(message) if !message.control => Some(Flow::Messages),
            Frame::Reply(_) | Frame::Fail(_) => Some(Flow::Replies),
            _ => None,
        }
    }

    /// Whether nobody waits any more, `waited_ms` after the frame was encoded: a request whose time is up.
    #[must_use]
    pub fn is_expired(&self, waited_ms: u32) -> bool {
        match self {
            Frame::Message(message) => {
                message.request.is_some()
                    && message.remaining_ms != u32::MAX
                    && message.remaining_ms <= waited_ms
            }
            _ => false,
        }
    }

    /// Whether the frame takes a number of the session; a body in pieces does with its last piece.
    #[must_use]
    pub fn is_numbered(&self) -> bool {
        match self {
            Frame::Message(_)
            | Frame::Reply(_)
            | Frame::Fail(_)
            | Frame::Cancel { .. }
            | Frame::Stage { .. }
            | Frame::Where { .. }
            | Frame::Here { .. }
            | Frame::Gone { .. }
            | Frame::Bind { .. }
            | Frame::Credit { .. }
            | Frame::Empty => true,
            Frame::Fragment { .. }
            | Frame::Hello(_)
            | Frame::Resume(_)
            | Frame::Reset { .. }
            | Frame::Ack { .. }
            | Frame::Window { .. }
            | Frame::Ping { .. }
            | Frame::Pong(_)
            | Frame::Close { .. } => false,
        }
    }

    /// The body, of the frames that have one that may be cut.
    #[must_use]
    pub fn body(&self) -> Option<Body<'a>> {
        match self {
            Frame::Message(message) => Some(message.body),
            Frame::Reply(reply) => Some(reply.body),
            Frame::Fail(fail) => Some(fail.body),
            _ => None,
        }
    }

    /// The same frame with another body of the same form, for bodies that came in pieces.
    pub fn with_body(mut self, bytes: &'a [u8]) -> Result<Self, CodecError> {
        let body = match &mut self {
            Frame::Message(message) => &mut message.body,
            Frame::Reply(reply) => &mut reply.body,
            Frame::Fail(fail) => &mut fail.body,
            _ => return Err(CodecError::Malformed("a frame without a body came in pieces")),
        };
        *body = match body {
            Body::Text(_) => Body::Text(Text::from_wire(bytes).ok_or(CodecError::BadText)?),
            Body::Bytes(_) => Body::Bytes(bytes),
        };
        Ok(self)
    }
}

/// The price in its window of a body of `len` bytes.
#[must_use]
pub fn cost_of(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX).saturating_add(FLOW_OVERHEAD)
}

#[cfg(test)]
mod tests;
