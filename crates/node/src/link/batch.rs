//! Several frames handed to a link at once, under one hold of its queue.

use super::{Link, queue::Queue};
use std::sync::{MutexGuard, atomic::Ordering};
use troupe_proto::codec::Frame;

/// What a link keeps of frames that a peer causes and nothing but its own reading bounds. 65 536 requests that fail and as
/// many names, places and stages, with room to spare; one that lets more than this pile up does not read.
pub(super) const OWED_BYTES: usize = 16 << 20;

/// What is kept for a peer, in all, when a reply to it finds no room any more. Replies wait for nothing, so that a peer that
/// asks and does not take in would be kept any number. All else stops long before, at some 64 MiB: the rest is for replies, as
/// many as a peer that is correct and busy for a while may leave lying.
pub(super) const KEPT_BYTES: usize = 256 << 20;

/// Why a link does not take a frame. Nothing was queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// The peer takes in no body of this length.
    #[error("the message has {len} bytes, the other node takes {limit} at most")]
    TooLong {
        /// Bytes of the body on the wire.
        len: usize,
        /// What the peer takes.
        limit: usize,
    },
    /// A reply that the peer leaves no room for.
    #[error("{} MiB of what it was answered wait for the other node to take them in", KEPT_BYTES >> 20)]
    Untaken,
}

/// The queue of a link, held for several frames. Keep it for no longer than it takes to push them.
#[derive(Debug)]
pub struct Batch<'a> {
    pub(super) link: &'a Link,
    pub(super) queue: MutexGuard<'a, Queue>,
    pub(super) now_ms: u32,
}

impl Batch<'_> {
    /// Adds a frame, whose body is copied. Of one pair of sender and receiver, frames arrive in the order pushed.
    pub fn push(&mut self, frame: &Frame<'_>) -> Result<(), NotTaken> {
        self.queue.push(frame, self.now_ms)
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.link.queued.store(self.queue.bytes(), Ordering::Relaxed);
        if self.queue.owed() > OWED_BYTES {
            self.link.is_overdue.store(true, Ordering::SeqCst);
            self.link.attend.notify_one();
        }
    }
}
