//! Pauses that differ from node to node, so that two nodes do not run into each other again and again.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Stretches pauses. What comes of it follows from the node's incarnation, which is random: a simulation that picks that
/// sees the same pauses again.
#[derive(Debug)]
pub(super) struct Jitter(AtomicU64);

impl Jitter {
    pub(super) fn new(incarnation: u64) -> Self {
        Self(AtomicU64::new(incarnation))
    }

    /// Between `pause`, in milliseconds, and twice as much.
    pub(super) fn stretch(&self, pause: u64) -> Duration {
        // The step and the mixing of SplitMix (Steele, Lea and Flood, 2014).
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut mixed = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Duration::from_millis(pause + pause * (mixed >> 56) / 255)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_stretched_by_any_part_of_itself() {
        let jitter = Jitter::new(7);
        let pauses: Vec<_> = (0..1000).map(|_| jitter.stretch(100).as_millis()).collect();
        assert!(pauses.iter().all(|pause| (100..=200).contains(pause)));
        assert!(pauses.contains(&100) && pauses.contains(&200), "both ends are reached");
    }
}
