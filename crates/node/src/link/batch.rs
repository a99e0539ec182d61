//! Several frames handed to a link at once, under one hold of its queue.

use super::{Link, queue::Queue};
use std::sync::{MutexGuard, atomic::Ordering};
use troupe_proto::codec::Frame;

/// What a link keeps of frames that a peer causes and nothing but its own reading bounds. 65 536 requests that fail and as
/// many names, places and stages, with room to spare; one that lets more than this pile up does not read.
pub(super) const OWED_BYTES: usize = 16 << 20;

/// A body that the peer does not take in. Nothing was queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message has {len} bytes, the other node takes {limit} at most")]
pub struct MessageTooLong {
    /// Bytes of the body on the wire.
    pub len: usize,
    /// What the peer takes.
    pub limit: usize,
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
    pub fn push(&mut self, frame: &Frame<'_>) -> Result<(), MessageTooLong> {
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
