//! The newest lines, in memory, numbered from 1. Readers ask for what is behind a number; who is too slow is told how much
//! it has missed.

use crate::line::Line;
use std::collections::VecDeque;

/// Lines kept at most.
pub const MOST_LINES: usize = 10_000;

/// Bytes kept at most, with the bookkeeping.
pub const MOST_BYTES: usize = 8 * 1024 * 1024;

/// The newest lines.
#[derive(Debug, Default)]
pub struct Ring {
    lines: VecDeque<Line>,
    /// Number of the oldest line, less one.
    before: u64,
    bytes: usize,
}

/// What a reader gets.
#[derive(Debug, Default, PartialEq)]
pub struct Page {
    /// The lines with their numbers, oldest first.
    pub lines: Vec<(u64, Line)>,
    /// What to ask for next.
    pub next: u64,
    /// Lines behind the asked number that are no longer here.
    pub dropped: u64,
}

impl Ring {
    /// Adds a line; the oldest make room.
    pub fn push(&mut self, line: Line) {
        self.bytes += line.cost();
        self.lines.push_back(line);
        while self.lines.len() > MOST_LINES || (self.bytes > MOST_BYTES && self.lines.len() > 1) {
            if let Some(oldest) = self.lines.pop_front() {
                self.bytes -= oldest.cost();
                self.before += 1;
            }
        }
    }

    /// Number of the newest line; 0 before the first.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.before + self.lines.len() as u64
    }

    /// The lines behind number `after`, at most `limit` and about `bytes`, but one if there is any. A number that is not
    /// reached yet, as one of an earlier life, begins with the oldest.
    #[must_use]
    pub fn read(&self, after: u64, limit: usize, bytes: usize) -> Page {
        let after = if after > self.newest() { 0 } else { after };
        let dropped = self.before.saturating_sub(after);
        let skipped = after.saturating_sub(self.before) as usize;
        let mut cost = 0;
        let mut lines = Vec::new();
        for (number, line) in (self.before + 1..).zip(&self.lines).skip(skipped).take(limit) {
            cost += line.cost();
            if cost > bytes && !lines.is_empty() {
                break;
            }
            lines.push((number, line.clone()));
        }
        let next = lines.last().map_or(after.max(self.before), |(number, _)| *number);
        Page { lines, next, dropped }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Level;

    fn line(message: &str) -> Line {
        Line::now("runner", Level::Info, "stdout", message.to_owned())
    }

    fn numbers(page: &Page) -> Vec<u64> {
        page.lines.iter().map(|(number, _)| *number).collect()
    }

    #[test]
    fn lines_are_read_in_order_from_where_a_reader_stopped() {
        let mut ring = Ring::default();
        assert_eq!(ring.read(0, 10, MOST_BYTES), Page::default());
        (1..=5).for_each(|n| ring.push(line(&n.to_string())));
        let first = ring.read(0, 2, MOST_BYTES);
        assert_eq!((numbers(&first), first.next, first.dropped), (vec![1, 2], 2, 0));
        let rest = ring.read(first.next, 10, MOST_BYTES);
        assert_eq!((numbers(&rest), rest.next), (vec![3, 4, 5], 5));
        assert_eq!(rest.lines[2].1.message, "5");
        let none = ring.read(rest.next, 10, MOST_BYTES);
        assert_eq!((numbers(&none), none.next, none.dropped), (vec![], 5, 0));
        assert_eq!(numbers(&ring.read(99, 10, MOST_BYTES)), [1, 2, 3, 4, 5], "a number of an earlier life");
    }

    #[test]
    fn the_oldest_make_room_and_a_slow_reader_is_told_how_many_it_has_missed() {
        let mut ring = Ring::default();
        (0..MOST_LINES + 7).for_each(|n| ring.push(line(&n.to_string())));
        let page = ring.read(3, 1, MOST_BYTES);
        assert_eq!((numbers(&page), page.dropped), (vec![8], 4));
        assert_eq!(ring.read(0, 1, MOST_BYTES).dropped, 7);
    }

    #[test]
    fn long_lines_take_no_more_memory_than_short_ones() {
        let mut ring = Ring::default();
        let long = "x".repeat(64 * 1024);
        (0..1000).for_each(|_| ring.push(line(&long)));
        let kept = ring.lines.len();
        assert!(kept * long.len() <= MOST_BYTES && (kept + 2) * long.len() > MOST_BYTES, "{kept}");
        assert_eq!(ring.read(0, 2000, 200 * 1024).lines.len(), 3, "a page is bounded too");
        assert_eq!(ring.read(0, 2000, 10).lines.len(), 1);
    }
}
