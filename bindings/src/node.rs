//! The cold half of the seam: nodes, workers, listings, control requests. Arguments are checked in TypeScript.

use crate::port::{Isolate, with};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use troupe_node::code;
use troupe_node::node::{NodeOptions, Opened};
use troupe_node::port::{
    Body, Failure, Handle, OnFailure, Outcome, Overflow, StartError, State, WorkerOptions,
};
use troupe_node::zone::ZoneOptions;

/// A node that this isolate opened.
pub(crate) struct Running(Opened);

impl Running {
    pub(crate) fn close_now(&self) {
        self.0.close_now();
    }
}

/// How a node is opened; `lib/options.ts` has checked it.
#[napi(object)]
pub struct OpenNode {
    /// Its name.
    pub name: String,
    /// Its zone; none: a node by itself.
    pub zone: Option<String>,
    /// Address to listen on, `ip:port`.
    pub listen: String,
    /// Whether members may start code here that this node does not have.
    pub accept_code: bool,
}

fn home() -> Result<std::path::PathBuf> {
    troupe_node::discovery::default_home().map_err(|error| Error::from_reason(error.to_string()))
}

/// The folder of a zone's files.
#[napi(catch_unwind)]
pub fn zone_folder(zone: String) -> Result<String> {
    Ok(troupe_node::discovery::zone_folder(&home()?, &zone).to_string_lossy().into_owned())
}

/// Opens a node and returns its number; the order is answered when it has joined its zone.
#[napi(catch_unwind)]
pub fn open_node(options: OpenNode, request: u32, generation: u32) -> Result<u32> {
    let zone = match options.zone {
        None => None,
        Some(zone) => {
            let home = home()?;
            let listen = options.listen.parse().map_err(|_| {
                Error::from_reason(format!(
                    "{:?} is no address to listen on: an IP address and a port",
                    options.listen
                ))
            })?;
            Some(ZoneOptions {
                home,
                zone,
                node_name: options.name.clone(),
                listen,
                accept_code: options.accept_code,
            })
        }
    };
    with(|isolate| {
        let order = Handle { slot: request, generation };
        let inbox = isolate.port.inbox().clone();
        isolate.port.begin_order(order);
        let done = inbox.clone();
        let opened = Opened::open(NodeOptions { name: options.name, zone }, inbox, move |result| {
            done.run(move |port| {
                let outcome = match result {
                    Ok(()) => Outcome::Reply(Body::None),
                    Err(error) => {
                        let text = error.to_string();
                        Outcome::Failed(Failure::new(error.code()), text_body(&text))
                    }
                };
                port.finish_order(order, outcome);
            });
        });
        let number = isolate.port.add_node(opened.shared().clone());
        let index = usize::from(number);
        if isolate.nodes.len() <= index {
            isolate.nodes.resize_with(index + 1, || None);
        }
        isolate.nodes[index] = Some(Running(opened));
        u32::from(number)
    })
}

fn text_body(text: &str) -> Body {
    troupe_node::port::BodyRef::Text(troupe_proto::text::Text::from_utf8(text)).into_owned()
}

/// Identifier of the node's identity, in hexadecimal; empty until it is open.
#[napi(catch_unwind)]
pub fn node_id(node: u32) -> Result<String> {
    with(|isolate| running(isolate, node).map_or_else(String::new, |node| node.0.shared().id().to_owned()))
}

fn running(isolate: &Isolate, node: u32) -> Option<&Running> {
    isolate.nodes.get(node as usize).and_then(Option::as_ref)
}

/// Answers the order when every link of the node has handed over what it holds.
#[napi(catch_unwind)]
pub fn drain_node(node: u32, request: u32, generation: u32) -> Result<()> {
    with(|isolate| {
        let order = Handle { slot: request, generation };
        isolate.port.begin_order(order);
        let links = isolate.port.links_of(node as u16);
        let inbox = isolate.port.inbox().clone();
        let done = move || {
            inbox.run(move |port| port.finish_order(order, Outcome::Reply(Body::None)));
        };
        match running(isolate, node) {
            Some(node) => node.0.shared().drained(links, done),
            None => done(),
        }
    })
}

