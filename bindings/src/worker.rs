//! Workers: started, stopped, found and listed.

use crate::isolate::with;
use crate::node::running;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use troupe_node::code;
use troupe_node::port::{Handle, OnFailure, Overflow, StartError, State, WorkerOptions, WorkerState};

/// Reserves a name and a mailbox. `type_number`: by `class_number`; `policy`: 1 to reject when the mailbox is full, and 2 to
/// restart or 4 to stop on a failure. Returns the slot, its generation in word 4; or a code of `lib/errors.ts`, negated.
#[napi(catch_unwind)]
pub fn start_worker(
    node: u32,
    name: String,
    type_number: u32,
    mailbox: u32,
    policy: u32,
    max_restarts: u32,
    within: u32,
) -> Result<i32> {
    let options = WorkerOptions {
        mailbox,
        overflow: if policy & 1 == 0 { Overflow::Wait } else { Overflow::Reject },
        on_failure: [OnFailure::Resume, OnFailure::Restart, OnFailure::Stop][(policy >> 1).min(2) as usize],
        max_restarts,
        within,
        ..WorkerOptions::default()
    };
    start(node, &name, Some(type_number), &options)
}

/// The number of a class of workers, by which they are counted; the same for the same name.
#[napi(catch_unwind)]
pub fn class_number(name: String) -> Result<u32> {
    with(|isolate| isolate.port.class(&name))
}

/// A worker failed: what is known of it, for those who observe the node.
#[napi(catch_unwind)]
pub fn note_failure(slot: u32, generation: u32, message: String, stack: Option<String>) -> Result<()> {
    with(|isolate| isolate.port.note_failure(Handle { slot, generation }, &message, stack.as_deref()))
}

/// The same for a mailbox without a behaviour.
#[napi(catch_unwind)]
pub fn open_mailbox(node: u32, name: String, capacity: u32) -> Result<i32> {
    start(
        node,
        &name,
        None,
        &WorkerOptions { mailbox: capacity, has_behaviour: false, ..WorkerOptions::default() },
    )
}

fn start(node: u32, name: &str, class: Option<u32>, options: &WorkerOptions) -> Result<i32> {
    with(|isolate| {
        let node = node as u16;
        let started = match class {
            Some(class) => isolate.port.start_as(node, name, class, options),
            None => isolate.port.start(node, name, options),
        };
        match started {
            Ok(handle) => {
                isolate.incoming.set(4, handle.generation);
                handle.slot as i32
            }
            Err(StartError::NameTaken) => -i32::from(code::NAME_TAKEN),
            Err(StartError::NodeStopped) => -i32::from(code::NODE_STOPPED),
        }
    })
}

/// Stops a worker by name; the order is answered when it is gone. `false`: there is none of that name.
#[napi(catch_unwind)]
pub fn stop_worker(node: u32, name: String, timeout: u32, request: u32, generation: u32) -> Result<bool> {
    with(|isolate| {
        let handle = running(isolate, node).and_then(|node| node.0.shared().look_up(&name));
        handle.is_some_and(|handle| {
            let order = Handle { slot: request, generation };
            isolate.port.begin_order(order);
            isolate.port.stop(handle, timeout, order)
        })
    })
}

/// Slot of a worker of this isolate, its generation in word 4; -1: none of that name.
#[napi(catch_unwind)]
pub fn look_up(node: u32, name: String) -> Result<i32> {
    with(|isolate| {
        let handle = running(isolate, node).and_then(|node| node.0.shared().look_up(&name));
        handle.map_or(-1, |handle| {
            isolate.incoming.set(4, handle.generation);
            handle.slot as i32
        })
    })
}

/// One worker of a listing.
#[napi(object)]
pub struct WorkerEntry {
    /// Its name.
    pub name: String,
    /// Its slot.
    pub slot: u32,
    /// `starting`, `idle`, `busy` or `stopping`.
    pub state: String,
    /// Messages in its mailbox, those that are lent included.
    pub held: u32,
    /// Messages that wait in the isolate or are being handled.
    pub lent: u32,
    /// Messages done with.
    pub handled: f64,
    /// Messages whose handler failed.
    pub failed: u32,
}

/// Workers of a node whose names begin with `prefix`, sorted by name.
#[napi(catch_unwind)]
pub fn list_workers(node: u32, prefix: String, limit: u32) -> Result<Vec<WorkerEntry>> {
    with(|isolate| {
        let entry = |worker: WorkerState| WorkerEntry {
            name: worker.name,
            slot: worker.handle.slot,
            state: match worker.state {
                State::Starting => "starting",
                State::Stopping | State::Ending => "stopping",
                _ if worker.held > 0 => "busy",
                _ => "idle",
            }
            .to_owned(),
            held: worker.held,
            lent: worker.lent,
            handled: worker.handled as f64,
            failed: worker.failed,
        };
        isolate.port.list(node as u16, &prefix, limit as usize).into_iter().map(entry).collect()
    })
}
