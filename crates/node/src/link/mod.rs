//! A link: one session with one peer, from the router's side. Frames go in by batches from any thread and come out on the
//! I/O thread. A session outlives its channel: while there is none, frames wait.
//!
//! Two locks on the way out: the queue's, under which frames are laid out and counted, and the writer's, under which they
//! are sealed and written. Who holds the queue never seals or calls the system; nobody waits for the writer: whoever finds it taken
//! leaves a mark, and its holder goes on.

mod assembly;
mod batch;
mod dates;
mod events;
mod held;
mod lanes;
mod leftover;
mod next;
mod own;
mod queue;
mod reader;
pub(crate) mod records;
mod room;
mod row;
mod run;
mod session;
mod traffic;
mod writer;

use std::{
    fmt,
    pin::pin,
    sync::{
        Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use troupe_proto::{
    codec::{CloseReason, Flow, Frame},
    noise::Peer,
    session::{Standing, Terms},
};

use batch::OWED_BYTES;
pub use batch::{Batch, NotTaken};
pub use events::{ClosedReason, Expired, LinkEvents};
pub use leftover::{Leftover, LostSend};
pub(crate) use next::Presence;
pub use run::{LinkTask, open};
pub use traffic::Traffic;

use next::Incoming;
use queue::Queue;
use reader::Receiving;
use room::Room;
use writer::{Pumped, Writer};

/// What a caller's flush seals and writes itself. More of it and a small message waits for the bulk before it: 2 MiB
/// cost it 3.5 ms, 64 KiB 0.85 ms.
const INLINE_BYTES: usize = 64 * 1024;
/// What a process that ends still writes to one peer: a few milliseconds' worth.
const CLOSE_BYTES: usize = 1 << 20;
/// Times that one call goes on with what other threads add meanwhile.
const DRIVES: usize = 4;
/// What control requests of a peer may hold here until they are answered: two of the largest. One always fits.
const CONTROL_BYTES: usize = 32 << 20;
/// What other frames that pass no window may hold until an isolate that is busy takes them in: a million short ones. That
/// is more than a peer causes that says and takes back all that its windows let it.
const UNREAD_BYTES: usize = 64 << 20;
/// The resend buffer: senders should wait from here on, until half of it is left.
const FULL_BYTES: usize = 32 << 20;

/// One session with a peer. Never used again after it closed; a new dial makes a new one.
pub struct Link {
    peer: Peer,
    terms: Terms,
    index: u32,
    /// Number of the session.
    session: u64,
    /// By the clock that tests may stop.
    began: Instant,
    queue: Mutex<Queue>,
    writer: Mutex<Writer>,
    receiving: Mutex<Receiving>,
    control_room: Room,
    unread_room: Room,
    open: AtomicBool,
    /// Something was added since the writer's holder last looked.
    dirty: AtomicBool,
    /// Bytes that the peer is not known to own.
    queued: AtomicUsize,
    /// More is owed to the peer than is kept.
    is_overdue: AtomicBool,
    /// Somebody saw the link full; says that [`LinkEvents::room`] is owed.
    was_full: AtomicBool,
    has_room: AtomicBool,
    /// Numbered frames this process owns, and what the peer was told.
    owned: AtomicU64,
    acknowledged: AtomicU64,
    round_trip_micros: AtomicU64,
    /// Read from the channels of the session and written to them so far, handshakes aside.
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    /// How this side ended the link, for the task that runs it.
    ended: Mutex<Option<ClosedReason>>,
    /// The channel that takes over from a lost one, or follows one that stands.
    incoming: Mutex<Option<Incoming>>,
    /// The channel at hand is to be followed by another before it ends.
    renewal_due: watch::Sender<bool>,
    presence: watch::Sender<Presence>,
    /// A dial of this side is under way that may bring another channel.
    proposes: watch::Sender<bool>,
    /// Wakes the task to write, to attend to the link's state.
    kick: Notify,
    attend: Notify,
    drained: Notify,
}

impl Link {
    /// The node at the other end.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Number of the link, never used again while the node lives.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Longest body the peer takes in, in bytes.
    #[must_use]
    pub fn max_message(&self) -> usize {
        self.terms.max_message as usize
    }

    /// Whether the peer starts code it does not have.
    #[must_use]
    pub fn accepts_code(&self) -> bool {
        self.terms.accept_code
    }

    /// Time of one round trip, measured when the link opened; zero before.
    #[must_use]
    pub fn round_trip(&self) -> Duration {
        Duration::from_micros(self.round_trip_micros.load(Ordering::Relaxed))
    }

    /// Whether frames can still be sent.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Holds the queue for several frames; `None` when the link is closed. Drop it, then call [`Link::flush`].
    pub fn batch(&self) -> Option<Batch<'_>> {
        let queue = self.queue();
        queue.is_open().then(|| Batch { now_ms: self.now_ms(), link: self, queue })
    }

    /// Seals and writes up to 64 KiB on this thread; never waits. The I/O thread does the rest.
    pub fn flush(&self) {
        if !matches!(self.drive(INLINE_BYTES), Drive::Idle) {
            self.kick.notify_one();
        }
    }

    /// Bytes pushed that the peer is not known to own.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Whether so much is kept for the peer (32 MiB) that senders should wait. When it was, [`LinkEvents::room`] says when to go on.
    #[must_use]
    pub fn is_full(&self) -> bool {
        if self.queued_bytes() < FULL_BYTES {
            return false;
        }
        self.was_full.store(true, Ordering::SeqCst);
        // It may have emptied between the two lines.
        self.note_room();
        true
    }

    /// Hands back the cost of received frames that were taken in or dropped; lets the peer send as much again.
    pub fn consumed(&self, flow: Flow, bytes: u64) {
        let announce = self.queue().consume(flow, bytes);
        if announce {
            self.flush();
        }
    }

    /// Room for control requests of the peer that have no answer yet.
    pub(crate) fn control_room(&self) -> &Room {
        &self.control_room
    }

    /// Room for other frames of the peer that pass no window and are not taken in yet.
    pub(crate) fn unread_room(&self) -> &Room {
        &self.unread_room
    }

    /// Closes with an authenticated CLOSE behind what is ready to be sent; what waits for a window, and bodies half
    /// sent, are given up. Again: nothing.
    pub fn close(&self, reason: CloseReason) {
        self.close_as(reason, ClosedReason::Here(reason));
    }

    /// Resolves when the peer owns all that was pushed, or the link is closed.
    pub async fn drained(&self) {
        let mut asked = false;
        loop {
            let mut notified = pin!(self.drained.notified());
            notified.as_mut().enable();
            {
                let mut queue = self.queue();
                if !queue.is_open() || queue.is_drained() {
                    return;
                }
                if !asked {
                    queue.ask();
                }
            }
            if !std::mem::replace(&mut asked, true) {
                self.flush();
            }
            notified.await;
        }
    }

    /// Closes and writes what the socket takes at once, for a process that ends. Waits for a thread that is just writing,
    /// which takes less than a millisecond.
    pub fn close_now(&self, reason: CloseReason) {
        self.close(reason);
        let mut writer = lock(&self.writer);
        writer.pump(CLOSE_BYTES, |out| self.queue().take(out, 0, self.now_ms()));
        writer.detach();
    }

    /// What this side keeps of the session.
    pub(crate) fn standing(&self) -> Standing {
        self.queue().standing(self.session)
    }

    /// Whether nothing that counts has come of the other side, and it is not known to own anything.
    pub(crate) fn is_unheard(&self) -> bool {
        self.owned.load(Ordering::Relaxed) == 0 && self.standing().acknowledged == 0
    }

    /// Ends the link at once, with whatever is outstanding: it is known that the session can't go on.
    pub(crate) fn give_up(&self, reason: ClosedReason) {
        self.abandon(reason);
    }

    fn close_as(&self, reason: CloseReason, ended: ClosedReason) {
        {
            let mut queue = self.queue();
            if !queue.is_open() {
                return;
            }
            queue.close(reason);
            self.open.store(false, Ordering::Release);
        }
        self.note_end(ended);
        self.flush();
    }

    /// Ends the link without a word.
    fn abandon(&self, ended: ClosedReason) {
        self.open.store(false, Ordering::Release);
        self.queue().end();
        self.note_end(ended);
        lock(&self.writer).detach();
    }

    fn note_end(&self, ended: ClosedReason) {
        lock(&self.ended).get_or_insert(ended);
        self.drained.notify_waiters();
        self.attend.notify_one();
        self.kick.notify_one();
    }

    /// Writes what there is, up to `budget`, unless another thread is at it: then that one goes on.
    fn drive(&self, budget: usize) -> Drive {
        self.dirty.store(true, Ordering::SeqCst);
        for _ in 0..DRIVES {
            let mut writer = match self.writer.try_lock() {
                Ok(writer) => writer,
                Err(TryLockError::WouldBlock) => return Drive::Idle,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            };
            self.dirty.store(false, Ordering::SeqCst);
            let pumped = writer.pump(budget, |out| {
                let mut queue = self.queue();
                let any = queue.take(out, self.owned.load(Ordering::Relaxed), self.now_ms());
                self.acknowledged.store(queue.acknowledged(), Ordering::Relaxed);
                self.queued.store(queue.bytes(), Ordering::Relaxed);
                any
            });
            if matches!(pumped, Pumped::Done) && !self.is_open() {
                writer.finish();
            }
            let is_nearly_used_up = writer.is_nearly_used_up();
            self.bytes_out.store(writer.total(), Ordering::Relaxed);
            drop(writer);
            if is_nearly_used_up && !*self.renewal_due.borrow() {
                self.renew();
            }
            self.note_room();
            match pumped {
                Pumped::Done if self.dirty.load(Ordering::SeqCst) => {}
                Pumped::Done => return Drive::Idle,
                Pumped::Budget => return Drive::More,
                Pumped::Blocked => return Drive::Blocked,
                Pumped::Failed(what) => return Drive::Failed(what),
            }
        }
        Drive::More
    }

    /// How the link ends when its peer lets pile up what it is owed.
    fn overdue(&self) -> Option<ClosedReason> {
        self.is_overdue.load(Ordering::SeqCst).then(|| {
            let what =
                format!("it asks and does not read: more than {} MiB of answers wait", OWED_BYTES >> 20);
            log::warn!(target: "channel", "the link to node {} is given up: {what}", self.peer.name);
            ClosedReason::Lost(what)
        })
    }

    fn note_room(&self) {
        if self.was_full.load(Ordering::SeqCst)
            && self.queued_bytes() < FULL_BYTES / 2
            && self.was_full.swap(false, Ordering::SeqCst)
        {
            self.has_room.store(true, Ordering::SeqCst);
            self.attend.notify_one();
        }
    }

    fn receiving(&self) -> MutexGuard<'_, Receiving> {
        lock(&self.receiving)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    /// Milliseconds since the link opened. Wraps after 49 days; only differences count.
    fn now_ms(&self) -> u32 {
        self.began.elapsed().as_millis() as u32
    }
}

/// Whether a frame is counted as a message.
fn is_message(frame: &Frame<'_>) -> bool {
    matches!(frame, Frame::Message(_) | Frame::Reply(_) | Frame::Fail(_))
}

/// How far [`Link::drive`] came.
enum Drive {
    /// Nothing is left, or another thread goes on.
    Idle,
    More,
    Blocked,
    Failed(String),
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("index", &self.index)
            .field("peer", &self.peer.name)
            .field("open", &self.is_open())
            .field("queued_bytes", &self.queued_bytes())
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
