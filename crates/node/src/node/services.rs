//! Services between members: requests that the I/O thread answers by itself, so that they are answered while the isolate is
//! busy. How another member is asked for one is in `services/asking.rs`.
//!
//! On the wire they are control requests, whose first byte is the kind. What has no service here is the isolate's.

mod asking;

use super::{Shared, lock};
use crate::cause::Cause;
use crate::code;
use crate::error::{Error, Reported};
use crate::link::{Leftover, Link};
use crate::observe;
use crate::port::Handle;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::AbortHandle;
use troupe_proto::codec::{Body, Correlation, Fail, Frame, Reply};
use troupe_proto::noise::{Capabilities, NodeId};
use troupe_proto::text::Text;

use asking::Asking;
pub(super) use asking::is_own;

/// The service of a zone's supervisor: what it starts, keeps up and stops. Only the supervisor has it. It takes the
/// capabilities `worker:start` and `worker:stop`.
pub const SUPERVISE: u8 = b'V';

/// Requests of one peer that may be under way. One that waits for news takes its place as well.
const UNDER_WAY: usize = 64;
/// Bytes of their bodies; one always fits.
const UNDER_WAY_BYTES: usize = 32 << 20;
/// Bytes of an answer, inclusive: what any node takes in.
const MAX_ANSWER: usize = crate::error::MAX_MESSAGE;
/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// Its name.
    pub name: String,
    /// Identifier of its identity.
    pub id: NodeId,
    /// What its credential allows.
    pub capabilities: Capabilities,
}

/// A request for a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Who asks. Whether it may ask for this kind of service has been checked.
    pub by: Asker,
    /// What it says, behind the byte of the kind.
    pub body: Vec<u8>,
}

/// Why a request for a service is not done. The asker gets both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its code; see [`crate::code`].
    pub code: u8,
    /// What is wrong and what to do, for the one who asked.
    pub message: String,
}

impl Refusal {
    /// The request is not allowed, or is none that this node understands.
    pub fn not_permitted(message: impl Into<String>) -> Self {
        Self { code: code::NOT_PERMITTED, message: message.into() }
    }

    /// The service failed at it.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { code: code::WORKER_FAILED, message: message.into() }
    }
}

type Answer = Result<Vec<u8>, Refusal>;
type Handler = Arc<dyn Fn(Asked) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync>;

/// The services of a node, and what it has asked of those of others.
#[derive(Default)]
pub(super) struct Services {
    handlers: Mutex<Handlers>,
    /// What peers have asked and waits for its answer, by link.
    under_way: Mutex<HashMap<u32, HashMap<Handle, UnderWay>>>,
    /// What this node has asked of others.
    asked: Asking,
}

/// One request of a peer: what answers it, and how long its body is.
struct UnderWay {
    task: AbortHandle,
    bytes: usize,
}

#[derive(Default)]
struct Handlers {
    by_kind: HashMap<u8, Handler>,
    has_ended: bool,
}

fn wire(request: Handle) -> Correlation {
    Correlation { slot: request.slot, generation: request.generation }
}

