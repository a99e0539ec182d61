//! The warnings that a test binary logs.

use std::sync::{Mutex, Once, PoisonError};

static WARNINGS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// From here on what the process logs as a warning or worse is kept. Again: nothing.
pub fn listen_to_warnings() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Listener).expect("no other logger");
        log::set_max_level(log::LevelFilter::Warn);
    });
}

/// The warnings so far that hold these words, oldest first. Tests that run side by side share them.
#[must_use]
pub fn warnings_with(words: &str) -> Vec<String> {
    let all = WARNINGS.lock().unwrap_or_else(PoisonError::into_inner);
    all.iter().filter(|line| line.contains(words)).cloned().collect()
}

struct Listener;

impl log::Log for Listener {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            WARNINGS.lock().unwrap_or_else(PoisonError::into_inner).push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}