/// Closes a node: what is outstanding on it fails; the order is answered when its thread has ended.
#[napi(catch_unwind)]
pub fn close_node(node: u32, request: u32, generation: u32) -> Result<()> {
    with(|isolate| {
        let order = Handle { slot: request, generation };
        isolate.port.begin_order(order);
        isolate.port.remove_node(node as u16);
        let inbox = isolate.port.inbox().clone();
        let done = move || {
            inbox.run(move |port| port.finish_order(order, Outcome::Reply(Body::None)));
        };
        match isolate.nodes.get_mut(node as usize).and_then(Option::take) {
            Some(Running(opened)) => opened.close(done),
            None => done(),
        }
    })
}

/// For the end of the process: closes channels and takes the record away, within 100 ms.
#[napi(catch_unwind)]
pub fn close_node_now(node: u32) -> Result<()> {
    with(|isolate| {
        if let Some(node) = running(isolate, node) {
            node.close_now();
        }
    })
}

/// Reserves a name and a mailbox. Returns the slot, its generation in word 4; or a code of `lib/errors.ts`, negated.
#[napi(catch_unwind)]
pub fn start_worker(
    node: u32,
    name: String,
    mailbox: u32,
    overflow: u32,
    on_failure: u32,
    max_restarts: u32,
    within: u32,
) -> Result<i32> {
    let options = WorkerOptions {
        mailbox,
        overflow: if overflow == 0 { Overflow::Wait } else { Overflow::Reject },
        on_failure: [OnFailure::Resume, OnFailure::Restart, OnFailure::Stop][on_failure.min(2) as usize],
        max_restarts,
        within,
        ..WorkerOptions::default()
    };
    start(node, &name, &options)
}

/// The same for a mailbox without a behaviour.
#[napi(catch_unwind)]
pub fn open_mailbox(node: u32, name: String, capacity: u32) -> Result<i32> {
    start(node, &name, &WorkerOptions { mailbox: capacity, has_behaviour: false, ..WorkerOptions::default() })
}

