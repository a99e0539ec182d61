//! Mailboxes: one small record a worker, and one slab of envelopes for all of an isolate.
//!
//! A mailbox allocates nothing until something unusual happens to it (a full mailbox, a peer that sends to
//! it, a stop); what that needs is in [`Extra`]. Messages lent to the isolate still count as in the mailbox.

use super::body::Body;
use super::record::NIL;
use super::remote::RemoteCredit;
use std::collections::VecDeque;

/// Messages lent at a time to a worker whose handlers return promises: they drain in microtasks, outside of
/// the turn's budget, so few at a time keep an isolate fair.
pub(crate) const CREDIT_ASYNC: u32 = 32;
/// Messages lent at a time to a worker that answers at once; it amortises the native call.
pub(crate) const CREDIT_SYNC: u32 = 256;
/// Bytes above which a message is lent alone: what is lent is in no mailbox's bound, and so many small ones are at most
/// 4 MiB.
const LARGE: u32 = 16 << 10;
/// Bytes of text that one mailbox holds, whatever its bound in messages; one message always fits.
pub(crate) const MAILBOX_BYTES: u32 = 64 << 20;

/// Where a worker is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No worker: the slot is free.
    Free,
    /// `initialize` runs; messages wait.
    Starting,
    /// Messages are handled.
    Live,
    /// A fresh instance is on its way; messages wait.
    Restarting,
    /// No more messages are taken; what is there drains.
    Stopping,
    /// `shutdown` runs.
    Ending,
}

/// What a full mailbox does to a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// It waits, in order.
    Wait,
    /// It is refused at once.
    Reject,
}

/// What a failing message does to its worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// Nothing: state is kept.
    Resume,
    /// A fresh instance takes over the mailbox.
    Restart,
    /// The worker is stopped.
    Stop,
}

/// Settings of a worker.
#[derive(Clone, Copy, Debug)]
pub struct WorkerOptions {
    /// Messages that may wait; at least 1. Default 10 000.
    pub mailbox: u32,
    /// Default: wait.
    pub overflow: Overflow,
    /// Default: resume.
    pub on_failure: OnFailure,
    /// Restarts within [`WorkerOptions::within`] before the worker is stopped. Default 10.
    pub max_restarts: u32,
    /// Milliseconds. Default 60 000.
    pub within: u32,
    /// Whether a handler takes the messages: the one that it has in hand does not wait. Default: true; false for a mailbox
    /// without a behaviour.
    pub has_behaviour: bool,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            mailbox: 10_000,
            overflow: Overflow::Wait,
            on_failure: OnFailure::Resume,
            max_restarts: 10,
            within: 60_000,
            has_behaviour: true,
        }
    }
}

/// A first-in-first-out list through the envelope slab.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List {
    head: u32,
    tail: u32,
    len: u32,
}

impl Default for List {
    fn default() -> Self {
        Self { head: NIL, tail: NIL, len: 0 }
    }
}

impl List {
    pub(crate) fn len(&self) -> u32 {
        self.len
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }
    pub(crate) fn head(&self) -> u32 {
        self.head
    }
}

/// One message that waits.
#[derive(Debug)]
pub(crate) struct Envelope {
    previous: u32,
    next: u32,
    /// Slot, or target when `sender_generation` says so; `NIL`: nobody.
    pub(crate) sender: u32,
    pub(crate) sender_generation: u32,
    /// The request it asks for, or, in a line, the wait of a send. `NIL`: a send in a mailbox.
    pub(crate) request: u32,
    pub(crate) size: u32,
    /// When it came into a mailbox, in ticks.
    pub(crate) at: u32,
    pub(crate) body: Body,
}

impl Envelope {
    pub(crate) fn new(sender: (u32, u32), request: u32, size: u32, body: Body) -> Self {
        Self {
            previous: NIL,
            next: NIL,
            sender: sender.0,
            sender_generation: sender.1,
            request,
            size,
            at: 0,
            body,
        }
    }
}

