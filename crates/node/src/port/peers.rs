//! What a port hands to the nodes it has links to: messages under credit, answers, names of senders.

use super::dead_letter::Reason;
use super::names::{Appearance, MAX_NAMES, Names};
use super::record::NIL;
use super::request::Place;
use super::route::Letter;
use super::target::{Whereabouts, elsewhere};
use super::{Body, BodyRef, Failure, Handle, Outcome, Port, remaining};
use crate::code;
use crate::link::{Link, NotTaken};
use std::collections::HashMap;
use std::sync::Arc;
use troupe_proto::codec::{
    Body as WireBody, Correlation, CreditKind, Extensions, Fail, Frame, Message, Reply, Target, Traceparent,
};
use troupe_proto::text::Text;

/// Time that a reply to a mailbox or worker waits for room, on the wire.
const NO_WAIT: u32 = 0;

/// The number of a link in its port, from those of its node and of the link on that node.
pub(crate) fn link_key(node: u16, index: u32) -> u32 {
    u32::from(node) << 24 | (index & 0x00ff_ffff)
}

/// What an asker hears whose node does not take in what it is answered: the body of FAIL.
const UNTAKEN: BodyRef<'static> = BodyRef::Text(Text::Ascii(
    b"{\"message\":\"its reply found no room: too much of what it answered waits for this node to take it in\"}",
));

/// What became of a frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    /// It is in the link's queue.
    Taken,
    /// The link is closed.
    Closed,
    /// The peer takes no body of this length.
    TooLong,
    /// It is a reply, and the peer has not taken in what it was answered before.
    Untaken,
}

/// What a port keeps of one link.
pub(super) struct PeerLink {
    pub(super) link: Arc<Link>,
    pub(super) node: u16,
    /// What this isolate and the peer know of each other's workers.
    pub(super) names: Names,
    /// Open requests of the peer, by its correlation.
    pub(super) inbound: HashMap<Handle, (u32, u32)>,
    /// How many those are. More than `inbound` holds, if the peer has named two alike.
    pub(super) asked: u32,
    is_touched: bool,
}

impl Port {
    /// Puts a frame into a link; this flush's end writes it.
    pub(super) fn push_frame(&mut self, link: u32, frame: &Frame<'_>) -> Pushed {
        let Some(peer) = self.links.get_mut(&link) else { return Pushed::Closed };
        let Some(mut batch) = peer.link.batch() else { return Pushed::Closed };
        let pushed = batch.push(frame);
        drop(batch);
        if !std::mem::replace(&mut peer.is_touched, true) {
            self.touched.push(link);
        }
        match pushed {
            Ok(()) => Pushed::Taken,
            Err(NotTaken::TooLong { .. }) => Pushed::TooLong,
            Err(why @ NotTaken::Untaken) => {
                let node = &peer.link.peer().name;
                match self.untaken.take(self.now) {
                    Some(untold) => {
                        log::warn!(target: "node", "a reply to node {node} is given up: {why}{untold}");
                    }
                    None => log::debug!(target: "node", "a reply to node {node} is given up: {why}"),
                }
                Pushed::Untaken
            }
        }
    }

    /// Seals and writes what this flush has put into links.
    pub(super) fn flush_links(&mut self) {
        for index in std::mem::take(&mut self.touched) {
            if let Some(peer) = self.links.get_mut(&index) {
                peer.is_touched = false;
                peer.link.flush();
            }
        }
    }

    pub(super) fn link_has_room(&mut self, link: u32, target: u32) -> bool {
        let Some(peer) = self.links.get(&link) else { return true };
        let has_room = !peer.link.is_full();
        self.targets.known(target).is_held_up = !has_room;
        has_room
    }

