//! Few lines in the log, whatever the number of occasions for one: neither strangers nor peers may fill a disk.

use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Lines at once: enough to see whether they concern one or many.
const BURST: u64 = 8;
/// A further line each so often, in milliseconds.
const EVERY: u64 = 1000;

/// Says which of many alike are logged, and how many were not.
#[derive(Debug)]
pub(crate) struct LineLimit(Mutex<Budget>);

#[derive(Debug)]
struct Budget {
    lines: u64,
    since: u64,
    untold: u64,
}

/// How many were not logged since the last one that was; what stands behind that line's words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Untold(u64);

impl LineLimit {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Budget { lines: BURST, since: 0, untold: 0 }))
    }

    /// Takes a line at this time, in milliseconds; `None` when there is none left.
    pub(crate) fn take(&self, now: u64) -> Option<Untold> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take(now).map(Untold)
    }
}

impl Budget {
    fn take(&mut self, now: u64) -> Option<u64> {
        let passed = now.saturating_sub(self.since) / EVERY;
        if passed > 0 {
            self.lines = self.lines.saturating_add(passed).min(BURST);
            self.since += EVERY * passed;
        }
        if self.lines == 0 {
            self.untold += 1;
            return None;
        }
        self.lines -= 1;
        Some(std::mem::take(&mut self.untold))
    }
}

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            untold => write!(f, " (and {untold} more before it that are not listed)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_told_in_eight_lines_then_one_a_second_with_the_number_of_the_others() {
        let limit = LineLimit::new();
        let start = 1_000_000;
        let told = (0..100).filter(|_| limit.take(start) == Some(Untold(0))).count();
        assert_eq!(told, 8);
        assert_eq!(limit.take(start + EVERY / 2), None);
        assert_eq!(limit.take(start + EVERY), Some(Untold(93)));
        assert_eq!(limit.take(start + EVERY), None);
        // After a rest it begins anew, and no more than that was saved.
        let later = start + EVERY * 1000;
        assert_eq!(limit.take(later), Some(Untold(1)));
        assert_eq!((0..100).filter(|_| limit.take(later).is_some()).count(), 7);
    }

    #[test]
    fn a_line_says_how_many_went_before_it_untold() {
        assert_eq!(Untold(0).to_string(), "");
        assert_eq!(Untold(93).to_string(), " (and 93 more before it that are not listed)");
    }
}
