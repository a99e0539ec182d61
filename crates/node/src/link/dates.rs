//! When a channel ends, and when another one should follow it.

use std::time::Duration;

use tokio::time::Instant;

/// A channel is followed by another after so long, for new keys and checked credentials.
const RENEWAL: Duration = Duration::from_secs(3600);
/// No timer runs for longer; whatever says it holds for longer does not matter.
const LONGEST_LIFE: Duration = Duration::from_secs(366 * 24 * 3600);

/// When a channel ends that holds for so long.
pub(super) fn expiry(lifetime: Duration) -> Instant {
    Instant::now() + lifetime.min(LONGEST_LIFE)
}

/// What a channel waits for.
#[derive(Debug)]
pub(super) struct Dates {
    expires: Instant,
    renewal: Option<Instant>,
}

/// What is due, once.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// The credentials it was opened with are over, and so is it.
    pub(super) is_over: bool,
    /// Another channel should follow it.
    pub(super) renews: bool,
}

impl Dates {
    /// Those of a channel that ends then: another one should follow long before, if it is given little time.
    pub(super) fn of(expires: Instant) -> Self {
        let now = Instant::now();
        let left = expires.saturating_duration_since(now);
        Self { expires, renewal: Some(now + RENEWAL.min(left / 2)) }
    }

    pub(super) fn next(&self) -> Instant {
        self.renewal.map_or(self.expires, |at| at.min(self.expires))
    }

    pub(super) fn due(&mut self, now: Instant) -> Due {
        let is_over = now >= self.expires;
        if is_over {
            self.expires = now + LONGEST_LIFE;
        }
        Due { is_over, renews: self.renewal.take_if(|at| now >= *at).is_some() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn due(is_over: bool, renews: bool) -> Due {
        Due { is_over, renews }
    }

    #[tokio::test(start_paused = true)]
    async fn another_channel_is_due_after_an_hour_or_half_of_the_time_that_its_credentials_leave() {
        for (lifetime, expected) in [(24 * 60, 60), (120, 60), (60, 30), (2, 1)] {
            let now = Instant::now();
            let mut dates = Dates::of(expiry(lifetime * MINUTE));
            assert_eq!(dates.next(), now + expected * MINUTE);
            assert_eq!(dates.due(now + expected * MINUTE), due(false, true));
            assert_eq!(dates.due(now + expected * MINUTE), due(false, false), "once");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_channel_is_over_with_the_credentials_it_was_opened_with() {
        let now = Instant::now();
        let mut dates = Dates::of(expiry(2 * MINUTE));
        dates.due(now + MINUTE);
        assert_eq!(dates.next(), now + 2 * MINUTE);
        assert_eq!(dates.due(now + 2 * MINUTE - Duration::from_millis(1)), due(false, false));
        assert_eq!(dates.due(now + 2 * MINUTE), due(true, false));
        assert_eq!(dates.due(now + 2 * MINUTE), due(false, false), "once");
    }
}
