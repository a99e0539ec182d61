//! The merged view of a zone: what all members tell, in one history and one table, for as many readers as there are.
//!
//! Each member is asked for its lines, by a question that waits there until there are some, and for its state once a second.
//! Pulling is the flow control: a view that is behind asks later, and the member's own ring overwrites. Everything here is
//! bounded, whatever the members say.

mod history;
mod line;
mod nodes;
mod pull;
mod reader;
mod samples;
pub(crate) mod source;
mod stage;
mod told;

pub use history::HistoryLimits;
pub(crate) use history::{Cursor, Filter};
pub(crate) use line::Level;
pub(crate) use nodes::WORKERS;
pub(crate) use reader::Reader;

use history::{Found, History};
use line::Line;
use nodes::Nodes;
use serde_json::Value;
use source::{Member, Source};
use stage::Stage;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{Notify, watch};
use told::{Reading, Told};

/// How long a line waits for those of other members that are older. Members answer as soon as there is something, so this only has
/// to cover what a busy machine adds to the way of a message.
const HOLD: Duration = Duration::from_millis(50);

/// While members still tell their past, lines wait longer for each other; this long at most.
const CATCH_UP: Duration = Duration::from_secs(1);

/// Lines that wait for older ones; beyond it they wait no longer.
const STAGED: usize = 20_000;

/// Lines that one step of a search looks at, between which others get their turn.
const SEARCH_STEP: usize = 2_000;

/// What readers get of the nodes: serialized once, however many they are.
#[derive(Debug)]
pub(crate) struct Table {
    /// An array.
    pub(crate) nodes: String,
    /// An array, those with most waiting first.
    pub(crate) workers: String,
    /// An object.
    pub(crate) dead_letters: String,
}

#[derive(Debug)]
struct State {
    history: History,
    stage: Stage,
    told: Told,
    /// The last reading that began.
    readings: Reading,
    nodes: Nodes,
    /// Members that still tell what was before the view began, by identifier.
    catching_up: HashSet<String>,
    supervisor: Option<Supervisor>,
    table: Option<Arc<Table>>,
}

/// The member that speaks for others.
#[derive(Debug)]
struct Supervisor {
    member: Member,
    /// `None` until it has answered.
    covers: Option<HashSet<String>>,
}

/// What is known of a zone.
pub(crate) struct View {
    source: Arc<dyn Source>,
    state: Mutex<State>,
    /// Number that the next line will have; changes with the history.
    lines: watch::Sender<u64>,
    /// How often the table has changed.
    nodes: watch::Sender<u64>,
    /// Who speaks for whom has changed.
    covers: watch::Sender<u64>,
    staged: Notify,
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").finish_non_exhaustive()
    }
}

