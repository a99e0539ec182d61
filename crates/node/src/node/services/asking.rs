//! What a node asks of the services of others: requests with numbers of their own, beside those of the port.

use crate::code;
use crate::error::Reported;
use crate::link::{Leftover, Link};
use crate::node::{Shared, lock};
use crate::port::{Failure, Handle};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;
use troupe_proto::codec::{Body, Correlation, Extensions, Flow, Frame, Message, Target, cost_of};
use troupe_proto::text::Text;

/// Marks the numbers of requests made here: the port's own are below a million, those it gives to others' have the top bit.
const OWN: u32 = 0x4000_0000;

/// What a member answered.
type Given = Result<Vec<u8>, Reported>;

/// What this node has asked of others and waits for.
#[derive(Default)]
pub(super) struct Asking(Mutex<Table>);

impl Asking {
    /// Nobody answers any more.
    pub(super) fn clear(&self) {
        lock(&self.0).open.clear();
    }
}

#[derive(Default)]
struct Table {
    next: u32,
    /// By number: the link it went over, and who waits.
    open: HashMap<u32, (u32, oneshot::Sender<Given>)>,
}

/// Whether an answer is to a request that was made here and not by the port.
pub(in crate::node) fn is_own(request: Handle) -> bool {
    request.slot & (OWN | crate::port::record::INBOUND) == OWN
}

impl Shared {
    pub(super) async fn ask_peer(
        self: &Arc<Self>,
        name: &str,
        kind: u8,
        body: &[u8],
        timeout: Duration,
    ) -> Result<Vec<u8>, Reported> {
        let unreachable = || Reported::new(code::NODE_UNREACHABLE);
        let zone = self.zone().ok_or_else(|| Reported::new(code::NODE_STOPPED))?;
        let members = zone.members().map_err(|_| unreachable())?;
        drop(zone);
        let id = members.into_iter().find(|member| member.name == name).ok_or_else(unreachable)?.id;
        let link = self.connect(id).await.ok_or_else(unreachable)?;
        let (sender, answer) = oneshot::channel();
        let waiting = Waiting { node: self, number: self.note_asked(&link, sender), link: &link };
        let message = [&[kind], body].concat();
        let pushed = {
            let Some(mut batch) = link.batch() else { return Err(unreachable()) };
            batch.push(&Frame::Message(Message {
                request: Some(waiting.correlation()),
                control: true,
                remaining_ms: u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX - 1),
                sender: None,
                target: Target::Control,
                extensions: Extensions::default(),
                body: Body::Bytes(&message),
            }))
        };
        if pushed.is_err() {
            return Err(Reported::new(code::MESSAGE_TOO_LARGE));
        }
        link.flush();
        answer.await.unwrap_or_else(|_| Err(Reported { maybe_executed: true, ..unreachable() }))
    }

    fn note_asked(&self, link: &Link, sender: oneshot::Sender<Given>) -> u32 {
        let mut asked = lock(&self.services.asked.0);
        loop {
            // Comes round after 2^30: one that is still open keeps its number.
            asked.next = (asked.next + 1) % OWN;
            let number = asked.next | OWN;
            if let Entry::Vacant(entry) = asked.open.entry(number) {
                entry.insert((link.index(), sender));
                return number;
            }
        }
    }

    /// Ends what was asked over this very link under that number: no other peer answers it.
    fn take_asked(&self, link: &Link, request: Handle) -> Option<oneshot::Sender<Given>> {
        let mut asked = lock(&self.services.asked.0);
        let is_it = request.generation == GENERATION
            && asked.open.get(&request.slot).is_some_and(|(index, _)| *index == link.index());
        if is_it { asked.open.remove(&request.slot).map(|(_, sender)| sender) } else { None }
    }

    /// A peer answers a request that was made here.
    pub(in crate::node) fn service_answered(&self, link: &Link, request: Handle, body: &Body<'_>) {
        let bytes = match body {
            Body::Bytes(bytes) => bytes.to_vec(),
            // A text is no answer to a control request; whoever waits hears at the end of the link.
            Body::Text(_) => {
                return crate::node::events::misbehaves(link, "it answered a control request with text");
            }
        };
        link.consumed(Flow::Replies, u64::from(cost_of(bytes.len())));
        if let Some(sender) = self.take_asked(link, request) {
            // Who asked may have stopped waiting.
            let _ = sender.send(Ok(bytes));
        }
    }

    /// A peer refuses a request that was made here.
    pub(in crate::node) fn service_refused(
        &self,
        link: &Link,
        request: Handle,
        failure: Failure,
        cause: Text<'_>,
    ) {
        link.consumed(Flow::Replies, u64::from(cost_of(cause.wtf8_len())));
        if let Some(sender) = self.take_asked(link, request) {
            let cause = cause.to_string_lossy();
            let reported = Reported {
                maybe_executed: failure.maybe_executed,
                cause: (!cause.is_empty()).then_some(cause),
                ..Reported::new(failure.code)
            };
            let _ = sender.send(Err(reported));
        }
    }

    /// A link is gone: what was asked over it has failed.
    pub(super) fn asked_lost(&self, link: &Link, leftover: &Leftover) {
        let unsent: HashSet<u32> = leftover.unsent.iter().map(|at| at.slot).collect();
        let lost: Vec<_> = lock(&self.services.asked.0)
            .open
            .extract_if(|_, (index, _)| *index == link.index())
            .map(|(number, (_, sender))| (number, sender))
            .collect();
        for (number, sender) in lost {
            let maybe_executed = !unsent.contains(&number);
            let _ = sender.send(Err(Reported { maybe_executed, ..Reported::new(code::NODE_UNREACHABLE) }));
        }
    }
}

/// All numbers are used once in a very long time: one generation does.
const GENERATION: u32 = 1;

/// One request that waits for its answer; dropped before, it is given up at the peer.
struct Waiting<'a> {
    node: &'a Shared,
    link: &'a Link,
    number: u32,
}

impl Waiting<'_> {
    fn correlation(&self) -> Correlation {
        Correlation { slot: self.number, generation: GENERATION }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let was_open = lock(&self.node.services.asked.0).open.remove(&self.number).is_some();
        if was_open && let Some(mut batch) = self.link.batch() {
            // It has no body, so that it fits any peer.
            let _ = batch.push(&Frame::Cancel { correlation: self.correlation(), deadline: false });
            drop(batch);
            self.link.flush();
        }
    }
}
