//! Tells the operator of connections that were refused, few lines whatever their number: strangers must not fill a disk.

use std::{
    fmt::Display,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Lines at once: enough to see whether they come from one address or many.
const BURST: u32 = 8;
/// A further line each so often.
const EVERY: Duration = Duration::from_secs(1);

/// What was refused and not yet told.
#[derive(Debug)]
pub(super) struct Refusals(Mutex<Budget>);

#[derive(Debug)]
struct Budget {
    lines: u32,
    since: Instant,
    untold: u64,
}

impl Refusals {
    pub(super) fn new(now: Instant) -> Self {
        Self(Mutex::new(Budget { lines: BURST, since: now, untold: 0 }))
    }

    /// Logs one, or counts it for the next line.
    pub(super) fn tell(&self, from: SocketAddr, reason: &dyn Display) {
        let budget = self.0.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
        match budget {
            None => log::debug!(target: "channel", "a connection from {from} was refused: {reason}"),
            Some(0) => log::warn!(target: "channel", "a connection from {from} was refused: {reason}"),
            Some(untold) => log::warn!(
                target: "channel",
                "a connection from {from} was refused: {reason} (and {untold} more before it that are not listed)"
            ),
        }
    }
}

impl Budget {
    /// Takes a line; answers with how many went untold since the last one, or `None` when there is no line left.
    fn take(&mut self, now: Instant) -> Option<u64> {
        let passed = now.duration_since(self.since).as_nanos() / EVERY.as_nanos();
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        if passed > 0 {
            self.lines = self.lines.saturating_add(passed).min(BURST);
            self.since += EVERY.saturating_mul(passed);
        }
        if self.lines == 0 {
            self.untold += 1;
            return None;
        }
        self.lines -= 1;
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_refusals_is_told_in_eight_lines_then_one_a_second_with_the_number_of_the_others() {
        let start = Instant::now();
        let mut budget = Budget { lines: BURST, since: start, untold: 0 };
        let told = (0..100).filter(|_| budget.take(start) == Some(0)).count();
        assert_eq!(told, 8);
        assert_eq!(budget.take(start + EVERY / 2), None);
        assert_eq!(budget.take(start + EVERY), Some(93));
        assert_eq!(budget.take(start + EVERY), None);
        // After a rest it begins anew, and no more than that was saved.
        let later = start + EVERY * 1000;
        assert_eq!(budget.take(later), Some(1));
        assert_eq!((0..100).filter(|_| budget.take(later).is_some()).count(), 7);
    }
}
