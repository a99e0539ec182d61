//! When a container that has died is started again: later each time, by chance a little apart from others, and not for
//! ever.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How patient a supervisor is with its containers.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// The pause before the first restart; each further one is twice as long.
    pub first: Duration,
    /// No pause is longer, but for the quarter that chance may add.
    pub longest: Duration,
    /// Who has lived so long is believed to be well: the next pause is the first one again.
    pub well_after: Duration,
    /// Given up at the end that follows so many starts …
    pub starts: usize,
    /// … within so long.
    pub within: Duration,
    /// A program that has lived so long without a node in the zone may have none: nobody waits for it any longer.
    pub settled: Duration,
}

impl Default for Policy {
    /// 0.5 s, 1 s, 2 s … 30 s; one that dies at once, every time, is given up after ten starts, about two minutes after the first.
    fn default() -> Self {
        Self {
            first: Duration::from_millis(500),
            longest: Duration::from_secs(30),
            well_after: Duration::from_secs(60),
            starts: 10,
            within: Duration::from_secs(300),
            settled: Duration::from_secs(10),
        }
    }
}

/// What is to be done about an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Start again, after this pause.
    After(Duration),
    /// Leave it: it was started this many times within the policy's time.
    GiveUp {
        /// How many times.
        starts: usize,
        /// Since the first of them.
        within: Duration,
    },
}

/// The starts and ends of one container. Time and chance are passed in.
#[derive(Debug)]
pub struct Restarts {
    policy: Policy,
    /// The latest ones, at most as many as the policy counts.
    starts: VecDeque<Instant>,
    /// Ends in a row that came too soon.
    in_a_row: u32,
}

impl Restarts {
    /// Of a container that has not been started yet.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self { policy, starts: VecDeque::new(), in_a_row: 0 }
    }

    /// It was started.
    pub fn started(&mut self, now: Instant) {
        if self.starts.len() >= self.policy.starts {
            self.starts.pop_front();
        }
        self.starts.push_back(now);
    }

    /// It has ended, or could not be started. `chance`: 0 to 1; moves the pause by up to a quarter either way, so that
    /// containers which died together do not come back together.
    pub fn ended(&mut self, now: Instant, chance: f64) -> Next {
        let lived = self.starts.back().map_or(Duration::ZERO, |start| now.saturating_duration_since(*start));
        if lived >= self.policy.well_after {
            self.in_a_row = 0;
        }
        if let Some(first) = self.starts.front().filter(|_| self.starts.len() >= self.policy.starts) {
            let within = now.saturating_duration_since(*first);
            if within <= self.policy.within {
                return Next::GiveUp { starts: self.starts.len(), within };
            }
        }
        let doubled = self.policy.first.saturating_mul(1_u32.checked_shl(self.in_a_row).unwrap_or(u32::MAX));
        self.in_a_row += 1;
        Next::After(doubled.min(self.policy.longest).mul_f64(0.75 + 0.5 * chance.clamp(0.0, 1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDDLE: f64 = 0.5;

    /// Dies `lived` after each start, until it is given up or `times` are over: the pauses, and the last answer.
    fn pauses(restarts: &mut Restarts, now: &mut Instant, lived: Duration, times: usize) -> (Vec<u64>, Next) {
        let mut pauses = Vec::new();
        for _ in 0..times {
            restarts.started(*now);
            *now += lived;
            match restarts.ended(*now, MIDDLE) {
                Next::After(pause) => {
                    pauses.push(pause.as_millis() as u64);
                    *now += pause;
                }
                given_up @ Next::GiveUp { .. } => return (pauses, given_up),
            }
        }
        (pauses, Next::After(Duration::ZERO))
    }

    #[test]
    fn one_that_dies_at_once_is_started_later_each_time_and_given_up_after_ten_starts() {
        let (mut restarts, mut now) = (Restarts::new(Policy::default()), Instant::now());
        let (pauses, last) = pauses(&mut restarts, &mut now, Duration::from_millis(12), 100);
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
        let within = Duration::from_millis(121_500 + 10 * 12);
        assert_eq!(last, Next::GiveUp { starts: 10, within });
    }

    #[test]
    fn one_that_was_well_for_a_minute_begins_with_the_shortest_pause_again() {
        let (mut restarts, mut now) = (Restarts::new(Policy::default()), Instant::now());
        assert_eq!(pauses(&mut restarts, &mut now, Duration::ZERO, 3).0, [500, 1000, 2000]);
        assert_eq!(pauses(&mut restarts, &mut now, Duration::from_secs(60), 1).0, [500]);
        assert_eq!(pauses(&mut restarts, &mut now, Duration::ZERO, 2).0, [1000, 2000]);
    }

    #[test]
    fn one_that_lives_for_a_while_each_time_is_never_given_up() {
        let (mut restarts, mut now) = (Restarts::new(Policy::default()), Instant::now());
        let (pauses, _) = pauses(&mut restarts, &mut now, Duration::from_secs(20), 100);
        assert_eq!(pauses.len(), 100);
        assert_eq!(pauses[99], 30_000, "the pause stays at its longest");
    }

    #[test]
    fn chance_moves_a_pause_by_a_quarter_either_way_and_no_further() {
        for (chance, expected) in [(0.0, 375), (1.0, 625), (-7.0, 375), (9.0, 625)] {
            let mut restarts = Restarts::new(Policy::default());
            let now = Instant::now();
            restarts.started(now);
            assert_eq!(restarts.ended(now, chance), Next::After(Duration::from_millis(expected)));
        }
    }
}
