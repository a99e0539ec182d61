//! What the libraries in this process have to say, the node of its zone and its channels first, and what a panic says: in
//! the history, and in the supervisor's own log.

use crate::history::History;
use crate::line::{Level, Line};
use crate::member::NAME;
use std::sync::{Mutex, PoisonError};
use troupe_node::observe;

/// Where it goes; before there is one, to those who observe the node.
static HISTORY: Mutex<Option<History>> = Mutex::new(None);

fn history() -> Option<History> {
    HISTORY.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// From here on records are taken. Once in a process.
pub fn record() {
    // There is no other logger here.
    let _ = log::set_logger(&Records);
    log::set_max_level(log::LevelFilter::Debug);
}

/// From here on records are in a history, and panics: beside what they print.
pub fn keep_in(history: History) {
    *HISTORY.lock().unwrap_or_else(PoisonError::into_inner) = Some(history);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        let words = panic.to_string();
        // A thread that has panicked may hold what the history needs.
        let _ = std::thread::Builder::new().spawn(move || {
            if let Some(history) = self::history() {
                let message = format!("a defect of the supervisor, which goes on where it can: {words}");
                history.say(NAME, Level::Error, message);
            }
        });
    }));
}

struct Records;

impl log::Log for Records {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let Some(history) = history() else { return observe::record(record) };
        let level = observe::Level::from(record.level());
        if observe::is_wanted(level, record.target()) {
            let line = Line::now(NAME, level.into(), record.target(), record.args().to_string());
            history.keep(line);
        }
    }

    fn flush(&self) {}
}
