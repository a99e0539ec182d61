//! Opening and closing a node: its I/O thread, its zone.

use super::events::Events;
use super::{Joined, Shared};
use crate::code;
use crate::discovery::{self, AnnounceError, DiscoveryError, Member, Role};
use crate::link::{Link, LinkEvents};
use crate::port::{Port, Resolution};
use crate::zone::{JoinError, Zone, ZoneOptions};
use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use tokio::sync::{oneshot, watch};
use troupe_proto::address::NameError;
use troupe_proto::noise::{Identity, RandomError, verify};

/// What a node is to be.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// Unique among the live nodes of its zone.
    pub name: String,
    /// `None`: a node by itself, that opens no socket, touches no file and has no thread.
    pub zone: Option<ZoneOptions>,
    /// What is done with it before any member sees it.
    pub prepare: Option<Prepare>,
}

/// Something to do with a node that is about to be opened, as to offer its services.
#[derive(Clone)]
pub struct Prepare(Arc<dyn Fn(&Shared) + Send + Sync>);

impl std::fmt::Debug for Prepare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prepare")
    }
}

impl NodeOptions {
    /// A node by itself.
    #[must_use]
    pub fn alone(name: &str) -> Self {
        Self { name: name.to_owned(), zone: None, prepare: None }
    }

    /// A node in a zone of this machine's user, listening on a free port of this machine. `home`: the folder that holds
    /// the zones' directories; see [`crate::discovery::default_home`].
    #[must_use]
    pub fn in_zone(name: &str, zone: &str, home: PathBuf) -> Self {
        let zone = ZoneOptions {
            home,
            zone: zone.to_owned(),
            node_name: name.to_owned(),
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            accept_code: false,
            role: Role::Node,
        };
        Self { name: name.to_owned(), zone: Some(zone), prepare: None }
    }

    /// The same member of its zone in another role. Without a zone: nothing.
    #[must_use]
    pub fn with_role(mut self, role: Role) -> Self {
        if let Some(zone) = &mut self.zone {
            zone.role = role;
        }
        self
    }

    /// The same, with something to do before any member sees it: services that are offered here ([`Shared::serve`]) are
    /// there for the first who asks.
    #[must_use]
    pub fn prepared(mut self, prepare: impl Fn(&Shared) + Send + Sync + 'static) -> Self {
        self.prepare = Some(Prepare(Arc::new(prepare)));
        self
    }
}

/// Why a node could not be opened. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It could not join its zone.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// The caller's name for the node is none.
    #[error("{name:?} is no name for a node: {source}")]
    Name {
        /// What was given.
        name: String,
        /// What is wrong with it.
        source: NameError,
    },
    /// The system gave no thread, or nothing to wait on.
    #[error("the system gives no thread for the node's I/O: {0}")]
    System(#[source] io::Error),
    /// The system has no random numbers.
    #[error("can't make the node's identity: {0}")]
    Random(#[from] RandomError),
}

impl OpenError {
    /// The code by which a user matches it, or 0 where there is none for it: then the system refused something.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            OpenError::Join(JoinError::Announce(AnnounceError::NameTaken { .. })) => code::NAME_TAKEN,
            OpenError::Join(
                JoinError::Open(
                    discovery::OpenError::Files(DiscoveryError::Untrusted(_))
                    | discovery::OpenError::Damaged { .. },
                )
                | JoinError::Announce(AnnounceError::Files(DiscoveryError::Untrusted(_))),
            ) => code::NOT_PERMITTED,
            _ => 0,
        }
    }

    /// The number of the system's error that lies below, if one does.
    #[must_use]
    pub fn system_code(&self) -> Option<i32> {
        let mut next: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = next {
            if let Some(system) = error.downcast_ref::<io::Error>() {
                return system.raw_os_error();
            }
            next = error.source();
        }
        None
    }
}

/// An open node and its I/O thread.
#[derive(Debug)]
pub struct Opened {
    shared: Arc<Shared>,
    thread: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Opened {
    /// Opens a node of a port; joining a zone blocks for some file operations, on the I/O thread.
    /// `done` is called once, there or (without a zone) here, when the node is open or has failed to.
    pub fn open(
        options: NodeOptions,
        port: &mut Port,
        done: impl FnOnce(Result<(), OpenError>) + Send + 'static,
    ) -> Self {
        let shared = port.add_node(&options.name);
        if let Some(zone) = &options.zone {
            shared.observed().joins(&zone.zone, zone.role);
        }
        if let Some(Prepare(prepare)) = &options.prepare {
            prepare(&shared);
        }
        let Some(zone) = options.zone else {
            let made = Identity::generate().map_err(OpenError::from);
            done(made.map(|identity| {
                shared.set_id(identity.id().to_string());
                crate::observe::open(&shared);
            }));
            return Self { shared, thread: None };
        };
        let (stop, stopped) = oneshot::channel();
        let node = shared.clone();
        // Kept out of the closure, which is gone when there is no thread to run it.
        let done = Arc::new(Mutex::new(Some(done)));
        let tell = done.clone();
        let done = move |result| {
            if let Some(done) = super::lock(&done).take() {
                done(result);
            }
        };
        let run = move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return done(Err(OpenError::System(error))),
            };
            runtime.block_on(async move {
                let handle = tokio::runtime::Handle::current();
                let joined = node.join(&handle, |events| Zone::join(zone, events, &handle));
                done(joined.map_err(OpenError::from));
                // Ends when the node is closed or dropped.
                let _ = stopped.await;
                node.leave().await;
            });
        };
        match std::thread::Builder::new().name("troupe-io".into()).spawn(run) {
            Ok(thread) => Self { shared, thread: Some((stop, thread)) },
            Err(error) => {
                if let Some(done) = super::lock(&tell).take() {
                    done(Err(OpenError::System(error)));
                }
                Self { shared, thread: None }
            }
        }
    }

    /// What the node's threads share.
    #[must_use]
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Leaves the zone, closes the links, ends the I/O thread; then calls `done`, from another thread.
    pub fn close(mut self, done: impl FnOnce() + Send + 'static) {
        crate::observe::close(self.shared.ring());
        let Some((stop, thread)) = self.thread.take() else { return done() };
        // The thread may have ended by itself.
        let _ = stop.send(());
        if let Err(error) = super::when_ended(thread, done) {
            log::error!(target: "node", "the end of the I/O thread can't be waited for: {error}");
        }
    }

    /// For the end of the process: closes channels and takes the record away, within 100 ms.
    pub fn close_now(&self) {
        if let Some(zone) = self.shared.zone() {
            zone.close_now();
        }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        crate::observe::close(self.shared.ring());
        if let Some((stop, _)) = self.thread.take() {
            // The thread ends on its own.
            let _ = stop.send(());
        }
    }
}