impl View {
    /// A view that knows nothing until [`View::run`] runs. `id`: what its cursors are known by, another one each time.
    pub(crate) fn new(source: Arc<dyn Source>, limits: HistoryLimits, id: u32) -> Arc<Self> {
        let history = History::new(id, limits);
        let lines = watch::Sender::new(history.next());
        let state = State {
            history,
            stage: Stage::default(),
            told: Told::default(),
            readings: 0,
            nodes: Nodes::default(),
            catching_up: HashSet::new(),
            supervisor: None,
            table: None,
        };
        Arc::new(Self {
            source,
            state: Mutex::new(state),
            lines,
            nodes: watch::Sender::new(0),
            covers: watch::Sender::new(0),
            staged: Notify::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves tables whole: each change is one call.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks and merges until it is dropped.
    pub(crate) async fn run(self: Arc<Self>) {
        tokio::join!(self.merge(), pull::run(self.clone()));
    }

    /// Moves lines from the stage into the history.
    async fn merge(&self) {
        loop {
            self.staged.notified().await;
            let until = tokio::time::Instant::now() + CATCH_UP;
            loop {
                tokio::time::sleep(HOLD).await;
                if self.lock().catching_up.is_empty() || tokio::time::Instant::now() >= until {
                    break;
                }
            }
            self.flush(self.lock());
        }
    }

    /// Moves what waits into the history, and tells readers.
    fn flush(&self, mut state: MutexGuard<'_, State>) {
        let State { history, stage, told, .. } = &mut *state;
        for (mark, line) in stage.take() {
            history.push(&line, mark, |oldest| told.forget(oldest.mark, oldest.time));
        }
        let next = history.next();
        drop(state);
        self.lines.send_replace(next);
    }

    /// A member is read from its beginning.
    fn begin_reading(&self) -> Reading {
        let mut state = self.lock();
        state.readings += 1;
        state.readings
    }

    /// A member told lines; those that another has told are left out. `is_past`: it has newer ones to tell.
    fn put(&self, reading: Reading, lines: Vec<Line>, is_past: bool) {
        let mut state = self.lock();
        let State { stage, told, .. } = &mut *state;
        let before = stage.len();
        stage.put(
            lines.into_iter().filter_map(|line| told.tell(reading, &line, is_past).map(|mark| (mark, line))),
        );
        if stage.len() == before {
            return;
        }
        if state.stage.len() >= STAGED {
            // Memory before order.
            return self.flush(state);
        }
        drop(state);
        self.staged.notify_one();
    }

    /// The table of nodes has changed.
    fn table_changed(&self) {
        self.lock().table = None;
        self.nodes.send_modify(|version| *version += 1);
    }

    /// What readers get of the nodes.
    pub(crate) fn table(&self) -> Arc<Table> {
        let mut state = self.lock();
        if let Some(table) = &state.table {
            return table.clone();
        }
        let nodes = &state.nodes;
        let table = Arc::new(Table {
            nodes: Value::Array(nodes.list()).to_string(),
            workers: Value::Array(nodes.workers(None, "", WORKERS).0).to_string(),
            dead_letters: nodes.dead_letters().to_string(),
        });
        state.table = Some(table.clone());
        table
    }

    /// One node with its workers.
    pub(crate) fn node(&self, name: &str) -> Option<Value> {
        self.lock().nodes.one(name)
    }

    /// Workers of all nodes or of one, those with most waiting first, and how many there are; see [`Nodes::workers`].
    pub(crate) fn workers(&self, node: Option<&str>, find: &str, limit: usize) -> (Vec<Value>, u64) {
        self.lock().nodes.workers(node, find, limit.min(WORKERS))
    }

    /// One worker.
    pub(crate) fn worker(&self, node: &str, name: &str) -> Option<Value> {
        self.lock().nodes.worker(node, name)
    }

    /// Lines after a cursor, oldest first; without one the last `limit` that are wanted.
    pub(crate) async fn search(&self, after: Option<Cursor>, filter: &Filter, limit: usize) -> Answered {
        let mut found = Found::new(limit);
        let (first, newest) = {
            let state = self.lock();
            (after.map(|cursor| state.history.after(cursor)), state.history.next())
        };
        if let Some(mut next) = first {
            loop {
                {
                    let history = &self.lock().history;
                    next = history.search(next, SEARCH_STEP, filter, &mut found);
                    let more = next < history.next();
                    if found.is_full() || !more {
                        return Answered { lines: found.into_lines(), next: history.cursor(next - 1), more };
                    }
                }
                tokio::task::yield_now().await;
            }
        }
        let mut before = newest;
        loop {
            {
                let history = &self.lock().history;
                before = history.search_back(before, SEARCH_STEP, filter, &mut found);
                if found.is_full() || before <= history.first() {
                    let mut lines = found.into_lines();
                    lines.reverse();
                    return Answered { lines, next: history.cursor(newest - 1), more: false };
                }
            }
            tokio::task::yield_now().await;
        }
    }
}

/// What a search found: lines as JSON, oldest first.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) lines: Vec<Box<str>>,
    /// The cursor to go on from.
    pub(crate) next: Cursor,
    /// There are lines behind it that this answer had no room for.
    pub(crate) more: bool,
}

/// Milliseconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}
