//! Records of the Rust core's log on their way to JavaScript, where levels and formats are decided.

use napi_derive::napi;
use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{SystemTime, UNIX_EPOCH};
use troupe_node::observe::{self, Level, Levels, Line};
use troupe_node::port::Inbox;

/// Records kept until JavaScript takes them; beyond it the oldest go, and are counted.
const KEPT: usize = 1024;

/// One record.
#[napi(object)]
pub struct LogEntry {
    /// Milliseconds since 1970.
    pub time: f64,
    /// `debug`, `info`, `warn` or `error`.
    pub level: String,
    /// Which part speaks.
    pub name: String,
    /// What happened.
    pub message: String,
    /// Details, as the JSON text of an object.
    pub fields: Option<String>,
}

/// What is done with the core's records.
#[napi(object)]
pub struct LogSettings {
    /// The least level that somebody wants: `debug`, `info`, `warn`, `error`, else none.
    pub level: String,
    /// From which level on they are kept for observers, as TROUPE_LOG has it.
    pub levels: String,
    /// Whether they are kept for observers.
    pub keeps: bool,
    /// Whether JavaScript takes them.
    pub hands_over: bool,
    /// In its end the process takes out what its supervisor has not pulled.
    pub is_supervised: bool,
}

#[derive(Default)]
struct Records {
    entries: VecDeque<LogEntry>,
    lost: u32,
}

static RECORDS: Mutex<Option<Records>> = Mutex::new(None);

static KEEPS: AtomicBool = AtomicBool::new(false);
static HANDS_OVER: AtomicBool = AtomicBool::new(false);
static HAS_RECORDS: AtomicBool = AtomicBool::new(false);
/// Those of all isolates of the process, in the order in which they opened; one that has ended is not there.
static INBOXES: Mutex<Vec<Weak<Inbox>>> = Mutex::new(Vec::new());
/// The levels in force, as text.
static LEVELS: Mutex<String> = Mutex::new(String::new());
/// How often they were set for the whole process.
static LEVELS_SET: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// How many of those times this isolate has taken over.
    static LEVELS_TAKEN: Cell<u32> = const { Cell::new(0) };
}

/// An isolate has opened: it is woken when there is something to take.
pub(crate) fn wake_with(inbox: &Arc<Inbox>) {
    let mut inboxes = INBOXES.lock().unwrap_or_else(PoisonError::into_inner);
    inboxes.retain(|inbox| inbox.strong_count() > 0);
    inboxes.push(Arc::downgrade(inbox));
}

/// Whether there are records to take, or levels.
pub(crate) fn has_news() -> bool {
    HAS_RECORDS.load(Ordering::Acquire) || has_levels()
}

/// Whether levels were set for the whole process that this isolate has not taken over.
fn has_levels() -> bool {
    LEVELS_SET.load(Ordering::Acquire) != LEVELS_TAKEN.get()
}

/// The isolate that opened last takes what there is.
fn wake_one() {
    HAS_RECORDS.store(true, Ordering::Release);
    let inboxes = INBOXES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(inbox) = inboxes.iter().rev().find_map(Weak::upgrade) {
        inbox.wake();
    }
}

/// The levels as the HTTP server reads and changes them, from its own thread.
pub(crate) struct SharedLevels;

impl troupe_http::Levels for SharedLevels {
    fn levels(&self) -> String {
        LEVELS.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_levels(&self, levels: &str) -> Result<(), String> {
        let parsed = Levels::parse(levels).map_err(|error| error.to_string())?;
        {
            let mut text = LEVELS.lock().unwrap_or_else(PoisonError::into_inner);
            // What observers get changes at once; what JavaScript logs, when each isolate next has a turn.
            observe::set_levels(parsed);
            levels.clone_into(&mut text);
            LEVELS_SET.fetch_add(1, Ordering::Release);
        }
        for inbox in INBOXES.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade) {
            inbox.wake();
        }
        Ok(())
    }
}

/// Levels that were set for the whole process, once for each isolate; null when there are none that it has not taken.
#[napi(catch_unwind)]
pub fn take_levels() -> Option<String> {
    let levels = LEVELS.lock().unwrap_or_else(PoisonError::into_inner);
    if !has_levels() {
        return None;
    }
    LEVELS_TAKEN.set(LEVELS_SET.load(Ordering::Acquire));
    Some(levels.clone())
}

