//! The task that runs a link: reads, writes what callers left over, keeps its times, and tells how it ended.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    pin,
    sync::Notify,
    time::{self, Sleep},
};
use troupe_proto::{
    codec::{CloseReason, Frame},
    session::AckUrgency,
};

use super::{
    ClosedReason, Drive, Link, LinkEvents, lock,
    queue::Queue,
    reader::{ReadEnd, Reader},
    writer::Writer,
};
use crate::channel::Channel;

/// Read from one link before others get their turn.
const READ_BYTES: usize = 512 * 1024;
/// Written for one link before others get their turn.
const WRITE_BYTES: usize = 256 * 1024;
/// After CLOSE the peer gets so long to read it and end the connection.
const LINGER: Duration = Duration::from_secs(1);
/// A CLOSE that was sent before the connection failed is here by then.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// No timer runs for longer; whatever says it holds for longer does not matter.
const LONGEST_LIFE: Duration = Duration::from_secs(366 * 24 * 3600);

/// Runs a link. Dropped early, it ends the link as lost.
#[derive(Debug)]
pub struct LinkTask {
    link: Arc<Link>,
    reader: Reader,
    expires_in: Duration,
}

/// Makes a link of a channel. Nothing happens on it before [`LinkTask::run`].
///
/// `now` is the time in Unix seconds; the link closes itself when the channel expires.
#[must_use]
pub fn open(channel: Channel, index: u32, now: u64) -> (Arc<Link>, LinkTask) {
    let Channel { socket, established, own, opened, leftover, greeting } = channel;
    let mut queue = Queue::new(&own, &opened);
    if let Some(resume) = greeting {
        queue.push_opening([&own.hello(), &Frame::Resume(resume)]);
    }
    queue.push_ping(Instant::now());
    let expires_in = Duration::from_secs(established.expires.saturating_sub(now)).min(LONGEST_LIFE);
    let link = Arc::new(Link {
        peer: established.peer,
        terms: opened.terms,
        index,
        began: Instant::now(),
        socket,
        queue: Mutex::new(queue),
        writer: Mutex::new(Writer::new(established.send)),
        open: AtomicBool::new(true),
        dirty: AtomicBool::new(false),
        queued: AtomicUsize::new(0),
        unsent: AtomicUsize::new(0),
        was_full: AtomicBool::new(false),
        has_room: AtomicBool::new(false),
        owned: AtomicU64::new(0),
        acknowledged: AtomicU64::new(0),
        round_trip_micros: AtomicU64::new(0),
        ended: Mutex::new(None),
        kick: Notify::new(),
        attend: Notify::new(),
        drained: Notify::new(),
    });
    let reader = Reader::new(established.receive, &own, &leftover);
    (Arc::clone(&link), LinkTask { link, reader, expires_in })
}

impl LinkTask {
    /// Runs the link to its end and answers how it ended; `events` heard of it before.
    pub async fn run(mut self, events: Arc<dyn LinkEvents>) -> ClosedReason {
        let link = Arc::clone(&self.link);
        // A router that panics in an event must not leave a link that looks alive.
        let guard = AbandonOnDrop(&link);
        events.opened(&link);
        link.flush();
        let ended = tokio::select! {
            biased;
            reason = self.read(&link, &*events) => Ok(reason),
            reason = write(&link) => Err(reason),
        };
        let reason = match ended {
            Ok(reason) => reason,
            Err(reason) => self.last_words(&link, &*events).await.unwrap_or(reason),
        };
        let by_here = matches!(reason, ClosedReason::Here(_) | ClosedReason::Violation(_));
        if !by_here {
            link.abandon(reason.clone());
        }
        events.closed(&link, &reason);
        if by_here {
            self.linger(&link).await;
        }
        drop(guard);
        reason
    }

