//! Plays the isolate of a port: records go in, what comes out is told as events, and time is whatever the test says.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use troupe_node::node::Shared;
use troupe_node::port::record::{
    ASYNC, FAILED_START, KIND, NIL, NO_LIMIT, NO_WAIT, REF, SENDER_ELSEWHERE, STRIDE, TO_TARGET,
};
use troupe_node::port::record::{incoming, outgoing, size_bits};
use troupe_node::port::{BatchText, Flushed, Handle, Port, StartError, WorkerOptions};

use crate::told::Collected;
pub use crate::told::{Source, Told, bodies};

/// A port with one node, `here` unless it is given another name, and no threads. Bodies stay in the driver's slab; a test
/// that ends well has seen every one of them come back exactly once.
#[derive(Debug)]
pub struct Driver {
    /// The port.
    pub port: Port,
    /// Number of the node.
    pub node: u16,
    /// The node.
    pub shared: Arc<Shared>,
    /// Milliseconds on the clock.
    pub now: u64,
    /// Records that a flush takes before it leaves the rest for the next one.
    pub room: usize,
    /// What the last flush left behind.
    pub flushed: Flushed,
    /// Whether bodies go along as text, as they do to other nodes, and not in the slab.
    pub by_text: bool,
    batch: Vec<u32>,
    text: Vec<u8>,
    number: u32,
    kept: HashMap<u32, String>,
    next_body: u32,
    generations: Vec<u32>,
    free: Vec<u32>,
    open: HashMap<u32, u32>,
    /// Requests given up, whose outcomes may have been on their way.
    given_up: HashSet<Handle>,
}

impl Driver {
    /// At a time that is not zero, so that a confusion of times and durations shows.
    #[must_use]
    pub fn new() -> Self {
        Self::of("here")
    }