    /// Hands a message to the link; from here on it is the peer's or lost with the link.
    pub(super) fn send_away(&mut self, target: u32, link: u32, there: Handle, letter: Letter<'_>) {
        let sender = self.bind_sender(link, letter.sender);
        let BodyRef::Text(text) = letter.body else {
            return self.refuse(letter, code::NO_SUCH_WORKER, Reason::NoSuchWorker);
        };
        let asked = letter.request.map(|id| {
            let request = self.requests.known(id);
            request.place = Place::Away { link };
            (Correlation { slot: id, generation: request.generation }, request.timer.deadline)
        });
        let now = self.now;
        let remaining_ms = match &asked {
            Some((_, at)) => remaining(*at, now),
            None if letter.no_wait => NO_WAIT,
            None => super::record::NO_LIMIT,
        };
        let frame = Frame::Message(Message {
            request: asked.map(|(correlation, _)| correlation),
            control: false,
            remaining_ms,
            sender,
            target: Target::Slot(wire(there)),
            extensions: letter.trace.map_or(Extensions::NONE, Traceparent::extensions),
            body: WireBody::Text(text),
        });
        let size = text.wtf8_len();
        match self.push_frame(link, &frame) {
            Pushed::Taken => {}
            Pushed::Closed => return self.refuse_unreachable(letter, link),
            Pushed::TooLong => return self.refuse(letter, code::MESSAGE_TOO_LARGE, Reason::TooLarge),
            Pushed::Untaken => return self.refuse(letter, code::NODE_UNREACHABLE, Reason::NodeUnreachable),
        }
        self.report_sent(letter.report);
        if !letter.no_wait {
            let target = self.targets.known(target);
            target.credit = target.credit.saturating_sub(1);
            target.credit_bytes = target.credit_bytes.saturating_sub_unsigned(size as u64);
        }
    }

    fn refuse_unreachable(&mut self, letter: Letter<'_>, link: u32) {
        if let Some(id) = letter.request {
            let failure = Failure::new(code::NODE_UNREACHABLE);
            self.complete(id, Outcome::Failed(failure, Body::None), link);
        } else {
            self.refuse(letter, code::NODE_UNREACHABLE, Reason::NodeUnreachable);
        }
    }

    /// The peer learns a sender's name before its first message, unless it knows too many.
    fn bind_sender(&mut self, link: u32, sender: (u32, u32)) -> Option<troupe_proto::codec::Handle> {
        let (slot, generation) = sender;
        let handle = Handle { slot, generation };
        self.slot(handle)?;
        let peer = self.links.get_mut(&link)?;
        match peer.names.appear(handle) {
            Appearance::Known => {}
            Appearance::New => {
                let name = self.slots[slot as usize].name.clone();
                self.push_frame(link, &Frame::Bind { handle: wire(handle), name: &name });
            }
            Appearance::Nameless { is_first } => {
                if is_first {
                    let (name, node) = (&self.slots[slot as usize].name, &peer.link.peer().name);
                    log::warn!(
                        target: "node",
                        "{MAX_NAMES} workers and mailboxes that live here have sent something to node {node}, which takes no more \
                         names: what {name} and others send there shows no sender, and only requests can be answered"
                    );
                }
                return None;
            }
        }
        Some(wire(handle))
    }

    pub(super) fn send_reply(&mut self, link: u32, request: Handle, body: BodyRef<'_>) {
        self.answer(link, request, text(body));
    }

    /// Answers a control request.
    pub(super) fn send_bytes(&mut self, link: u32, request: Handle, bytes: &[u8]) {
        self.answer(link, request, WireBody::Bytes(bytes));
    }

    /// A reply that can't go is a failure: the asker is to know that its request was handled.
    fn answer(&mut self, link: u32, request: Handle, body: WireBody<'_>) {
        let reply = Reply { correlation: correlation(request), body };
        let (code, cause) = match self.push_frame(link, &Frame::Reply(reply)) {
            Pushed::Taken | Pushed::Closed => return,
            Pushed::TooLong => (code::MESSAGE_TOO_LARGE, BodyRef::None),
            Pushed::Untaken => (code::NODE_UNREACHABLE, UNTAKEN),
        };
        let failure = Failure { maybe_executed: true, ..Failure::new(code) };
        self.send_failure(link, request, failure, cause);
    }

    pub(super) fn send_failure(&mut self, link: u32, request: Handle, failure: Failure, cause: BodyRef<'_>) {
        let Failure { code, maybe_executed, .. } = failure;
        let fail = Fail { correlation: correlation(request), code, maybe_executed, body: text(cause) };
        self.push_frame(link, &Frame::Fail(fail));
    }

    pub(super) fn send_stage(&mut self, link: u32, request: Handle, stage: u8) {
        self.push_frame(link, &Frame::Stage { correlation: correlation(request), stage });
    }

    pub(super) fn send_cancel(&mut self, link: u32, request: Handle) {
        self.push_frame(link, &Frame::Cancel { correlation: correlation(request), deadline: false });
    }

