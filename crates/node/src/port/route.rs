//! Where the records of an isolate go: its own mailboxes, the answers to requests, other nodes.

use super::dead_letter::{Parties, Reason};
use super::mailbox::{CREDIT_ASYNC, CREDIT_SYNC, Envelope, State};
use super::record::{self, NIL, STRIDE, full, outgoing};
use super::request::{Origin, Place};
use super::target::{ELSEWHERE, Whereabouts, elsewhere};
use super::{BatchText, Body, BodyRef, Failure, Handle, Outcome, Port, Sink, deadline, remaining};
use crate::code;
use troupe_proto::codec::Traceparent;
use troupe_proto::text::Text;

/// A message on its way.
pub(super) struct Letter<'a> {
    /// Whom it is for: slot and generation, or target and its generation with [`ELSEWHERE`]; `NOBODY`.
    pub(super) to: (u32, u32),
    /// Who sent it, in the same way.
    pub(super) sender: (u32, u32),
    /// The open request that it asks for.
    pub(super) request: Option<u32>,
    pub(super) body: BodyRef<'a>,
    pub(super) size: u32,
    /// A reply to a mailbox or worker: it takes room or is a dead letter.
    pub(super) no_wait: bool,
    /// A place was promised to its peer.
    pub(super) has_place: bool,
    /// How the sender of a send hears of it.
    pub(super) report: Report,
    /// How long a send may wait for room.
    pub(super) deadline: u64,
    /// The trace that it belongs to.
    pub(super) trace: Option<&'a Traceparent>,
}

/// Who hears how a send fared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    /// The isolate, by the number of the record in the batch.
    Record(u32),
    /// A caller in Rust.
    Callback(u64),
    Nobody,
}

impl Port {
    pub(super) fn route<S: Sink>(&mut self, record: &[u32; STRIDE], text: &mut BatchText<'_>, sink: &mut S) {
        let number = self.records;
        self.records = self.records.wrapping_add(1);
        let [word, one, two, three, four, five, ..] = *record;
        let has_body = record::has_body(word);
        let body = if !has_body || four == NIL {
            BodyRef::None
        } else if word & record::REF != 0 {
            BodyRef::Slab(four)
        } else {
            // A length beyond the text would be a defect of the other half of the port; the text is then empty.
            text.take(four as usize).unwrap_or(BodyRef::Text(Text::EMPTY))
        };
        let handle = Handle { slot: one, generation: two };
        match word & record::KIND {
            outgoing::MESSAGE => {
                let trace = self.trace.take();
                self.route_message(record, number, (body, trace.as_deref()), sink);
            }
            outgoing::PARENT => self.parent = Some((one, two)),
            outgoing::TRACE => self.trace = traceparent(&body).map(Box::new),
            outgoing::REPLY => self.reply(one, two, three, body, sink),
            outgoing::FAILED => self.failed(handle, (three != NIL).then_some((three, five)), body),
            outgoing::ACK => {
                let credit = if word & record::ASYNC != 0 { CREDIT_ASYNC } else { CREDIT_SYNC };
                self.acknowledge(handle, three, credit, sink);
            }
            outgoing::CANCEL => self.give_up(one, two),
            outgoing::STAGE => self.report_stage(one, two, three),
            outgoing::READY => self.ready(handle, word & record::FAILED_START == 0),
            outgoing::ENDED => self.ended(handle),
            outgoing::REFUSED => {
                let request = (three != NIL).then_some((three, five));
                self.refuse_lent(handle, request);
            }
            _ => {}
        }
    }

