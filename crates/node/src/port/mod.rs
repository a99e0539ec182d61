//! The port: the one batched seam between an isolate and everything else.
//!
//! A port is owned by the thread of its isolate and holds the mailboxes, requests and deadlines of that
//! isolate's workers, so that what happens inside of one isolate takes no lock and no thread switch.
//! Other threads reach it by its [`Inbox`]. The isolate hands over a batch of records ([`Port::flush`]) and gets
//! back what it has to do. A JavaScript heap and a task of Rust workers use it alike.

mod arrivals;
mod body;
mod call;
mod census;
mod clock;
mod dead_letter;
mod inbox;
mod life;
mod line;
mod listing;
mod mailbox;
mod names;
mod nodes;
mod orders;
mod outcome;
mod peers;
pub mod record;
mod remote;
mod request;
mod route;
mod target;
mod timer;
mod whereabouts;

pub use body::{Body, BodyRef};
pub(crate) use census::{Census, ClassCensus, WorkerCensus};
pub use clock::{TICKS_PER_MS, at_ms, now_ms, now_ticks};
pub use dead_letter::{Reason, counts as dead_letters};
pub use inbox::{Callback, Failure, Handle, Inbox, Outcome};
pub(crate) use inbox::{From, Post, Resolution};
pub use life::StartError;
pub use listing::WorkerState;
pub use mailbox::{OnFailure, Overflow, State, WorkerOptions};
pub use names::MAX_NAMES;
pub use orders::Control;
pub(crate) use peers::link_key;
pub use request::{MAX_OPEN, MAX_OPEN_OF_PEER};

use crate::line_limit::LineLimit;
use crate::node::Shared;
use census::Classes;
use inbox::Mail;
use mailbox::{Envelopes, Slot};
use orders::KeptControl;
use peers::PeerLink;
use record::{NIL, STRIDE};
use request::Requests;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use target::Targets;
use timer::Wheel;
use troupe_proto::codec::Traceparent;
use troupe_proto::text::Text;

