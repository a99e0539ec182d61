//! What the zone has said: in memory for those who ask, and in files for the next supervisor. Whoever adds lines waits
//! until the files have room for them, so that the memory between is bounded.

use crate::files::{Files, Place};
use crate::journal::Journal;
use crate::line::{Level, Line};
use crate::past::{Places, older};
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use troupe_node::observe::{Older, Past, Point, Ring, Wanted};

/// Batches on their way to the files before whoever adds one waits, with that one. One is what a stream had at one read, so this is
/// a few megabytes, and as many batches more as there are streams.
const ON_THE_WAY: u64 = 8;

/// A batch is no longer than what one line may take.
const BATCH: usize = 256 * 1024;

/// Lines on their way that nobody waits for: what a supervisor says of itself and its containers is short, and seldom.
/// What is beyond is in memory only.
const SAID: usize = 4096;

/// What is read of the files at the beginning: as many bytes as a ring keeps.
const TAIL: u64 = 8 * 1024 * 1024;

/// The history of a zone. Clones are the same one. From any thread.
#[derive(Clone, Debug)]
pub struct History {
    kept: Kept,
    folder: Arc<Path>,
    /// Held while lines get their numbers, so that they are in the files in the same order.
    to_files: Arc<Mutex<ToFiles>>,
    /// How many batches the files have taken.
    taken: watch::Receiver<u64>,
    /// Room for lines that nobody waits for.
    room_to_say: Arc<Semaphore>,
}

/// The way to the thread that writes, which ends with the history and not before.
#[derive(Debug)]
struct ToFiles {
    orders: Sender<Order>,
    /// How many batches have gone there.
    batches: u64,
}

/// What the thread that writes is told.
#[derive(Debug)]
enum Order {
    Append(Batch),
    /// From here on standard error is the supervisor's log.
    TakeStderr,
    /// Say when all before it is done, and where the files end.
    Flush(oneshot::Sender<io::Result<Place>>),
}

/// Lines on their way to the files.
#[derive(Debug)]
struct Batch {
    text: Vec<u8>,
    /// The number of each line, and its length in the text.
    lines: Vec<(u64, usize)>,
    /// What the supervisor itself says: for its own log, too.
    said: Option<Line>,
    /// Its place among those that nobody waits for.
    _room: Option<OwnedSemaphorePermit>,
}

/// What is in memory.
#[derive(Clone, Debug)]
struct Kept {
    ring: Arc<Ring>,
    /// Where the lines of the ring are in the files.
    places: Arc<Places>,
    /// The name of the supervisor's node.
    own: Arc<str>,
}

/// A panic elsewhere leaves these whole: each change is one call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    /// Says something of the files themselves: there it can't be written.
    fn say(&self, level: Level, message: String, journal: Option<&mut Journal>) {
        let line = Line::now(&self.own, level, "supervisor", message);
        if let Some(journal) = journal {
            // On a disk that is full there is no room for that either.
            let _ = journal.write(&line);
        }
        self.ring.push(line.into());
    }
}

impl History {
    /// With its files in `folder`, and the newest of their lines in memory, in the ring of node `own`, which hands them
    /// out. One thread of its own writes.
    pub fn open(folder: &Path, ring: Arc<Ring>, own: &str) -> io::Result<Self> {
        let files = Files::open(folder)?;
        let kept = Kept { ring, places: Arc::default(), own: own.into() };
        match files.tail(TAIL) {
            Ok(lines) => {
                let places = lines.into_iter().map(|(place, line)| (kept.ring.push(line.into()), place));
                kept.places.note(places.collect::<Vec<_>>());
            }
            Err(error) => kept.say(Level::Warn, format!("the history on disk can't be read: {error}"), None),
        }
        let journal = Journal::open(folder)?;
        let (to_files, orders) = channel();
        let (takes, taken) = watch::channel(0);
        let writes = kept.clone();
        // It ends when nobody has the history any more.
        std::thread::Builder::new()
            .name("troupe-history".to_owned())
            .spawn(move || write(files, journal, &orders, &takes, &writes))?;
        Ok(Self {
            kept,
            folder: folder.into(),
            to_files: Arc::new(Mutex::new(ToFiles { orders: to_files, batches: 0 })),
            taken,
            room_to_say: Arc::new(Semaphore::new(SAID)),
        })
    }

    /// Adds lines. They can be read at once; the call returns when the files have taken them over, or soon will.
    pub async fn add(&self, lines: Vec<Line>) {
        let mut lines = lines.into_iter().peekable();
        while lines.peek().is_some() {
            let mut length = 0;
            let batch = std::iter::from_fn(|| {
                let line = lines.next_if(|_| length < BATCH)?;
                length += line.cost();
                Some(line)
            });
            let number = self.put(batch.collect(), None, None);
            // The thread ends with the history, and not before.
            let _ = self.taken.clone().wait_for(|taken| *taken + ON_THE_WAY >= number).await;
        }
    }