    /// A message of the isolate, and the trace that it belongs to.
    fn route_message<S: Sink>(
        &mut self,
        record: &[u32; STRIDE],
        number: u32,
        (body, trace): (BodyRef<'_>, Option<&Traceparent>),
        sink: &mut S,
    ) {
        let [word, one, two, three, _, five, six, seven] = *record;
        let handle = Handle { slot: one, generation: two };
        let sender = match self.slots.get(three as usize) {
            Some(slot) if slot.state != State::Free => (three, slot.generation),
            _ => super::NOBODY,
        };
        let parent = self.parent.take();
        let mut limit = deadline(five, self.now);
        let mut request = None;
        if six != NIL {
            if !self.requests.open_own(six, seven, Origin::Isolate) {
                self.refuse_number(six, seven, body);
                return;
            }
            if let Some((parent, generation)) = parent
                && self.requests.get(parent, generation).is_some()
            {
                limit = limit.min(self.requests.nest(six, parent));
            }
            self.wheel.insert(&mut self.requests, six, limit);
            request = Some(six);
        }
        let is_slot = word & record::TO_TARGET == 0;
        let letter = Letter {
            to: if is_slot { (one, two) } else { elsewhere(handle) },
            sender,
            request,
            body,
            size: body.size(record::slab_size(word)),
            no_wait: word & record::NO_WAIT != 0,
            has_place: false,
            report: if six == NIL && word & record::NO_WAIT == 0 {
                Report::Record(number)
            } else {
                Report::Nobody
            },
            deadline: limit,
            trace,
        };
        if is_slot {
            self.accept(handle, letter, sink);
        } else {
            self.route_to_target(handle, letter, sink);
        }
    }

    fn refuse_number(&mut self, id: u32, generation: u32, body: BodyRef<'_>) {
        self.drop_body(body);
        self.emit_failure(id, generation, Failure::full(full::REQUESTS), Body::None, NIL);
    }

    /// The first reply answers the request; further ones are dead letters.
    fn reply<S: Sink>(&mut self, id: u32, generation: u32, slot: u32, body: BodyRef<'_>, sink: &mut S) {
        let Some(request) = self.requests.get(id, generation) else {
            let from =
                self.slots.get(slot as usize).map_or(super::NOBODY, |worker| (slot, worker.generation));
            self.dead_letter(Reason::LateReply, Parties { from, ..Parties::UNKNOWN });
            self.drop_body(body);
            return;
        };
        if request.origin == Origin::Isolate && self.out.is_empty() && sink.has_room(&body) {
            // The common case, without a copy: asker and worker share the isolate.
            self.close(id);
            let word =
                record::incoming::REPLY | if matches!(body, BodyRef::Slab(_)) { record::REF } else { 0 };
            let four = if let BodyRef::Slab(index) = body { index } else { NIL };
            sink.push([word, id, generation, 0, four, 0, 0, 0], body);
            return;
        }
        self.complete_with(id, body);
    }

    /// A message for a worker of this isolate.
    pub(super) fn accept<S: Sink>(&mut self, handle: Handle, letter: Letter<'_>, sink: &mut S) {
        let waiting = self.waiting;
        let Some(slot) = self.slot(handle) else {
            return self.refuse(letter, code::NO_SUCH_WORKER, Reason::NoSuchWorker);
        };
        if !slot.is_open() {
            return self.refuse(letter, code::WORKER_STOPPED, Reason::WorkerStopped);
        }
        let fits = slot.line().is_empty() && slot.has_room_for(letter.size);
        if fits || letter.has_place {
            self.report_sent(letter.report);
            self.take(handle.slot, letter, sink);
        } else if letter.no_wait
            || slot.overflow == super::Overflow::Reject
            // It would wait for itself.
            || slot.has_behaviour && letter.sender == (handle.slot, handle.generation)
        {
            self.refuse(letter, code::MAILBOX_FULL, Reason::MailboxFull);
        } else if super::line::is_full(waiting, letter.size) {
            self.refuse_with(letter, Failure::full(full::LINE), Reason::MailboxFull);
        } else {
            self.wait_in_line(handle.slot, letter);
        }
    }

    /// Puts a message into a mailbox that has room for it: lends it at once when it is the only one.
    #[expect(clippy::needless_pass_by_value, reason = "a letter goes one way; nobody has it afterwards")]
    pub(super) fn take<S: Sink>(&mut self, index: u32, letter: Letter<'_>, sink: &mut S) {
        let slot = &mut self.slots[index as usize];
        if slot.queue.is_empty() && slot.can_lend(letter.size) && sink.has_room(&letter.body) {
            slot.lend(letter.size, self.ticks);
            if let Some(class) = self.classes.get(slot.class) {
                class.in_mailbox.add(0, 1);
            }
            if let Some(trace) = letter.trace {
                announce(trace, sink);
            }
            self.lend(index, letter.sender, letter.request, letter.body, sink);
            return;
        }
        slot.bytes += letter.size;
        let mut envelope = Envelope::new(
            letter.sender,
            letter.request.unwrap_or(NIL),
            letter.size,
            letter.body.into_traced(letter.trace),
        );
        envelope.at = self.ticks;
        let at = self.envelopes.push(&mut slot.queue, envelope);
        self.make_ready(index);
        if let Some(id) = letter.request {
            self.requests.known(id).place = Place::Queue { slot: index, envelope: at };
        }
    }

    /// Puts a worker on the list of those that have messages to lend, if it has.
    pub(super) fn make_ready(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        let head = slot.queue.head();
        if head != NIL && !slot.is_ready && slot.can_lend(self.envelopes.get(head).size) {
            slot.is_ready = true;
            self.ready.push_back(index);
        }
    }

    fn lend<S: Sink>(
        &mut self,
        slot: u32,
        sender: (u32, u32),
        request: Option<u32>,
        body: BodyRef<'_>,
        sink: &mut S,
    ) {
        self.delivered += 1;
        let (id, generation, left) = match request {
            Some(id) => {
                let request = self.requests.known(id);
                request.place = Place::Lent { slot };
                self.slots[slot as usize].asked += 1;
                (id, request.generation, remaining(request.timer.deadline, self.now))
            }
            None => (NIL, 0, record::NO_LIMIT),
        };
        // So that a record that is read late is not taken for one of whoever has the slot by then.
        let mut word = record::incoming::MESSAGE | self.slots[slot as usize].generation << 16;
        let (sender, sender_generation) = sender;
        if sender_generation & ELSEWHERE != 0 {
            word |= record::SENDER_ELSEWHERE;
        }
        let sender_generation = sender_generation & !ELSEWHERE;
        let mut four = NIL;
        if let BodyRef::Slab(index) = body {
            word |= record::REF;
            four = index;
        }
        sink.push([word, slot, id, generation, four, left, sender, sender_generation], body);
    }

    /// Lends what waits, a few messages a worker at a time so that none keeps the others waiting.
    pub(super) fn drain_ready<S: Sink>(&mut self, sink: &mut S) {
        const QUANTUM: u32 = 64;
        for _ in 0..self.ready.len() {
            let Some(index) = self.ready.pop_front() else { break };
            let was_idle = self.slots[index as usize].lent() == 0;
            for _ in 0..QUANTUM {
                let slot = &mut self.slots[index as usize];
                let head = slot.queue.head();
                if head == NIL {
                    break;
                }
                let waiting = self.envelopes.get(head);
                if !slot.can_lend(waiting.size) || !sink.has_room(&waiting.body.borrow()) {
                    break;
                }
                let envelope = self.envelopes.remove(&mut slot.queue, head);
                slot.bytes -= envelope.size;
                slot.lend(envelope.size, self.ticks);
                if let Some(class) = self.classes.get(slot.class) {
                    class.in_mailbox.add(self.ticks.wrapping_sub(envelope.at), 1);
                }
                let request = (envelope.request != NIL).then_some(envelope.request);
                let sender = (envelope.sender, envelope.sender_generation);
                if let Some(trace) = envelope.body.trace() {
                    announce(trace, sink);
                }
                self.lend(index, sender, request, envelope.body.borrow(), sink);
            }
            let slot = &mut self.slots[index as usize];
            slot.is_ready = false;
            if was_idle && slot.lent() > 0 && slot.extra.is_some() {
                // The one that it has in hand by now has left its place.
                self.admit(index, sink);
            }
            self.make_ready(index);
        }
    }

    /// A message for whatever an address names.
    pub(super) fn route_to_target<S: Sink>(&mut self, handle: Handle, letter: Letter<'_>, sink: &mut S) {
        let Some(at) = self.targets.get(handle).map(|target| target.at) else {
            return self.refuse(letter, code::NO_SUCH_WORKER, Reason::NoSuchWorker);
        };
        if !letter.no_wait
            && let Some(other) = self.targets.ahead(handle.slot, letter.sender, &self.envelopes)
        {
            return self.wait_at(other, Some(handle), letter);
        }
        match at {
            Whereabouts::Here(worker) if self.slot(worker).is_some() => self.accept(worker, letter, sink),
            Whereabouts::Via(place) if self.targets.get(place).is_some() => {
                self.route_to_target(place, letter, sink);
            }
            Whereabouts::Here(_) | Whereabouts::Via(_) | Whereabouts::Unknown => {
                if let Some(worker) = self.look_up(handle.slot) {
                    self.accept(worker, letter, sink);
                } else {
                    match self.search(handle) {
                        Ok(()) => self.wait_at_target(handle.slot, letter),
                        Err(code) => self.refuse(letter, code, Reason::of_search(code)),
                    }
                }
            }
            Whereabouts::Asked => self.wait_at_target(handle.slot, letter),
            Whereabouts::There { link, handle: there } => {
                let target = self.targets.known(handle.slot);
                if letter.no_wait
                    || target.line.is_empty() && target.has_credit() && self.link_has_room(link, handle.slot)
                {
                    self.send_away(handle.slot, link, there, letter);
                } else {
                    self.wait_at_target(handle.slot, letter);
                }
            }
        }
    }

    /// A message that goes nowhere: its request fails, its send is refused, both are counted.
    pub(super) fn refuse(&mut self, letter: Letter<'_>, code: u8, reason: Reason) {
        self.refuse_with(letter, Failure::new(code), reason);
    }

    /// As [`Port::refuse`], where more is known than the code.
    #[expect(clippy::needless_pass_by_value, reason = "a letter goes one way; nobody has it afterwards")]
    pub(super) fn refuse_with(&mut self, letter: Letter<'_>, failure: Failure, reason: Reason) {
        if let Some(id) = letter.request {
            self.drop_body(letter.body);
            self.complete(id, Outcome::Failed(failure, Body::None), NIL);
            return;
        }
        self.dead_letter(reason, Parties { to: letter.to, from: letter.sender });
        if let Report::Record(number) = letter.report {
            // Its body goes back with the news, also in the middle of a turn: a flood that is refused holds no memory.
            let (word, body) = match letter.body {
                BodyRef::Slab(index) => (record::incoming::REFUSED | record::REF, index),
                _ => (record::incoming::REFUSED, NIL),
            };
            let (code, stage) = (u32::from(failure.code), u32::from(failure.stage));
            self.sends.push([word, number, 0, code, body, stage, 0, NIL]);
            return;
        }
        self.drop_body(letter.body);
        match letter.report {
            Report::Callback(key) => self.call_back(key, Outcome::Failed(failure, Body::None)),
            Report::Record(_) | Report::Nobody => {}
        }
    }

    pub(super) fn report_sent(&mut self, report: Report) {
        // To an isolate, silence within the batch means that it was taken.
        if let Report::Callback(key) = report {
            self.call_back(key, Outcome::Reply(Body::None));
        }
    }
}

/// Names the trace of the message in the next record. Apart, so that messages without one do not carry its code along.
#[cold]
fn announce<S: Sink>(trace: &Traceparent, sink: &mut S) {
    let text = BodyRef::Text(Text::Ascii(trace.as_bytes()));
    sink.push([record::incoming::TRACE, 0, 0, 0, NIL, 0, 0, 0], text);
}

/// The trace that an isolate names; what is none is ignored.
fn traceparent(body: &BodyRef<'_>) -> Option<Traceparent> {
    match body {
        BodyRef::Text(Text::Ascii(text)) => Traceparent::parse(text),
        BodyRef::Text(text) => Traceparent::parse(text.to_string_lossy().as_bytes()),
        BodyRef::None | BodyRef::Slab(_) => None,
    }
}
