//! The merged lines of a zone: a bounded history in which each line has a number of its own, by which readers go on.

use super::line::{Level, Line};
use std::collections::VecDeque;
use std::fmt;

/// What a history holds at most.
#[derive(Clone, Copy, Debug)]
pub struct HistoryLimits {
    /// Lines.
    pub lines: usize,
    /// Bytes of their text as JSON, and what it takes to keep each.
    pub bytes: usize,
}

impl Default for HistoryLimits {
    /// 200 000 lines or 128 MiB: hours of a busy zone, and no more memory than a browser with its page takes.
    fn default() -> Self {
        Self { lines: 200_000, bytes: 128 << 20 }
    }
}

/// What keeping a line takes beside its text, about, with what is known of who told it.
const OVERHEAD: usize = 160;

/// A line as it is kept: what it is searched by, and the JSON that readers get.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) level: Level,
    pub(crate) node: Box<str>,
    pub(crate) worker: Option<Box<str>>,
    /// Milliseconds since 1970, as its node says.
    pub(crate) time: f64,
    /// By which it is known whether it has been told.
    pub(crate) mark: u64,
    /// An object, with the line's cursor as `id`.
    pub(crate) json: Box<str>,
}

impl Entry {
    /// The message and the fields behind it, as JSON. No name before them can hold the mark: a quotation mark in it is escaped.
    fn text(&self) -> &str {
        self.json.split_once("\"message\":").map_or("", |(_, text)| text)
    }

    /// Whether message, fields or the worker's name have this text in them, which is in lower case.
    fn says(&self, text: &str) -> bool {
        let worker = self.worker.as_deref().unwrap_or("");
        [self.text(), worker].iter().any(|part| part.to_lowercase().contains(text))
    }

    fn size(&self) -> usize {
        self.json.len() + self.node.len() + self.worker.as_ref().map_or(0, |worker| worker.len()) + OVERHEAD
    }

    /// Whether the line is about a worker of this name, or one whose name begins so.
    fn is_of(&self, worker: &str) -> bool {
        let name = self.worker.as_deref().unwrap_or("");
        worker.strip_suffix('*').map_or(worker == name, |beginning| name.starts_with(beginning))
    }
}

/// The place behind a line, as readers hold it: good for the history that gave it and for no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) history: u32,
    pub(crate) number: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{}", self.history, self.number)
    }
}

impl Cursor {
    /// `None`: the text is no cursor.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (history, number) = text.split_once('-')?;
        if history.len() != 8 {
            return None;
        }
        Some(Self { history: u32::from_str_radix(history, 16).ok()?, number: number.parse().ok()? })
    }
}

/// What is wanted of the lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// This level and those above.
    pub(crate) level: Level,
    pub(crate) node: Option<String>,
    /// Its whole name, or how it begins with `*` behind that, which is in no name.
    pub(crate) worker: Option<String>,
    /// In lower case, as JSON has it between the quotation marks.
    pub(crate) text: Option<String>,
}

impl Filter {
    pub(crate) fn new(
        level: Level,
        node: Option<String>,
        worker: Option<String>,
        text: Option<&str>,
    ) -> Self {
        let text = text.filter(|text| !text.is_empty()).map(|text| {
            let json = serde_json::Value::from(text.to_lowercase()).to_string();
            json[1..json.len() - 1].to_owned()
        });
        Self { level, node, worker, text }
    }

    fn takes(&self, entry: &Entry) -> bool {
        entry.level >= self.level
            && self.node.as_deref().is_none_or(|node| node == &*entry.node)
            && self.worker.as_deref().is_none_or(|worker| entry.is_of(worker))
            && self.text.as_deref().is_none_or(|text| entry.says(text))
    }
}

/// Bytes of the lines of one answer. A line may have 64 KiB and an answer 10 000 lines: that would be more than a browser reads at once,
/// and than a server has for each of its connections.
const ANSWER: usize = 4 << 20;

/// What a search has found: as many lines as one answer may have, and at least one however long it is.
#[derive(Debug)]
pub(crate) struct Found {
    lines: Vec<Box<str>>,
    bytes: usize,
    limit: usize,
    is_full: bool,
}

impl Found {
    /// `limit`: lines at most.
    pub(crate) fn new(limit: usize) -> Self {
        Self { lines: Vec::new(), bytes: 0, limit, is_full: limit == 0 }
    }

