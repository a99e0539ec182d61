//! Messages that wait for room: in line at a full mailbox, or at a target for credit or for an answer where it is.
//!
//! Lines keep order, hold each message under its own timeout, and are bounded for the whole isolate.

use super::dead_letter::{Parties, Reason};
use super::mailbox::{Envelope, List};
use super::record::{self, NIL, full};
use super::request::{Origin, Place};
use super::route::{Letter, Report};
use super::target::elsewhere;
use super::{Body, Failure, Handle, Outcome, Port, Sink};

/// Messages that may wait in all lines of an isolate.
pub(super) const LINE_MESSAGES: usize = 65_536;
/// Bytes that may wait in all lines of an isolate.
pub(super) const LINE_BYTES: usize = 64 << 20;

/// Whether the lines take no more. One message always fits, however large.
pub(super) fn is_full(waiting: (usize, usize), size: u32) -> bool {
    waiting.0 >= LINE_MESSAGES || waiting.0 > 0 && waiting.1 + size as usize > LINE_BYTES
}

impl Port {
    pub(super) fn wait_in_line(&mut self, slot: u32, letter: Letter<'_>) {
        let Some((id, envelope)) = self.start_waiting(letter) else { return };
        let line = &mut self.slots[slot as usize].extra().line;
        let envelope = self.envelopes.push(line, envelope);
        self.requests.known(id).place = Place::Line { slot, envelope };
    }

    pub(super) fn wait_at_target(&mut self, target: u32, letter: Letter<'_>) {
        self.wait_at(target, None, letter);
    }

    /// Waits at a target; `guest`: what it is for, if that is another one.
    pub(super) fn wait_at(&mut self, target: u32, guest: Option<Handle>, letter: Letter<'_>) {
        if is_full(self.waiting, letter.size) {
            return self.refuse_with(letter, Failure::full(full::LINE), Reason::MailboxFull);
        }
        let Some((id, envelope)) = self.start_waiting(letter) else { return };
        self.requests.known(id).place = self.line_up(target, guest, envelope);
        self.ask_for_credit(target);
    }

    pub(super) fn line_up(&mut self, target: u32, guest: Option<Handle>, envelope: Envelope) -> Place {
        let line = &mut self.targets.known(target).line;
        let envelope = self.envelopes.push(line, envelope);
        if let Some(guest) = guest {
            self.targets.add_guest(envelope, guest);
        }
        Place::TargetLine { target, envelope }
    }

    /// The envelope of a message that waits; a send gets a number by which its sender hears of it.
    fn start_waiting(&mut self, letter: Letter<'_>) -> Option<(u32, Envelope)> {
        let id = if let Some(id) = letter.request {
            id
        } else {
            let origin = match letter.report {
                Report::Callback(key) => Origin::Callback(key),
                Report::Record(_) | Report::Nobody => Origin::Isolate,
            };
            let Some((id, generation)) = self.requests.open_inbound(origin) else {
                self.refuse_with(letter, Failure::full(full::REQUESTS), Reason::MailboxFull);
                return None;
            };
            self.requests.known(id).is_send = true;
            self.wheel.insert(&mut self.requests, id, letter.deadline);
            if let Report::Record(number) = letter.report {
                self.sends.push([record::incoming::WAITING, number, id, generation, NIL, 0, 0, 0]);
            }
            id
        };
        self.waiting.0 += 1;
        self.waiting.1 += letter.size as usize;
        let body = letter.body.into_traced(letter.trace);
        Some((id, Envelope::new(letter.sender, id, letter.size, body)))
    }

    fn line_of(&mut self, place: Place) -> Option<(&mut List, u32)> {
        match place {
            Place::Line { slot, envelope } => Some((&mut self.slots[slot as usize].extra().line, envelope)),
            Place::TargetLine { target, envelope } => Some((&mut self.targets.known(target).line, envelope)),
            _ => None,
        }
    }

    /// Whom what waits there is for, and who sent it.
    pub(super) fn parties(&self, place: Place) -> Parties {
        let (to, envelope) = match place {
            Place::Queue { slot, envelope } | Place::Line { slot, envelope } => {
                ((slot, self.slots[slot as usize].generation), envelope)
            }
            Place::TargetLine { target, envelope } => (elsewhere(self.targets.handle(target)), envelope),
            Place::Lent { .. } | Place::Away { .. } | Place::None => return Parties::UNKNOWN,
        };
        let envelope = self.envelopes.get(envelope);
        Parties { to, from: (envelope.sender, envelope.sender_generation) }
    }

    /// Takes the message of a request out of wherever it waits; gives room to the next. Returns its body.
    pub(super) fn withdraw(&mut self, place: Place) -> Body {
        if let Place::Queue { slot: index, envelope } = place {
            let slot = &mut self.slots[index as usize];
            let envelope = self.envelopes.remove(&mut slot.queue, envelope);
            slot.bytes -= envelope.size;
            self.room_made(index, &mut super::Closed);
            return envelope.body;
        }
        // The borrow of the list ends before the envelopes are touched: lists are small and copied.
        let Some((list, envelope)) = self.line_of(place).map(|(list, envelope)| (*list, envelope)) else {
            return Body::None;
        };
        let mut list = list;
        self.targets.take_guest(envelope);
        let envelope = self.envelopes.remove(&mut list, envelope);
        if let Some((kept, _)) = self.line_of(place) {
            *kept = list;
        }
        self.leave_line(envelope.size);
        match place {
            Place::Line { slot, .. } => self.admit(slot, &mut super::Closed),
            Place::TargetLine { target, .. } => self.return_idle_credit(target),
            _ => {}
        }
        envelope.body
    }

