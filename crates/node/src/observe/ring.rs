//! The last lines of a log, numbered from 1: who wants them pulls, and who is too slow is told how many it missed.

use super::line::{Line, Wanted};
use crate::node::lock;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

/// Lines that are kept.
const LINES: usize = 10_000;
/// Bytes that are kept, about.
const BYTES: usize = 8 << 20;
/// Lines handed out at a time.
pub(super) const LIMIT: usize = 2000;
/// Bytes of JSON handed out at a time; one line always is.
const REPLY_BYTES: usize = 1 << 20;

/// A bounded log: 10 000 lines or 8 MiB, of which the oldest go first. Pushing never waits for a reader.
#[derive(Debug, Default)]
pub struct Ring {
    state: Mutex<State>,
    news: Notify,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<Arc<Line>>,
    bytes: usize,
    /// Number of the last line; 0: there was none.
    last: u64,
    /// Up to this number the supervisor has pulled.
    pulled: u64,
}

impl State {
    /// Number of the oldest line that is kept.
    fn first(&self) -> u64 {
        self.last + 1 - self.lines.len() as u64
    }
}

/// What was pulled of a ring.
#[derive(Clone, Debug, PartialEq)]
pub struct Pulled {
    /// Number of the last line handed out: what comes next is pulled with it.
    pub next: u64,
    /// Lines after the one asked for that the ring no longer had.
    pub dropped: u64,
    /// The lines, oldest first, as JSON.
    pub lines: Vec<Value>,
}

/// The newest lines of a ring.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Last {
    /// The lines, oldest first, as JSON.
    pub(super) lines: Vec<Value>,
    /// Number of the oldest line that was looked at: what is older is in front of it.
    pub(super) from: u64,
    /// Number of the newest line that there is.
    pub(super) newest: u64,
    /// Whether all were looked at that the ring has.
    pub(super) is_all: bool,
}

impl Ring {
    /// Appends a line, of whose message at most 64 KiB are kept; from any thread. Its number.
    pub fn push(&self, line: Line) -> u64 {
        self.put(Arc::new(line.shortened()))
    }

    /// Appends a line that has been shortened. Its number.
    pub(super) fn put(&self, line: Arc<Line>) -> u64 {
        let number = {
            let mut state = lock(&self.state);
            state.bytes += line.cost();
            state.last += 1;
            state.lines.push_back(line);
            while state.lines.len() > LINES || state.bytes > BYTES {
                let Some(oldest) = state.lines.pop_front() else { break };
                state.bytes -= oldest.cost();
            }
            state.last
        };
        self.news.notify_waiters();
        number
    }

    /// The lines behind number `after`, at most `limit` of them, 2000 and 1 MiB. `node`: whose ring it is. A number that no
    /// line has yet is of another life of the node: `next` is then the number of the last line.
    #[must_use]
    pub fn pull(&self, after: u64, limit: usize, node: &str) -> Pulled {
        self.pull_for(after, limit, &Wanted::default(), node, false)
    }

    /// As [`Ring::pull`], of those that are wanted; `is_supervisor`: the one who has got them keeps them for good.
    pub(super) fn pull_for(
        &self,
        after: u64,
        limit: usize,
        wanted: &Wanted,
        node: &str,
        is_supervisor: bool,
    ) -> Pulled {
        let (mut pulled, lines) = self.take(after, limit, wanted, node, is_supervisor);
        // Whoever logs meanwhile does not wait for this.
        pulled.lines = lines.iter().map(|(number, line)| line.to_json(*number, node)).collect();
        pulled
    }

    fn take(
        &self,
        after: u64,
        limit: usize,
        wanted: &Wanted,
        node: &str,
        is_supervisor: bool,
    ) -> (Pulled, Vec<(u64, Arc<Line>)>) {
        let mut state = lock(&self.state);
        let first = state.first();
        let mut lines = Vec::new();
        let mut pulled = Pulled {
            next: after.min(state.last),
            dropped: first.saturating_sub(after.saturating_add(1)),
            lines: Vec::new(),
        };
        let skip = usize::try_from(after.saturating_add(1).saturating_sub(first)).unwrap_or(usize::MAX);
        let mut bytes = 0;
        for (number, line) in (first..).zip(&state.lines).skip(skip) {
            if wanted.admits(line, node) {
                // What JSON adds to a text that is all escapes is six times as long; such a reply is still a message.
                bytes += line.cost();
                if lines.len() == limit.min(LIMIT) || bytes > REPLY_BYTES && !lines.is_empty() {
                    break;
                }
                lines.push((number, line.clone()));
            }
            pulled.next = number;
        }
        if lines.is_empty() && pulled.dropped > 0 {
            pulled.next = pulled.next.max(first - 1);
        }
        if is_supervisor {
            state.pulled = state.pulled.max(pulled.next);
        }
        (pulled, lines)
    }

