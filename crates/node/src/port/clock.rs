//! The clock of every port of a process: milliseconds since one fixed moment, so that any thread can tell how long ago
//! something happened in any isolate.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Ticks of [`now_ticks`] in a millisecond.
pub const TICKS_PER_MS: u64 = 16;

/// Sixteenths of a millisecond since the process first looked at this clock: what is measured is measured in them. Never
/// goes back.
#[must_use]
pub fn now_ticks() -> u64 {
    // 62.5 µs each.
    START.elapsed().as_micros() as u64 * 2 / 125
}

/// Milliseconds since the process first looked at this clock. Never goes back.
#[must_use]
pub fn now_ms() -> u64 {
    now_ticks() / TICKS_PER_MS
}

/// The moment at which [`now_ms`] shows this.
#[must_use]
pub fn at_ms(ms: u64) -> Instant {
    *START + Duration::from_millis(ms)
}
