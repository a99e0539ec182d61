//! What comes to a port from other threads: messages and answers of peers, the ends of links, callers in Rust.

use super::dead_letter::{Parties, Reason};
use super::inbox::Mail;
use super::mailbox::State;
use super::record::{NIL, full, incoming};
use super::request::{MAX_OPEN_OF_PEER, Origin, Place};
use super::route::{Letter, Report};
use super::target::{ELSEWHERE, Whereabouts, elsewhere};
use super::{Body, BodyRef, Failure, From, Handle, Outcome, Overflow, Port, Post, Sink, deadline};
use crate::code;
use crate::link::{Leftover, LostSend};
use troupe_proto::codec::{CloseReason, Flow, Traceparent, cost_of};
use troupe_proto::text::Text;

/// What a peer hears of a request too many: the body of FAIL, so that its user does not look for a mailbox that is full.
const TOO_MANY_OPEN: BodyRef<'static> =
    BodyRef::Text(Text::Ascii(b"{\"message\":\"too many of its requests are open there\"}"));

impl Port {
    /// What came over a link has left the inbox: its peer may send as much again.
    fn consumed(&self, link: u32, flow: Flow, size: usize) {
        if let Some(peer) = self.links.get(&link) {
            peer.link.consumed(flow, u64::from(cost_of(size)));
        }
    }

    /// A link is gone: everything outstanding on it has its outcome now. `leftover`: what it held, as far as it held anything.
    pub(super) fn link_closed(&mut self, index: u32, leftover: Option<&Leftover>) {
        let unreachable = Failure { maybe_executed: true, ..Failure::new(code::NODE_UNREACHABLE) };
        if let Some(leftover) = leftover {
            self.tell_leftover(index, leftover);
        }
        for (id, _) in self.requests.matching(|request| request.place == Place::Away { link: index }) {
            self.complete(id, Outcome::Failed(unreachable, Body::None), index);
        }
        for place in self.targets.at(|t| matches!(t.at, Whereabouts::There { link, .. } if link == index)) {
            let line = std::mem::take(&mut self.targets.known(place).line);
            let to = elsewhere(self.targets.handle(place));
            self.fail_line(line, to, Failure::new(code::NODE_UNREACHABLE), Reason::NodeUnreachable, index);
            self.targets.remove(place);
        }
        // Nobody waits for the answers to what the peer had asked.
        let asked =
            self.requests.matching(|r| matches!(r.origin, Origin::Link { link, .. } if link == index));
        for (id, generation) in asked {
            self.give_up(id, generation);
        }
        for slot in 0..self.slots.len() {
            let extra = self.slots[slot].extra.as_mut();
            if extra.is_some_and(|extra| extra.remote.forget(index)) {
                // The places that the peer held are for whoever waits.
                self.admit(slot as u32, &mut super::Closed);
            }
        }
        if let Some(peer) = self.links.remove(&index) {
            const REMEMBERED: usize = 64;
            self.gone_peers.truncate(REMEMBERED - 1);
            self.gone_peers.push_front((index, peer.link.peer().name.clone()));
        }
    }

