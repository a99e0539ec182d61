//! What went over a link so far, for those who observe its node.

use super::{Link, next::Presence};
use std::sync::atomic::Ordering;

/// What went over a link so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes read, sealed as they came; handshakes aside.
    pub bytes_in: u64,
    /// Bytes written, likewise.
    pub bytes_out: u64,
    /// Messages, requests and answers that came.
    pub messages_in: u64,
    /// Messages, requests and answers that were handed to the link.
    pub messages_out: u64,
    /// Channels that the session had, each with a handshake of its own.
    pub handshakes: u64,
    /// It has a channel at this moment.
    pub is_connected: bool,
}

impl Link {
    /// What went over it so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let (messages_in, channel) = {
            let receiving = self.receiving();
            (receiving.messages(), receiving.channel())
        };
        Traffic {
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
            messages_in,
            messages_out: self.queue().messages(),
            handshakes: channel + u64::from(!self.is_absent()),
            is_connected: matches!(*self.presence.borrow(), Presence::Connected | Presence::Moving),
        }
    }
}
