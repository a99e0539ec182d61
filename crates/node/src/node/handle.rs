//! A node in a program of Rust: its own thread with its workers, and the way to those of the zone.

use super::{Asked, NodeOptions, OpenError, Refusal, Shared};
use crate::context::Context;
use crate::discovery::Member;
use crate::error::Error;
use crate::isolate;
use crate::mailbox::Mailbox;
use crate::port::{Inbox, WorkerOptions};
use crate::worker::{Worker, WorkerInfo};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use troupe_proto::address::check_name;

/// How long a request, or a send that finds no room, waits unless something else is said.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// One runtime with one identity: workers of this process, and the way to those of the zone.
///
/// A handle: clones are the same node, usable from any thread and any executor. When the last one that came from
/// [`Node::create`] is dropped, the node ends without draining; [`Node::stop`] drains first. What a node sends comes
/// from `node/main`; what is sent or replied to that waits in [`Node::mailbox`].
///
/// Each call does its work on the node's thread when its future is first polled; dropped before it has ended, it is given
/// up there as well. Calls on a node that has stopped fail with [`Error::NodeStopped`].
#[derive(Clone)]
pub struct Node {
    shared: Arc<Shared>,
    inbox: Arc<Inbox>,
    /// `None` in handles that workers hold: they don't keep their own node alive.
    owner: Option<Arc<Owner>>,
}

/// Ends the node with the last handle.
struct Owner {
    inbox: Arc<Inbox>,
    thread: Mutex<Option<JoinHandle<()>>>,
    ended: watch::Receiver<()>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        isolate::end(&self.inbox);
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("name", &self.name()).finish_non_exhaustive()
    }
}

