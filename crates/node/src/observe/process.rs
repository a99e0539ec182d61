//! The log of the process: whose ring a line goes into, and which lines are wanted.
//!
//! A log is a matter of the process. With several nodes in it, the one that was opened first has its lines; those that
//! come while there is none are for the next one that is opened.

use super::line::{Level, Levels, Line};
use super::ring::Ring;
use crate::node::{Shared, lock};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

/// The rings of open nodes, in the order in which they were opened.
static OPEN: Mutex<Vec<Arc<Ring>>> = Mutex::new(Vec::new());
/// Where lines go while no node is open.
static NOBODYS: Mutex<Option<Arc<Ring>>> = Mutex::new(None);
/// In a supervised process: what its supervisor does not have of the logs of nodes that are closed.
static LEFT: Mutex<Option<Arc<Ring>>> = Mutex::new(None);
static IS_SUPERVISED: AtomicBool = AtomicBool::new(false);
static LEVELS: RwLock<Levels> = RwLock::new(Levels::INFO);

/// A node is open: it gets what was said before there was one.
pub(crate) fn open(node: &Shared) {
    node.observed().opened();
    let ring = node.ring();
    let mut open = lock(&OPEN);
    if open.is_empty()
        && let Some(before) = lock(&NOBODYS).take()
    {
        before.take_unpulled().into_iter().for_each(|line| ring.put(line));
    }
    open.push(ring.clone());
}

/// A node is closed. Again: nothing.
pub(crate) fn close(ring: &Arc<Ring>) {
    let mut open = lock(&OPEN);
    let count = open.len();
    open.retain(|known| !Arc::ptr_eq(known, ring));
    if open.len() < count && IS_SUPERVISED.load(Ordering::Relaxed) {
        let left = lock(&LEFT).get_or_insert_default().clone();
        ring.take_unpulled().into_iter().for_each(|line| left.put(line));
    }
}

fn nobodys() -> Arc<Ring> {
    lock(&NOBODYS).get_or_insert_default().clone()
}

/// Keeps a line for those who observe a node of this process, whatever its level.
pub fn keep(line: Line) {
    // The lock of the list is held: a node that closes meanwhile would leave the line where nobody looks.
    let open = lock(&OPEN);
    let ring = open.first().cloned().unwrap_or_else(nobodys);
    ring.push(line);
}

/// A record of the log as a line of now; `None` where its level is not wanted. A value `worker` of the record names the
/// worker that it is about.
#[must_use]
pub fn line(record: &log::Record<'_>) -> Option<Line> {
    let level = Level::from(record.level());
    if !LEVELS.read().unwrap_or_else(PoisonError::into_inner).wants(level, record.target()) {
        return None;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let worker = record.key_values().get("worker".into()).map(|worker| worker.to_string().into());
    Some(Line {
        time: now.as_millis() as u64,
        node: None,
        level,
        name: record.target().into(),
        worker,
        message: record.args().to_string().into(),
        fields: None,
    })
}

/// Keeps a record of the log, if its level is wanted: for the logger of a program.
pub fn record(record: &log::Record<'_>) {
    if let Some(line) = line(record) {
        keep(line);
    }
}

/// Which records are kept from here on. Default: from `info` on.
pub fn set_levels(levels: Levels) {
    *LEVELS.write().unwrap_or_else(PoisonError::into_inner) = levels;
}

/// The process is supervised: in its end somebody takes what the supervisor does not have of its log.
pub fn set_supervised() {
    IS_SUPERVISED.store(true, Ordering::Relaxed);
}

/// For the end of a process that is supervised: takes the lines that the supervisor has not pulled, oldest first.
#[must_use]
pub fn take_unpulled() -> Vec<Arc<Line>> {
    let open = lock(&OPEN);
    let mut lines = Vec::new();
    for ring in lock(&LEFT).iter().chain(&*open).chain(&*lock(&NOBODYS)) {
        lines.extend(ring.take_unpulled());
    }
    lines
}