    /// As [`Driver::new`], with a node of this name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let now = 1_000_000;
        let mut port = Port::new(now);
        let shared = port.add_node(name);
        Self {
            port,
            node: shared.number(),
            shared,
            now,
            room: usize::MAX,
            flushed: Flushed { more: false, next: None, has_sends: false },
            by_text: false,
            batch: Vec::new(),
            text: Vec::new(),
            number: 0,
            kept: HashMap::new(),
            next_body: 0,
            generations: Vec::new(),
            free: Vec::new(),
            open: HashMap::new(),
            given_up: HashSet::new(),
        }
    }

    /// Puts a record; returns its number.
    pub fn put(&mut self, record: [u32; STRIDE]) -> u32 {
        self.batch.extend_from_slice(&record);
        self.number += 1;
        self.number - 1
    }

    /// Takes a body of so many UTF-16 units into the batch: what word 0 says of it, and word 4.
    fn carry(&mut self, body: &str, units: usize) -> (u32, u32) {
        if self.by_text {
            self.text.extend_from_slice(body.as_bytes());
            return (0, body.len() as u32);
        }
        (REF | size_bits(units), self.keep(body))
    }

    fn keep(&mut self, body: &str) -> u32 {
        let index = self.next_body;
        self.next_body += 1;
        self.kept.insert(index, body.to_owned());
        index
    }

    /// Starts a worker that is ready with the next flush.
    pub fn start(&mut self, name: &str, options: &WorkerOptions) -> Handle {
        let worker = self.begin_start(name, options).expect("a free name");
        self.ready(worker, true);
        worker
    }

    /// Takes a name and a mailbox; messages wait until it is [`Driver::ready`].
    pub fn begin_start(&mut self, name: &str, options: &WorkerOptions) -> Result<Handle, StartError> {
        self.port.set_now(self.now);
        self.port.start(self.node, name, options)
    }

    /// `initialize`, or a restart, has ended.
    pub fn ready(&mut self, worker: Handle, is_good: bool) {
        let kind = if is_good { outgoing::READY } else { outgoing::READY | FAILED_START };
        self.put([kind, worker.slot, worker.generation, 0, NIL, 0, 0, 0]);
    }

    /// Sends from a worker's slot; returns the number of the record. `timeout`: how long it may wait for room.
    pub fn send(&mut self, from: u32, to: Handle, body: &str, timeout: u32) -> u32 {
        self.send_of_size(from, to, body, body.len(), timeout)
    }

    /// The same, of a body that claims to hold so many UTF-16 units.
    pub fn send_of_size(&mut self, from: u32, to: Handle, body: &str, units: usize, timeout: u32) -> u32 {
        let (word, index) = self.carry(body, units);
        let kind = outgoing::MESSAGE | word;
        self.put([kind, to.slot, to.generation, from, index, timeout, NIL, 0])
    }

    /// Sends to an address.
    pub fn send_to(&mut self, from: u32, address: &str, body: &str, timeout: u32) -> u32 {
        let target = self.port.target(self.node, address);
        let (word, index) = self.carry(body, body.len());
        let kind = outgoing::MESSAGE | TO_TARGET | word;
        self.put([kind, target.slot, target.generation, from, index, timeout, NIL, 0])
    }

    /// Replies to a message that was sent: takes room, or is a dead letter.
    pub fn reply_to_send(&mut self, from: u32, to: Handle, body: &str) {
        let index = self.keep(body);
        let kind = outgoing::MESSAGE | REF | NO_WAIT | size_bits(body.len());
        self.put([kind, to.slot, to.generation, from, index, 0, NIL, 0]);
    }

    /// The same, to whoever a message says that it is from.
    pub fn reply_to(&mut self, from: u32, source: Source, body: &str) {
        let (word, index) = self.carry(body, body.len());
        let kind = outgoing::MESSAGE | NO_WAIT | word | if source.is_elsewhere { TO_TARGET } else { 0 };
        self.put([kind, source.at.slot, source.at.generation, from, index, 0, NIL, 0]);
    }

    fn number_of_request(&mut self) -> Handle {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.generations.push(0);
            self.generations.len() as u32 - 1
        });
        self.generations[slot as usize] += 1;
        let generation = self.generations[slot as usize];
        self.open.insert(slot, generation);
        Handle { slot, generation }
    }

    /// Asks a worker.
    pub fn ask(&mut self, from: u32, to: Handle, body: &str, timeout: u32) -> Handle {
        self.ask_of_size(from, to, body, body.len(), timeout)
    }

    /// The same, of a body that claims to hold so many UTF-16 units.
    pub fn ask_of_size(&mut self, from: u32, to: Handle, body: &str, units: usize, timeout: u32) -> Handle {
        let request = self.number_of_request();
        let (word, index) = self.carry(body, units);
        let kind = outgoing::MESSAGE | word;
        self.put([kind, to.slot, to.generation, from, index, timeout, request.slot, request.generation]);
        request
    }

    /// Asks whatever an address names.
    pub fn ask_at(&mut self, from: u32, address: &str, body: &str, timeout: u32) -> Handle {
        let target = self.port.target(self.node, address);
        let request = self.number_of_request();
        let (word, index) = self.carry(body, body.len());
        let kind = outgoing::MESSAGE | TO_TARGET | word;
        self.put([
            kind,
            target.slot,
            target.generation,
            from,
            index,
            timeout,
            request.slot,
            request.generation,
        ]);
        request
    }

    /// Asks a worker from inside of the handler of `parent`.
    pub fn ask_nested(&mut self, parent: Handle, from: u32, to: Handle, body: &str, timeout: u32) -> Handle {
        self.put([outgoing::PARENT, parent.slot, parent.generation, 0, NIL, 0, 0, 0]);
        self.ask(from, to, body, timeout)
    }

    /// Asks whatever an address names from inside of the handler of `parent`.
    pub fn ask_nested_at(
        &mut self,
        parent: Handle,
        from: u32,
        address: &str,
        body: &str,
        timeout: u32,
    ) -> Handle {
        self.put([outgoing::PARENT, parent.slot, parent.generation, 0, NIL, 0, 0, 0]);
        self.ask_at(from, address, body, timeout)
    }

    /// Answers a request.
    pub fn reply(&mut self, worker: Handle, request: Handle, body: &str) {
        let (word, index) = self.carry(body, 0);
        self.put([outgoing::REPLY | word, request.slot, request.generation, worker.slot, index, 0, 0, 0]);
    }

    /// So many messages were done with.
    pub fn done(&mut self, worker: Handle, count: u32) {
        self.put([outgoing::ACK, worker.slot, worker.generation, count, NIL, 0, 0, 0]);
    }

    /// The same, by handlers that did not end at once.
    pub fn done_later(&mut self, worker: Handle, count: u32) {
        self.put([outgoing::ACK | ASYNC, worker.slot, worker.generation, count, NIL, 0, 0, 0]);
    }

    /// A handler failed.
    pub fn fail(&mut self, worker: Handle, request: Option<Handle>, cause: &str) {
        let (id, generation) = request.map_or((NIL, 0), |request| (request.slot, request.generation));
        let (word, index) = if request.is_some() { self.carry(cause, 0) } else { (0, NIL) };
        let kind = outgoing::FAILED | word;
        self.put([kind, worker.slot, worker.generation, id, index, generation, 0, 0]);
    }

    /// The asker, or whoever waits for room, gives up.
    pub fn give_up(&mut self, request: Handle) {
        self.put([outgoing::CANCEL, request.slot, request.generation, 0, NIL, 0, 0, 0]);
        if self.close(request) {
            self.given_up.insert(request);
        }
    }

    /// Says how far a lent request had come.
    pub fn stage(&mut self, request: Handle, stage: u32) {
        self.put([outgoing::STAGE, request.slot, request.generation, stage, NIL, 0, 0, 0]);
    }

    /// A lent message was not begun.
    pub fn refuse(&mut self, worker: Handle, request: Option<Handle>) {
        let (id, generation) = request.map_or((NIL, 0), |request| (request.slot, request.generation));
        self.put([outgoing::REFUSED, worker.slot, worker.generation, id, NIL, generation, 0, 0]);
    }

    /// `shutdown` has ended.
    pub fn ended(&mut self, worker: Handle) {
        self.put([outgoing::ENDED, worker.slot, worker.generation, 0, NIL, 0, 0, 0]);
    }

    /// Stops a worker; the request is answered when it is gone.
    pub fn stop(&mut self, worker: Handle, timeout: u32) -> Handle {
        let order = self.number_of_request();
        self.port.set_now(self.now);
        self.port.begin_order(order);
        assert!(self.port.stop(worker, timeout, order), "there is no such worker");
        order
    }

    /// Exchanges the batch for what there is to do.
    pub fn flush(&mut self) -> Vec<Told> {
        let mut collected = Collected { records: Vec::new(), room: self.room };
        let (batch, text) = (std::mem::take(&mut self.batch), std::mem::take(&mut self.text));
        self.flushed = self.port.flush(&batch, BatchText::Utf8(&text), &mut collected, self.now, true);
        collected.records.into_iter().filter_map(|(record, text)| self.read(record, text)).collect()
    }

    /// Lets so many milliseconds pass, then flushes.
    pub fn after(&mut self, milliseconds: u64) -> Vec<Told> {
        self.now += milliseconds;
        self.flush()
    }

    fn close(&mut self, request: Handle) -> bool {
        let is_open = self.open.get(&request.slot) == Some(&request.generation);
        if is_open {
            self.open.remove(&request.slot);
            self.free.push(request.slot);
        }
        is_open
    }

    fn read(&mut self, record: [u32; STRIDE], text: Option<String>) -> Option<Told> {
        let [word, one, two, three, four, five, six, seven] = record;
        let kind = word & KIND;
        let body = if word & REF != 0 || kind == incoming::DROPPED {
            Some(self.kept.remove(&four).expect("a body comes back exactly once"))
        } else {
            text
        };
        let at = Handle { slot: one, generation: two };
        Some(match kind {
            incoming::MESSAGE => Told::Message {
                slot: one,
                request: (two != NIL).then_some(Handle { slot: two, generation: three }),
                body: body.unwrap_or_default(),
                remaining: five,
                sender: (six != NIL).then_some(Source {
                    at: Handle { slot: six, generation: seven },
                    is_elsewhere: word & SENDER_ELSEWHERE != 0,
                }),
            },
            incoming::REPLY => {
                self.outcome(at)?;
                Told::Reply { request: at, body: body.unwrap_or_default() }
            }
            incoming::FAIL => {
                self.outcome(at)?;
                let (code, maybe_executed) = (three as u8, six != 0);
                Told::Fail { request: at, code, stage: five, maybe_executed, cause: body }
            }
            incoming::WAITING => Told::Waiting { number: one, wait: Handle { slot: two, generation: three } },
            incoming::REFUSED => Told::Refused { number: one, code: three as u8 },
            incoming::SENT => Told::Sent { wait: at },
            incoming::UNSENT => Told::Unsent { wait: at, code: three as u8 },
            incoming::CANCEL => Told::Cancel {
                slot: one,
                request: Handle { slot: two, generation: three },
                wants_stage: four == 1,
            },
            incoming::RESTART => Told::Restart(at),
            incoming::SHUTDOWN => Told::Shutdown(at),
            incoming::ABORT => Told::Abort(at),
            incoming::GONE => Told::Gone { worker: at, was_abandoned: three == 1 },
            incoming::DROPPED | incoming::MEMBERS => return None,
            other => panic!("a record of kind {other} is not for this driver"),
        })
    }

    /// A request has exactly one outcome. `None`: nobody waits for it any more.
    fn outcome(&mut self, request: Handle) -> Option<()> {
        if self.given_up.remove(&request) {
            return None;
        }
        assert!(self.close(request), "a second outcome of {request:?}");
        Some(())
    }

    /// Requests without an outcome so far.
    #[must_use]
    pub fn open_requests(&self) -> usize {
        self.open.len()
    }

    /// Bodies in the port's keeping.
    #[must_use]
    pub fn kept_bodies(&self) -> usize {
        self.kept.len()
    }
}

impl Default for Driver {
    fn default() -> Self {
        Self::new()
    }
}

/// How long nobody waits.
pub const FOR_EVER: u32 = NO_LIMIT;
