//! The zone as one node sees it: who is there, and one link to each it talks with.
//!
//! A node that joins listens, makes itself a member, and announces itself; it dials another only when asked to. Links
//! are told to [`LinkEvents`]; what the discovery says about members too.

mod accept;
mod credentials;
mod dial;
mod half_open;
mod members;
mod peers;
mod redial;
mod refusals;

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{Notify, watch},
    task::AbortHandle,
};
use troupe_proto::{
    codec::{CloseReason, ResetReason},
    noise::{Authority, Identity, NodeId, RandomError},
    session::Terms,
};

pub use credentials::EnrolError;

use crate::{
    channel::Channel,
    discovery::{
        Announce, AnnounceError, Announcement, Directory, Discovery, DiscoveryError, Member, OpenError, Role,
    },
    link::{self, ClosedReason, Link, LinkEvents},
    transport::{Tcp, Transport},
};
use credentials::Credentials;
use half_open::HalfOpen;
use peers::Peers;
use refusals::Refusals;

/// How long leaving waits for the other nodes to read that this one left.
const LEAVE_LIMIT: Duration = Duration::from_millis(1500);

/// A session whose channel was lost waits so long for another one.
const ABSENCE_LIMIT: Duration = Duration::from_secs(30);

/// How a node joins a zone.
#[derive(Clone, Debug)]
pub struct ZoneOptions {
    /// The folder that holds the zones' directories; see [`crate::discovery::default_home`].
    pub home: PathBuf,
    /// The zone's name.
    pub zone: String,
    /// This node's name, unique among the live nodes of the zone.
    pub node_name: String,
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Whether members may start code here that this node does not have. They are told when a link opens.
    pub accept_code: bool,
    /// What this member is in the zone.
    pub role: Role,
}

/// Why a node could not join. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The zone's directory can't be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The node's name is taken, or the directory can't be written.
    #[error(transparent)]
    Announce(#[from] AnnounceError),
    /// The address can't be listened on.
    #[error("can't listen on {address}: {source}; choose another address, or port 0 for any free port")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The node could not make itself a member.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    /// The operating system has no random numbers.
    #[error("can't make the node's identity: {0}")]
    Random(#[from] RandomError),
}

/// A joined zone. Dropping it leaves at once, as [`Zone::close_now`] does.
#[derive(Debug)]
pub struct Zone {
    shared: Arc<Shared>,
    tasks: [AbortHandle; 2],
}

/// What the tasks of a zone share.
struct Shared {
    id: NodeId,
    incarnation: u64,
    address: SocketAddr,
    terms: Terms,
    credentials: Credentials,
    discovery: Arc<dyn Discovery>,
    transport: Arc<dyn Transport>,
    events: Arc<dyn LinkEvents>,
    runtime: Handle,
    announcement: Announcement,
    peers: Mutex<Peers<Arc<Link>>>,
    half_open: Mutex<HalfOpen>,
    refusals: Refusals,
    /// Links whose task runs.
    running: watch::Sender<usize>,
    /// A link was lost: look whether its node still lives.
    look: Notify,
}

impl Zone {
    /// Joins over TCP. Blocks for some file operations. The events are told from `runtime`, which must drive I/O and
    /// time; the links live until it ends or the zone is left.
    pub fn join(
        options: ZoneOptions,
        events: Arc<dyn LinkEvents>,
        runtime: &Handle,
    ) -> Result<Self, JoinError> {
        Self::join_over(Arc::new(Tcp), options, events, runtime)
    }

    /// As [`Zone::join`], over another transport. All nodes of the zone have to use the same.
    pub fn join_over(
        transport: Arc<dyn Transport>,
        options: ZoneOptions,
        events: Arc<dyn LinkEvents>,
        runtime: &Handle,
    ) -> Result<Self, JoinError> {
        let ZoneOptions { home, zone, node_name, listen, accept_code, role } = options;
        let directory = Directory::open(&home, &zone)?;
        let identity = Arc::new(Identity::generate()?);
        let id = identity.id();
        let incarnation = incarnation()?;
        let authority = Authority::from_secret(&directory.authority().secret());
        let access_key = directory.access_key().clone();
        let credentials = Credentials::enrol(&node_name, authority, access_key, identity, incarnation)?;

        let _inside = runtime.enter();
        let listener =
            transport.listen(listen).map_err(|source| JoinError::Listen { address: listen, source })?;
        let address = listener.address();
        // The last step: from here on the others may dial.
        let announcement =
            directory.announce(Announce { id, name: node_name, address, incarnation, role })?;
        let shared = Arc::new(Shared {
            id,
            incarnation,
            address,
            terms: Terms { accept_code, ..Terms::default() },
            credentials,
            discovery: Arc::new(directory),
            transport,
            events,
            runtime: runtime.clone(),
            announcement,
            peers: Mutex::new(Peers::new(id, incarnation)),
            half_open: Mutex::new(HalfOpen::new()),
            refusals: Refusals::new(tokio::time::Instant::now()),
            running: watch::Sender::new(0),
            look: Notify::new(),
        });
        let tasks = [
            runtime.spawn(accept::run(Arc::clone(&shared), listener)).abort_handle(),
            runtime.spawn(members::run(Arc::clone(&shared))).abort_handle(),
        ];
        Ok(Self { shared, tasks })
    }

    /// Identifier of this node's identity.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.shared.id
    }

    /// Signs `parts` under `domain` as this node.
    #[must_use]
    pub fn sign(&self, domain: &[u8], parts: &[&[u8]]) -> [u8; 64] {
        self.shared.credentials.membership().identity().sign(domain, parts)
    }

    /// Which life of the node this is.
    #[must_use]
    pub fn incarnation(&self) -> u64 {
        self.shared.incarnation
    }

    /// Where this node listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// The live members but this node, looked up now, sorted by name.
    pub fn members(&self) -> Result<Vec<Member>, DiscoveryError> {
        self.shared.others()
    }

    /// A counter that moves when members may have joined or left; see [`Discovery::changes`].
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.discovery.changes()
    }

    /// The open link to a node.
    #[must_use]
    pub fn link(&self, id: &NodeId) -> Option<Arc<Link>> {
        self.shared.peers().link(id)
    }

    /// The nodes that this one has to do with: the link to each, `None` while it is dialled.
    #[must_use]
    pub fn peers(&self) -> Vec<(NodeId, Option<Arc<Link>>)> {
        self.shared.peers().all()
    }

    /// Sees to it that there is a link: ends in `opened` or `unreachable`. While a dial goes on, or a link is open: nothing.
    pub fn dial(&self, id: NodeId) {
        dial::begin(&self.shared, id);
    }

    /// Leaves: the record goes first, then the links are closed. Drain them before. Resolves when the other nodes have
    /// read it, after a second and a half at the latest. Given up half way, the rest is done when the zone is dropped.
    pub async fn leave(&self) {
        for link in self.withdraw() {
            link.close(CloseReason::NodeStops);
        }
        let mut running = self.shared.running.subscribe();
        let all_ended = tokio::time::timeout(LEAVE_LIMIT, running.wait_for(|count| *count == 0)).await;
        if all_ended.is_err() {
            log::warn!(target: "zone", "left without an answer of {} nodes", *self.shared.running.borrow());
        }
    }

    /// As [`Zone::leave`] for a process that ends: from any thread, within 100 ms. Again: nothing.
    pub fn close_now(&self) {
        for link in self.withdraw() {
            link.close_now(CloseReason::NodeStops);
        }
    }

    /// Takes the node out of the zone; answers the links that are left.
    fn withdraw(&self) -> Vec<Arc<Link>> {
        self.shared.announcement.close_now();
        for task in &self.tasks {
            task.abort();
        }
        for handshake in lock(&self.shared.half_open).drain() {
            handshake.abort();
        }
        self.shared.peers().leave()
    }
}