/// All envelopes of an isolate.
#[derive(Debug, Default)]
pub(crate) struct Envelopes {
    slab: Vec<Envelope>,
    free: Vec<u32>,
}

impl Envelopes {
    /// Appends an envelope; returns its index, by which [`Envelopes::remove`] finds it.
    pub(crate) fn push(&mut self, list: &mut List, mut envelope: Envelope) -> u32 {
        envelope.previous = list.tail;
        let index = if let Some(index) = self.free.pop() {
            self.slab[index as usize] = envelope;
            index
        } else {
            self.slab.push(envelope);
            (self.slab.len() - 1) as u32
        };
        if list.tail == NIL {
            list.head = index;
        } else {
            self.slab[list.tail as usize].next = index;
        }
        list.tail = index;
        list.len += 1;
        index
    }

    pub(crate) fn get(&self, index: u32) -> &Envelope {
        &self.slab[index as usize]
    }

    /// Takes the first one.
    pub(crate) fn pop(&mut self, list: &mut List) -> Option<Envelope> {
        (list.head != NIL).then(|| self.remove(list, list.head))
    }

    /// Takes one from anywhere in the list that it is in.
    pub(crate) fn remove(&mut self, list: &mut List, index: u32) -> Envelope {
        let empty = Envelope::new((NIL, 0), NIL, 0, Body::None);
        let envelope = std::mem::replace(&mut self.slab[index as usize], empty);
        if envelope.previous == NIL {
            list.head = envelope.next;
        } else {
            self.slab[envelope.previous as usize].next = envelope.next;
        }
        if envelope.next == NIL {
            list.tail = envelope.previous;
        } else {
            self.slab[envelope.next as usize].previous = envelope.previous;
        }
        list.len -= 1;
        self.free.push(index);
        if self.free.len() == self.slab.len() && self.slab.capacity() > 4096 {
            // A flood is over: its memory goes back.
            (self.slab, self.free) = (Vec::new(), Vec::new());
        }
        envelope
    }
}

/// One worker, as its port keeps it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) generation: u32,
    pub(crate) state: State,
    pub(crate) overflow: Overflow,
    /// On the list of those that have messages to lend.
    pub(crate) is_ready: bool,
    pub(crate) has_behaviour: bool,
    /// A large message is lent, and nothing beside it.
    pub(crate) is_lent_alone: bool,
    pub(crate) node: u16,
    pub(crate) capacity: u32,
    /// At most this many messages are lent at a time.
    pub(crate) credit: u32,
    pub(crate) lent: u32,
    /// Requests that were lent and have no answer yet.
    pub(crate) asked: u32,
    pub(crate) queue: List,
    /// Bytes of what is in the queue.
    pub(crate) bytes: u32,
    pub(crate) failed: u32,
    pub(crate) handled: u64,
    /// Its class on its node.
    pub(crate) class: u32,
    /// When the message that it has in hand was, in ticks: lent, or the one before it done with.
    pub(crate) since: u32,
    /// The longest that a message was in hand, in ticks.
    pub(crate) slowest: u32,
    pub(crate) name: Box<str>,
    pub(crate) extra: Option<Box<Extra>>,
}

/// What only some workers need.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    /// Messages that wait for room, in order.
    pub(crate) line: List,
    /// Places promised to peers.
    pub(crate) remote: RemoteCredit,
    /// Policy other than the default, and its history.
    pub(crate) restarts: Option<Restarts>,
    /// A failure whose asker hears of it when the restart or stop has been done: request, generation and cause.
    pub(crate) held: Option<(u32, u32, Body)>,
    /// Requests of this isolate that wait for the end of the worker, and callbacks of others.
    pub(crate) stop_waiters: Vec<(u32, u32)>,
    /// When the drain time ends, in ms since the process began; set while it stops.
    pub(crate) drain_until: u64,
    /// When the port looks at it next, while it stops.
    pub(crate) look_at: Option<u64>,
    /// The drain time is over and what was lent was called back.
    pub(crate) aborted: bool,
}

