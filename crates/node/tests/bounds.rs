//! What an isolate keeps is bounded, in number and in bytes: mailboxes, lines, open requests. Beyond a bound the sender
//! hears it at once.

#![expect(clippy::unwrap_used, reason = "what is unwrapped in a test is its claim")]

use troupe_node::{
    code,
    port::{
        BatchText, BodyRef, Handle, MAX_OPEN, Overflow, Port, Sink, WorkerOptions,
        record::{NIL, NO_LIMIT, REF, STRIDE, full, incoming, outgoing},
    },
};

/// Takes all that a port hands out.
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

/// A port with a node and workers that are still starting: what is sent to them waits.
struct Isolate {
    port: Port,
    node: u16,
    /// What was full when something was last refused for want of room.
    full: Option<u32>,
}

/// How a batch of sends fared.
#[derive(Debug, Default, PartialEq, Eq)]
struct Fared {
    waiting: usize,
    refused: usize,
}

impl Isolate {
    fn new() -> Self {
        let mut port = Port::new(0);
        let node = port.add_node("node").number();
        Self { port, node, full: None }
    }

    fn worker(&mut self, name: &str, mailbox: u32, overflow: Overflow) -> Handle {
        let options = WorkerOptions { mailbox, overflow, ..WorkerOptions::default() };
        self.port.start(self.node, name, &options).unwrap()
    }

    fn flush(&mut self, records: &[u32]) -> Vec<[u32; STRIDE]> {
        let mut taken = Taken::default();
        self.port.flush(records, BatchText::Ascii(&[]), &mut taken, 0, true);
        taken.0
    }

    /// Sends so many messages of so many UTF-16 units, whose text stays with the isolate.
    fn send(&mut self, to: Handle, count: usize, units: usize) -> Fared {
        self.send_as(NIL, to, count, units)
    }

    fn send_as(&mut self, sender: u32, to: Handle, count: usize, units: usize) -> Fared {
        let word = outgoing::MESSAGE | REF | size_bits(units);
        let record = [word, to.slot, to.generation, sender, 0, NO_LIMIT, NIL, 0];
        let answers = self.flush(&record.repeat(count));
        let of_kind = |kind| answers.iter().filter(|answer| answer[0] & 0x7f == kind).count();
        let refused = of_kind(incoming::REFUSED);
        for answer in answers.iter().filter(|answer| answer[0] & 0x7f == incoming::REFUSED) {
            assert_eq!(answer[3], u32::from(code::MAILBOX_FULL));
            self.full = Some(answer[5]);
        }
        Fared { waiting: of_kind(incoming::WAITING), refused }
    }

    /// Asks with this number; answers with the code of the failure, if it fails at once.
    fn ask(&mut self, to: Handle, number: u32, generation: u32) -> Option<u32> {
        let record = [outgoing::MESSAGE, to.slot, to.generation, NIL, NIL, NO_LIMIT, number, generation];
        let answers = self.flush(&record);
        let failed = answers.iter().find(|answer| answer[0] & 0x7f == incoming::FAIL)?;
        self.full = Some(failed[5]);
        Some(failed[3])
    }
}

/// How a record tells the size of a text that stays with the isolate: units, or steps of 1024 of them.
fn size_bits(units: usize) -> u32 {
    if units < 0x8000 { (units as u32) << 16 } else { (0x8000 | units.div_ceil(1024) as u32) << 16 }
}

/// UTF-16 units of a text of 32 MiB: half of what a mailbox, or all lines, hold.
const HALF: usize = 16 << 20;
const LINES: usize = 65_536;

fn fared(waiting: usize, refused: usize) -> Fared {
    Fared { waiting, refused }
}

#[test]
fn a_mailbox_holds_its_number_of_messages_and_the_next_waits_or_is_refused() {
    let mut isolate = Isolate::new();
    let patient = isolate.worker("patient", 10, Overflow::Wait);
    assert_eq!(isolate.send(patient, 10, 1), fared(0, 0));
    assert_eq!(isolate.send(patient, 1, 1), fared(1, 0));
    let strict = isolate.worker("strict", 10, Overflow::Reject);
    assert_eq!(isolate.send(strict, 10, 1), fared(0, 0));
    assert_eq!(isolate.send(strict, 2, 1), fared(0, 2));
    assert_eq!(isolate.full, Some(full::MAILBOX));
}