impl Shared {
    /// Offers a service to the members of the zone: `answer` gets the requests of this kind and runs on the node's I/O
    /// thread, which it must not block. A second service of a kind takes the place of the first.
    ///
    /// At most 64 requests of one member with 32 MiB are under way, what is beyond fails with `MAILBOX_FULL`; an answer has at most
    /// 16 MiB. A request that its asker gives up, or whose time is over, is dropped where it stands. What `answer` holds
    /// is dropped when the node ends. Nobody asks a node without a zone.
    pub fn serve<F>(&self, kind: u8, answer: impl Fn(Asked) -> F + Send + Sync + 'static)
    where
        F: Future<Output = Result<Vec<u8>, Refusal>> + Send + 'static,
    {
        let handler: Handler = Arc::new(move |asked| Box::pin(answer(asked)));
        let mut handlers = lock(&self.services.handlers);
        if !handlers.has_ended {
            handlers.by_kind.insert(kind, handler);
        }
    }

    /// Asks a member for a service, dialling it when there is no link. From any thread and any executor. Asked of this
    /// node itself, its own service answers. Dropped before it has ended, it is given up there as well.
    ///
    /// Errors: [`Error::NodeUnreachable`]; [`Error::Timeout`]; [`Error::NotPermitted`] when the credential of this node does
    /// not allow it, or the member knows no such service; [`Error::MailboxFull`] when it has too much to answer;
    /// [`Error::NodeStopped`]; whatever else the service refuses with.
    pub async fn ask(
        self: &Arc<Self>,
        member: &str,
        kind: u8,
        body: &[u8],
        timeout: Duration,
    ) -> Result<Vec<u8>, Error> {
        let Some(zone) = self.zone() else { return Err(Error::NodeStopped) };
        let (node, name, body) = (self.clone(), member.to_owned(), body.to_vec());
        let run = zone.io.spawn(async move {
            let asking = async {
                if name == node.name() {
                    node.ask_itself(kind, body).await
                } else {
                    node.ask_peer(&name, kind, &body, timeout).await
                }
            };
            let late = Err(Reported {
                stage: crate::port::record::stage::IN_TRANSIT,
                ..Reported::new(code::TIMEOUT)
            });
            let answer = tokio::time::timeout(timeout, asking).await.unwrap_or(late);
            answer.map_err(|reported| reported.into_error(&name))
        });
        drop(zone);
        let mut run = GivesUp(run);
        // It ends unanswered only with the I/O thread.
        (&mut run.0).await.unwrap_or(Err(Error::NodeStopped))
    }

    pub(super) async fn ask_itself(self: &Arc<Self>, kind: u8, body: Vec<u8>) -> Result<Vec<u8>, Reported> {
        let id = self.zone().map_or(NodeId([0; 32]), |zone| zone.id());
        let by = Asker { name: self.name.clone(), id, capabilities: Capabilities::ALL };
        let answer = match self.handler(kind) {
            Some(handler) => handler(Asked { by, body }).await,
            None => Err(self.unknown(kind)),
        };
        answer.map_err(|Refusal { code, message }| Reported {
            cause: Some(Cause::new(message).encode()),
            ..Reported::new(code)
        })
    }

    fn handler(self: &Arc<Self>, kind: u8) -> Option<Handler> {
        let given = lock(&self.services.handlers).by_kind.get(&kind).cloned();
        if given.is_some() || kind != observe::OBSERVE {
            return given;
        }
        // Made when it is asked for: one that is kept would keep the node.
        let node = self.clone();
        Some(Arc::new(move |asked| Box::pin(observe::answer(node.clone(), asked))))
    }

    fn unknown(&self, kind: u8) -> Refusal {
        let name = &self.name;
        if kind == SUPERVISE {
            return Refusal::not_permitted(format!(
                "node {name} is not the supervisor of its zone: ask that"
            ));
        }
        Refusal::not_permitted(format!("node {name} has no service {:?}", char::from(kind)))
    }

    /// A peer asks for a service. `false`: there is none of that kind here.
    pub(super) fn serves_peer(
        self: &Arc<Self>,
        link: &Arc<Link>,
        request: Handle,
        bytes: &[u8],
        remaining_ms: u32,
    ) -> bool {
        let Some((kind, body)) = bytes.split_first() else { return false };
        let Some(handler) = self.handler(*kind) else {
            // What has never been a service is the isolate's to answer.
            let is_service = *kind == SUPERVISE;
            if is_service {
                refuse(link, request, &self.unknown(*kind));
            }
            return is_service;
        };
        let Some(zone) = self.zone() else { return false };
        let peer = link.peer();
        let by = Asker { name: peer.name.clone(), id: peer.id, capabilities: peer.capabilities };
        let mut under_way = lock(&self.services.under_way);
        let of_peer = under_way.entry(link.index()).or_default();
        let held: usize = of_peer.values().map(|under_way| under_way.bytes).sum();
        let has_room = of_peer.len() < UNDER_WAY && (held == 0 || held + body.len() <= UNDER_WAY_BYTES);
        if !has_room || of_peer.contains_key(&request) {
            let message = format!(
                "node {} answers as many requests of node {} as it takes at once; wait for some of them",
                self.name, peer.name
            );
            drop(under_way);
            refuse(link, request, &Refusal { code: code::MAILBOX_FULL, message });
            return true;
        }
        let bytes = body.len();
        let (node, to, body) = (Arc::downgrade(self), link.clone(), body.to_vec());
        let limit = Duration::from_millis(remaining_ms.into());
        let task = zone.io.spawn(async move {
            let answer = tokio::time::timeout(limit, handler(Asked { by, body })).await;
            if let Some(node) = node.upgrade() {
                node.forget_request(&to, request);
            }
            match answer {
                Ok(Ok(bytes)) => answer_with(&to, request, &bytes),
                Ok(Err(refusal)) => refuse(&to, request, &refusal),
                // Nobody waits for it any longer.
                Err(_) => {}
            }
        });
        of_peer.insert(request, UnderWay { task: task.abort_handle(), bytes });
        true
    }

    fn forget_request(&self, link: &Link, request: Handle) {
        let mut under_way = lock(&self.services.under_way);
        if let Some(of_peer) = under_way.get_mut(&link.index()) {
            of_peer.remove(&request);
            if of_peer.is_empty() {
                under_way.remove(&link.index());
            }
        }
    }

    /// A peer gave a request up. `false`: it is none of a service.
    pub(super) fn service_given_up(&self, link: &Link, request: Handle) -> bool {
        let task = lock(&self.services.under_way).get_mut(&link.index()).and_then(|all| all.remove(&request));
        task.map(|UnderWay { task, .. }| task.abort()).is_some()
    }

    /// A link is gone: nobody waits for the answers to what its peer has asked, and what was asked of it has failed.
    pub(super) fn services_lost(&self, link: &Link, leftover: &Leftover) {
        let tasks = lock(&self.services.under_way).remove(&link.index()).unwrap_or_default();
        for UnderWay { task, .. } in tasks.into_values() {
            task.abort();
        }
        self.asked_lost(link, leftover);
    }

    /// The node has left its zone: what its services hold goes.
    pub(super) fn end_services(&self) {
        let ended = {
            let mut handlers = lock(&self.services.handlers);
            handlers.has_ended = true;
            std::mem::take(&mut handlers.by_kind)
        };
        // Outside of the lock: a handler may hold anything.
        drop(ended);
        let tasks = std::mem::take(&mut *lock(&self.services.under_way));
        for UnderWay { task, .. } in tasks.into_values().flat_map(HashMap::into_values) {
            task.abort();
        }
        self.services.asked.clear();
    }
}

/// Ends a task with whoever waits for it.
struct GivesUp<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for GivesUp<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn answer_with(link: &Link, request: Handle, bytes: &[u8]) {
    let limit = MAX_ANSWER.min(link.max_message());
    if bytes.len() > limit {
        let message =
            format!("the answer has {} bytes, and at most {limit} travel; ask for less", bytes.len());
        return refuse(link, request, &Refusal { code: code::MESSAGE_TOO_LARGE, message });
    }
    let reply = Frame::Reply(Reply { correlation: wire(request), body: Body::Bytes(bytes) });
    let pushed = link.batch().map(|mut batch| batch.push(&reply));
    if let Some(Err(why)) = pushed {
        return refuse(link, request, &Refusal { code: code::MAILBOX_FULL, message: why.to_string() });
    }
    link.flush();
}

/// Fails a control request, with words for the one who asked.
pub(super) fn refuse(link: &Link, request: Handle, Refusal { code, message }: &Refusal) {
    let cause = Cause::new(message.as_str()).encode();
    if let Some(mut batch) = link.batch() {
        // Short by construction: it fits any peer.
        let _ = batch.push(&Frame::Fail(Fail {
            correlation: wire(request),
            code: *code,
            maybe_executed: false,
            body: Body::Text(Text::from_utf8(&cause)),
        }));
    }
    link.flush();
}