    /// The newest lines in front of number `before` that are wanted, at most `limit` of them, 2000 and 1 MiB. `node`: whose
    /// ring it is.
    #[must_use]
    pub(super) fn last(&self, before: u64, limit: usize, wanted: &Wanted, node: &str) -> Last {
        let mut last = Last { lines: Vec::new(), from: before, newest: 0, is_all: true };
        let mut lines = Vec::new();
        {
            let state = lock(&self.state);
            let first = state.first();
            (last.newest, last.from) = (state.last, before.min(state.last + 1));
            let skip = usize::try_from((state.last + 1).saturating_sub(before)).unwrap_or(usize::MAX);
            let mut bytes = 0;
            for (number, line) in (first..=state.last).rev().zip(state.lines.iter().rev()).skip(skip) {
                if wanted.admits(line, node) {
                    bytes += line.cost();
                    if lines.len() == limit.min(LIMIT) || bytes > REPLY_BYTES && !lines.is_empty() {
                        last.is_all = false;
                        break;
                    }
                    lines.push((number, line.clone()));
                }
                last.from = number;
            }
        }
        // Whoever logs meanwhile does not wait for this.
        last.lines = lines.iter().rev().map(|(number, line)| line.to_json(*number, node)).collect();
        last
    }

    /// Resolves when there is a line behind number `after`, or can be none since it is of another life of the node.
    pub async fn has_news(&self, after: u64) {
        loop {
            let mut news = std::pin::pin!(self.news.notified());
            news.as_mut().enable();
            if lock(&self.state).last != after {
                return;
            }
            news.await;
        }
    }