#[test]
fn a_mailbox_holds_64_mib_however_many_messages_it_may_take() {
    let mut isolate = Isolate::new();
    let worker = isolate.worker("worker", 1000, Overflow::Reject);
    assert_eq!(isolate.send(worker, 2, HALF), fared(0, 0));
    assert_eq!(isolate.send(worker, 1, 1), fared(0, 1));
    // Not one message more that begins below the bound, either.
    let other = isolate.worker("other", 1000, Overflow::Reject);
    assert_eq!(isolate.send(other, 1, HALF), fared(0, 0));
    assert_eq!(isolate.send(other, 1, HALF + 1024), fared(0, 1));
}

#[test]
fn all_lines_together_hold_65_536_messages() {
    let mut isolate = Isolate::new();
    let first = isolate.worker("first", 1, Overflow::Wait);
    let second = isolate.worker("second", 1, Overflow::Wait);
    assert_eq!(isolate.send(first, 1 + LINES / 2, 1), fared(LINES / 2, 0));
    assert_eq!(isolate.send(second, 1 + LINES / 2, 1), fared(LINES / 2, 0));
    assert_eq!(isolate.send(first, 1, 1), fared(0, 1));
    assert_eq!(isolate.full, Some(full::LINE));
    assert_eq!(isolate.send(second, 1, 1), fared(0, 1));
}

#[test]
fn all_lines_together_hold_64_mib() {
    let mut isolate = Isolate::new();
    let first = isolate.worker("first", 1, Overflow::Wait);
    let second = isolate.worker("second", 1, Overflow::Wait);
    assert_eq!(isolate.send(first, 2, HALF), fared(1, 0));
    assert_eq!(isolate.send(second, 2, HALF), fared(1, 0));
    assert_eq!(isolate.send(first, 1, 1), fared(0, 1));
    assert_eq!(isolate.full, Some(full::LINE));
}

#[test]
fn who_would_wait_for_room_in_its_own_mailbox_is_refused_at_once() {
    let mut isolate = Isolate::new();
    let worker = isolate.worker("worker", 1, Overflow::Wait);
    assert_eq!(isolate.send_as(worker.slot, worker, 1, 1), fared(0, 0));
    assert_eq!(isolate.send_as(worker.slot, worker, 1, 1), fared(0, 1));
    let other = isolate.worker("other", 1, Overflow::Wait);
    assert_eq!(isolate.send_as(other.slot, worker, 1, 1), fared(1, 0));
}

#[test]
fn an_isolate_has_a_million_open_requests_and_no_more() {
    let mut isolate = Isolate::new();
    let worker = isolate.worker("worker", 10, Overflow::Wait);
    let refused = Some(u32::from(code::MAILBOX_FULL));
    assert_eq!(isolate.ask(worker, 0, 1), None);
    assert_eq!(isolate.ask(worker, MAX_OPEN - 1, 1), None);
    assert_eq!(isolate.ask(worker, MAX_OPEN, 1), refused);
    assert_eq!(isolate.full, Some(full::REQUESTS));
    assert_eq!(isolate.ask(worker, 0, 2), refused, "a number that is in use");
    assert_eq!(isolate.port.open_requests(), 2);
}

#[test]
fn what_is_sent_to_a_worker_that_was_there_before_is_not_for_the_next() {
    let mut isolate = Isolate::new();
    let worker = isolate.worker("worker", 10, Overflow::Wait);
    let before = Handle { generation: worker.generation.wrapping_sub(1), ..worker };
    let after = Handle { generation: worker.generation.wrapping_add(1), ..worker };
    let gone = Some(u32::from(code::NO_SUCH_WORKER));
    for (number, stale) in [before, after].into_iter().enumerate() {
        assert_eq!(isolate.ask(stale, number as u32, 1), gone);
    }
}
