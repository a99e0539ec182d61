//! The way back into a history: where in the files that begins which is in memory, and what is in front of it.

use crate::files::{Backwards, Place};
use crate::line::Line;
use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use troupe_node::observe::{Older, Point, Wanted};

/// Lines of which it is known where in the files they are: those of a ring, and as many more for readers who are under way.
const PLACES: usize = 20_000;

/// Bytes of one answer to who reads the files, as of a ring.
const ANSWER: usize = 1024 * 1024;

/// Bytes of the files that are looked at for one answer: some 50 ms of work. Who finds nothing in them asks on.
const LOOKED_AT: u64 = 8 * 1024 * 1024;

/// Where lines are in the files, by number, ascending in both.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<VecDeque<(u64, Place)>>);

impl Places {
    /// Adds lines, whose numbers and places are higher than all before.
    pub(crate) fn note(&self, places: impl IntoIterator<Item = (u64, Place)>) {
        let mut known = lock(&self.0);
        known.extend(places);
        let over = known.len().saturating_sub(PLACES);
        known.drain(..over);
    }

    /// Where in the files that begins which the ring has from a number on; `None`: it is not in them. Fails when it is too
    /// long ago to be known.
    pub(crate) fn of(&self, number: u64) -> Result<Option<Place>, String> {
        let known = lock(&self.0);
        let at = known.partition_point(|(known, _)| *known < number);
        if known.len() == PLACES && known.front().is_some_and(|(first, _)| *first > number) {
            return Err("the history has moved on meanwhile; begin again with its newest lines".to_owned());
        }
        Ok(known.get(at).map(|(_, place)| *place))
    }
}

/// A panic elsewhere leaves it whole: each change is one call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The newest lines of the files in front of a place. Blocks.
pub(crate) fn older(folder: &Path, from: Place, limit: usize, wanted: &Wanted) -> io::Result<Older> {
    let mut back = Backwards::new(folder, from);
    let (mut lines, mut bytes) = (Vec::new(), 0);
    let mut before = from;
    let is_all = loop {
        if lines.len() == limit || back.read >= LOOKED_AT {
            break false;
        }
        let Some((place, text)) = back.line()? else { break true };
        // What is no line was cut by the end of its writer.
        if let Ok(line) = serde_json::from_slice::<Line>(&text)
            && line.is_wanted(wanted)
        {
            bytes += text.len();
            if bytes > ANSWER && !lines.is_empty() {
                break false;
            }
            lines.extend(serde_json::to_value(line));
        }
        before = place;
    };
    lines.reverse();
    let before = (!is_all).then_some(Point::File(before.file, before.offset));
    Ok(Older { lines, before })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::History;
    use crate::line::Level;
    use std::sync::Arc;
    use troupe_node::observe::{Past, Ring};

    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new() -> Self {
            let name = format!("troupe-past-{:016x}", getrandom::u64().unwrap());
            Self(std::env::temp_dir().join(name))
        }

        fn history(&self) -> (Arc<Ring>, History) {
            let ring = Arc::<Ring>::default();
            let history = History::open(&self.0, ring.clone(), "troupe-supervisor").unwrap();
            (ring, history)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn line(node: &str, message: String) -> Line {
        Line::now(node, Level::Info, "stdout", message)
    }

    /// All that is older than the ring, page by page, oldest first; and how many pages that took.
    async fn past(history: &History, ring: &Ring, limit: usize, node: Option<&str>) -> (Vec<String>, usize) {
        let wanted = Wanted { node: node.map(Into::into), ..Wanted::default() };
        let first = ring.pull(0, 1, "").lines[0]["seq"].as_u64().unwrap();
        let (mut point, mut pages, mut found) = (Some(Point::Number(first)), 0, Vec::new());
        while let Some(from) = point {
            let older = history.older(from, limit, wanted.clone()).await.unwrap();
            assert!(older.lines.len() <= limit);
            found.extend(older.lines.iter().rev().map(|line| line["message"].as_str().unwrap().to_owned()));
            (point, pages) = (older.before, pages + 1);
        }
        found.reverse();
        (found, pages)
    }

    #[tokio::test]
    async fn what_the_ring_no_longer_has_is_read_back_from_the_files_to_the_first_line_and_none_twice() {
        let folder = Folder::new();
        let (_, history) = folder.history();
        history.add((0..5).map(|n| line("before", n.to_string())).collect()).await;
        history.flush().await;
        let (ring, history) = folder.history();
        for n in 0..130 {
            let lines = (0..100).map(|k| line("api", (100 * n + k).to_string())).collect();
            history.add(lines).await;
            if n % 10 == 0 {
                history.say("db", Level::Info, n.to_string());
                // Those of the disk itself have a number and no place.
                ring.push(line("db", "of the disk".to_owned()).into());
            }
        }
        let first = ring.pull(0, 1, "").lines[0].clone();
        let (found, pages) = past(&history, &ring, 700, Some("api")).await;
        let expected: Vec<_> = (0..found.len()).map(|n| n.to_string()).collect();
        assert_eq!(found, expected);
        assert_eq!(first["message"], expected.len().to_string(), "the ring goes on where the files end");
        assert_eq!(pages, found.len() / 700 + 1);
        assert_eq!(past(&history, &ring, 2, Some("before")).await.0, ["0", "1", "2", "3", "4"]);
    }

    #[tokio::test]
    async fn one_answer_looks_at_a_bounded_part_of_the_files_and_says_where_to_go_on() {
        let folder = Folder::new();
        let (ring, history) = folder.history();
        history.add(vec![line("rare", "found".to_owned())]).await;
        for _ in 0..30 {
            history.add((0..10).map(|_| line("api", "x".repeat(60_000))).collect()).await;
        }
        let (found, pages) = past(&history, &ring, 1, Some("rare")).await;
        assert_eq!((found, pages), (vec!["found".to_owned()], 3), "18 MB, of which the ring has eight");
    }

    #[tokio::test]
    async fn who_stands_where_nobody_knows_any_more_is_told_so() {
        let folder = Folder::new();
        let (_, history) = folder.history();
        for _ in 0..21 {
            history.add((0..1000).map(|n| line("api", n.to_string())).collect()).await;
        }
        let late = history.older(Point::Number(500), 10, Wanted::default()).await;
        assert!(late.is_err_and(|words| words.contains("moved on")));
        let wrong = history.older(Point::File(1, 1 << 40), 10, Wanted::default()).await;
        assert!(wrong.is_err_and(|words| words.contains("has become shorter")));
        let gone = history.older(Point::File(0, 7), 10, Wanted::default()).await.unwrap();
        assert_eq!((gone.lines.len(), gone.before), (0, None));
    }
}