/// What keeps a signature under code from being taken for one under anything else.
const CODE: &[u8] = b"troupe code 1";

/// Whether the node with this public key signed a bundle of code, by its hash.
#[must_use]
pub fn verify_code(public_key: &[u8], hash: &[u8], signature: &[u8]) -> bool {
    let (Ok(public_key), Ok(signature)) = (public_key.try_into(), signature.try_into()) else { return false };
    verify(public_key, CODE, &[hash], signature)
}

impl Shared {
    /// Joins a zone by `join`, which is handed the node's way to hear of its links. `io` is the runtime that drives the
    /// zone: where it is the caller's own, the node has no thread.
    pub fn join(
        self: &Arc<Self>,
        io: &tokio::runtime::Handle,
        join: impl FnOnce(Arc<dyn LinkEvents>) -> Result<Zone, JoinError>,
    ) -> Result<(), JoinError> {
        let zone = join(Arc::new(Events(self.clone())))?;
        self.set_id(zone.id().to_string());
        let _ = self.incarnation.set(zone.incarnation());
        *super::lock(&self.zone) = Some(Arc::new(Joined { zone, io: io.clone() }));
        crate::observe::open(self);
        Ok(())
    }

    /// Leaves the zone, if the node is in one; see [`Zone::leave`].
    pub async fn leave(&self) {
        if let Some(zone) = self.zone() {
            zone.leave().await;
        }
        self.forget_zone();
    }

    /// Lets go of the zone, and with it of what its runtime keeps open. One that was not left is left at once.
    pub fn forget_zone(&self) {
        self.end_services();
        let left = super::lock(&self.zone).take();
        self.end_searches();
        // Outside of the lock: it may be the last one, and dropping a zone leaves it.
        drop(left);
    }

    /// The live members but this one, in whatever role, looked up now. Blocks for some file operations. Empty without a zone.
    pub fn members(&self) -> Result<Vec<Member>, String> {
        self.zone().map_or_else(|| Ok(Vec::new()), |zone| zone.members().map_err(|error| error.to_string()))
    }

    pub(super) fn member_changes(&self) -> Option<watch::Receiver<u64>> {
        self.zone().map(|zone| zone.changes())
    }

    /// Signs a bundle of code, by its hash, as this node. `None` without a zone.
    #[must_use]
    pub fn sign_code(&self, hash: &[u8]) -> Option<[u8; 64]> {
        self.zone().map(|zone| zone.sign(CODE, &[hash]))
    }

    /// Waits until every link has handed over what it holds, then calls `done` on the I/O thread.
    pub fn drained(self: &Arc<Self>, links: Vec<Arc<Link>>, done: impl FnOnce() + Send + 'static) {
        let Some(zone) = self.zone() else { return done() };
        zone.io.spawn(async move {
            for link in links {
                // A peer that stands still must not hold up the end of this node.
                let _ = tokio::time::timeout(std::time::Duration::from_secs(1), link.drained()).await;
            }
            done();
        });
    }

    /// Connects to a member by its name; calls `done` on the I/O thread.
    pub fn connect_by_name(
        self: &Arc<Self>,
        name: &str,
        done: impl FnOnce(Option<Arc<Link>>) + Send + 'static,
    ) {
        let Some(zone) = self.zone() else { return done(None) };
        let id = zone
            .members()
            .ok()
            .and_then(|all| all.into_iter().find(|member| member.name == name))
            .map(|m| m.id);
        let node = self.clone();
        zone.io.spawn(async move {
            let link = match id {
                Some(id) => node.connect(id).await,
                None => None,
            };
            done(link);
        });
    }

    /// Looks for an address in the zone; calls `done` on the I/O thread.
    pub(crate) fn find_then(self: &Arc<Self>, address: &str, done: impl FnOnce(Resolution) + Send + 'static) {
        let (node, address) = (self.clone(), address.to_owned());
        let Some(zone) = self.zone() else { return };
        zone.io.spawn(async move { done(node.find(&address).await) });
    }
}
