//! What an isolate asks of its port beside messages: control requests to other nodes, the search for a name, the
//! names of things. All of it is rare; none is on the path of a message.

use super::dead_letter::{Parties, Reason};
use super::peers::{Pushed, link_key};
use super::record::{INBOUND, NIL};
use super::request::Place;
use super::target::Whereabouts;
use super::{Body, BodyRef, Failure, From, Handle, Inbox, Outcome, Port, Post, Resolution};
use crate::code;
use crate::link::Link;
use std::sync::Arc;
use troupe_proto::codec::{Body as WireBody, Correlation, Extensions, Frame, Message, Target};
use troupe_proto::text::Text;

/// A control request of a peer, or the answer to one of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// Name of the node it came from.
    pub peer: String,
    /// Identifier of that node, in hexadecimal.
    pub peer_id: String,
    /// Its public key, which verifies what it signs.
    pub public_key: [u8; 32],
    /// The request or answer itself.
    pub bytes: Box<[u8]>,
}

/// A control request or answer that the isolate has not fetched.
pub(super) struct KeptControl {
    control: Control,
    generation: u32,
    pub(super) link: u32,
    /// Of a request: its share of the link's room.
    pub(super) size: usize,
}

impl Port {
    pub(super) fn keep_control(&mut self, id: u32, generation: u32, link: u32, bytes: Box<[u8]>) {
        let Some(peer) = self.links.get(&link).map(|peer| peer.link.peer()) else { return };
        let size = Post::control_size(&bytes);
        let control = Control {
            peer: peer.name.clone(),
            peer_id: peer.id.to_string(),
            public_key: peer.public_key,
            bytes,
        };
        self.controls.insert(id, KeptControl { control, generation, link, size });
    }

    /// A control request of a peer holds nothing here any more.
    pub(super) fn control_done(&self, link: u32, size: usize) {
        if let Some(peer) = self.links.get(&link) {
            peer.link.control_room().give_back(size);
        }
    }

    /// Takes the bytes of a control request or of the answer to one. A request takes room until [`Port::answer_control`],
    /// also when its asker no longer waits.
    pub fn take_control(&mut self, id: u32) -> Option<Control> {
        let KeptControl { control, generation, link, size } = self.controls.remove(&id)?;
        if id & INBOUND != 0 {
            self.fetched.insert(Handle { slot: id, generation }, (link, size));
        }
        Some(control)
    }

    /// Answers a control request of a peer. A peer that no longer waits is not told.
    pub fn answer_control(&mut self, request: Handle, answer: Result<&[u8], (u8, &str)>) {
        if let Some((link, size)) = self.fetched.remove(&request) {
            self.control_done(link, size);
        }
        let Some(open) = self.requests.get(request.slot, request.generation) else { return };
        let super::request::Origin::Link { link, slot, generation } = open.origin else { return };
        self.close(request.slot);
        let asked = Handle { slot, generation };
        match answer {
            Ok(bytes) => self.send_bytes(link, asked, bytes),
            Err((code, cause)) => {
                let failure = Failure { maybe_executed: true, ..Failure::new(code) };
                self.send_failure(link, asked, failure, BodyRef::Text(Text::from_utf8(cause)));
            }
        }
        self.flush_links();
    }

    /// Sends a control request to a member by its name; the order is answered when the member answers.
    pub fn control(&mut self, node: u16, member: &str, bytes: Box<[u8]>, order: Handle, timeout: u32) {
        if !self.open_order(order, timeout) {
            return;
        }
        let Some(shared) = self.shared(node).cloned() else {
            return self.complete(
                order.slot,
                Outcome::Failed(Failure::new(code::NODE_STOPPED), Body::None),
                NIL,
            );
        };
        let inbox = self.inbox.clone();
        shared.connect_by_name(member, move |link| {
            // A closed port has failed the order.
            let _ = inbox.post(Post::Run(Box::new(move |port| port.send_control(node, link, &bytes, order))));
        });
    }

