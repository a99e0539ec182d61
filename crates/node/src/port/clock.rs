//! The clock of every port of a process: milliseconds since one fixed moment, so that any thread can tell how long ago
//! something happened in any isolate.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Milliseconds since the process first looked at this clock. Never goes back.
#[must_use]
pub fn now_ms() -> u64 {
    START.elapsed().as_millis() as u64
}

/// The moment at which [`now_ms`] shows this.
#[must_use]
pub fn at_ms(ms: u64) -> Instant {
    *START + Duration::from_millis(ms)
}