    /// Whether no more lines are looked for.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    /// `false`: there is no room for it.
    fn take(&mut self, json: &str) -> bool {
        if self.is_full || (self.bytes + json.len() > ANSWER && !self.lines.is_empty()) {
            self.is_full = true;
            return false;
        }
        self.bytes += json.len();
        self.lines.push(json.into());
        self.is_full = self.lines.len() >= self.limit;
        true
    }

    /// In the order in which they were found.
    pub(crate) fn into_lines(self) -> Vec<Box<str>> {
        self.lines
    }
}

/// The lines, oldest first.
#[derive(Debug)]
pub(crate) struct History {
    id: u32,
    limits: HistoryLimits,
    lines: VecDeque<Entry>,
    /// Number of the oldest line that is kept; the first one ever has 1.
    first: u64,
    bytes: usize,
}

impl History {
    /// `id`: what its cursors are known by.
    pub(crate) fn new(id: u32, limits: HistoryLimits) -> Self {
        Self { id, limits, lines: VecDeque::new(), first: 1, bytes: 0 }
    }

    /// Number that the next line will have.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.lines.len() as u64
    }

    /// Number of the oldest line that is kept.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// The cursor behind the line of this number.
    pub(crate) fn cursor(&self, number: u64) -> Cursor {
        Cursor { history: self.id, number }
    }

    /// Number of the line after a cursor. One of another history, before a restart, begins with the oldest line.
    pub(crate) fn after(&self, cursor: Cursor) -> u64 {
        if cursor.history == self.id { cursor.number.saturating_add(1).min(self.next()) } else { self.first }
    }

    /// Appends a line; `forgotten` gets those that make room for it.
    pub(crate) fn push(&mut self, line: &Line, mark: u64, mut forgotten: impl FnMut(Entry)) {
        let json = line.json(&self.cursor(self.next()).to_string());
        let entry = Entry {
            level: line.level,
            node: line.node.as_str().into(),
            worker: line.worker.as_deref().map(Box::from),
            time: line.time,
            mark,
            json: json.into(),
        };
        self.bytes += entry.size();
        self.lines.push_back(entry);
        // The newest one always fits.
        while self.lines.len() > 1 && (self.lines.len() > self.limits.lines || self.bytes > self.limits.bytes)
        {
            if let Some(oldest) = self.lines.pop_front() {
                self.bytes -= oldest.size();
                self.first += 1;
                forgotten(oldest);
            }
        }
    }

    /// The lines from this number on.
    pub(crate) fn from(&self, number: u64) -> impl Iterator<Item = &Entry> {
        let skip = number.saturating_sub(self.first).min(self.lines.len() as u64) as usize;
        self.lines.range(skip..)
    }

    /// Looks at no more than `lines` from a number on, takes those that are wanted until `found` is full, and says where to go on.
    pub(crate) fn search(&self, from: u64, lines: usize, filter: &Filter, found: &mut Found) -> u64 {
        let mut next = from.max(self.first).min(self.next());
        for entry in self.from(next).take(lines) {
            if found.is_full() || (filter.takes(entry) && !found.take(&entry.json)) {
                break;
            }
            next += 1;
        }
        next
    }

    /// As [`History::search`], from the line before a number back to older ones. `found` then has the newest first.
    pub(crate) fn search_back(&self, before: u64, lines: usize, filter: &Filter, found: &mut Found) -> u64 {
        let mut next = before.max(self.first).min(self.next());
        let upto = (next - self.first) as usize;
        for entry in self.lines.range(..upto).rev().take(lines) {
            if found.is_full() || (filter.takes(entry) && !found.take(&entry.json)) {
                break;
            }
            next -= 1;
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &str) -> Line {
        Line { message: message.into(), node: "a".into(), ..Line::default() }
    }

    #[test]
    fn a_history_forgets_the_oldest_lines_and_their_numbers_go_on() {
        let mut history = History::new(7, HistoryLimits { lines: 3, bytes: usize::MAX });
        for i in 0..5 {
            history.push(&line(&i.to_string()), 0, drop);
        }
        assert_eq!((history.first(), history.next()), (3, 6));
        let kept: Vec<_> = history.from(0).map(|entry| entry.json.to_string()).collect();
        assert_eq!(kept.len(), 3);
        assert!(
            kept[0].contains("\"id\":\"00000007-3\"") && kept[0].contains("\"message\":\"2\""),
            "{kept:?}"
        );
    }

    #[test]
    fn a_history_is_bounded_in_bytes_and_keeps_one_line_however_long() {
        let mut history = History::new(7, HistoryLimits { lines: 100, bytes: 10_000 });
        for _ in 0..50 {
            history.push(&line(&"x".repeat(1000)), 0, drop);
            assert!(history.bytes <= 10_000);
        }
        assert!(history.next() - history.first() >= 8);
        history.push(&line(&"x".repeat(20_000)), 0, drop);
        assert_eq!(history.next() - history.first(), 1);
    }

    #[test]
    fn a_cursor_leads_to_the_line_behind_it_and_one_of_another_history_to_the_oldest() {
        let mut history = History::new(7, HistoryLimits { lines: 3, bytes: usize::MAX });
        for i in 0..5 {
            history.push(&line(&i.to_string()), 0, drop);
        }
        let cursor = Cursor::parse(&history.cursor(4).to_string()).unwrap();
        assert_eq!(history.after(cursor), 5);
        assert_eq!(history.after(Cursor { history: 8, number: 4 }), 3);
        assert_eq!(history.after(Cursor { history: 7, number: u64::MAX }), 6);
        for text in ["", "7", "7-1", "zzzzzzzz-1", "00000007-", "00000007--1", "00000007-x"] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_search_finds_by_level_node_worker_and_text_whatever_its_case() {
        let mut history = History::new(7, HistoryLimits::default());
        history.push(&line("plain"), 0, drop);
        history.push(&Line { level: Level::Warn, ..line("A \"quoted\" Word") }, 0, drop);
        history.push(&Line { worker: Some("greeter".into()), ..line("hello") }, 0, drop);
        history.push(&Line { node: "b".into(), ..line("hello") }, 0, drop);
        let search = |filter: Filter| {
            let mut found = Found::new(usize::MAX);
            history.search(0, usize::MAX, &filter, &mut found);
            found.into_lines().len()
        };
        assert_eq!(search(Filter::default()), 4);
        assert_eq!(search(Filter::new(Level::Warn, None, None, None)), 1);
        assert_eq!(search(Filter::new(Level::Debug, Some("a".into()), None, None)), 3);
        for (worker, count) in
            [("greeter", 1), ("greet", 0), ("greet*", 1), ("*", 4), ("greeter*", 1), ("x*", 0)]
        {
            assert_eq!(search(Filter::new(Level::Debug, None, Some(worker.into()), None)), count, "{worker}");
        }
        for text in ["a \"QUOTED\"", "Greeter"] {
            assert_eq!(search(Filter::new(Level::Debug, None, None, Some(text))), 1, "{text}");
        }
        let mut found = Found::new(5);
        assert_eq!(history.search_back(u64::MAX, 2, &Filter::default(), &mut found), 3);
        let found = found.into_lines();
        assert!(found.len() == 2 && found[0].contains("\"node\":\"b\""), "{found:?}");
    }

    #[test]
    fn a_search_takes_what_fits_into_an_answer_and_one_line_however_long() {
        let mut history = History::new(7, HistoryLimits::default());
        for length in [10, ANSWER / 2, ANSWER / 2, ANSWER, 10] {
            history.push(&line(&"x".repeat(length)), 0, drop);
        }
        let (mut next, mut answers) = (1, Vec::new());
        while next < history.next() {
            let mut found = Found::new(usize::MAX);
            next = history.search(next, usize::MAX, &Filter::default(), &mut found);
            answers.push(found.into_lines().len());
        }
        assert_eq!(answers, [2, 1, 1, 1]);
        let mut found = Found::new(usize::MAX);
        assert_eq!(history.search_back(u64::MAX, usize::MAX, &Filter::default(), &mut found), 5);
        assert!(found.is_full() && found.into_lines().len() == 1);
        let mut found = Found::new(2);
        assert_eq!(history.search(1, 1, &Filter::default(), &mut found), 2);
        assert_eq!(history.search(2, 1, &Filter::default(), &mut found), 3);
        assert!(found.is_full());
    }
}