fn start(node: u32, name: &str, options: &WorkerOptions) -> Result<i32> {
    with(|isolate| match isolate.port.start(node as u16, name, options) {
        Ok(handle) => {
            isolate.incoming.set(4, handle.generation);
            handle.slot as i32
        }
        Err(StartError::NameTaken) => -i32::from(code::NAME_TAKEN),
        Err(StartError::NodeStopped) => -i32::from(code::NODE_STOPPED),
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
        let entry = |worker: troupe_node::port::WorkerState| WorkerEntry {
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

/// The number of an address, its generation in word 4.
#[napi(catch_unwind)]
pub fn target(node: u32, address: String) -> Result<u32> {
    with(|isolate| {
        let handle = isolate.port.target(node as u16, &address);
        isolate.incoming.set(4, handle.generation);
        handle.slot
    })
}

/// Gives the number of an address back.
#[napi(catch_unwind)]
pub fn release_target(slot: u32, generation: u32) -> Result<()> {
    with(|isolate| isolate.port.release_target(Handle { slot, generation }))
}

/// The address of a target; null when it has gone.
#[napi(catch_unwind)]
pub fn address_of(slot: u32, generation: u32) -> Result<Option<String>> {
    with(|isolate| isolate.port.address_of(Handle { slot, generation }).map(str::to_owned))
}

/// Name of the node at the other end of a link; null when it is not known.
#[napi(catch_unwind)]
pub fn link_peer(link: u32) -> Result<Option<String>> {
    with(|isolate| isolate.port.peer_name(link).map(str::to_owned))
}

/// A live node of the zone.
#[napi(object)]
pub struct MemberEntry {
    /// Its name.
    pub name: String,
    /// Identifier of its identity, in hexadecimal.
    pub id: String,
}

/// The live members of the node's zone but itself, looked up now, sorted by name.
#[napi(catch_unwind)]
pub fn members(node: u32) -> Result<Vec<MemberEntry>> {
    with(|isolate| match running(isolate, node) {
        None => Ok(Vec::new()),
        Some(node) => match node.0.shared().members() {
            Err(error) => Err(Error::from_reason(error)),
            Ok(members) => Ok(members
                .into_iter()
                .map(|member| MemberEntry { name: member.name, id: member.id.to_string() })
                .collect()),
        },
    })?
}

/// Answers the order when the zone says where an address is.
#[napi(catch_unwind)]
pub fn resolve(node: u32, address: String, timeout: u32, request: u32, generation: u32) -> Result<()> {
    with(|isolate| isolate.port.resolve(node as u16, &address, Handle { slot: request, generation }, timeout))
}

/// Sends a control request to a member.
#[napi(catch_unwind)]
pub fn control(
    node: u32,
    member: String,
    bytes: Uint8Array,
    timeout: u32,
    request: u32,
    generation: u32,
) -> Result<()> {
    let order = Handle { slot: request, generation };
    with(|isolate| isolate.port.control(node as u16, &member, bytes.to_vec().into(), order, timeout))
}

/// A control request of a peer, or the answer to one of ours.
#[napi(object)]
pub struct ControlEntry {
    /// Name of the node it came from.
    pub peer: String,
    /// Identifier of that node.
    pub peer_id: String,
    /// The request or answer itself.
    pub bytes: Uint8Array,
    /// Public key of that node, which verifies what it signs.
    pub public_key: Uint8Array,
}

/// Takes the bytes of a control request or of the answer to one; null when they were taken.
#[napi(catch_unwind)]
pub fn take_control(request: u32) -> Result<Option<ControlEntry>> {
    with(|isolate| {
        isolate.port.take_control(request).map(|control| ControlEntry {
            peer: control.peer,
            peer_id: control.peer_id,
            bytes: control.bytes.into_vec().into(),
            public_key: control.public_key.to_vec().into(),
        })
    })
}

/// Answers a control request: with bytes, or, when there are none, with a code and a cause as JSON text.
#[napi(catch_unwind)]
pub fn answer_control(
    request: u32,
    generation: u32,
    bytes: Option<Uint8Array>,
    code: u32,
    cause: String,
) -> Result<()> {
    with(|isolate| {
        let handle = Handle { slot: request, generation };
        let answer = bytes.as_deref().ok_or((code as u8, cause.as_str()));
        isolate.port.answer_control(handle, answer);
    })
}

/// Signs a bundle of code as this node; the receiver knows the key from the channel.
#[napi(catch_unwind)]
pub fn sign_code(node: u32, hash: Uint8Array) -> Result<Option<Uint8Array>> {
    with(|isolate| {
        let signature = running(isolate, node).and_then(|node| node.0.shared().sign_code(&hash));
        signature.map(|signature| signature.to_vec().into())
    })
}

/// Whether a node with this public key signed a bundle of code.
#[napi(catch_unwind)]
pub fn verify_code(public_key: Uint8Array, hash: Uint8Array, signature: Uint8Array) -> bool {
    troupe_node::node::verify_code(&public_key, &hash, &signature)
}

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

/// Counts and logs a send that was refused before it reached the port. `reason`: its place among the dead letters.
#[napi(catch_unwind)]
pub fn count_refused(reason: u32, slot: u32) -> Result<()> {
    with(|isolate| {
        if let Some(reason) = troupe_node::port::Reason::ALL.get(reason as usize) {
            isolate.port.count_refused(*reason, slot);
        }
    })
}

/// The table of error codes, by number, for the test that compares it with TypeScript's.
#[napi(catch_unwind)]
pub fn error_codes() -> Vec<String> {
    code::NAMES.iter().map(|(number, name)| format!("{number} {name}")).collect()
}
