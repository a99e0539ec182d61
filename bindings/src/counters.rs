//! What is counted, and the table of error codes, which a test compares with TypeScript's.

use crate::isolate::with;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use troupe_node::code;
use troupe_node::port::Handle;

/// What the port has counted, for tests: messages handed to workers, open requests, and dead letters by reason.
#[napi(object)]
pub struct Counters {
    /// Messages handed to workers since the port was opened.
    pub delivered: f64,
    /// Requests that are open, waiting sends included.
    pub open: u32,
    /// Dead letters of this process, in the order of the reasons in Rust.
    pub dead_letters: Vec<f64>,
}

/// Reads the counters.
#[napi(catch_unwind)]
pub fn counters() -> Result<Counters> {
    with(|isolate| Counters {
        delivered: isolate.port.delivered() as f64,
        open: isolate.port.open_requests() as u32,
        dead_letters: troupe_node::port::dead_letters().iter().map(|count| *count as f64).collect(),
    })
}

/// Whether a request is open, or a send waits for room, as far as the port knows.
#[napi(catch_unwind)]
pub fn is_open(request: u32, generation: u32) -> Result<bool> {
    with(|isolate| isolate.port.is_open(Handle { slot: request, generation }))
}

/// Counts and logs a send that was refused before it reached the port. `reason`: its place among the dead letters; `to`: the address,
/// where it is one.
#[napi(catch_unwind)]
pub fn count_refused(reason: u32, slot: u32, generation: u32, to: Option<String>) -> Result<()> {
    with(|isolate| {
        if let Some(reason) = troupe_node::port::Reason::ALL.get(reason as usize) {
            isolate.port.count_refused(*reason, Handle { slot, generation }, to.as_deref());
        }
    })
}

/// Whether the isolate gets a record of each dead letter from here on.
#[napi(catch_unwind)]
pub fn tell_dead_letters(wanted: bool) -> Result<()> {
    with(|isolate| isolate.port.tell_dead_letters(wanted))
}

/// Why messages become dead letters, in words, by the number in their records.
#[napi(catch_unwind)]
pub fn dead_letter_reasons() -> Vec<String> {
    troupe_node::port::Reason::ALL.iter().map(|reason| reason.words().to_owned()).collect()
}

/// The table of error codes, by number, for the test that compares it with TypeScript's.
#[napi(catch_unwind)]
pub fn error_codes() -> Vec<String> {
    code::NAMES.iter().map(|(number, name)| format!("{number} {name}")).collect()
}
