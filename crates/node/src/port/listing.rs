//! Listings of workers.

use super::mailbox::State;
use super::{Handle, Port};

/// One worker in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerState {
    /// Its name.
    pub name: String,
    /// Its slot.
    pub handle: Handle,
    /// Where it is in its life.
    pub state: State,
    /// Messages in its mailbox, those that are lent included.
    pub held: u32,
    /// Messages lent to the isolate: waiting there or being handled.
    pub lent: u32,
    /// Messages done with, failed ones included.
    pub handled: u64,
    /// Messages whose handler failed.
    pub failed: u32,
}

impl Port {
    /// Workers of a node whose names begin with `prefix`, sorted by name, at most `limit`.
    #[must_use]
    pub fn list(&self, node: u16, prefix: &str, limit: usize) -> Vec<WorkerState> {
        let mut found: Vec<_> = self
            .slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| {
                slot.state != State::Free && slot.node == node && slot.name.starts_with(prefix)
            })
            .map(|(index, slot)| WorkerState {
                name: slot.name.to_string(),
                handle: Handle { slot: index as u32, generation: slot.generation },
                state: slot.state,
                held: slot.held(),
                lent: slot.lent(),
                handled: slot.handled,
                failed: slot.failed,
            })
            .collect();
        found.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        found.truncate(limit);
        found
    }
}
