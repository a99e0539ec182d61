//! A link: one channel to one peer, from the router's side. Frames go in by batches from any thread and come out on the
//! I/O thread.

mod events;

use std::{sync::Arc, time::Duration};

use troupe_proto::{
    codec::{CloseReason, Flow, Frame},
    noise::Peer,
};

pub use events::{ClosedReason, LinkEvents};

/// One open channel to a peer. Never used again after it closed; a new dial makes a new one.
pub struct Link {
    _private: (),
}

impl Link {
    /// The node at the other end.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        todo!()
    }
    /// Number of the link, counted from 0 and never used again while the node lives.
    #[must_use]
    pub fn index(&self) -> u32 {
        todo!()
    }
    /// Longest body the peer takes in, in bytes.
    #[must_use]
    pub fn max_message(&self) -> usize {
        todo!()
    }
    /// Whether the peer starts code it does not have.
    #[must_use]
    pub fn accepts_code(&self) -> bool {
        todo!()
    }
    /// Time of one round trip, measured when the link opened; zero before.
    #[must_use]
    pub fn round_trip(&self) -> Duration {
        todo!()
    }
    /// Whether frames can still be sent.
    #[must_use]
    pub fn is_open(&self) -> bool {
        todo!()
    }
    /// Holds the queue for several frames; `None` when the link is closed. Call [`Link::flush`] after it is dropped.
    pub fn batch(&self) -> Option<Batch<'_>> {
        todo!()
    }
    /// Seals and writes up to 64 KiB on this thread; never waits. The I/O thread does the rest.
    pub fn flush(&self) {
        todo!()
    }
    /// Bytes pushed and not yet written to the socket.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        todo!()
    }
    /// Whether so much is queued that senders should wait for [`LinkEvents::room`].
    #[must_use]
    pub fn is_full(&self) -> bool {
        todo!()
    }
    /// Hands back the cost of received frames that were taken in or dropped.
    pub fn consumed(&self, flow: Flow, bytes: u64) {
        let _ = (flow, bytes);
        todo!()
    }
    /// Closes with an authenticated CLOSE behind what is ready to be sent; bodies half sent are given up.
    pub fn close(&self, reason: CloseReason) {
        let _ = reason;
        todo!()
    }
    /// Resolves when the peer owns all that was pushed, or the link is closed.
    pub async fn drained(&self) {
        todo!()
    }
}

/// The queue of a link, held for several frames.
pub struct Batch<'a> {
    _link: &'a Link,
}

impl Batch<'_> {
    /// Adds a frame. Its body is copied.
    pub fn push(&mut self, frame: &Frame<'_>) {
        let _ = frame;
        todo!()
    }
}

/// Makes [`Arc`] part of the signature of events.
#[expect(dead_code, reason = "signatures first")]
type Shared = Arc<Link>;
