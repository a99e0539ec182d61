//! What the zone has said: in memory for those who ask, and in files for the next supervisor. Whoever adds lines waits
//! until the files have room for them, so that the memory between is bounded.

use crate::files::Files;
use crate::line::{Level, Line};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use troupe_node::observe::Ring;

/// Batches on their way to the files. One is what a stream had at one read, so this is a few megabytes at most.
const ON_THE_WAY: usize = 8;

/// A batch is no longer than what one line may take.
const BATCH: usize = 256 * 1024;

/// What is read of the files at the beginning: as many bytes as a ring keeps.
const TAIL: u64 = 8 * 1024 * 1024;

/// The history of a zone. Clones are the same one.
#[derive(Clone, Debug)]
pub struct History {
    kept: Kept,
    to_files: mpsc::Sender<Order>,
    /// Records that the files had no room for, and that nobody has been told of.
    missing: Arc<AtomicU64>,
}

/// What the thread that writes is told.
#[derive(Debug)]
enum Order {
    /// Append this text of so many lines.
    Append(Vec<u8>, u64),
    /// Say when all before it is done.
    Flush(oneshot::Sender<()>),
}

/// What is in memory.
#[derive(Clone, Debug)]
struct Kept {
    ring: Arc<Ring>,
    /// The name of the supervisor's node.
    own: Arc<str>,
}

impl Kept {
    fn push(&self, lines: impl IntoIterator<Item = Line>) {
        lines.into_iter().for_each(|line| self.ring.push(line.into()));
    }

    /// Says something of the files themselves: there it can't be written.
    fn say(&self, level: Level, message: String) {
        self.push([Line::now(&self.own, level, "supervisor", message)]);
    }
}

impl History {
    /// With its files in `folder`, and the newest of their lines in memory, in the ring of node `own`, which hands them
    /// out. One thread of its own writes.
    pub fn open(folder: &Path, ring: Arc<Ring>, own: &str) -> io::Result<Self> {
        let files = Files::open(folder)?;
        let kept = Kept { ring, own: own.into() };
        match files.tail(TAIL) {
            Ok(lines) => kept.push(lines),
            Err(error) => kept.say(Level::Warn, format!("the history on disk can't be read: {error}")),
        }
        let (to_files, orders) = mpsc::channel(ON_THE_WAY);
        let writes = kept.clone();
        // It ends when nobody has the history any more.
        std::thread::Builder::new()
            .name("troupe-history".to_owned())
            .spawn(move || write(files, orders, &writes))?;
        Ok(Self { kept, to_files, missing: Arc::default() })
    }

    /// Adds lines. They can be read at once; the call returns when the files have taken them over.
    pub async fn add(&self, lines: Vec<Line>) {
        let (mut text, mut count) = (Vec::new(), 0);
        let mut batches = Vec::new();
        for line in &lines {
            // Plain data of strings and numbers: it has a JSON form.
            if serde_json::to_writer(&mut text, line).is_ok() {
                text.push(b'\n');
                count += 1;
            }
            if text.len() > BATCH {
                batches.push(Order::Append(std::mem::take(&mut text), std::mem::take(&mut count)));
            }
        }
        self.kept.push(lines);
        if count > 0 {
            batches.push(Order::Append(text, count));
        }
        for batch in batches {
            // The thread ends with the history, and not before.
            let _ = self.to_files.send(batch).await;
        }
    }

    /// Adds something that the supervisor has to say about a node. Unlike those who print it never waits: a disk that is
    /// slow must not keep a container from being stopped. Only in a tokio runtime.
    pub fn say(&self, node: &str, level: Level, message: String) {
        let line = Line::now(node, level, "supervisor", message);
        // Plain data of strings and numbers: it has a JSON form.
        let mut text = serde_json::to_vec(&line).unwrap_or_default();
        text.push(b'\n');
        self.kept.push([line]);
        if let Err(TrySendError::Full(order)) = self.to_files.try_send(Order::Append(text, 1)) {
            let to_files = self.to_files.clone();
            tokio::spawn(async move {
                // The thread ends with the history, and not before.
                let _ = to_files.send(order).await;
            });
        }
    }

    /// Puts a record of the supervisor's own node into the files: in memory it is already. From any thread, and never
    /// waits: what they have no room for is counted, and said by the next one.
    pub(crate) fn record(&self, line: &Line) {
        let missing = self.missing.swap(0, Ordering::Relaxed);
        let gap = (missing > 0).then(|| {
            let message =
                format!("{missing} records of the supervisor are missing here: the disk was too slow");
            Line::now(&self.kept.own, Level::Warn, "supervisor", message)
        });
        let (mut text, mut count) = (Vec::new(), 0);
        for line in gap.iter().chain([line]) {
            // Plain data of strings and numbers: it has a JSON form.
            text.append(&mut serde_json::to_vec(line).unwrap_or_default());
            text.push(b'\n');
            count += 1;
        }
        if let Err(TrySendError::Full(_)) = self.to_files.try_send(Order::Append(text, count)) {
            self.missing.fetch_add(missing + 1, Ordering::Relaxed);
        }
    }

    /// Resolves when everything that was added before is in the files, as far as they can be written.
    pub async fn flush(&self) {
        let (done, is_done) = oneshot::channel();
        if self.to_files.send(Order::Flush(done)).await.is_ok() {
            let _ = is_done.await;
        }
    }
}

/// Writes batches until nobody can add more. A disk that is full ends nothing: it is said once, and once more when it
/// has room again.
fn write(mut files: Files, mut orders: mpsc::Receiver<Order>, kept: &Kept) {
    let mut missing = 0;
    while let Some(order) = orders.blocking_recv() {
        let (text, lines) = match order {
            Order::Append(text, lines) => (text, lines),
            Order::Flush(done) => {
                // Whoever asked may no longer wait.
                let _ = done.send(());
                continue;
            }
        };
        match files.append(&text) {
            Ok(()) if missing > 0 => {
                let message =
                    format!("the history is written to disk again; {missing} lines are missing there");
                missing = 0;
                kept.say(Level::Warn, message);
            }
            Ok(()) => {}
            Err(error) => {
                if missing == 0 {
                    let message = format!(
                        "the history can't be written to {}: {error}; from here on it is kept in memory only, \
                         until there is room again",
                        files.folder().display()
                    );
                    kept.say(Level::Error, message);
                }
                missing += lines;
            }
        }
    }
}