/// Text of one outgoing batch: all bodies one after the other. Lengths count what the slice holds.
#[derive(Clone, Copy, Debug)]
pub enum BatchText<'a> {
    /// Bytes below 128 only.
    Ascii(&'a [u8]),
    /// UTF-16 code units.
    Utf16(&'a [u16]),
    /// UTF-8, as Rust holds it.
    Utf8(&'a [u8]),
}

impl<'a> BatchText<'a> {
    fn take(&mut self, units: usize) -> Option<BodyRef<'a>> {
        Some(BodyRef::Text(match self {
            BatchText::Ascii(bytes) => {
                let (head, tail) = bytes.split_at_checked(units)?;
                *bytes = tail;
                Text::Ascii(head)
            }
            BatchText::Utf16(all) => {
                let (head, tail) = all.split_at_checked(units)?;
                *all = tail;
                Text::Utf16(head)
            }
            BatchText::Utf8(bytes) => {
                let (head, tail) = bytes.split_at_checked(units)?;
                *bytes = tail;
                Text::from_checked(head)
            }
        }))
    }
}

/// Where a port puts what its isolate has to do.
pub trait Sink {
    /// Takes one record. Word 4 is filled in by the sink when the body is text. Besides what [`Sink::has_room`]
    /// allows, a sink takes one record without a body for each record of the batch, and the trace of a message in front of it.
    fn push(&mut self, record: [u32; STRIDE], body: BodyRef<'_>);
    /// Whether one more record with such a body fits.
    fn has_room(&self, body: &BodyRef<'_>) -> bool;
}

/// A sink that takes nothing: everything waits for the next flush.
struct Closed;
impl Sink for Closed {
    fn push(&mut self, _: [u32; STRIDE], _: BodyRef<'_>) {}
    fn has_room(&self, _: &BodyRef<'_>) -> bool {
        false
    }
}

/// What a flush leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flushed {
    /// There is more to hand out: flush again in this turn or the next.
    pub more: bool,
    /// When to flush at the latest, in ms since the process began: the next deadline. `None`: whenever.
    pub next: Option<u64>,
    /// Some sends of the batch were not simply taken: there are records that say how they fared.
    pub has_sends: bool,
}

/// A record that waits for its isolate.
struct Output {
    record: [u32; STRIDE],
    body: Body,
}

/// The port of one isolate.
pub struct Port {
    inbox: Arc<Inbox>,
    now: u64,
    /// The moment of this flush in sixteenths of a millisecond; it wraps, and only differences count.
    ticks: u32,
    classes: Classes,
    slots: Vec<Slot>,
    free_slots: Vec<u32>,
    envelopes: Envelopes,
    ready: VecDeque<u32>,
    requests: Requests,
    wheel: Wheel,
    targets: Targets,
    nodes: Vec<Option<Arc<Shared>>>,
    links: HashMap<u32, PeerLink>,
    /// Links that got frames in this flush.
    touched: Vec<u32>,
    /// Says which replies are logged that a peer left no room for.
    untaken: LineLimit,
    out: VecDeque<Output>,
    /// How sends of the batch at hand fared, where they were not simply taken.
    sends: Vec<[u32; STRIDE]>,
    /// Messages and bytes that wait in all lines of the isolate.
    waiting: (usize, usize),
    /// Workers that stop: the next moment to look at each, and its slot.
    stopping: BTreeSet<(u64, u32)>,
    controls: HashMap<u32, KeptControl>,
    /// Control requests of peers that the isolate has fetched and not answered: their link, and their share of its room.
    fetched: HashMap<Handle, (u32, usize)>,
    callbacks: HashMap<u64, Callback>,
    next_callback: u64,
    call_targets: call::CallTargets,
    /// Names of peers whose links are gone, for the failures that tell of them.
    gone_peers: VecDeque<(u32, String)>,
    mail: Mail,
    mail_index: usize,
    /// The request in which the next message is nested.
    parent: Option<(u32, u32)>,
    /// The trace that the next message belongs to.
    trace: Option<Box<Traceparent>>,
    /// The isolate wants to hear of each dead letter.
    tells_dead_letters: bool,
    records: u32,
    /// Messages handed to workers since the port began; a test compares it with what workers saw.
    delivered: u64,
}

impl std::fmt::Debug for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Port")
            .field("slots", &self.slots.len())
            .field("open", &self.requests.open())
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}

impl Port {
    /// A port with its inbox. `now`: milliseconds since the process began.
    #[must_use]
    pub fn new(now: u64) -> Self {
        Self {
            inbox: Arc::default(),
            now,
            ticks: ticks_of(now),
            classes: Classes::default(),
            slots: Vec::new(),
            free_slots: Vec::new(),
            envelopes: Envelopes::default(),
            ready: VecDeque::new(),
            requests: Requests::default(),
            wheel: Wheel::new(now),
            targets: Targets::default(),
            nodes: Vec::new(),
            links: HashMap::new(),
            touched: Vec::new(),
            untaken: LineLimit::new(),
            out: VecDeque::new(),
            sends: Vec::new(),
            waiting: (0, 0),
            stopping: BTreeSet::new(),
            callbacks: HashMap::new(),
            next_callback: 0,
            call_targets: call::CallTargets::new(),
            controls: HashMap::new(),
            fetched: HashMap::new(),
            gone_peers: VecDeque::new(),
            mail: Mail::default(),
            mail_index: 0,
            parent: None,
            trace: None,
            tells_dead_letters: false,
            records: 0,
            delivered: 0,
        }
    }

    /// The way in from other threads.
    #[must_use]
    pub fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// Messages handed to workers since the port began.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Requests that are open, waiting sends included.
    #[must_use]
    pub fn open_requests(&self) -> usize {
        self.requests.open()
    }

    /// Tells the port the time: before a call that is no flush and counts time from now.
    pub fn set_now(&mut self, now: u64) {
        self.now = self.now.max(now);
    }

    /// Tells the port the time more finely, by [`now_ticks`]: what it measures in the next flush is as fine.
    pub fn set_ticks(&mut self, ticks: u64) {
        self.ticks = ticks as u32;
    }

    /// Takes in a batch of records and hands out what the isolate has to do. `now`: by [`now_ms`], outside of tests.
    ///
    /// `deliver: false` only routes: nothing that runs a user's code is handed out, so that a full batch can be
    /// flushed from inside of a `send`. Records of unknown kinds and stale generations are ignored.
    pub fn flush<S: Sink>(
        &mut self,
        records: &[u32],
        mut text: BatchText<'_>,
        sink: &mut S,
        now: u64,
        deliver: bool,
    ) -> Flushed {
        self.set_now(now);
        if self.ticks.wrapping_sub(ticks_of(now)) >= TICKS_PER_MS as u32 {
            // Nobody has told it more finely.
            self.ticks = ticks_of(now);
        }
        let mut has_sends = false;
        if deliver {
            self.inbox.turned(now);
            self.hand_out(sink);
            for record in records.as_chunks::<STRIDE>().0 {
                self.route(record, &mut text, sink);
            }
            has_sends = self.hand_out_sends(sink);
            self.drain_inbox(sink);
            // After what has come, however late the flush is: an answer that is here is worth more than its deadline.
            self.expire();
            // Only here: what the flush before has handed out was acted on, so a handler that is to be abandoned knows it.
            self.expire_stops();
            self.drain_ready(sink);
            self.hand_out(sink);
        } else {
            for record in records.as_chunks::<STRIDE>().0 {
                self.route(record, &mut text, &mut Closed);
            }
            self.expire();
            self.hand_out_sends(sink);
        }
        self.flush_links();
        Flushed {
            more: !self.ready.is_empty()
                || !self.out.is_empty()
                || self.mail_index < self.mail.posts.len()
                || self.inbox.has_mail(),
            next: self.next_deadline(),
            has_sends,
        }
    }

    /// Hands out records that waited, as far as there is room.
    fn hand_out<S: Sink>(&mut self, sink: &mut S) {
        while let Some(output) = self.out.front() {
            let body = output.body.borrow();
            if !sink.has_room(&body) {
                break;
            }
            sink.push(output.record, body);
            self.out.pop_front();
        }
    }

    /// Says how sends of this batch fared, before their record numbers mean something else.
    fn hand_out_sends<S: Sink>(&mut self, sink: &mut S) -> bool {
        let has_sends = !self.sends.is_empty();
        for record in self.sends.drain(..) {
            sink.push(record, BodyRef::None);
        }
        has_sends
    }

    fn emit(&mut self, kind: u32, words: [u32; STRIDE - 1]) {
        self.emit_body(kind, words, Body::None);
    }

    fn emit_body(&mut self, kind: u32, words: [u32; STRIDE - 1], body: Body) {
        let mut record = [kind; STRIDE];
        record[1..].copy_from_slice(&words);
        if let Body::Slab(index) = body {
            record[0] |= record::REF;
            record[4] = index;
        }
        self.out.push_back(Output { record, body });
    }

    /// Gives a body back that nobody will read: an index of the slab must return exactly once.
    fn drop_body(&mut self, body: BodyRef<'_>) {
        if let BodyRef::Slab(index) = body {
            self.emit_body(record::incoming::DROPPED, [0, 0, 0, index, 0, 0, 0], Body::None);
        }
    }

    /// The slot of a handle, if it is still that worker.
    fn slot(&mut self, handle: Handle) -> Option<&mut Slot> {
        self.slots
            .get_mut(handle.slot as usize)
            .filter(|slot| slot.generation == handle.generation && slot.state != State::Free)
    }

    fn handle(&self, slot: u32) -> Handle {
        Handle { slot, generation: self.slots[slot as usize].generation }
    }

    fn shared(&self, node: u16) -> Option<&Arc<Shared>> {
        self.nodes.get(usize::from(node)).and_then(Option::as_ref)
    }

    fn next_deadline(&self) -> Option<u64> {
        let stopping = self.stopping.first().map(|(at, _)| *at);
        self.wheel.next().into_iter().chain(stopping).min()
    }
}

/// The beginning of a millisecond in ticks.
fn ticks_of(ms: u64) -> u32 {
    (ms * TICKS_PER_MS) as u32
}

/// Milliseconds from now to a deadline, as records carry it.
fn remaining(deadline: u64, now: u64) -> u32 {
    if deadline == u64::MAX {
        return record::NO_LIMIT;
    }
    u32::try_from(deadline.saturating_sub(now)).unwrap_or(record::NO_LIMIT - 1).min(record::NO_LIMIT - 1)
}

/// The deadline of a timeout that records carry.
fn deadline(timeout: u32, now: u64) -> u64 {
    if timeout == record::NO_LIMIT { u64::MAX } else { now + u64::from(timeout) }
}

const NOBODY: (u32, u32) = (NIL, 0);
