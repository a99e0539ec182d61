//! The budget of a turn: after so long with handlers the runtime gets its turn, for timers, sockets and everyone else.

use super::Local;
use std::time::{Duration, Instant};

/// Time with handlers in one turn; the same as that of a JavaScript isolate.
const BUDGET: Duration = Duration::from_micros(750);
/// Messages between two looks at the clock, while they are cheap.
const STRIDE: u32 = 32;

/// What is left of a turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    end: Instant,
    last: Instant,
    stride: u32,
    left: u32,
    is_spent: bool,
}

impl Budget {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { end: now, last: now, stride: STRIDE, left: STRIDE, is_spent: false }
    }

    fn begin(&mut self) {
        self.last = Instant::now();
        self.end = self.last + BUDGET;
        self.left = self.stride;
        self.is_spent = false;
    }

    fn spend(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        if self.is_spent || self.left > 0 {
            return self.is_spent;
        }
        let now = Instant::now();
        let took = now - self.last;
        if took > BUDGET / 4 {
            self.stride = (self.stride / 4).max(1);
        } else if took < BUDGET / 16 {
            self.stride = (self.stride * 2).min(STRIDE);
        }
        (self.last, self.left) = (now, self.stride);
        self.is_spent = now >= self.end;
        self.is_spent
    }
}

impl Local {
    pub(super) fn begin_turn(&self) {
        let mut budget = self.budget.get();
        budget.begin();
        self.budget.set(budget);
    }

    /// Counts one message; true when the budget of the turn is spent.
    pub(super) fn spend(&self) -> bool {
        let mut budget = self.budget.get();
        let is_spent = budget.spend();
        self.budget.set(budget);
        is_spent
    }

    pub(super) fn is_spent(&self) -> bool {
        self.budget.get().is_spent
    }
}