impl Node {
    /// Starts a node with a thread of its own; in a zone, one more for its channels. Resolves when it has joined.
    /// Given up before, nothing is left behind.
    pub async fn create(options: NodeOptions) -> Result<Self, OpenError> {
        check_name(&options.name).map_err(|source| OpenError::Name { name: options.name.clone(), source })?;
        let (made, is_made) = oneshot::channel();
        let (alive, ended) = watch::channel(());
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => runtime.block_on(isolate::open(options, made)),
                Err(error) => {
                    // Whoever asked may no longer wait.
                    let _ = made.send(Err(OpenError::System(error)));
                }
            }
            // The last thing that this thread does.
            drop(alive);
        };
        let thread = std::thread::Builder::new().name("troupe-isolate".into()).spawn(run);
        let thread = thread.map_err(OpenError::System)?;
        let mut node = is_made
            .await
            .unwrap_or_else(|_| Err(OpenError::System(std::io::Error::other("the node's thread ended"))))?;
        let owner = Owner { inbox: node.inbox.clone(), thread: Mutex::new(Some(thread)), ended };
        node.owner = Some(Arc::new(owner));
        Ok(node)
    }

    /// A handle as workers hold it.
    pub(crate) fn within(shared: Arc<Shared>, inbox: Arc<Inbox>) -> Self {
        Self { shared, inbox, owner: None }
    }

    /// What its threads share: the way to its workers for a thread that runs none.
    #[must_use]
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Its name, unique among the live nodes of its zone.
    #[must_use]
    pub fn name(&self) -> &str {
        self.shared.name()
    }

    /// Identifier of its identity, in hexadecimal: derived from its public key, so no other node can claim it.
    #[must_use]
    pub fn id(&self) -> &str {
        self.shared.id()
    }

    /// The mailbox of `main`. Every node has one.
    #[must_use]
    pub fn mailbox(&self) -> Mailbox {
        Mailbox::main(self)
    }

    /// Runs a future on the node's own thread, beside its workers, with `main` as the sender. What it sends to workers of
    /// this node changes no thread. A panic in it is [`Error::WorkerFailed`].
    pub async fn run<T, F>(&self, make: impl FnOnce(Context) -> F + Send + 'static) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + 'static,
    {
        isolate::inside(&self.inbox, move |local| make(local.main_context())).await
    }

    /// Starts a worker; resolves when it is initialised. `make` is called on the node's thread: once, and for each restart.
    ///
    /// Errors: [`Error::NameTaken`]; [`Error::WorkerFailed`] when `make` or `initialize` fails, with the name free again;
    /// [`Error::WorkerStopped`] when it was stopped meanwhile. Given up half way, the worker starts all the same.
    pub async fn start_worker<W: Worker>(
        &self,
        name: &str,
        make: impl FnMut() -> W + Send + 'static,
        options: WorkerOptions,
    ) -> Result<(), Error> {
        let name = name.to_owned();
        let start =
            async move |local: std::rc::Rc<isolate::Local>| local.start_worker(&name, make, &options).await;
        isolate::inside(&self.inbox, start).await
    }

    /// Stops a worker; resolves when it is gone. `timeout`: how long what runs and waits may take to drain before it
    /// fails; zero: not at all.
    ///
    /// Errors: [`Error::NoSuchWorker`]; [`Error::NotPermitted`] for `main`. Given up half way, the worker stops all the same.
    pub async fn stop_worker(&self, name: &str, timeout: Duration) -> Result<(), Error> {
        let name = name.to_owned();
        isolate::inside(&self.inbox, async move |local| local.stop_worker(&name, timeout).await).await
    }

    /// Workers and mailboxes whose names begin with `prefix`, sorted by name, at most `limit`. Includes `main`.
    pub async fn list_workers(&self, prefix: &str, limit: usize) -> Result<Vec<WorkerInfo>, Error> {
        let prefix = prefix.to_owned();
        isolate::inside(&self.inbox, async move |local| Ok(local.list(&prefix, limit))).await
    }

    /// [`Node::send_within`] 30 seconds.
    pub async fn send(&self, to: &str, message: impl Into<String>) -> Result<(), Error> {
        self.send_within(DEFAULT_TIMEOUT, to, message).await
    }

    /// Hands a message over without waiting for what it does. Resolves at once where there is room, else when there is, in
    /// order, within `timeout` ([`Duration::MAX`]: no limit). Given up, a message that still waits is withdrawn.
    ///
    /// Errors: [`Error::NoSuchWorker`], [`Error::MailboxFull`], [`Error::WorkerStopped`], [`Error::NodeUnreachable`],
    /// [`Error::Timeout`], [`Error::MessageTooLarge`], [`Error::InvalidArgument`]. Each is counted as a dead letter.
    pub async fn send_within(
        &self,
        timeout: Duration,
        to: &str,
        message: impl Into<String>,
    ) -> Result<(), Error> {
        let (to, message) = (to.to_owned(), message.into());
        self.run(async move |context| context.send_within(timeout, &to, message).await).await
    }

    /// [`Node::send_and_receive_within`] 30 seconds.
    pub async fn send_and_receive(&self, to: &str, message: impl Into<String>) -> Result<String, Error> {
        self.send_and_receive_within(DEFAULT_TIMEOUT, to, message).await
    }

    /// Sends and waits for the first reply, at most `timeout` ([`Duration::MAX`]: no limit). Exactly one outcome. Given
    /// up, the worker hears of it, or never sees the message.
    ///
    /// Errors: those of [`Node::send_within`], and [`Error::WorkerFailed`] when the handler fails.
    pub async fn send_and_receive_within(
        &self,
        timeout: Duration,
        to: &str,
        message: impl Into<String>,
    ) -> Result<String, Error> {
        let (to, message) = (to.to_owned(), message.into());
        self.run(async move |context| context.send_and_receive_within(timeout, &to, message).await).await
    }

    /// A named mailbox without a behaviour: what is sent or replied to it waits there, up to `capacity` messages.
    ///
    /// Errors: [`Error::NameTaken`].
    pub async fn create_mailbox(&self, name: &str, capacity: u32) -> Result<Mailbox, Error> {
        let owned = name.to_owned();
        let open = async move |local: std::rc::Rc<isolate::Local>| local.open_mailbox(&owned, capacity);
        let at = isolate::inside(&self.inbox, open).await?;
        Ok(Mailbox::at(self, name, at))
    }

    /// The live members of the zone but this one, in whatever role, looked up now, sorted by name. Empty without a zone.
    ///
    /// Errors: [`Error::Zone`] when the zone's directory can't be read.
    pub async fn members(&self) -> Result<Vec<Member>, Error> {
        let members = async |local: std::rc::Rc<isolate::Local>| {
            local.node().shared().members().map_err(|reason| Error::Zone { reason })
        };
        isolate::inside(&self.inbox, members).await
    }

    /// A counter that moves when members may have joined or left, once for several; look at [`Node::members`] then.
    /// `None` without a zone.
    #[must_use]
    pub fn member_changes(&self) -> Option<watch::Receiver<u64>> {
        self.shared.member_changes()
    }

    /// Offers a service to the members of the zone; see [`Shared::serve`].
    pub fn serve<F>(&self, kind: u8, answer: impl Fn(Asked) -> F + Send + Sync + 'static)
    where
        F: Future<Output = Result<Vec<u8>, Refusal>> + Send + 'static,
    {
        self.shared.serve(kind, answer);
    }

    /// Asks a member for a service; see [`Shared::ask`].
    pub async fn ask(
        &self,
        member: &str,
        kind: u8,
        body: &[u8],
        timeout: Duration,
    ) -> Result<Vec<u8>, Error> {
        self.shared.ask(member, kind, body, timeout).await
    }

    /// Drains and stops every worker within `timeout`, leaves the zone, closes the channels, ends the threads. Resolves
    /// when that is done; again: the same. From a handler it does not wait for the end, of which the handler is a part.
    pub async fn stop(&self, timeout: Duration) {
        let stop = async move |local: std::rc::Rc<isolate::Local>| {
            local.stop_node(timeout);
            Ok(())
        };
        // An error says that it has stopped.
        let _ = isolate::inside(&self.inbox, stop).await;
        let Some(owner) = &self.owner else { return };
        if isolate::is_here(&self.inbox) {
            return;
        }
        // It only ever ends, with the thread.
        let _ = owner.ended.clone().changed().await;
        let thread = owner.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A panic there was reported when it happened.
        let _ = thread.map(JoinHandle::join);
    }
}
