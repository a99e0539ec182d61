//! Deadlines of requests: a hierarchical timing wheel whose entries are linked through the requests
//! themselves, so that setting and clearing one costs a few writes and no allocation.
//!
//! The scheme is Varghese and Lauck's, "Hashed and Hierarchical Timing Wheels" (1987). Four levels of 64
//! buckets with a tick of 1 ms cover 4.6 hours; a later deadline waits in the last bucket and is sorted in again.

use super::record::NIL;

const BITS: u32 = 6;
const BUCKETS: usize = 1 << BITS;
const LEVELS: usize = 4;

/// Links of one entry, kept by whoever owns the entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) deadline: u64,
    previous: u32,
    next: u32,
    /// Level and bucket, or `NIL` while the entry is in no bucket.
    bucket: u32,
}

impl Default for Entry {
    fn default() -> Self {
        Self { deadline: u64::MAX, previous: NIL, next: NIL, bucket: NIL }
    }
}

/// Where the wheel finds its entries.
pub(crate) trait Entries {
    fn entry(&mut self, id: u32) -> &mut Entry;
}

/// The wheel. Times are milliseconds since the process began.
#[derive(Debug)]
pub(crate) struct Wheel {
    heads: [[u32; BUCKETS]; LEVELS],
    occupied: [u64; LEVELS],
    now: u64,
}

impl Wheel {
    pub(crate) fn new(now: u64) -> Self {
        Self { heads: [[NIL; BUCKETS]; LEVELS], occupied: [0; LEVELS], now }
    }

    /// Sets the deadline of an entry that has none. `u64::MAX` means no deadline: nothing is kept.
    pub(crate) fn insert(&mut self, entries: &mut impl Entries, id: u32, deadline: u64) {
        entries.entry(id).deadline = deadline;
        if deadline == u64::MAX {
            return;
        }
        self.place(entries, id, deadline, self.now, deadline.max(self.now + 1));
    }

    /// Links an entry into the bucket of `at`, as seen from `now`.
    fn place(&mut self, entries: &mut impl Entries, id: u32, deadline: u64, now: u64, at: u64) {
        let mut level = 0;
        // An entry belongs to the first level whose 64 buckets reach it.
        while level + 1 < LEVELS
            && (at >> (BITS * level as u32)) - (now >> (BITS * level as u32)) >= BUCKETS as u64
        {
            level += 1;
        }
        let shift = BITS * level as u32;
        let farthest = (now >> shift) + BUCKETS as u64 - 1;
        let index = ((at >> shift).min(farthest) % BUCKETS as u64) as usize;
        let head = self.heads[level][index];
        *entries.entry(id) =
            Entry { deadline, previous: NIL, next: head, bucket: (level * BUCKETS + index) as u32 };
        if head != NIL {
            entries.entry(head).previous = id;
        }
        self.heads[level][index] = id;
        self.occupied[level] |= 1 << index;
    }

    /// Clears the deadline of an entry; harmless when it has none.
    pub(crate) fn remove(&mut self, entries: &mut impl Entries, id: u32) {
        let Entry { previous, next, bucket, .. } = *entries.entry(id);
        if bucket == NIL {
            return;
        }
        let (level, index) = (bucket as usize / BUCKETS, bucket as usize % BUCKETS);
        if previous == NIL {
            self.heads[level][index] = next;
            if next == NIL {
                self.occupied[level] &= !(1 << index);
            }
        } else {
            entries.entry(previous).next = next;
        }
        if next != NIL {
            entries.entry(next).previous = previous;
        }
        *entries.entry(id) = Entry::default();
    }

    /// When [`Wheel::expired`] has something to do next: exact within 64 ms, else the moment at which
    /// a farther bucket is sorted in again. `None` while there is no deadline.
    pub(crate) fn next(&self) -> Option<u64> {
        (0..LEVELS)
            .filter(|level| self.occupied[*level] != 0)
            .map(|level| {
                let shift = BITS * level as u32;
                let here = (self.now >> shift) + 1;
                let ahead =
                    self.occupied[level].rotate_right((here % BUCKETS as u64) as u32).trailing_zeros();
                (here + u64::from(ahead)) << shift
            })
            .min()
    }

    /// Moves the wheel to `now` and takes out one entry whose deadline has passed. Call until `None`.
    pub(crate) fn expired(&mut self, entries: &mut impl Entries, now: u64) -> Option<u32> {
        while let Some(due) = self.next().filter(|due| *due <= now) {
            // Until its bucket is empty the wheel stands just before `due`, so that `next` still finds it.
            self.now = due - 1;
            for level in 1..LEVELS {
                let shift = BITS * level as u32;
                let index = ((due >> shift) % BUCKETS as u64) as usize;
                while due & ((1 << shift) - 1) == 0 && self.heads[level][index] != NIL {
                    let id = self.heads[level][index];
                    let deadline = entries.entry(id).deadline;
                    self.remove(entries, id);
                    self.place(entries, id, deadline, due, deadline.max(due));
                }
            }
            let id = self.heads[0][(due % BUCKETS as u64) as usize];
            if id != NIL {
                self.remove(entries, id);
                return Some(id);
            }
            self.now = due;
        }
        self.now = self.now.max(now);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    impl Entries for Vec<Entry> {
        fn entry(&mut self, id: u32) -> &mut Entry {
            &mut self[id as usize]
        }
    }

    fn drain(wheel: &mut Wheel, entries: &mut Vec<Entry>, now: u64) -> Vec<u32> {
        std::iter::from_fn(|| wheel.expired(entries, now)).collect()
    }

    #[test]
    fn a_cleared_deadline_never_fires() {
        let mut entries = vec![Entry::default(); 3];
        let mut wheel = Wheel::new(0);
        for id in 0..3 {
            wheel.insert(&mut entries, id, 30_000);
        }
        wheel.remove(&mut entries, 1);
        assert!(drain(&mut wheel, &mut entries, 29_999).is_empty());
        let mut fired = drain(&mut wheel, &mut entries, 30_000);
        fired.sort_unstable();
        assert_eq!(fired, [0, 2]);
        assert_eq!(wheel.next(), None);
    }

    proptest! {
        #[test]
        fn every_deadline_fires_at_its_time_and_not_before(
            start in 0u64..1 << 40,
            delays in prop::collection::vec(prop_oneof![0u64..200, 0u64..100_000, 0u64..1 << 26], 1..60),
            steps in prop::collection::vec(prop_oneof![1u64..80, 1u64..70_000, 1u64..1 << 24], 1..60),
        ) {
            let mut entries = vec![Entry::default(); delays.len()];
            let mut wheel = Wheel::new(start);
            for (id, delay) in delays.iter().enumerate() {
                wheel.insert(&mut entries, id as u32, start + delay);
            }
            let mut now = start;
            let mut seen = vec![false; delays.len()];
            for step in steps.iter().chain([&(1 << 27)]) {
                if let Some(next) = wheel.next() { prop_assert!(next > now); }
                now += step;
                for id in drain(&mut wheel, &mut entries, now) {
                    prop_assert!(start + delays[id as usize] <= now);
                    prop_assert!(!std::mem::replace(&mut seen[id as usize], true));
                }
                for (id, delay) in delays.iter().enumerate() {
                    // A deadline that was due when it was set fires one tick later.
                    prop_assert_eq!(seen[id], (start + delay).max(start + 1) <= now, "{} of {:?}", id, delays);
                }
            }
        }
    }
}