    /// Adds something that the supervisor has to say about a node; it is in its own log as well. Unlike those who print it never waits: a disk that is
    /// slow must not keep a container from being stopped.
    pub fn say(&self, node: &str, level: Level, message: String) {
        self.keep(Line::now(node, level, "supervisor", message));
    }

    /// The same with a line.
    pub fn keep(&self, line: Line) {
        match self.room_to_say.clone().try_acquire_owned() {
            Ok(room) => _ = self.put(vec![line.clone()], Some(room), Some(line)),
            Err(_) => _ = self.kept.ring.push(line.into()),
        }
    }

    /// From here on standard error is the supervisor's log, where what ends the process can be found.
    pub fn take_stderr(&self) {
        self.order(Order::TakeStderr);
    }

    fn order(&self, order: Order) {
        let _ = lock(&self.to_files).orders.send(order);
    }

    /// Returns how many batches have gone to the files with this one.
    fn put(&self, lines: Vec<Line>, room: Option<OwnedSemaphorePermit>, said: Option<Line>) -> u64 {
        let mut text = Vec::new();
        let lengths: Vec<_> = lines.iter().map(|line| json(line, &mut text)).collect();
        let mut to_files = lock(&self.to_files);
        let numbers = lines.into_iter().map(|line| self.kept.ring.push(line.into()));
        let lines = numbers.zip(lengths).collect();
        let _ = to_files.orders.send(Order::Append(Batch { text, lines, said, _room: room }));
        to_files.batches += 1;
        to_files.batches
    }

    /// Resolves when everything that was added before is in the files, as far as they can be written.
    pub async fn flush(&self) {
        // What could not be told of the end of the files was told when it could not be written.
        let _ = self.written().await;
    }

    /// The same, with where the files end.
    async fn written(&self) -> io::Result<Place> {
        let (done, is_done) = oneshot::channel();
        self.order(Order::Flush(done));
        is_done.await.map_err(|_| io::Error::other("the thread that writes the history has ended"))?
    }

    async fn read_back(self, point: Point, limit: usize, wanted: Wanted) -> Result<Older, String> {
        let unread = |error: io::Error| format!("the history on disk can't be read: {error}");
        let from = match point {
            Point::File(file, offset) => Place { file, offset },
            Point::Number(number) => {
                let end = self.written().await.map_err(unread)?;
                self.kept.places.of(number)?.unwrap_or(end)
            }
        };
        let read = tokio::task::spawn_blocking(move || older(&self.folder, from, limit, &wanted));
        read.await.map_err(|error| error.to_string())?.map_err(unread)
    }
}

impl Past for History {
    fn older(
        &self,
        point: Point,
        limit: usize,
        wanted: Wanted,
    ) -> Pin<Box<dyn Future<Output = Result<Older, String>> + Send>> {
        Box::pin(self.clone().read_back(point, limit, wanted))
    }
}

/// Appends the form of a line in the files; returns its length.
fn json(line: &Line, text: &mut Vec<u8>) -> usize {
    let begin = text.len();
    // Plain data of strings and numbers: it has a JSON form.
    let _ = serde_json::to_writer(&mut *text, line);
    text.push(b'\n');
    text.len() - begin
}

/// Writes batches until nobody can add more. A disk that is full ends nothing: it is said once, and once more when it
/// has room again.
fn write(
    mut files: Files,
    mut journal: Journal,
    orders: &Receiver<Order>,
    takes: &watch::Sender<u64>,
    kept: &Kept,
) {
    let mut missing = 0;
    while let Ok(order) = orders.recv() {
        let batch = match order {
            Order::Append(batch) => batch,
            Order::TakeStderr => {
                if let Err(error) = journal.become_stderr() {
                    let message = format!("what ends the supervisor will not be in its log: {error}");
                    kept.say(Level::Warn, message, Some(&mut journal));
                }
                continue;
            }
            Order::Flush(done) => {
                // Whoever asked may no longer wait.
                let _ = done.send(files.end());
                continue;
            }
        };
        if let Some(line) = &batch.said {
            // Nor is there room on a disk that is full; that is said of the history below.
            let _ = journal.write(line);
        }
        match files.append(&batch.text) {
            Ok(Place { file, mut offset }) => {
                kept.places.note(batch.lines.iter().map(|(number, length)| {
                    let place = Place { file, offset };
                    offset += *length as u64;
                    (*number, place)
                }));
                if missing > 0 {
                    let message =
                        format!("the history is written to disk again; {missing} lines are missing there");
                    missing = 0;
                    kept.say(Level::Warn, message, Some(&mut journal));
                }
            }
            Err(error) => {
                if missing == 0 {
                    let message = format!(
                        "the history can't be written to {}: {error}; from here on it is kept in memory only, \
                         until there is room again",
                        files.folder().display()
                    );
                    kept.say(Level::Error, message, Some(&mut journal));
                }
                missing += batch.lines.len();
            }
        }
        takes.send_modify(|taken| *taken += 1);
    }
}
