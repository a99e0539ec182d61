//! What workers did over the last quarter of an hour, a number at a time, for the curves of a page.

use std::collections::{HashMap, VecDeque};

/// Milliseconds between two samples of a worker.
pub(crate) const EVERY: u64 = 5_000;

/// Samples of one worker: 15 minutes.
const KEPT: usize = 180;

/// Workers that samples are kept of, about 6 KB each; who was not seen for longest makes room.
const WORKERS: usize = 2_000;

/// Time in ms since 1970, queued, handled, failed.
pub(crate) type Sample = [u64; 4];

#[derive(Debug, Default)]
struct Curve {
    samples: VecDeque<Sample>,
    /// Which round of samples it was last in.
    seen: u64,
}

/// The samples of all workers, by node and worker.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    curves: HashMap<(String, String), Curve>,
    round: u64,
}

impl Samples {
    /// Begins a round: each worker that is there has one sample in it.
    pub(crate) fn begin(&mut self) {
        self.round += 1;
        let round = self.round;
        self.curves.retain(|_, curve| round - curve.seen <= KEPT as u64);
    }

    /// A worker's sample in this round. Where there is no room, one that is not in it goes; with none such, nothing is kept.
    pub(crate) fn put(&mut self, node: &str, worker: &str, sample: Sample) {
        let key = (node.to_owned(), worker.to_owned());
        if !self.curves.contains_key(&key) && self.curves.len() >= WORKERS {
            let oldest = self.curves.iter().min_by_key(|(_, curve)| curve.seen);
            match oldest.map(|(key, curve)| (key.clone(), curve.seen)) {
                Some((key, seen)) if seen < self.round => self.curves.remove(&key),
                _ => return,
            };
        }
        let curve = self.curves.entry(key).or_default();
        curve.seen = self.round;
        if curve.samples.len() == KEPT {
            curve.samples.pop_front();
        }
        curve.samples.push_back(sample);
    }

    /// A worker's samples, oldest first.
    pub(crate) fn of(&self, node: &str, worker: &str) -> Vec<Sample> {
        let key = (node.to_owned(), worker.to_owned());
        self.curves.get(&key).map_or_else(Vec::new, |curve| curve.samples.iter().copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_has_a_quarter_of_an_hour_of_samples() {
        let mut samples = Samples::default();
        for i in 0..400 {
            samples.begin();
            samples.put("a", "w", [i, 0, 0, 0]);
        }
        let kept = samples.of("a", "w");
        assert_eq!((kept.len(), kept[0][0], kept[179][0]), (180, 220, 399));
        assert!(samples.of("a", "other").is_empty());
        for _ in 0..=KEPT {
            samples.begin();
        }
        assert!(samples.of("a", "w").is_empty(), "one that is gone is forgotten");
    }

    #[test]
    fn samples_of_ever_new_workers_take_no_more_room() {
        let mut samples = Samples::default();
        for round in 0..4 {
            samples.begin();
            for i in 0..WORKERS {
                samples.put("a", &format!("{round}-{i}"), [0; 4]);
            }
            samples.put("a", "one too many", [0; 4]);
            assert_eq!(samples.curves.len(), WORKERS);
        }
        assert!(samples.of("a", "one too many").is_empty());
        assert_eq!(samples.of("a", "3-0").len(), 1);
    }
}
