//! A node: a name, an identity, the names of its workers, and, in a zone, the links to other nodes.
//!
//! [`Shared`] is what the isolate's thread and the I/O thread both see; it holds no message. [`Opened`] runs the I/O thread.

mod call;
mod ended;
mod events;
mod handle;
mod io;
mod search;
mod services;

pub use call::Call;
pub use ended::when_ended;
pub(crate) use handle::DEFAULT_TIMEOUT;
pub use handle::Node;
pub use io::{NodeOptions, OpenError, Opened, Prepare, verify_code};
pub use services::{Asked, Asker, Refusal, SUPERVISE};

use crate::line_limit::LineLimit;
use crate::link::Link;
use crate::observe::{Observed, Past, Ring};
use crate::port::{Handle, Inbox};
use crate::zone::Zone;
use search::Searches;
use services::Services;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use troupe_proto::noise::NodeId;

/// What the threads of one node share.
pub struct Shared {
    name: String,
    /// Identifier of the node's identity, in hexadecimal.
    id: OnceLock<String>,
    /// Number of the node in its port. There before its I/O thread is: all that links tell the port is addressed by it.
    number: u16,
    inbox: Arc<Inbox>,
    names: Mutex<HashMap<Box<str>, Handle>>,
    /// Links whose peers were told where a worker is, and hear when it goes.
    told: Mutex<HashMap<Handle, Vec<Arc<Link>>>>,
    /// While it is in one. Taken out in the end: zone and node know each other, and neither would ever be dropped.
    zone: Mutex<Option<Arc<Joined>>>,
    searches: Mutex<Searches>,
    services: Services,
    incarnation: OnceLock<u64>,
    /// The lines of its log.
    ring: Arc<Ring>,
    /// What else those see who observe it.
    observed: Observed,
    /// Nodes whose lines are in it as well.
    covered: Mutex<Vec<String>>,
    /// Says which requests are logged that a credential does not allow.
    not_permitted: LineLimit,
    /// Who has the lines that it no longer has.
    past: OnceLock<Arc<dyn Past>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A zone that a node is in, and the runtime that drives it.
struct Joined {
    zone: Zone,
    io: tokio::runtime::Handle,
}

impl std::ops::Deref for Joined {
    type Target = Zone;

    fn deref(&self) -> &Zone {
        &self.zone
    }
}

/// A panic elsewhere leaves these maps whole: each change is one call.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// A node with this number in the port that has this inbox.
    pub(crate) fn new(name: &str, number: u16, inbox: Arc<Inbox>) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            id: OnceLock::new(),
            number,
            inbox,
            names: Mutex::default(),
            told: Mutex::default(),
            zone: Mutex::default(),
            searches: Mutex::default(),
            services: Services::default(),
            incarnation: OnceLock::new(),
            ring: Arc::default(),
            observed: Observed::default(),
            covered: Mutex::default(),
            not_permitted: LineLimit::new(),
            past: OnceLock::new(),
        })
    }

    /// The node's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Identifier of the node's identity, in hexadecimal.
    #[must_use]
    pub fn id(&self) -> &str {
        self.id.get().map_or("", String::as_str)
    }

    /// Number of the node in its port.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }

    pub(crate) fn set_id(&self, id: String) {
        let _ = self.id.set(id);
    }

    /// Which life of the node this is: 16 hexadecimal digits; all zero without a zone.
    #[must_use]
    pub fn incarnation(&self) -> String {
        format!("{:016x}", self.incarnation.get().copied().unwrap_or_default())
    }

    /// The last lines of its log.
    #[must_use]
    pub fn ring(&self) -> &Arc<Ring> {
        &self.ring
    }

    pub(crate) fn observed(&self) -> &Observed {
        &self.observed
    }

    pub(crate) fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// The links of the node, and the nodes it dials: of those that are members, by name.
    pub(crate) fn peers(&self) -> Vec<(NodeId, Option<Arc<Link>>)> {
        self.zone().map_or_else(Vec::new, |zone| zone.peers())
    }

    /// Says that the lines of these nodes are in the ring of this one, where readers find them from here on.
    pub fn cover(&self, nodes: Vec<String>) {
        *lock(&self.covered) = nodes;
    }

    /// The nodes whose lines are in its ring beside its own.
    #[must_use]
    pub fn covered(&self) -> Vec<String> {
        lock(&self.covered).clone()
    }

    /// Says who has the lines that the ring no longer has; once.
    pub fn set_past(&self, past: Arc<dyn Past>) {
        // The first one stays: readers stand in its lines.
        let _ = self.past.set(past);
    }

    pub(crate) fn past(&self) -> Option<Arc<dyn Past>> {
        self.past.get().cloned()
    }

    fn zone(&self) -> Option<Arc<Joined>> {
        lock(&self.zone).clone()
    }

    /// Takes a name. `false`: it is in use.
    pub(crate) fn register(&self, name: &str, handle: Handle) -> bool {
        {
            let mut names = lock(&self.names);
            if names.contains_key(name) {
                return false;
            }
            names.insert(name.into(), handle);
        }
        self.announce(name, handle);
        true
    }

    /// Gives a name back and tells the nodes that knew it.
    pub(crate) fn unregister(&self, name: &str, handle: Handle) {
        {
            let mut names = lock(&self.names);
            if names.get(name) == Some(&handle) {
                names.remove(name);
            }
        }
        self.tell_gone(handle);
    }

    /// A worker of this node.
    #[must_use]
    pub fn look_up(&self, name: &str) -> Option<Handle> {
        lock(&self.names).get(name).copied()
    }
}
