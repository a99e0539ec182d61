//! What the reading side of a channel counts.

use std::time::{Duration, Instant};

use super::{SessionError, Terms};
use crate::codec::Flow;

/// An ACK goes at once when so many frames are owned that the peer does not know of.
const ACK_FRAMES: u64 = 256;
/// And not later than this after the first: a stop that waits for it takes no longer, and a busy link has sent it with
/// something else long before.
const ACK_DELAY: Duration = Duration::from_millis(20);

/// When the peer should be told what this process owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckUrgency {
    /// It knows all.
    Nothing,
    /// With the next frame that goes anyway, at the latest then.
    By(Instant),
    /// Now.
    Now,
}

/// Counts received frames and holds the peer to its windows.
#[derive(Debug)]
pub struct Received {
    owned: u64,
    /// What was owned when the running delay began.
    since: Option<Instant>,
    started: [u64; 2],
    limits: [u64; 2],
}

impl Received {
    /// Nothing received yet, under the windows that `own` announced.
    #[must_use]
    pub fn new(own: &Terms) -> Self {
        Self { owned: 0, since: None, started: [0; 2], limits: own.windows.map(u64::from) }
    }

    /// A frame of this flow and cost begins. `announced` tells where the window ends now; asked only when the last
    /// answer does not suffice.
    pub fn admit(
        &mut self,
        flow: Flow,
        cost: u32,
        announced: impl FnOnce() -> u64,
    ) -> Result<(), SessionError> {
        let started = &mut self.started[flow.index()];
        let limit = &mut self.limits[flow.index()];
        if *started >= *limit {
            *limit = announced();
            if *started >= *limit {
                return Err(SessionError::Overrun { offset: *started, limit: *limit });
            }
        }
        *started += u64::from(cost);
        Ok(())
    }

    /// A frame that began is given up before it was whole: its channel was lost, it comes again.
    pub fn take_back(&mut self, flow: Flow, cost: u32) {
        let started = &mut self.started[flow.index()];
        *started = started.saturating_sub(u64::from(cost));
    }

    /// This process owns the next numbered frame.
    pub fn own(&mut self) {
        self.owned += 1;
    }

    /// Numbered frames this process owns.
    #[must_use]
    pub fn owned(&self) -> u64 {
        self.owned
    }

    /// CLOSE was read: whether all that was sent before it has come.
    pub fn on_close(&self, last: u64) -> Result<(), SessionError> {
        if last == self.owned {
            Ok(())
        } else {
            Err(SessionError::CloseNumber { last, received: self.owned })
        }
    }

    /// When an ACK is due, given what the peer was told already.
    pub fn ack_urgency(&mut self, acknowledged: u64, now: Instant) -> AckUrgency {
        let unknown = self.owned.saturating_sub(acknowledged);
        if unknown == 0 {
            self.since = None;
            return AckUrgency::Nothing;
        }
        let due = *self.since.get_or_insert(now) + ACK_DELAY;
        if unknown >= ACK_FRAMES || now >= due { AckUrgency::Now } else { AckUrgency::By(due) }
    }
}
