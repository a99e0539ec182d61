//! What a link held when it ended: whom to tell what.

use std::collections::HashMap;

use troupe_proto::codec::{Correlation, Decoded, Frame, Handle, Target, decode};

/// Frames that the peer is not known to own, by what becomes of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftover {
    /// Requests that surely did not reach the peer. All others that are open on the link may have.
    pub unsent: Vec<Correlation>,
    /// Messages that ask for nothing, alike ones together.
    pub sends: HashMap<LostSend, u64>,
    /// Answers to requests of the peer that it may not have.
    pub answers: u64,
    /// Bodies of the peer of which only some pieces had come.
    pub partial: u64,
}

/// What is known of a message that asks for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LostSend {
    /// The worker that sent it.
    pub sender: Option<Handle>,
    /// The worker of the peer that it was for; `None` where it went by name.
    pub target: Option<Handle>,
    /// The peer may have it.
    pub maybe_delivered: bool,
}

impl Leftover {
    /// Adds a frame; `maybe_delivered` when the peer may have it.
    pub(super) fn add(&mut self, frame: &Frame<'_>, maybe_delivered: bool) {
        match frame {
            Frame::Message(message) => match message.request {
                Some(correlation) if !maybe_delivered => self.unsent.push(correlation),
                Some(_) => {}
                None => {
                    let target = if let Target::Slot(target) = message.target { Some(target) } else { None };
                    let lost = LostSend { sender: message.sender, target, maybe_delivered };
                    *self.sends.entry(lost).or_default() += 1;
                }
            },
            Frame::Reply(_) | Frame::Fail(_) => self.answers += 1,
            _ => {}
        }
    }

    /// Adds a frame that was never sent whole, by its bytes or those of its head.
    pub(super) fn add_encoded(&mut self, encoded: &[u8]) {
        if let Ok((Decoded::Whole(frame) | Decoded::Head { frame, .. }, _)) = decode(encoded) {
            self.add(&frame, false);
        }
    }

    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
