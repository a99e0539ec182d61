//! What the supervisor's own node records: told like that of any node, and into the files of the history as well, as
//! nobody could pull it from a supervisor that is gone.

use crate::history::History;
use crate::line::Line;
use crate::member::NAME;
use std::sync::{Mutex, MutexGuard, PoisonError};
use troupe_node::observe;

/// Records from before there is a history are few: how the zone was joined.
const EARLY: usize = 256;

/// Where records go.
#[derive(Debug)]
enum To {
    /// Nowhere yet, or no longer.
    Early(Vec<Line>),
    Files(History),
}

static TO: Mutex<To> = Mutex::new(To::Early(Vec::new()));

fn sink() -> MutexGuard<'static, To> {
    TO.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The logger of the program.
#[derive(Debug)]
pub struct Records;

impl log::Log for Records {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let Some(line) = observe::line(record) else { return };
        let own = Line {
            time: line.time,
            node: NAME.to_owned(),
            level: record.level().into(),
            name: line.name.to_string(),
            worker: None,
            message: line.message.to_string(),
            fields: None,
        };
        observe::keep(line);
        match &mut *sink() {
            To::Early(lines) if lines.len() < EARLY => lines.push(own),
            To::Early(_) => {}
            To::Files(history) => history.record(&own),
        }
    }

    fn flush(&self) {}
}

/// Records go into the files of this history from here on, those from before at first.
pub(crate) fn begin(history: &History) {
    let mut sink = sink();
    if let To::Early(lines) = &*sink {
        for line in lines {
            history.record(line);
        }
    }
    *sink = To::Files(history.clone());
}

/// They go nowhere any more: whoever has the history keeps its files open.
pub(crate) fn end() {
    *sink() = To::Early(Vec::new());
}

/// A panic is recorded beside what is printed of it: standard error has no reader once the supervisor is up.
pub fn record_panics() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        print(panic);
        log::error!(target: "supervisor", "{}", panic.to_string().replace('\n', " "));
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_record_that_the_history_will_have() {
        log::set_logger(&Records).unwrap();
        log::set_max_level(log::LevelFilter::Debug);
        record_panics();
        let ended = std::thread::spawn(|| panic!("out of\ntune")).join();
        assert!(ended.is_err());
        let To::Early(lines) = &*sink() else { panic!("there is no history here") };
        let line = lines.iter().find(|line| line.message.ends_with("out of tune")).unwrap();
        assert_eq!((line.name.as_str(), line.node.as_str()), ("supervisor", NAME));
    }
}