    fn send_credit(&mut self, link: u32, kind: CreditKind, target: Handle, messages: u32, bytes: u32) {
        let target = wire(target);
        self.push_frame(link, &Frame::Credit { kind, target, port: 0, messages, bytes });
    }

    pub(super) fn tell_credit(&mut self, link: u32, target: Handle, messages: u32, bytes: u32) {
        self.send_credit(link, CreditKind::Grant, target, messages, bytes);
    }

    /// Asks the peer for places for what waits at a target.
    pub(super) fn ask_for_credit(&mut self, index: u32) {
        let target = self.targets.known(index);
        let Whereabouts::There { link, handle } = target.at else { return };
        if target.line.is_empty() || target.has_credit() || std::mem::replace(&mut target.is_asking, true) {
            return;
        }
        let messages = target.line.len();
        self.send_credit(link, CreditKind::Ask, handle, messages, 0);
    }

    /// Gives places back that were asked for by messages which have gone since.
    pub(super) fn return_idle_credit(&mut self, index: u32) {
        let target = self.targets.known(index);
        let Whereabouts::There { link, handle } = target.at else { return };
        if target.line.is_empty() && target.credit > 0 && target.credit < super::remote::GRANT / 2 {
            let messages = std::mem::take(&mut target.credit);
            self.send_credit(link, CreditKind::Return, handle, messages, 0);
        }
    }

    /// Hands over what waits at a place, as far as credit and the link go.
    pub(super) fn drain_place(&mut self, index: u32) {
        loop {
            let target = self.targets.known(index);
            let Whereabouts::There { link, handle } = target.at else { return };
            let head = target.line.head();
            if head == NIL {
                return self.return_idle_credit(index);
            }
            if !target.has_credit() {
                return self.ask_for_credit(index);
            }
            if !self.link_has_room(link, index) {
                return;
            }
            let envelope = self.envelopes.remove(&mut self.targets.known(index).line, head);
            let to = elsewhere(self.targets.handle(index));
            let letter = self.leave_for(to, &envelope);
            self.send_away(index, link, handle, letter);
        }
    }

    /// A stopping worker takes nothing more: what waits for it at peers is to fail there, now and not when it has drained.
    pub(super) fn turn_away(&mut self, index: u32) {
        let handle = self.handle(index);
        while let Some(link) = self.slots[index as usize].extra().remote.next_hungry() {
            self.tell_gone_to(link, handle);
        }
    }

    /// Tells one peer that a worker is gone; should that hear of it again, it learns its name first.
    pub(super) fn tell_gone_to(&mut self, link: u32, handle: Handle) {
        if let Some(peer) = self.links.get_mut(&link) {
            peer.names.take_back(handle);
        }
        self.push_frame(link, &Frame::Gone { handle: wire(handle) });
    }

    /// A worker is gone: the peers that know its name or place hear of it.
    pub(super) fn tell_gone(&mut self, handle: Handle) {
        let knowing: Vec<u32> = self
            .links
            .iter_mut()
            .filter_map(|(index, peer)| peer.names.take_back(handle).then_some(*index))
            .collect();
        for link in knowing {
            self.push_frame(link, &Frame::Gone { handle: wire(handle) });
        }
    }

    pub(super) fn forget_inbound(&mut self, link: u32, correlation: Handle) {
        if let Some(peer) = self.links.get_mut(&link) {
            peer.asked -= 1;
            peer.inbound.remove(&correlation);
        }
    }

    pub(super) fn link_opened(&mut self, link: Arc<Link>, node: u16) {
        self.links.entry(link_key(node, link.index())).or_insert_with(|| PeerLink {
            link,
            node,
            names: Names::default(),
            inbound: HashMap::new(),
            asked: 0,
            is_touched: false,
        });
    }
}

pub(super) fn wire(handle: Handle) -> troupe_proto::codec::Handle {
    troupe_proto::codec::Handle { slot: handle.slot, generation: handle.generation }
}

fn correlation(handle: Handle) -> Correlation {
    Correlation { slot: handle.slot, generation: handle.generation }
}

fn text(body: BodyRef<'_>) -> WireBody<'_> {
    if let BodyRef::Text(text) = body { WireBody::Text(text) } else { WireBody::EMPTY }
}