    async fn read(&mut self, link: &Arc<Link>, events: &dyn LinkEvents) -> ClosedReason {
        // What was read behind the handshake.
        if let Err(end) = self.reader.advance(0, link, events) {
            return ended(link, end);
        }
        events.read_done(link);
        let expires = time::Instant::now() + self.expires_in;
        let timer = time::sleep_until(expires);
        pin!(timer);
        loop {
            if let Err(reason) = self.read_turn(link, events) {
                return reason;
            }
            match self.reader.ack_urgency(link.acknowledged.load(Ordering::Relaxed)) {
                AckUrgency::Nothing => {}
                AckUrgency::Now => link.send_ack(),
                AckUrgency::By(due) if time::Instant::from_std(due) < timer.deadline() => {
                    timer.as_mut().reset(due.into());
                }
                AckUrgency::By(_) => {}
            }
            tokio::select! {
                biased;
                () = link.attend.notified() => {
                    if link.has_room.swap(false, Ordering::SeqCst) {
                        events.room(link);
                    }
                    if let Some(reason) = lock(&link.ended).clone() {
                        return reason;
                    }
                }
                result = link.socket.readable() => {
                    if let Err(error) = result {
                        return lost(&error);
                    }
                }
                () = timer.as_mut() => {
                    if timer_fired(timer.as_mut(), expires) {
                        link.close(CloseReason::Expired);
                    }
                }
            }
        }
    }

    /// Reads until nothing is there, or others should have their turn.
    fn read_turn(&mut self, link: &Arc<Link>, events: &dyn LinkEvents) -> Result<(), ClosedReason> {
        let mut total = 0;
        while total < READ_BYTES {
            match link.socket.try_read(self.reader.space()) {
                Ok(0) => return Err(ClosedReason::Lost("it ended without a word".into())),
                Ok(count) => {
                    total += count;
                    let result = self.reader.advance(count, link, events);
                    events.read_done(link);
                    if let Err(end) = result {
                        return Err(ended(link, end));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(lost(&error)),
            }
        }
        Ok(())
    }

    /// Nothing can be written any more: the peer may have closed the channel, and its CLOSE still be unread.
    async fn last_words(&mut self, link: &Arc<Link>, events: &dyn LinkEvents) -> Option<ClosedReason> {
        let read = async {
            loop {
                if let Err(reason) = self.read_turn(link, events) {
                    return matches!(reason, ClosedReason::Gracefully(_)).then_some(reason);
                }
                link.socket.readable().await.ok()?;
            }
        };
        time::timeout(LAST_WORDS, read).await.ok().flatten()
    }

    /// Lets CLOSE reach the peer: a connection that is dropped with unread bytes takes back what it sent.
    async fn linger(&mut self, link: &Arc<Link>) {
        let rest =
            async { while link.socket.read(self.reader.space()).await.is_ok_and(|count| count > 0) {} };
        let both = async {
            tokio::select! {
                () = rest => {}
                _ = write(link) => {}
            }
        };
        if time::timeout(LINGER, both).await.is_err() {
            log::debug!("node {} did not end its side of a closed channel", link.peer.name);
        }
        link.socket.shut_down();
    }
}

/// Resets the timer to the expiry; says whether that has come.
fn timer_fired(timer: std::pin::Pin<&mut Sleep>, expires: time::Instant) -> bool {
    let expired = time::Instant::now() >= expires;
    let next = if expired { expires + Duration::from_secs(3600) } else { expires };
    timer.reset(next);
    expired
}

/// Writes what callers left over, until that fails.
async fn write(link: &Arc<Link>) -> ClosedReason {
    loop {
        link.kick.notified().await;
        loop {
            match link.drive(WRITE_BYTES) {
                Drive::Idle => break,
                Drive::More => tokio::task::yield_now().await,
                Drive::Blocked => {
                    if let Err(error) = link.socket.writable().await {
                        return lost(&error);
                    }
                }
                Drive::Failed(what) => return ClosedReason::Lost(what),
            }
        }
    }
}

fn ended(link: &Arc<Link>, end: ReadEnd) -> ClosedReason {
    match end {
        ReadEnd::Closed(reason) => ClosedReason::Gracefully(reason),
        ReadEnd::Record(_) | ReadEnd::Session(_) => {
            let reason = ClosedReason::Violation(end.to_string());
            link.close_as(CloseReason::Violation, reason.clone());
            reason
        }
    }
}

fn lost(error: &io::Error) -> ClosedReason {
    ClosedReason::Lost(error.to_string())
}

struct AbandonOnDrop<'a>(&'a Arc<Link>);

impl Drop for AbandonOnDrop<'_> {
    fn drop(&mut self) {
        self.0.abandon(ClosedReason::Lost("the node's I/O ended".into()));
    }
}