    pub(super) fn leave_line(&mut self, size: u32) {
        self.waiting.0 -= 1;
        self.waiting.1 -= size as usize;
    }

    /// Room was made in a mailbox: who waits longest gets it, here and at peers in turn.
    pub(super) fn admit<S: Sink>(&mut self, index: u32, sink: &mut S) {
        loop {
            let slot = &mut self.slots[index as usize];
            let (capacity, room, takes_turns) = (slot.capacity, slot.room(), slot.handled.is_multiple_of(2));
            let Some(extra) = &mut slot.extra else { return };
            if extra.remote.is_hungry() && room > 0 && (extra.line.is_empty() || takes_turns) {
                let share = if extra.line.is_empty() { room } else { 1 };
                if let Some((link, places, bytes)) = extra.remote.feed(share, capacity) {
                    let handle = self.handle(index);
                    self.tell_credit(link, handle, places, bytes);
                }
            }
            let slot = &mut self.slots[index as usize];
            let head = slot.line().head();
            if head == NIL || !slot.has_room_for(self.envelopes.get(head).size) {
                return;
            }
            let envelope = self.envelopes.remove(&mut slot.extra().line, head);
            let to = (index, slot.generation);
            let letter = self.leave_for(to, &envelope);
            self.take(index, letter, sink);
        }
    }

    /// A message leaves its line for good: whoever sent it without a request hears that it was handed over.
    pub(super) fn leave_for<'a>(&mut self, to: (u32, u32), envelope: &'a Envelope) -> Letter<'a> {
        self.leave_line(envelope.size);
        let mut request = Some(envelope.request);
        let waiting = self.requests.known(envelope.request);
        waiting.place = Place::None;
        if waiting.is_send {
            self.complete(envelope.request, Outcome::Reply(Body::None), NIL);
            request = None;
        }
        Letter {
            to,
            sender: (envelope.sender, envelope.sender_generation),
            request,
            body: envelope.body.borrow(),
            size: envelope.size,
            no_wait: false,
            has_place: false,
            report: Report::Nobody,
            deadline: u64::MAX,
            trace: envelope.body.trace(),
        }
    }

    /// Everything that waits in a line, for the same receiver, fails.
    pub(super) fn fail_line(
        &mut self,
        mut line: List,
        to: (u32, u32),
        failure: Failure,
        reason: Reason,
        link: u32,
    ) {
        loop {
            self.targets.take_guest(line.head());
            let Some(envelope) = self.envelopes.pop(&mut line) else { return };
            self.fail_waiting_one(&envelope, to, failure, reason, link);
        }
    }

    /// Something that waited in a line fails.
    pub(super) fn fail_waiting_one(
        &mut self,
        envelope: &Envelope,
        to: (u32, u32),
        failure: Failure,
        reason: Reason,
        link: u32,
    ) {
        self.leave_line(envelope.size);
        self.drop_body(envelope.body.borrow());
        if self.requests.known(envelope.request).is_send {
            let from = (envelope.sender, envelope.sender_generation);
            self.dead_letter(reason, Parties { to, from });
        }
        self.complete(envelope.request, Outcome::Failed(failure, Body::None), link);
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{NO_LIMIT, REF, STRIDE, TO_TARGET, incoming, outgoing, size_bits};
    use super::super::{BatchText, BodyRef, Handle};
    use super::*;

    #[derive(Default)]
    struct Taken(Vec<[u32; STRIDE]>);

    impl Sink for Taken {
        fn push(&mut self, record: [u32; STRIDE], _: BodyRef<'_>) {
            self.0.push(record);
        }

        fn has_room(&self, _: &BodyRef<'_>) -> bool {
            true
        }
    }

    /// A port and a worker of another node, which grants no place.
    fn away() -> (Port, Handle) {
        let mut port = Port::new(0);
        let target = port.targets.intern_place(0, "node/worker", 5, Handle { slot: 7, generation: 1 });
        (port, target)
    }

    /// Sends so many messages of so many UTF-16 units there; answers how many wait, and what was full for the others.
    fn send(port: &mut Port, to: Handle, count: usize, units: usize) -> (usize, Vec<u32>) {
        let word = outgoing::MESSAGE | TO_TARGET | REF | size_bits(units);
        let record = [word, to.slot, to.generation, NIL, 0, NO_LIMIT, NIL, 0];
        let mut taken = Taken::default();
        port.flush(&record.repeat(count), BatchText::Ascii(&[]), &mut taken, 0, true);
        let of_kind = |kind| taken.0.iter().filter(move |record| record[0] & record::KIND == kind);
        let full = of_kind(incoming::REFUSED).map(|record| record[5]).collect();
        (of_kind(incoming::WAITING).count(), full)
    }

    #[test]
    fn the_line_for_a_worker_of_another_node_holds_65_536_messages() {
        let (mut port, target) = away();
        assert_eq!(send(&mut port, target, LINE_MESSAGES + 2, 1), (LINE_MESSAGES, vec![full::LINE; 2]));
    }

    #[test]
    fn the_line_for_a_worker_of_another_node_holds_64_mib() {
        let (mut port, target) = away();
        assert_eq!(send(&mut port, target, 2, LINE_BYTES / 4), (2, vec![]));
        assert_eq!(send(&mut port, target, 1, 1), (0, vec![full::LINE]));
    }
}