    /// Takes the lines out that the supervisor does not have, and leaves none behind.
    pub(super) fn take_unpulled(&self) -> Vec<Arc<Line>> {
        let mut state = lock(&self.state);
        let skip = usize::try_from((state.pulled + 1).saturating_sub(state.first())).unwrap_or(usize::MAX);
        let skip = skip.min(state.lines.len());
        state.pulled = state.last;
        state.bytes = 0;
        let mut lines = std::mem::take(&mut state.lines);
        lines.drain(..skip);
        lines.into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::Level;
    use super::*;

    fn line(message: &str) -> Line {
        Line {
            time: 1,
            node: None,
            level: Level::Info,
            name: "node".into(),
            worker: None,
            message: message.into(),
            fields: None,
        }
    }

    fn messages(pulled: &Pulled) -> Vec<&str> {
        pulled.lines.iter().filter_map(|line| line["message"].as_str()).collect()
    }

    #[test]
    fn lines_are_numbered_from_one_and_pulled_from_where_the_reader_stands() {
        let ring = Ring::default();
        assert_eq!(ring.pull(0, 10, "n"), Pulled { next: 0, dropped: 0, lines: vec![] });
        for message in ["a", "b", "c"] {
            ring.push(line(message));
        }
        let all = ring.pull(0, 10, "n");
        assert_eq!((all.next, all.dropped, messages(&all)), (3, 0, vec!["a", "b", "c"]));
        assert_eq!(
            all.lines[0].to_string(),
            r#"{"level":"info","message":"a","name":"node","node":"n","seq":1,"time":1}"#
        );
        let some = ring.pull(1, 1, "n");
        assert_eq!((some.next, messages(&some)), (2, vec!["b"]));
        assert_eq!(ring.pull(3, 10, "n").lines.len(), 0);
        assert_eq!(ring.pull(99, 10, "n"), Pulled { next: 3, dropped: 0, lines: vec![] });
        assert_eq!(ring.pull(u64::MAX, 10, "n").next, 3);
    }

    #[test]
    fn a_slow_reader_is_told_how_many_lines_it_missed() {
        let ring = Ring::default();
        for number in 1..=LINES + 7 {
            ring.push(line(&number.to_string()));
        }
        let pulled = ring.pull(2, 1, "n");
        assert_eq!((pulled.dropped, messages(&pulled)), (5, vec!["8"]));
        assert_eq!(ring.pull(0, 1, "n").dropped, 7);
        assert_eq!(ring.pull(8, 10_000, "n").lines.len(), LIMIT);
    }

    #[test]
    fn a_ring_is_bounded_in_bytes_and_so_is_what_is_pulled() {
        let ring = Ring::default();
        let long = "x".repeat(60 << 10);
        for _ in 0..1000 {
            ring.push(line(&long));
        }
        assert!(lock(&ring.state).bytes <= BYTES);
        let pulled = ring.pull(0, LIMIT, "n");
        assert_eq!(pulled.dropped + lock(&ring.state).lines.len() as u64, 1000);
        assert!(pulled.lines.len() * long.len() <= REPLY_BYTES && pulled.lines.len() > 10);
    }

    #[test]
    fn what_the_supervisor_does_not_have_is_taken_once() {
        let ring = Ring::default();
        for message in ["a", "b", "c"] {
            ring.push(line(message));
        }
        ring.pull_for(0, 1, &Wanted::default(), "n", true);
        let left: Vec<_> = ring.take_unpulled().into_iter().map(|line| line.message.clone()).collect();
        assert_eq!(left, ["b".into(), "c".into()]);
        assert!(ring.take_unpulled().is_empty());
        ring.push(line("d"));
        assert_eq!(messages(&ring.pull(3, 10, "n")), ["d"]);
        assert_eq!(ring.take_unpulled().len(), 1);
    }

    fn wanted(level: Level, node: Option<&str>) -> Wanted {
        Wanted { level, node: node.map(Into::into) }
    }

    #[test]
    fn the_last_lines_are_those_in_front_of_where_the_reader_stands() {
        let ring = Ring::default();
        for number in 1..=10 {
            ring.push(line(&number.to_string()));
        }
        let last = |before, limit| {
            let last = ring.last(before, limit, &Wanted::default(), "n");
            let lines: Vec<_> = last.lines.iter().filter_map(|line| line["seq"].as_u64()).collect();
            (lines, last.from, last.newest, last.is_all)
        };
        assert_eq!(last(u64::MAX, 3), (vec![8, 9, 10], 8, 10, false));
        assert_eq!(last(8, 3), (vec![5, 6, 7], 5, 10, false));
        assert_eq!(last(5, 9), (vec![1, 2, 3, 4], 1, 10, true));
        assert_eq!(last(1, 9), (vec![], 1, 10, true));
        assert_eq!(last(u64::MAX, 0), (vec![], 11, 10, false));
        for _ in 0..LINES {
            ring.push(line(&"x".repeat(1000)));
        }
        let most = ring.last(u64::MAX, LINES, &Wanted::default(), "n");
        assert!(most.lines.len() * 1000 <= REPLY_BYTES && most.lines.len() > 500 && !most.is_all);
    }

    #[test]
    fn only_lines_are_pulled_that_are_wanted_and_the_others_are_passed() {
        let ring = Ring::default();
        for (number, level) in [(1, Level::Info), (2, Level::Error), (3, Level::Debug), (4, Level::Info)] {
            let node = (number % 2 == 0).then(|| "other".into());
            ring.push(Line { node, level, ..line(&number.to_string()) });
        }
        let warn = ring.pull_for(0, 10, &wanted(Level::Warn, None), "n", false);
        assert_eq!((warn.next, messages(&warn)), (4, vec!["2"]));
        let others = ring.pull_for(0, 1, &wanted(Level::Debug, Some("other")), "n", false);
        assert_eq!((others.next, messages(&others)), (3, vec!["2"]));
        let own = ring.last(u64::MAX, 1, &wanted(Level::Debug, Some("n")), "n");
        assert_eq!((own.lines[0]["seq"].as_u64(), own.from, own.is_all), (Some(3), 2, false));
    }
}
