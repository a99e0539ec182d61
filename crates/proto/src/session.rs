//! The session of a channel as pure state: numbers, acknowledgements and the two windows.
//!
//! Every numbered frame takes the next number when it is whole: a body in pieces with its last piece. ACK says how many
//! the other *process* owns. Windows are absolute offsets in bytes: a message or reply may be started while the offset
//! of its first byte lies inside the window, so that one message always fits, whatever its size.
//!
//! A session outlives its channel: when a connection is lost, the two sides tell each other on the next channel what
//! they own, and what the other lacks is sent again under the numbers it had. Numbers, windows and acknowledgements go
//! on; a body of which only some pieces had come starts over, and its cost is counted once.

mod opening;
mod received;
mod resumption;

pub use opening::{MAX_SESSION, Opened, Opening, Terms};
pub use received::{AckUrgency, Received};
pub use resumption::{Judgement, Standing, judge};

use crate::codec::{CodecError, Flow};

/// The peer broke the rules of the session; the channel is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// Bytes that are no frame.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// An acknowledgement of frames that were not sent, or fewer than the last one.
    #[error("it acknowledged {count} frames of {sent}, after {before}")]
    Acknowledged {
        /// What it acknowledged.
        count: u64,
        /// What was sent.
        sent: u64,
        /// What it had acknowledged before.
        before: u64,
    },
    /// A window that moved back.
    #[error("it moved a window back from {before} to {offset}")]
    WindowBack {
        /// Where the window ended.
        before: u64,
        /// Where it would end.
        offset: u64,
    },
    /// More than the window allows.
    #[error("it sent beyond its window: at {offset} of {limit} bytes")]
    Overrun {
        /// Where the frame begins.
        offset: u64,
        /// Where the window ends.
        limit: u64,
    },
    /// CLOSE names another number than was received: something is missing.
    #[error("it closed after {last} frames, {received} were received")]
    CloseNumber {
        /// What CLOSE says.
        last: u64,
        /// What was received.
        received: u64,
    },
    /// A frame that does not belong here.
    #[error("{0}")]
    OutOfPlace(&'static str),
}

/// What the sending side of a channel knows. Whoever holds it also orders the frames.
#[derive(Debug)]
pub struct Session {
    sent: u64,
    acknowledged: u64,
    acknowledged_to_peer: u64,
    out: [Outgoing; 2],
    taken: [Taken; 2],
}

/// A window of the peer's.
#[derive(Debug, Default)]
struct Outgoing {
    started: u64,
    limit: u64,
}

/// A window of ours.
#[derive(Debug, Default)]
struct Taken {
    size: u64,
    consumed: u64,
    announced: u64,
}

impl Session {
    /// The session of a channel whose sides have said HELLO.
    #[must_use]
    pub fn new(own: &Terms, peer: &Terms) -> Self {
        let outgoing = |flow: Flow| Outgoing { started: 0, limit: u64::from(peer.windows[flow.index()]) };
        let taken = |flow: Flow| {
            let size = u64::from(own.windows[flow.index()]);
            Taken { size, consumed: 0, announced: size }
        };
        Self {
            sent: 0,
            acknowledged: 0,
            acknowledged_to_peer: 0,
            out: Flow::ALL.map(outgoing),
            taken: Flow::ALL.map(taken),
        }
    }

    /// Whether the window lets another frame of this flow start.
    #[must_use]
    pub fn may_start(&self, flow: Flow) -> bool {
        let window = &self.out[flow.index()];
        window.started < window.limit
    }

    /// A frame of this flow and cost starts. Its caller has asked [`Session::may_start`].
    pub fn start(&mut self, flow: Flow, cost: u32) {
        self.out[flow.index()].started += u64::from(cost);
    }

    /// A frame that had started and was not received is not sent after all.
    pub fn take_back(&mut self, flow: Flow, cost: u32) {
        let started = &mut self.out[flow.index()].started;
        *started = started.saturating_sub(u64::from(cost));
    }

    /// So many more numbered frames have gone, whole.
    pub fn number(&mut self, count: u64) {
        self.sent += count;
    }

    /// What this side keeps, for the peer's next channel. `session` is its number.
    #[must_use]
    pub fn standing(&self, session: u64) -> Standing {
        Standing { session, acknowledged: self.acknowledged, sent: self.sent }
    }

    /// The session goes on over a new channel: the peer owns `next_expected` frames, and was told that this process owns
    /// `owned`. Answers where the windows end, for the peer to hear again.
    pub fn go_on(&mut self, next_expected: u64, owned: u64) -> Result<[u64; 2], SessionError> {
        self.on_ack(next_expected)?;
        self.acknowledged_to_peer = owned;
        Ok(Flow::ALL.map(|flow| self.announced(flow)))
    }

    /// Numbered frames so far: what CLOSE tells.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Numbered frames that the peer is known to own.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Whether the peer owns all that was numbered.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        self.acknowledged == self.sent
    }

    /// Takes in an ACK.
    pub fn on_ack(&mut self, count: u64) -> Result<(), SessionError> {
        if count < self.acknowledged || count > self.sent {
            return Err(SessionError::Acknowledged { count, sent: self.sent, before: self.acknowledged });
        }
        self.acknowledged = count;
        Ok(())
    }

    /// Takes in a WINDOW.
    pub fn on_window(&mut self, flow: Flow, offset: u64) -> Result<(), SessionError> {
        let window = &mut self.out[flow.index()];
        if offset < window.limit {
            return Err(SessionError::WindowBack { before: window.limit, offset });
        }
        window.limit = offset;
        Ok(())
    }

    /// Received bytes were taken in. Answers whether the peer should hear of it soon: a quarter of the window is free
    /// that it does not know of.
    pub fn consume(&mut self, flow: Flow, bytes: u64) -> bool {
        let window = &mut self.taken[flow.index()];
        window.consumed += bytes;
        window.is_due()
    }

    /// The WINDOW to send, if a quarter of it has become free; it counts as sent.
    pub fn window_to_announce(&mut self, flow: Flow) -> Option<u64> {
        let window = &mut self.taken[flow.index()];
        if !window.is_due() {
            return None;
        }
        window.announced = window.consumed + window.size;
        Some(window.announced)
    }

    /// Where our window ends, as the peer was told.
    #[must_use]
    pub fn announced(&self, flow: Flow) -> u64 {
        self.taken[flow.index()].announced
    }

    /// Numbered frames the peer was told this process owns.
    #[must_use]
    pub fn acknowledged_to_peer(&self) -> u64 {
        self.acknowledged_to_peer
    }

    /// The ACK to send when this process owns `owned` frames, if the peer does not know yet; it counts as sent.
    pub fn ack_to_send(&mut self, owned: u64) -> Option<u64> {
        (owned > self.acknowledged_to_peer).then(|| {
            self.acknowledged_to_peer = owned;
            owned
        })
    }
}

impl Taken {
    /// Whether the peer should hear of free room: of a quarter of the window, and never of none.
    fn is_due(&self) -> bool {
        self.unannounced() >= (self.size / 4).max(1)
    }

    fn unannounced(&self) -> u64 {
        (self.consumed + self.size).saturating_sub(self.announced)
    }
}

#[cfg(test)]
mod tests;
