//! A node over HTTP: the server is made and closed here, and runs on a thread of its own.

use crate::isolate::with;
use crate::node::running;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use troupe_http::{ServeError, ServeOptions, ZoneSource};
use troupe_node::discovery::Role;
use troupe_node::port::{Body, Handle, Outcome};

/// How a node is served; `lib/options.ts` has checked it.
#[napi(object)]
pub struct Serve {
    /// Address to listen on, `ip:port`.
    pub listen: String,
    /// What callers must show.
    pub token: Option<String>,
    /// Folder of the page's files.
    pub page: Option<String>,
    /// Whether messages to workers are taken.
    pub workers: bool,
    /// Whether the zone is watched.
    pub view: bool,
    /// How long the loop may be held up before it counts as stalled, in ms.
    pub stall_ms: f64,
    /// The node's zone, if it is in one.
    pub zone: Option<String>,
    /// What the node is in it.
    pub role: u32,
}

/// Where a node is served, or why it is not.
#[napi(object)]
pub struct Served {
    /// Address that it listens on, `ip:port`.
    pub address: Option<String>,
    /// What is in the way.
    pub failure: Option<String>,
    /// Number of the system's error below it, or 0.
    pub system_code: i32,
}

/// Serves a node; it may have one server. When this returns, connections are taken.
#[napi(catch_unwind)]
pub fn serve(node: u32, options: Serve) -> Result<Served> {
    let listen = options.listen.parse().map_err(|_| {
        Error::from_reason(format!(
            "{:?} is no address to listen on: an IP address and a port",
            options.listen
        ))
    })?;
    let role = u8::try_from(options.role).ok().and_then(Role::from_number).unwrap_or(Role::Node);
    let zone = options.zone;
    let options = ServeOptions {
        listen,
        token: options.token,
        page: options.page.map(PathBuf::from),
        workers: options.workers,
        view: options.view,
        stall: Duration::try_from_secs_f64(options.stall_ms / 1000.0).unwrap_or(Duration::MAX),
        levels: Some(Arc::new(crate::log::SharedLevels)),
        ..ServeOptions::local()
    };
    let served = with(|isolate| {
        let shared = running(isolate, node).map(|node| node.0.shared().clone())?;
        if isolate.servers.contains_key(&node) {
            return None;
        }
        let source = Arc::new(ZoneSource::new(shared.clone(), zone, role));
        Some(troupe_http::serve(shared, source, options).map(|server| {
            let address = server.address();
            isolate.servers.insert(node, server);
            address
        }))
    })?;
    match served {
        None => Err(Error::from_reason("the node is closed, or is served already")),
        Some(Ok(address)) => Ok(Served { address: Some(address.to_string()), failure: None, system_code: 0 }),
        Some(Err(error)) => Ok(refused(&error)),
    }
}

fn refused(error: &ServeError) -> Served {
    let system_code = error.system_code().unwrap_or_default();
    Served { address: None, failure: Some(error.to_string()), system_code }
}

/// Closes a node's server, if it has one; the order is answered when its thread has ended.
#[napi(catch_unwind)]
pub fn close_server(node: u32, request: u32, generation: u32) -> Result<()> {
    with(|isolate| {
        let order = Handle { slot: request, generation };
        isolate.port.begin_order(order);
        let inbox = isolate.port.inbox().clone();
        let done = move || {
            inbox.run(move |port| port.finish_order(order, Outcome::Reply(Body::None)));
        };
        match isolate.servers.remove(&node) {
            Some(server) => server.close(done),
            None => done(),
        }
    })
}