    fn send_control(&mut self, node: u16, link: Option<Arc<Link>>, bytes: &[u8], order: Handle) {
        let Some(open) = self.requests.get(order.slot, order.generation) else { return };
        let limit = open.timer.deadline;
        let unreachable = Outcome::Failed(Failure::new(code::NODE_UNREACHABLE), Body::None);
        // One that has ended may have been forgotten already.
        let link = link.filter(|link| link.is_open());
        let Some(link) = link else { return self.complete(order.slot, unreachable, NIL) };
        let key = link_key(node, link.index());
        self.link_opened(link, node);
        let frame = Frame::Message(Message {
            request: Some(Correlation { slot: order.slot, generation: order.generation }),
            control: true,
            remaining_ms: super::remaining(limit, self.now),
            sender: None,
            target: Target::Control,
            extensions: Extensions::default(),
            body: WireBody::Bytes(bytes),
        });
        match self.push_frame(key, &frame) {
            Pushed::Taken => self.requests.known(order.slot).place = Place::Away { link: key },
            Pushed::Closed => self.complete(order.slot, unreachable, key),
            Pushed::TooLong | Pushed::Untaken => {
                let too_large = Outcome::Failed(Failure::new(code::MESSAGE_TOO_LARGE), Body::None);
                self.complete(order.slot, too_large, key);
            }
        }
    }

    /// Looks for an address; the order is answered when it is known, and fails when it is not to be found.
    pub fn resolve(&mut self, node: u16, address: &str, order: Handle, timeout: u32) {
        if !self.open_order(order, timeout) {
            return;
        }
        let target = self.targets.intern(node, address);
        let Some(shared) = self.shared(node).cloned() else { return };
        let inbox = self.inbox.clone();
        shared.find_then(address, move |result| {
            let run = move |port: &mut Port| {
                let outcome = match &result {
                    Resolution::Failed(failure) => Outcome::Failed(*failure, Body::None),
                    _ => Outcome::Reply(Body::None),
                };
                let is_waiting =
                    port.targets.get(target).is_some_and(|target| target.at == Whereabouts::Asked);
                if !is_waiting {
                    port.resolved(target, result, &mut super::Closed);
                }
                if port.requests.get(order.slot, order.generation).is_some() {
                    port.complete(order.slot, outcome, NIL);
                }
            };
            // A closed port has failed the order.
            let _ = inbox.post(Post::Run(Box::new(run)));
        });
    }

    /// The number of an address, by which messages name it.
    pub fn target(&mut self, node: u16, address: &str) -> Handle {
        self.targets.hold(node, address)
    }

    /// Gives the number of an address back; it goes with the last holder, unless messages still wait at it.
    pub fn release_target(&mut self, target: Handle) {
        let Some(entry) = self.targets.get(target) else { return };
        entry.holders = entry.holders.saturating_sub(1);
        if entry.holders == 0 && entry.line.is_empty() {
            self.targets.remove(target.slot);
        }
    }

    /// The address of a target; `None` when it has gone.
    pub fn address_of(&self, target: Handle) -> Option<&str> {
        self.targets.address(target)
    }

    /// Name of the node at the other end of a link, also when it is gone.
    #[must_use]
    pub fn peer_name(&self, link: u32) -> Option<&str> {
        let gone = || self.gone_peers.iter().find(|(index, _)| *index == link).map(|(_, name)| name.as_str());
        self.links.get(&link).map(|peer| peer.link.peer().name.as_str()).or_else(gone)
    }

    /// Ends an order of the isolate.
    pub fn finish_order(&mut self, order: Handle, outcome: Outcome) {
        if self.requests.get(order.slot, order.generation).is_some() {
            self.complete(order.slot, outcome, NIL);
        }
    }

    /// Links of a node.
    #[must_use]
    pub fn links_of(&self, node: u16) -> Vec<Arc<Link>> {
        self.links.values().filter(|peer| peer.node == node).map(|peer| peer.link.clone()).collect()
    }

    /// Closes the port: nothing more comes in, every call from elsewhere fails.
    pub fn shut(&mut self) {
        for post in self.inbox.close().posts {
            if let Post::Message { from: From { request: None, .. }, .. } = post {
                self.dead_letter(Reason::NodeStopped, Parties::UNKNOWN);
            }
        }
        for (_, callback) in std::mem::take(&mut self.callbacks) {
            callback(Outcome::Failed(Failure::new(code::NODE_STOPPED), Body::None));
        }
    }
}

impl Inbox {
    /// Asks for something to run on the port's thread; `false`: the port is closed.
    pub fn run(&self, run: impl FnOnce(&mut Port) + Send + 'static) -> bool {
        self.post(Post::Run(Box::new(run))).is_ok()
    }
}
