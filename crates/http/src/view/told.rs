//! Which lines of the history have been told, so that a line stands there once, whoever tells it.
//!
//! A line may come from its node and from a supervisor, and from the next supervisor once more, which has read it from the files of the
//! one before. Who speaks for whom says which of them to ask; it can't say how far the one had come when the other began.

use super::line::Line;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// One reading of a member's lines from its beginning on. A member that is read from its beginning again has another one.
pub(super) type Reading = u64;

/// How often a line stands in the history, and how often the last reading that came by it has told it.
#[derive(Debug)]
struct Seen {
    shown: u32,
    reading: Reading,
    times: u32,
}

/// What stands in the history or waits for it, by a hash of each line. Its key is this process's own: nobody can make up lines that are
/// taken for others.
#[derive(Debug, Default)]
pub(super) struct Told {
    seen: HashMap<u64, Seen>,
    hasher: RandomState,
    /// The time of the newest line that was forgotten. What is older would stand before all that is kept.
    forgotten: Option<f64>,
}

impl Told {
    /// The mark of a line that is new; `None`: it has been told. Lines that are all the same, of one node in one millisecond, are as many
    /// as the reading that tells most of them says. `is_past`: the reading is not yet at the member's newest line.
    pub(super) fn tell(&mut self, reading: Reading, line: &Line, is_past: bool) -> Option<u64> {
        // Fields are left out: a number in them may be written in another way by who hands it on.
        let Line { time, node, level, name, worker, message, .. } = line;
        let mark = self.hasher.hash_one((time.to_bits(), node, *level as u8, name, worker, message));
        if is_past && self.forgotten.is_some_and(|newest| *time <= newest) && !self.seen.contains_key(&mark) {
            return None;
        }
        let seen = self.seen.entry(mark).or_insert(Seen { shown: 0, reading, times: 0 });
        if seen.reading != reading {
            (seen.reading, seen.times) = (reading, 0);
        }
        seen.times += 1;
        if seen.times <= seen.shown {
            return None;
        }
        seen.shown += 1;
        Some(mark)
    }

    /// A line of this mark and time is kept no longer.
    pub(super) fn forget(&mut self, mark: u64, time: f64) {
        self.forgotten = Some(self.forgotten.map_or(time, |newest| newest.max(time)));
        if let Some(seen) = self.seen.get_mut(&mark) {
            seen.shown -= 1;
            seen.times = seen.times.saturating_sub(1);
            if seen.shown == 0 {
                self.seen.remove(&mark);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(time: f64, message: &str) -> Line {
        Line { time, node: "a".into(), message: message.into(), ..Line::default() }
    }

    #[test]
    fn a_line_that_another_tells_as_well_is_told_once_and_equal_lines_of_one_are_all_told() {
        let mut told = Told::default();
        let (one, other) = (line(1.0, "x"), line(1.0, "y"));
        assert!(told.tell(1, &one, true).is_some() && told.tell(1, &one, true).is_some());
        assert!(told.tell(1, &other, true).is_some());
        for _ in 0..2 {
            assert_eq!(told.tell(2, &one, true), None);
        }
        assert!(told.tell(2, &one, true).is_some(), "the third of them is new");
        assert_eq!(told.tell(2, &other, true), None);
        assert!(told.tell(2, &line(2.0, "y"), true).is_some());
        let fields = Some(serde_json::json!({ "a": 0.1 }));
        assert_eq!(told.tell(3, &Line { fields, ..line(2.0, "y") }, true), None);
    }

    #[test]
    fn what_was_forgotten_takes_no_room_and_does_not_come_back_from_the_past() {
        let mut told = Told::default();
        let times = || (1..=100).map(f64::from);
        let marks: Vec<_> = times().map(|time| told.tell(1, &line(time, "x"), true).unwrap()).collect();
        for (time, mark) in times().zip(marks).take(99) {
            told.forget(mark, time);
        }
        assert_eq!(told.seen.len(), 1);
        assert_eq!(told.tell(2, &line(5.0, "x"), true), None, "it stood there once");
        assert_eq!(told.tell(2, &line(100.0, "x"), true), None);
        assert!(told.tell(2, &line(101.0, "x"), true).is_some());
        assert!(told.tell(2, &line(5.0, "x"), false).is_some(), "of a clock that was set back");
    }
}
