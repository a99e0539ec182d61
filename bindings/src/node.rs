//! A node: opened, drained and closed. Arguments are checked in TypeScript.

use crate::isolate::{Isolate, with};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use troupe_node::discovery::Role;
use troupe_node::node::{NodeOptions, Opened};
use troupe_node::port::{Body, BodyRef, Failure, Handle, Outcome};
use troupe_node::zone::ZoneOptions;

/// A node that this isolate opened.
pub(crate) struct Running(pub(crate) Opened);

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
    /// What it is in the zone: 0 a node, 1 an observer, 2 the supervisor.
    pub role: u32,
}

/// Opens a node and returns its number; the order is answered when it has joined its zone. Its failure has as its cause a
/// text of two lines: the number of the system's error below it, or 0, and what happened.
#[napi(catch_unwind)]
pub fn open_node(options: OpenNode, request: u32, generation: u32) -> Result<u32> {
    let zone = match options.zone {
        None => None,
        Some(zone) => {
            let home = crate::zone::home()?;
            let role = u8::try_from(options.role).ok().and_then(Role::from_number);
            let role =
                role.ok_or_else(|| Error::from_reason(format!("{} is no role of a member", options.role)))?;
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
                role,
            })
        }
    };
    with(|isolate| {
        let order = Handle { slot: request, generation };
        isolate.port.begin_order(order);
        let done = isolate.port.inbox().clone();
        let options = NodeOptions { name: options.name, zone, prepare: None };
        let opened = Opened::open(options, &mut isolate.port, move |result| {
            done.run(move |port| {
                let outcome = match result {
                    Ok(()) => Outcome::Reply(Body::None),
                    Err(error) => {
                        // `lib/node.ts` takes the two apart.
                        let text = format!("{}\n{error}", error.system_code().unwrap_or_default());
                        Outcome::Failed(Failure::new(error.code()), text_body(&text))
                    }
                };
                port.finish_order(order, outcome);
            });
        });
        let number = opened.shared().number();
        let index = usize::from(number);
        if isolate.nodes.len() <= index {
            isolate.nodes.resize_with(index + 1, || None);
        }
        isolate.nodes[index] = Some(Running(opened));
        u32::from(number)
    })
}

fn text_body(text: &str) -> Body {
    BodyRef::Text(troupe_proto::text::Text::from_utf8(text)).into_owned()
}

/// Identifier of the node's identity, in hexadecimal; empty until it is open.
#[napi(catch_unwind)]
pub fn node_id(node: u32) -> Result<String> {
    with(|isolate| running(isolate, node).map_or_else(String::new, |node| node.0.shared().id().to_owned()))
}

pub(crate) fn running(isolate: &Isolate, node: u32) -> Option<&Running> {
    isolate.nodes.get(node as usize).and_then(Option::as_ref)
}

/// The state of a node as JSON text, with at most so many workers one by one.
#[napi(catch_unwind)]
pub fn node_state(node: u32, workers: u32) -> Result<Option<String>> {
    with(|isolate| {
        let node = running(isolate, node)?;
        Some(troupe_node::observe::state_now(node.0.shared(), &isolate.port, workers as usize).to_string())
    })
}

/// The node begins to stop: its state says so.
#[napi(catch_unwind)]
pub fn set_draining(node: u32) -> Result<()> {
    with(|isolate| {
        if let Some(node) = running(isolate, node) {
            node.0.shared().set_draining();
        }
    })
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
