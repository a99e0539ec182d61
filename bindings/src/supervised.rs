//! What only a process knows that a supervisor has started.

use napi::bindgen_prelude::*;
use napi_derive::napi;
use std::time::Duration;

/// Ends this process with the one that holds the other end of its standard input: SIGTERM, then SIGKILL when it still lives
/// `drain` milliseconds and 5 s later. A thread of its own waits; once a process, before anything reads.
#[napi(catch_unwind)]
pub fn watch_owner(drain: u32) -> Result<()> {
    troupe_node::watch_owner(Duration::from_millis(drain.into()))
        .map_err(|error| Error::from_reason(error.to_string()))
}
