//! Frames that a window holds back, in order, encoded already.

use std::collections::VecDeque;

use super::lanes::Lane;

/// A frame that waits for its window.
#[derive(Debug)]
pub(super) struct HeldFrame {
    pub(super) lane: Lane,
    /// See [`super::queue::is_owed`].
    pub(super) is_owed: bool,
    /// What it costs in the window.
    pub(super) cost: u32,
    /// When it came, on the link's clock of milliseconds.
    pub(super) since_ms: u32,
    /// Number and body, if it goes in pieces.
    pub(super) cut: Option<(u32, Vec<u8>)>,
    len: usize,
}

impl HeldFrame {
    fn owed(&self) -> usize {
        if self.is_owed { self.len + size_of::<Self>() } else { 0 }
    }
}

/// The waiting line of one window. Short frames lie behind each other in one buffer: none has an allocation of its own.
#[derive(Debug, Default)]
pub(super) struct Held {
    frames: VecDeque<HeldFrame>,
    buffer: Vec<u8>,
    start: usize,
    bodies: usize,
    /// Bytes of frames that are owed to the peer, and of what is kept beside each.
    owed: usize,
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Bytes that wait, and of what is kept beside each frame.
    pub(super) fn bytes(&self) -> usize {
        self.buffer.len() - self.start + self.bodies + self.frames.len() * size_of::<HeldFrame>()
    }

    /// Of them, bytes that are owed to the peer.
    pub(super) fn owed(&self) -> usize {
        self.owed
    }

    /// Lines a frame up; `encode` appends it, or its head.
    pub(super) fn push(
        &mut self,
        (lane, is_owed): (Lane, bool),
        cost: u32,
        since_ms: u32,
        cut: Option<(u32, Vec<u8>)>,
        encode: impl FnOnce(&mut Vec<u8>),
    ) {
        let before = self.buffer.len();
        encode(&mut self.buffer);
        let len = self.buffer.len() - before;
        self.bodies += cut.as_ref().map_or(0, |(_, body)| body.len());
        let frame = HeldFrame { lane, is_owed, cost, since_ms, cut, len };
        self.owed += frame.owed();
        self.frames.push_back(frame);
    }

    /// Each frame that waits, or its head.
    pub(super) fn each(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = self.start;
        self.frames.iter().map(move |frame| {
            let begin = start;
            start += frame.len;
            &self.buffer[begin..start]
        })
    }

    /// Hands the first frame and its bytes to `take`.
    pub(super) fn pop(&mut self, take: impl FnOnce(HeldFrame, &mut [u8])) {
        let Some(frame) = self.frames.pop_front() else { return };
        self.bodies -= frame.cut.as_ref().map_or(0, |(_, body)| body.len());
        self.owed -= frame.owed();
        let end = self.start + frame.len;
        take(frame, &mut self.buffer[self.start..end]);
        self.start = end;
        if self.frames.is_empty() {
            *self = Self::default();
        } else if self.start > self.buffer.len() / 2 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
    }
}