/// Restarts of one worker.
#[derive(Debug)]
pub(crate) struct Restarts {
    pub(crate) policy: OnFailure,
    pub(crate) max: u32,
    pub(crate) within: u32,
    /// Restarts so far.
    pub(crate) count: u32,
    pub(crate) history: VecDeque<u64>,
}

impl Slot {
    pub(crate) fn free(generation: u32) -> Self {
        Self {
            generation,
            state: State::Free,
            overflow: Overflow::Wait,
            is_ready: false,
            has_behaviour: true,
            is_lent_alone: false,
            node: 0,
            capacity: 0,
            credit: CREDIT_SYNC,
            lent: 0,
            asked: 0,
            queue: List::default(),
            bytes: 0,
            failed: 0,
            handled: 0,
            class: NIL,
            since: 0,
            slowest: 0,
            name: Box::default(),
            extra: None,
        }
    }

    pub(crate) fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// Messages in the mailbox; those that are lent are.
    pub(crate) fn held(&self) -> u32 {
        self.queue.len() + self.lent
    }

    /// Messages that wait: a worker that holds some has one of them in hand.
    pub(crate) fn waits(&self) -> u32 {
        self.held() - u32::from(self.has_behaviour && self.lent > 0)
    }

    /// Messages lent to the isolate.
    pub(crate) fn lent(&self) -> u32 {
        self.lent
    }

    /// Places promised to peers and not used yet.
    fn promised(&self) -> u32 {
        self.extra.as_ref().map_or(0, |extra| extra.remote.promised())
    }

    /// Places that are neither taken nor promised; none while what waits takes all the bytes there are.
    pub(crate) fn room(&self) -> u32 {
        if self.bytes >= MAILBOX_BYTES && self.held() > 0 {
            return 0;
        }
        self.capacity.saturating_sub(self.waits() + self.promised())
    }

    /// Whether a message of this size can be taken now.
    pub(crate) fn has_room_for(&self, size: u32) -> bool {
        self.room() > 0 && (self.held() == 0 || self.bytes.saturating_add(size) <= MAILBOX_BYTES)
    }

    pub(crate) fn line(&self) -> List {
        self.extra.as_ref().map_or_else(List::default, |extra| extra.line)
    }

    /// Whether a message of this size can be lent to the isolate now.
    pub(crate) fn can_lend(&self, size: u32) -> bool {
        (self.lent == 0 || self.lent < self.credit && !self.is_lent_alone && size <= LARGE)
            && matches!(self.state, State::Live | State::Stopping)
    }

    /// A message of this size is lent at this tick.
    pub(crate) fn lend(&mut self, size: u32, now: u32) {
        if self.lent == 0 {
            self.since = now;
        }
        self.lent += 1;
        self.is_lent_alone = size > LARGE;
    }

    /// How often it was restarted.
    pub(crate) fn restarts(&self) -> u32 {
        let restarts = self.extra.as_ref().and_then(|extra| extra.restarts.as_ref());
        restarts.map_or(0, |restarts| restarts.count)
    }

    /// Its state for people: `starting`, `idle`, `busy` or `stopping`.
    pub(crate) fn word(&self) -> &'static str {
        match self.state {
            State::Starting => "starting",
            State::Stopping | State::Ending => "stopping",
            _ if self.held() > 0 => "busy",
            _ => "idle",
        }
    }

    /// As many are no longer lent.
    pub(crate) fn returned(&mut self, count: u32) {
        self.lent = self.lent.saturating_sub(count);
        self.is_lent_alone &= self.lent > 0;
    }

    /// Whether it takes messages: a worker that is to stop takes none, whatever it is doing until then.
    pub(crate) fn is_open(&self) -> bool {
        !matches!(self.state, State::Stopping | State::Ending)
            && self.extra.as_ref().is_none_or(|extra| extra.stop_waiters.is_empty())
    }
}