impl Drop for Zone {
    fn drop(&mut self) {
        self.close_now();
    }
}

impl Shared {
    fn peers(&self) -> MutexGuard<'_, Peers<Arc<Link>>> {
        lock(&self.peers)
    }

    fn others(&self) -> Result<Vec<Member>, DiscoveryError> {
        let mut members = self.discovery.members()?;
        members.retain(|member| member.id != self.id);
        Ok(members)
    }

    /// Makes a link of a channel and runs it. `peers` is the lock under which the number was given.
    fn install(self: &Arc<Self>, peers: &mut Peers<Arc<Link>>, channel: Channel, index: u32) {
        let (link, task) = link::open(channel, index);
        let id = link.peer().id;
        log::debug!(target: "channel", "open to node {} ({id:?})", link.peer().name);
        peers.opened(id, Arc::clone(&link));
        let shared = Arc::clone(self);
        self.running.send_modify(|count| *count += 1);
        self.runtime.spawn(async move {
            let mut ended = Running { shared: &shared, id, index, given_up: false };
            let run = task.patient(ABSENCE_LIMIT).run(Arc::clone(&shared.events));
            let reason = tokio::select! {
                reason = run => reason,
                never = redial::keep(&shared, &link) => match never {},
            };
            log::debug!(target: "channel", "to node {id:?}: {reason}");
            ended.given_up = matches!(reason, ClosedReason::Lost(_));
            if ended.given_up {
                shared.look.notify_one();
            }
            drop(ended);
        });
    }
}

/// Ends a link whose place another one takes.
fn end(ended: Option<(Arc<Link>, ResetReason)>) {
    if let Some((link, reason)) = ended {
        log::info!(target: "channel", "the session with node {} starts over: {}", link.peer().name, ClosedReason::Reset(reason));
        link.give_up(ClosedReason::Reset(reason));
    }
}

/// Counts a link as running; forgets it in the end, however that comes.
struct Running<'a> {
    shared: &'a Shared,
    id: NodeId,
    index: u32,
    /// The other side may not know.
    given_up: bool,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.shared.peers().closed(self.id, self.index, self.given_up);
        self.shared.running.send_modify(|count| *count -= 1);
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("id", &self.id).field("address", &self.address).finish_non_exhaustive()
    }
}

/// A random number that is not zero.
fn incarnation() -> Result<u64, RandomError> {
    loop {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).map_err(|_| RandomError)?;
        match u64::from_le_bytes(bytes) {
            0 => {}
            number => return Ok(number),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