struct Collector;

impl log::Log for Collector {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if KEEPS.load(Ordering::Relaxed) {
            observe::record(record);
        }
        if !HANDS_OVER.load(Ordering::Relaxed) {
            return;
        }
        let level = match record.level() {
            log::Level::Error => "error",
            log::Level::Warn => "warn",
            log::Level::Info => "info",
            log::Level::Debug | log::Level::Trace => "debug",
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let entry = LogEntry {
            time: now.as_millis() as f64,
            level: level.to_owned(),
            name: record.target().to_owned(),
            message: record.args().to_string(),
            fields: None,
        };
        {
            let mut records = RECORDS.lock().unwrap_or_else(PoisonError::into_inner);
            let records = records.get_or_insert_default();
            if records.entries.len() == KEPT {
                records.entries.pop_front();
                records.lost += 1;
            }
            records.entries.push_back(entry);
        }
        wake_one();
    }

    fn flush(&self) {}
}

/// Says what is done with the core's records from here on.
#[napi(catch_unwind)]
pub fn collect_logs(settings: LogSettings) {
    let level = match settings.level.as_str() {
        "debug" => log::LevelFilter::Debug,
        "info" => log::LevelFilter::Info,
        "warn" => log::LevelFilter::Warn,
        "error" => log::LevelFilter::Error,
        _ => log::LevelFilter::Off,
    };
    KEEPS.store(settings.keeps, Ordering::Relaxed);
    HANDS_OVER.store(settings.hands_over, Ordering::Relaxed);
    let is_behind = {
        let mut levels = LEVELS.lock().unwrap_or_else(PoisonError::into_inner);
        let is_behind = has_levels();
        // Those of the whole process stay in force: this isolate is about to take them over, as one that has just opened.
        if !is_behind {
            // `lib/log.ts` leaves out what makes no sense.
            observe::set_levels(Levels::parse(&settings.levels).unwrap_or_default());
            *levels = settings.levels;
        }
        is_behind
    };
    if settings.is_supervised {
        observe::set_supervised();
    }
    // Set by the first isolate; later ones share it.
    let _ = log::set_logger(&Collector);
    if !is_behind {
        log::set_max_level(level);
    }
}

/// Keeps a record of JavaScript for observers. `level`: 0 debug to 3 error; `fields`: the JSON text of an object.
#[napi(catch_unwind)]
pub fn keep_log(
    time: f64,
    level: u32,
    name: String,
    message: String,
    worker: Option<String>,
    fields: Option<String>,
) {
    observe::keep(Line {
        time: time as u64,
        node: None,
        level: [Level::Debug, Level::Info, Level::Warn, Level::Error][level.min(3) as usize],
        name: name.into(),
        worker: worker.map(Into::into),
        message: message.into(),
        fields: fields.map(Into::into),
    });
}

/// For the end of a process that is supervised: takes the records that the supervisor has not pulled, oldest first.
#[napi(catch_unwind)]
pub fn take_unpulled_logs() -> Vec<LogEntry> {
    let entry = |line: Arc<Line>| LogEntry {
        time: line.time as f64,
        level: line.level.name().to_owned(),
        name: line.name.to_string(),
        message: line.message.to_string(),
        fields: line.fields.as_ref().map(ToString::to_string),
    };
    observe::take_unpulled().into_iter().map(entry).collect()
}

/// Takes the records that have come, oldest first.
#[napi(catch_unwind)]
pub fn take_logs() -> Vec<LogEntry> {
    HAS_RECORDS.store(false, Ordering::Release);
    let mut records = RECORDS.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(records) = records.as_mut() else { return Vec::new() };
    let mut entries: Vec<_> = records.entries.drain(..).collect();
    let lost = std::mem::take(&mut records.lost);
    if lost > 0 {
        entries.push(LogEntry {
            time: entries.last().map_or(0.0, |entry| entry.time),
            level: "warn".to_owned(),
            name: "log".to_owned(),
            message: format!("{lost} older records were dropped: they came faster than they were taken"),
            fields: None,
        });
    }
    entries
}