    /// What surely did not reach the peer fails as such; what asks for nothing is a dead letter.
    fn tell_leftover(&mut self, index: u32, leftover: &Leftover) {
        let unsent = Failure::new(code::NODE_UNREACHABLE);
        for at in &leftover.unsent {
            let request = self.requests.get(at.slot, at.generation);
            if request.is_some_and(|request| request.place == Place::Away { link: index }) {
                self.complete(at.slot, Outcome::Failed(unsent, Body::None), index);
            }
        }
        for (LostSend { sender, target, maybe_delivered }, count) in &leftover.sends {
            let reason = if *maybe_delivered { Reason::MaybeDelivered } else { Reason::NodeUnreachable };
            let place = target.and_then(|at| {
                self.targets.place(index, Handle { slot: at.slot, generation: at.generation })
            });
            let of = Parties {
                to: place.map_or(super::NOBODY, elsewhere),
                from: sender.map_or(super::NOBODY, |at| (at.slot, at.generation)),
            };
            self.dead_letters(reason, of, *count);
        }
        self.dead_letters(Reason::ReplyLost, Parties::UNKNOWN, leftover.answers);
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
            let post = std::mem::replace(
                &mut mail.posts[self.mail_index],
                Post::Closed { link: NIL, leftover: None },
            );
            self.mail_index += 1;
            self.take_post(post, &mail, sink);
        }
        self.mail = mail;
    }

    fn take_post<S: Sink>(&mut self, post: Post, mail: &Mail, sink: &mut S) {
        if let Some((link, size)) = post.unread()
            && let Some(peer) = self.links.get(&link)
        {
            peer.link.unread_room().give_back(size);
        }
        match post {
            Post::Opened { link, node } => self.link_opened(link, node),
            Post::Closed { link, leftover } => self.link_closed(link, leftover.as_deref()),
            Post::Message { from, target, remaining, no_wait, body } => {
                let size = body.len();
                let trace = mail.trace(body);
                let text = (mail.text(body), size, trace.as_ref());
                self.message(from, target, remaining, no_wait, text, sink);
            }
            Post::Reply { link, request, body } => {
                self.consumed(link, Flow::Replies, body.len());
                let body = mail.text(body);
                match self.asked_of(link, request) {
                    Some(Origin::Isolate) => {
                        self.close(request.slot);
                        let words = [incoming::REPLY, request.slot, request.generation, 0, NIL, 0, 0, 0];
                        sink.push(words, body);
                    }
                    Some(_) => self.complete_with(request.slot, body),
                    None => self.dead_letter(Reason::LateReply, Parties::UNKNOWN),
                }
            }
            Post::Fail { request, mut failure, cause, link } => {
                if failure.code == code::MAILBOX_FULL && cause.len() > 0 {
                    failure.stage = full::THERE as u8;
                }
                self.consumed(link, Flow::Replies, cause.len());
                if self.asked_of(link, request).is_some() {
                    let cause = if cause.len() == 0 { Body::None } else { mail.text(cause).into_owned() };
                    self.complete(request.slot, Outcome::Failed(failure, cause), link);
                }
            }
            Post::Cancel { link, request } => {
                let known = self.links.get(&link).and_then(|peer| peer.inbound.get(&request).copied());
                if let Some((id, generation)) = known {
                    self.give_up(id, generation);
                }
            }
            Post::Stage { link, request, stage } => {
                if self.asked_of(link, request).is_some() {
                    self.stage_reported(request, stage);
                }
            }
            Post::Credit { link, target, messages, bytes } => self.credited(link, target, messages, bytes),
            Post::Unused { link, target, bytes } => {
                if let Some(place) = self.targets.place(link, target) {
                    let target = self.targets.known(place.slot);
                    target.credit += 1;
                    target.credit_bytes += i64::from(bytes);
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
            Post::Bind { link, handle, name } => self.peer_names(link, handle, &name),
            Post::Room { link } => {
                for index in self.targets.at(|target| target.is_held_up) {
                    if matches!(self.targets.known(index).at, Whereabouts::There { link: at, .. } if at == link)
                    {
                        self.drain_place(index);
                    }
                }
            }
            Post::Resolved { target, result } => self.resolved(target, result, sink),
            Post::Control { link, node, request, remaining, body } => {
                if let Some((id, generation)) = self.open_for_peer(link, request, remaining) {
                    self.keep_control(id, generation, link, body);
                    self.emit(incoming::CONTROL, [u32::from(node), id, generation, NIL, 0, 0, 0]);
                } else {
                    self.control_done(link, Post::control_size(&body));
                }
            }
            Post::Controlled { link, request, body } => {
                self.consumed(link, Flow::Replies, body.len());
                match self.asked_of(link, request) {
                    Some(Origin::Order) => {
                        self.close(request.slot);
                        self.keep_control(request.slot, request.generation, link, body);
                        let words = [request.slot, request.generation, 0, NIL, 0, 0, 0];
                        self.emit(incoming::CONTROLLED, words);
                    }
                    Some(_) => self.misbehaves(link, "it answered a message with bytes"),
                    None => {}
                }
            }
            Post::Members { node } => self.emit(incoming::MEMBERS, [u32::from(node), 0, 0, NIL, 0, 0, 0]),
            Post::Run(run) => run(self),
        }
    }

    /// Who waits for the answer to a request that is with the peer of this link. `None` for any other: a peer answers what
    /// it was asked, and nothing else.
    fn asked_of(&mut self, link: u32, request: Handle) -> Option<Origin> {
        let open = self.requests.get(request.slot, request.generation)?;
        (open.place == Place::Away { link }).then_some(open.origin)
    }

    /// Opens a request of a peer; one too many fails.
    fn open_for_peer(&mut self, link: u32, request: Handle, remaining: u32) -> Option<(u32, u32)> {
        let origin = Origin::Link { link, slot: request.slot, generation: request.generation };
        let limit = deadline(remaining, self.now);
        let peer = self.links.get_mut(&link)?;
        let has_room = peer.asked < MAX_OPEN_OF_PEER;
        let Some((id, generation)) = has_room.then(|| self.requests.open_inbound(origin)).flatten() else {
            self.send_failure(link, request, Failure::new(code::MAILBOX_FULL), TOO_MANY_OPEN);
            return None;
        };
        peer.asked += 1;
        peer.inbound.insert(request, (id, generation));
        self.wheel.insert(&mut self.requests, id, limit);
        Some((id, generation))
    }

    fn message<S: Sink>(
        &mut self,
        from: From,
        target: Handle,
        remaining: u32,
        no_wait: bool,
        (body, size, trace): (BodyRef<'_>, usize, Option<&Traceparent>),
        sink: &mut S,
    ) {
        let mut letter = Letter {
            to: (target.slot, target.generation),
            sender: super::NOBODY,
            request: None,
            body,
            size: body.size(0),
            no_wait,
            has_place: false,
            report: Report::Nobody,
            deadline: deadline(remaining, self.now),
            trace,
        };
        let From { link, sender, request } = from;
        let Some(may_be_gone) = self.links.get(&link).map(|peer| peer.names.may_have_heard()) else {
            // Its node has stopped here, which the peer did not know. A request fails there with the link.
            return self.dead_letters(Reason::NodeStopped, Parties::UNKNOWN, u64::from(request.is_none()));
        };
        self.consumed(link, Flow::Messages, size);
        if let Some(sender) = sender {
            if let Some(known) = self.targets.place(link, sender) {
                letter.sender = (known.slot, known.generation | ELSEWHERE);
            } else if !may_be_gone {
                // Its name comes before its first message, or the peer has gone astray.
                return self.misbehaves(link, "a message came from a sender that was never bound");
            }
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
            let Some((id, _)) = self.open_for_peer(link, request, remaining) else { return };
            letter.request = Some(id);
        }
        // A name that nobody has has no slot. This one was had: its worker was stopped while the message came.
        if target.slot != u32::MAX && self.slot(target).is_none() {
            return self.refuse(letter, code::WORKER_STOPPED, Reason::WorkerStopped);
        }
        self.accept(target, letter, sink);
        let Some(slot) = self.slot(target).filter(|slot| slot.state == State::Live) else { return };
        let (room, capacity) = (slot.room(), slot.capacity);
        if let Some((link, places, bytes)) = slot.extra().remote.refill(link, room, capacity) {
            self.tell_credit(link, target, places, bytes);
        }
    }

    /// A peer's worker takes so many messages and bytes more; neither one nor the other: it is full and says so to who waits.
    fn credited(&mut self, link: u32, target: Handle, messages: u32, bytes: u32) {
        let Some(place) = self.targets.place(link, target) else { return };
        let target = self.targets.known(place.slot);
        target.credit = target.credit.saturating_add(messages);
        target.credit_bytes += i64::from(bytes);
        target.is_asking = false;
        if messages == 0 && bytes == 0 {
            self.refuse_line(place.slot, link);
        } else {
            self.drain_place(place.slot);
        }
    }

    fn asked_for_credit(&mut self, link: u32, target: Handle, messages: u32) {
        let Some(slot) = self.slot(target) else {
            return self.tell_gone_to(link, target);
        };
        if !slot.is_open() {
            return self.tell_gone_to(link, target);
        }
        let (room, capacity) = (slot.room(), slot.capacity);
        if room == 0 && slot.overflow == Overflow::Reject {
            // No places and no bytes: what waits there is refused.
            return self.tell_credit(link, target, 0, 0);
        }
        slot.extra().remote.asked(link, messages);
        if slot.overflow == Overflow::Reject {
            if let Some((link, places, bytes)) = slot.extra().remote.feed(room, capacity) {
                self.tell_credit(link, target, places, bytes);
            }
        } else {
            self.admit(target.slot, &mut super::Closed);
        }
    }

    /// The mailbox of a peer's worker is full, and refuses.
    fn refuse_line(&mut self, place: u32, peer: u32) {
        let line = std::mem::take(&mut self.targets.known(place).line);
        let to = elsewhere(self.targets.handle(place));
        self.fail_line(line, to, Failure::new(code::MAILBOX_FULL), Reason::MailboxFull, peer);
    }

    /// A peer tells the name of a worker of its own.
    fn peer_names(&mut self, link: u32, handle: Handle, name: &str) {
        let Some(peer) = self.links.get_mut(&link) else { return };
        if !peer.names.hear(handle) {
            return self.misbehaves(link, "it told more names than may be known at once");
        }
        let address = format!("{}/{name}", peer.link.peer().name);
        self.targets.intern_place(peer.node, &address, link, handle);
    }

    fn peer_worker_gone(&mut self, link: u32, handle: Handle) {
        if let Some(peer) = self.links.get_mut(&link) {
            peer.names.forget(handle);
        }
        if let Some(place) = self.targets.place(link, handle) {
            // What waits here was to go to a worker that has stopped meanwhile, not to one that never was.
            let line = std::mem::take(&mut self.targets.known(place.slot).line);
            let to = elsewhere(place);
            self.fail_line(line, to, Failure::new(code::WORKER_STOPPED), Reason::WorkerStopped, link);
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

#[cfg(test)]
mod tests;
