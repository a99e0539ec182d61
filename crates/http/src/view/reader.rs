//! One reader of the view, as a stream of events.
//!
//! A reader has no buffer of its own: it holds a place in the history and takes what is there when its connection has room.
//! One that stops reading therefore costs nothing; when it is too far behind it loses lines, and is told how many.

use super::{Cursor, View};
use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A reader that is further behind goes on with the newest of so many lines. More than a screen ever shows.
pub(crate) const BEHIND: u64 = 20_000;

/// Lines of one event.
const LINES: usize = 500;

/// Bytes of one event, about: what is written to a connection at once.
const BYTES: usize = 256 << 10;

/// A reader that has nothing to read hears that its connection is alive.
const ALIVE: Duration = Duration::from_secs(15);

/// An event as the stream carries it.
pub(crate) type Event = String;

/// A place in the view.
#[derive(Debug)]
pub(crate) struct Reader {
    view: Arc<View>,
    /// Number of the next line.
    next: u64,
    lines: watch::Receiver<u64>,
    nodes: watch::Receiver<u64>,
    /// The table went last: lines are next, if there are any.
    told_nodes: bool,
    ready: VecDeque<Event>,
}

impl Reader {
    /// Begins after a cursor, else `history` lines before the end.
    pub(crate) fn new(view: &Arc<View>, after: Option<Cursor>, history: u64) -> Self {
        let (lines, mut nodes) = (view.lines.subscribe(), view.nodes.subscribe());
        let next = {
            let state = view.lock();
            let (first, next) = (state.history.first(), state.history.next());
            after.map_or_else(
                || next.saturating_sub(history.min(BEHIND)).max(first),
                |cursor| state.history.after(cursor),
            )
        };
        // The table as it is comes first.
        nodes.mark_changed();
        Self { view: view.clone(), next, lines, nodes, told_nodes: false, ready: VecDeque::new() }
    }

    /// The next event; comes when there is one.
    pub(crate) async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return event;
            }
            self.lines.borrow_and_update();
            let is_changed = self.nodes.has_changed().unwrap_or(false);
            // In turns: one that never reads all lines there are, or is told of the nodes as slowly as they change, gets both.
            if (self.told_nodes || !is_changed) && self.take_lines() {
                self.told_nodes = false;
                continue;
            }
            if is_changed {
                self.nodes.borrow_and_update();
                self.told_nodes = true;
                let table = self.view.table();
                self.ready.push_back(event("nodes", &table.nodes));
                self.ready.push_back(event("workers", &table.workers));
                self.ready.push_back(event("deadLetters", &table.dead_letters));
                continue;
            }
            tokio::select! {
                _ = self.lines.changed() => {}
                _ = self.nodes.changed() => self.nodes.mark_changed(),
                () = tokio::time::sleep(ALIVE) => return ":\n\n".to_owned(),
            }
        }
    }

    /// Makes events of the lines that are there, as far as one event holds them. `false`: there are none.
    fn take_lines(&mut self) -> bool {
        let state = self.view.lock();
        let history = &state.history;
        let oldest = history.first().max(history.next().saturating_sub(BEHIND));
        if self.next < oldest {
            let dropped = oldest - self.next;
            self.next = oldest;
            self.ready.push_back(event("dropped", &format!("{{\"lines\":{dropped}}}")));
        }
        let (mut json, mut count) = (String::from("["), 0);
        for line in history.from(self.next).take(LINES) {
            if count > 0 {
                json.push(',');
            }
            json.push_str(&line.json);
            count += 1;
            if json.len() >= BYTES {
                break;
            }
        }
        if count == 0 {
            return !self.ready.is_empty();
        }
        json.push(']');
        self.next += count;
        let mut text = String::with_capacity(json.len() + 64);
        // So that a browser that connects again goes on where it was. Writing to a string can't fail.
        let _ = writeln!(text, "id: {}", history.cursor(self.next - 1));
        text.push_str(&event("lines", &json));
        self.ready.push_back(text);
        true
    }
}

/// `json` has no line break in it: its writer escapes those of strings and makes none of its own.
fn event(name: &str, json: &str) -> Event {
    format!("event: {name}\ndata: {json}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::line::Line;
    use crate::view::source::{Answer, Member, Source, Topic};
    use crate::view::{HistoryLimits, View};

    /// Nobody is there.
    struct Nobody;

    impl Source for Nobody {
        fn own(&self) -> &'static str {
            "here"
        }

        fn zone(&self) -> Option<&str> {
            None
        }

        fn members(&self) -> Answer<Vec<Member>> {
            Box::pin(async { Ok(Vec::new()) })
        }

        fn ask(&self, _: &str, _: Topic, _: String, _: Duration) -> Answer<Vec<u8>> {
            Box::pin(std::future::pending())
        }
    }

    fn log(view: &View, lines: usize) {
        let mut state = view.lock();
        for _ in 0..lines {
            state.history.push(&Line { node: "a".into(), ..Line::default() }, 0, drop);
        }
        view.lines.send_replace(state.history.next());
    }

    /// The names of the next events; `before` each of them something happens.
    async fn names(reader: &mut Reader, events: usize, before: impl Fn()) -> Vec<String> {
        let mut names = Vec::new();
        for _ in 0..events {
            before();
            let event = reader.next().await;
            names.push(event.split_once("event: ").unwrap().1.split_once('\n').unwrap().0.to_owned());
        }
        names
    }

    #[tokio::test]
    async fn a_reader_that_never_has_all_lines_hears_of_the_nodes_when_they_change() {
        let view = View::new(Arc::new(Nobody), HistoryLimits::default(), 7);
        let mut reader = Reader::new(&view, None, 0);
        // More come than an event holds.
        let more = || log(&view, LINES + 1);
        assert_eq!(names(&mut reader, 5, more).await, ["nodes", "workers", "deadLetters", "lines", "lines"]);
        view.table_changed();
        assert_eq!(names(&mut reader, 4, more).await, ["nodes", "workers", "deadLetters", "lines"]);
    }

    #[tokio::test]
    async fn a_reader_for_which_the_nodes_change_too_fast_gets_lines_in_between() {
        let view = View::new(Arc::new(Nobody), HistoryLimits::default(), 7);
        let mut reader = Reader::new(&view, None, 0);
        let both = || {
            log(&view, 1);
            view.table_changed();
        };
        let table = ["nodes", "workers", "deadLetters", "lines"];
        assert_eq!(names(&mut reader, 8, both).await, [table, table].concat());
        // And what changes while there are no lines is told at once.
        let nodes = || view.table_changed();
        assert_eq!(names(&mut reader, 6, nodes).await, [&table[..3], &table[..3]].concat());
    }
}
