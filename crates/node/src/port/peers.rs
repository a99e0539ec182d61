//! What passes between a port and the nodes it has links to: messages under credit, answers, names of senders.

use super::dead_letter::Reason;
use super::inbox::Mail;
use super::mailbox::{List, State};
use super::record::{NIL, incoming};
use super::request::{Origin, Place};
use super::route::{Letter, Report};
use super::target::Whereabouts;
use super::{Body, BodyRef, Failure, From, Handle, Outcome, Port, Post, Resolution, Sink, deadline, remaining};
use crate::code;
use crate::link::Link;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use troupe_proto::codec::{
    Body as WireBody, CloseReason, Correlation, CreditKind, Extensions, Fail, Flow, Frame, Message, Reply, Target, cost_of,
};

/// Time that a reply to a mailbox or worker waits for room, on the wire.
pub(crate) const NO_WAIT: u32 = 0;
/// The number of a link in its port, from those of its node and of the link on that node.
pub(crate) fn link_key(node: u16, index: u32) -> u32 {
    u32::from(node) << 24 | (index & 0x00ff_ffff)
}

/// What a port keeps of one link.
pub(super) struct PeerLink {
    pub(super) link: Arc<Link>,
    pub(super) node: u16,
    /// Workers of this isolate whose names the peer knows.
    bound: HashSet<Handle>,
    /// Open requests of the peer, by its number.
    inbound: HashMap<u32, (u32, u32)>,
    is_touched: bool,
}

impl Port {
    /// What came over a link has left the inbox: its peer may send as much again.
    fn consumed(&self, link: u32, flow: Flow, size: usize) {
        if let Some(peer) = self.links.get(&link) {
            peer.link.consumed(flow, u64::from(cost_of(size)));
        }
    }

