//! Tells the operator of connections that were refused, few lines whatever their number: strangers must not fill a disk.

use std::{fmt::Display, net::SocketAddr};

use tokio::time::Instant;

use crate::line_limit::LineLimit;

/// What was refused and not yet told.
#[derive(Debug)]
pub(super) struct Refusals {
    limit: LineLimit,
    since: Instant,
}

impl Refusals {
    pub(super) fn new(now: Instant) -> Self {
        Self { limit: LineLimit::new(), since: now }
    }

    /// Logs one, or counts it for the next line.
    pub(super) fn tell(&self, from: SocketAddr, reason: &dyn Display) {
        match self.limit.take(self.since.elapsed().as_millis() as u64) {
            None => log::debug!(target: "channel", "a connection from {from} was refused: {reason}"),
            Some(untold) => {
                log::warn!(target: "channel", "a connection from {from} was refused: {reason}{untold}");
            }
        }
    }
}