    pub(super) fn push_frame(&mut self, link: u32, frame: &Frame<'_>) -> bool {
        let Some(peer) = self.links.get_mut(&link) else { return false };
        let Some(mut batch) = peer.link.batch() else { return false };
        batch.push(frame);
        drop(batch);
        if !std::mem::replace(&mut peer.is_touched, true) {
            self.touched.push(link);
        }
        true
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
            extensions: Extensions::default(),
            body: WireBody::Text(text),
        });
        let size = text.wtf8_len();
        if !self.push_frame(link, &frame) {
            return self.refuse_unreachable(letter, link);
        }
        self.report_sent(letter.report);
        if !letter.no_wait {
            let target = self.targets.known(target);
            target.credit = target.credit.saturating_sub(1);
            target.credit_bytes -= size as i64;
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

    /// The peer learns a sender's name before its first message.
    fn bind_sender(&mut self, link: u32, sender: (u32, u32)) -> Option<troupe_proto::codec::Handle> {
        let (slot, generation) = sender;
        let handle = Handle { slot, generation };
        self.slot(handle)?;
        if self.links.get_mut(&link)?.bound.insert(handle) {
            let name = self.slots[slot as usize].name.clone();
            self.push_frame(link, &Frame::Bind { handle: wire(handle), name: &name });
        }
        Some(wire(handle))
    }

    pub(super) fn send_reply(&mut self, link: u32, request: Handle, body: BodyRef<'_>) {
        let reply = Reply { correlation: correlation(request), body: text(body) };
        self.push_frame(link, &Frame::Reply(reply));
    }

    /// Answers a control request.
    pub(super) fn send_bytes(&mut self, link: u32, request: Handle, bytes: &[u8]) {
        let reply = Reply { correlation: correlation(request), body: WireBody::Bytes(bytes) };
        self.push_frame(link, &Frame::Reply(reply));
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
    fn drain_place(&mut self, index: u32) {
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
            let letter = self.leave_for(&envelope);
            self.send_away(index, link, handle, letter);
        }
    }

    /// A stopping worker takes nothing more: who waits for places is let in, to be refused by name.
    pub(super) fn feed_all(&mut self, index: u32) {
        let handle = self.handle(index);
        while let Some((link, places, bytes)) = self.slots[index as usize].extra().remote.feed(u32::MAX, 0) {
            self.tell_credit(link, handle, places, bytes);
        }
    }

    /// A worker is gone: the peers that know its name or place hear of it.
    pub(super) fn tell_gone(&mut self, handle: Handle) {
        let knowing: Vec<u32> = self
            .links
            .iter_mut()
            .filter_map(|(index, peer)| peer.bound.remove(&handle).then_some(*index))
            .collect();
        for link in knowing {
            self.push_frame(link, &Frame::Gone { handle: wire(handle) });
        }
    }

    pub(super) fn forget_inbound(&mut self, link: u32, correlation: u32) {
        if let Some(peer) = self.links.get_mut(&link) {
            peer.inbound.remove(&correlation);
        }
    }

    /// A worker of this isolate by the name that a target has.
    pub(super) fn look_up(&mut self, index: u32) -> Option<Handle> {
        let target = self.targets.known(index);
        let node = target.node;
        let address = target.address.clone();
        let shared = self.shared(node)?;
        let name = match address.split_once('/') {
            Some((node, name)) if node == shared.name() => name,
            Some(_) => return None,
            None => &*address,
        };
        let handle = shared.look_up(name)?;
        self.targets.known(index).at = Whereabouts::Here(handle);
        Some(handle)
    }

    /// Starts to ask the zone where a target is. `false`: there is no zone to ask.
    pub(super) fn search(&mut self, target: Handle) -> bool {
        let entry = self.targets.known(target.slot);
        let (node, address) = (entry.node, entry.address.clone());
        let Some(shared) = self.shared(node).cloned() else { return false };
        let is_asked = shared.search(&address, target);
        if is_asked {
            self.targets.known(target.slot).at = Whereabouts::Asked;
        }
        is_asked
    }

    pub(super) fn resolved<S: Sink>(&mut self, handle: Handle, result: Resolution, sink: &mut S) {
        let Some(target) = self.targets.get(handle) else { return };
        let line = std::mem::take(&mut target.line);
        let (node, address) = (target.node, target.address.clone());
        match result {
            Resolution::Failed(failure) => {
                target.at = Whereabouts::Unknown;
                let is_known = failure.code == code::NO_SUCH_WORKER;
                let reason = if is_known { Reason::NoSuchWorker } else { Reason::NodeUnreachable };
                self.fail_line(line, failure, reason, NIL);
            }
            Resolution::Local(worker) => {
                target.at = Whereabouts::Here(worker);
                self.deliver_line(line, worker, sink);
            }
            Resolution::Remote(link, worker) => {
                let name = address.split_once('/').map_or(&*address, |(_, name)| name);
                let address = format!("{}/{name}", link.peer().name);
                let place = self.targets.intern_place(node, &address, link_key(node, link.index()), worker);
                self.targets.known(handle.slot).at = Whereabouts::Via(place);
                self.link_opened(link, node);
                self.move_line(line, place.slot);
                self.drain_place(place.slot);
            }
        }
    }

    fn move_line(&mut self, mut line: List, place: u32) {
        while let Some(envelope) = self.envelopes.pop(&mut line) {
            let id = envelope.request;
            let envelope = self.envelopes.push(&mut self.targets.known(place).line, envelope);
            self.requests.known(id).place = Place::TargetLine { target: place, envelope };
        }
    }

    fn deliver_line<S: Sink>(&mut self, mut line: List, worker: Handle, sink: &mut S) {
        while let Some(envelope) = self.envelopes.pop(&mut line) {
            let letter = self.leave_for(&envelope);
            self.accept(worker, letter, sink);
        }
    }

    pub(super) fn link_opened(&mut self, link: Arc<Link>, node: u16) {
        self.links.entry(link_key(node, link.index())).or_insert_with(|| PeerLink {
            link,
            node,
            bound: HashSet::new(),
            inbound: HashMap::new(),
            is_touched: false,
        });
    }

    /// A link is gone: everything outstanding on it has its outcome now.
    pub(super) fn link_closed(&mut self, index: u32) {
        let unreachable = Failure { maybe_executed: true, ..Failure::new(code::NODE_UNREACHABLE) };
        for (id, _) in self.requests.matching(|request| request.place == Place::Away { link: index }) {
            self.complete(id, Outcome::Failed(unreachable, Body::None), index);
        }
        for place in self.targets.at(|t| matches!(t.at, Whereabouts::There { link, .. } if link == index)) {
            let line = std::mem::take(&mut self.targets.known(place).line);
            self.fail_line(line, Failure::new(code::NODE_UNREACHABLE), Reason::NodeUnreachable, index);
            self.targets.remove(place);
        }
        // Nobody waits for the answers to what the peer had asked.
        let asked = self.requests.matching(|r| matches!(r.origin, Origin::Link { link, .. } if link == index));
        for (id, generation) in asked {
            self.give_up(id, generation);
        }
        for slot in &mut self.slots {
            if let Some(extra) = &mut slot.extra {
                extra.remote.forget(index);
            }
        }
        if let Some(peer) = self.links.remove(&index) {
            const REMEMBERED: usize = 64;
            self.gone_peers.truncate(REMEMBERED - 1);
            self.gone_peers.push_front((index, peer.link.peer().name.clone()));
        }
    }

    /// Takes in what has come from other threads, as far as there is room for it.
    pub(super) fn drain_inbox<S: Sink>(&mut self, sink: &mut S) {
        let mut mail = std::mem::take(&mut self.mail);
        loop {
            if self.mail_index == mail.posts.len() {
                mail.clear();
                self.mail_index = 0;
                if !self.inbox.has_mail() {
                    break;
                }
                self.inbox.take(&mut mail);
                if mail.posts.is_empty() {
                    break;
                }
            }
            if !sink.has_room(&BodyRef::None) {
                break;
            }
            if let Post::Reply { body, .. } = &mail.posts[self.mail_index]
                && !sink.has_room(&mail.text(*body))
            {
                break;
            }
            let post = std::mem::replace(&mut mail.posts[self.mail_index], Post::Closed { link: NIL });
            self.mail_index += 1;
            self.take_post(post, &mail, sink);
        }
        self.mail = mail;
    }

    fn take_post<S: Sink>(&mut self, post: Post, mail: &Mail, sink: &mut S) {
        match post {
            Post::Opened { link, node } => self.link_opened(link, node),
            Post::Closed { link } => self.link_closed(link),
            Post::Message { from, target, remaining, no_wait, body } => {
                let size = body.len();
                self.message(from, target, remaining, no_wait, (mail.text(body), size), sink);
            }
            Post::Reply { link, request, body } => {
                self.consumed(link, Flow::Replies, body.len());
                if self.requests.get(request.slot, request.generation).is_some() {
                    let body = mail.text(body);
                    self.close(request.slot);
                    let words = [incoming::REPLY, request.slot, request.generation, 0, NIL, 0, 0, 0];
                    sink.push(words, body);
                } else {
                    self.dead_letter(Reason::LateReply, NIL);
                }
            }
            Post::Fail { request, failure, cause, link } => {
                self.consumed(link, Flow::Replies, cause.len());
                if self.requests.get(request.slot, request.generation).is_some() {
                    let cause =
                        if cause.len() == 0 { Body::None } else { mail.text(cause).into_owned() };
                    self.complete(request.slot, Outcome::Failed(failure, cause), link);
                }
            }
            Post::Cancel { link, request } => {
                let known = self.links.get(&link).and_then(|peer| peer.inbound.get(&request.slot).copied());
                if let Some((id, generation)) = known {
                    self.give_up(id, generation);
                }
            }
            Post::Stage { request, stage } => self.stage_reported(request, stage),
            Post::Credit { link, target, messages, bytes } => {
                if let Some(place) = self.targets.place(link, target) {
                    let target = self.targets.known(place.slot);
                    target.credit += messages;
                    target.credit_bytes += i64::from(bytes);
                    target.is_asking = false;
                    self.drain_place(place.slot);
                }
            }
            Post::Ask { link, target, messages } => self.asked_for_credit(link, target, messages),
            Post::Return { link, target, messages } => {
                if let Some(slot) = self.slot(target) {
                    slot.extra().remote.returned(link, messages);
                    self.admit(target.slot, sink);
                }
            }
            Post::Gone { link, handle } => self.peer_worker_gone(link, handle),
            Post::Bind { link, handle, name } => {
                if let Some(peer) = self.links.get(&link) {
                    let address = format!("{}/{name}", peer.link.peer().name);
                    self.targets.intern_place(peer.node, &address, link, handle);
                }
            }
            Post::Room { link } => {
                for index in self.targets.at(|target| target.is_held_up) {
                    if matches!(self.targets.known(index).at, Whereabouts::There { link: at, .. } if at == link) {
                        self.drain_place(index);
                    }
                }
            }
            Post::Resolved { target, result } => self.resolved(target, result, sink),
            Post::Control { link, node, request, remaining, body } => {
                if let Some((id, generation)) = self.open_for_peer(link, request, remaining) {
                    self.keep_control(id, link, body);
                    self.emit(incoming::CONTROL, [u32::from(node), id, generation, NIL, 0, 0, 0]);
                }
            }
            Post::Controlled { link, request, body } => {
                self.consumed(link, Flow::Replies, body.len());
                if self.requests.get(request.slot, request.generation).is_some() {
                    self.close(request.slot);
                    self.keep_control(request.slot, link, body);
                    let words = [request.slot, request.generation, 0, NIL, 0, 0, 0];
                    self.emit(incoming::CONTROLLED, words);
                }
            }
            Post::Members { node } => self.emit(incoming::MEMBERS, [u32::from(node), 0, 0, NIL, 0, 0, 0]),
            Post::Run(run) => run(self),
        }
    }

    fn open_for_peer(&mut self, link: u32, request: Handle, remaining: u32) -> Option<(u32, u32)> {
        let origin = Origin::Link { link, slot: request.slot, generation: request.generation };
        let limit = deadline(remaining, self.now);
        let peer = self.links.get_mut(&link)?;
        let (id, generation) = self.requests.open_inbound(origin)?;
        peer.inbound.insert(request.slot, (id, generation));
        self.wheel.insert(&mut self.requests, id, limit);
        Some((id, generation))
    }

    fn message<S: Sink>(
        &mut self,
        from: From,
        target: Handle,
        remaining: u32,
        no_wait: bool,
        (body, size): (BodyRef<'_>, usize),
        sink: &mut S,
    ) {
        let mut letter = Letter {
            sender: super::NOBODY,
            request: None,
            body,
            size: body.size(0),
            no_wait,
            has_place: false,
            report: Report::Nobody,
            deadline: deadline(remaining, self.now),
        };
        match from {
            From::Link { link, sender, request } => {
                if !self.links.contains_key(&link) {
                    return;
                }
                self.consumed(link, Flow::Messages, size);
                if let Some(sender) = sender {
                    let Some(known) = self.targets.place(link, sender) else {
                        // Its name comes before its first message, or the peer has gone astray.
                        return self.misbehaves(link, "a message came from a sender that was never bound");
                    };
                    letter.sender = (known.slot, 0);
                }
                if !no_wait {
                    if let Some(slot) = self.slot(target)
                        && !slot.extra().remote.used(link, size as u32)
                    {
                        return self.misbehaves(link, "a message came without credit");
                    }
                    letter.has_place = true;
                }
                if let Some(request) = request {
                    let Some((id, _)) = self.open_for_peer(link, request, remaining) else {
                        let failure = Failure::new(code::MAILBOX_FULL);
                        return self.send_failure(link, request, failure, BodyRef::None);
                    };
                    letter.request = Some(id);
                }
                self.accept(target, letter, sink);
                let Some(slot) = self.slot(target).filter(|slot| slot.state == State::Live) else { return };
                let (room, capacity) = (slot.room(), slot.capacity);
                if let Some((link, places, bytes)) = slot.extra().remote.refill(link, room, capacity) {
                    self.tell_credit(link, target, places, bytes);
                }
            }
            From::Caller { sender, is_send, callback } => {
                letter.sender = match self.slots.get(sender as usize) {
                    Some(slot) if slot.state != State::Free => (sender, slot.generation),
                    _ => super::NOBODY,
                };
                self.next_callback += 1;
                let key = self.next_callback;
                self.callbacks.insert(key, callback);
                if is_send {
                    letter.report = Report::Callback(key);
                } else {
                    let Some((id, _)) = self.requests.open_inbound(Origin::Callback(key)) else {
                        return self.call_back(key, Outcome::Failed(Failure::new(code::MAILBOX_FULL), Body::None));
                    };
                    self.wheel.insert(&mut self.requests, id, letter.deadline);
                    letter.request = Some(id);
                }
                self.to_target(target, letter, sink);
            }
        }
    }

    fn asked_for_credit(&mut self, link: u32, target: Handle, messages: u32) {
        let Some(slot) = self.slot(target) else {
            self.push_frame(link, &Frame::Gone { handle: wire(target) });
            return;
        };
        let is_open = !matches!(slot.state, State::Stopping | State::Ending);
        slot.extra().remote.asked(link, messages);
        if is_open {
            self.admit(target.slot, &mut super::Closed);
        } else {
            self.feed_all(target.slot);
        }
    }

    fn peer_worker_gone(&mut self, link: u32, handle: Handle) {
        if let Some(place) = self.targets.place(link, handle) {
            let line = std::mem::take(&mut self.targets.known(place.slot).line);
            self.fail_line(line, Failure::new(code::NO_SUCH_WORKER), Reason::NoSuchWorker, link);
            self.targets.remove(place.slot);
        }
    }

    fn misbehaves(&mut self, link: u32, what: &'static str) {
        if let Some(peer) = self.links.get(&link) {
            log::warn!(target: "channel", "node {} broke the protocol: {what}; its link is closed", peer.link.peer().name);
            peer.link.close(CloseReason::Violation);
        }
    }
}

fn wire(handle: Handle) -> troupe_proto::codec::Handle {
    troupe_proto::codec::Handle { slot: handle.slot, generation: handle.generation }
}

fn correlation(handle: Handle) -> Correlation {
    Correlation { slot: handle.slot, generation: handle.generation }
}

fn text(body: BodyRef<'_>) -> WireBody<'_> {
    if let BodyRef::Text(text) = body { WireBody::Text(text) } else { WireBody::EMPTY }
}
