//! The task that runs a link: reads, writes what callers left over, keeps its times, goes on over the next channel when
//! one is lost, and tells how it ended.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    pin,
    sync::{Notify, watch},
    time,
};
use troupe_proto::{codec::CloseReason, session::AckUrgency};

use super::{
    CONTROL_BYTES, ClosedReason, Drive, Link, LinkEvents, Presence, UNREAD_BYTES,
    dates::{Dates, expiry},
    lock,
    next::{Following, Incoming},
    queue::Queue,
    reader::{ReadEnd, Reader, Receiving},
    room::Room,
    writer::Writer,
};
use crate::{channel::Channel, transport::Socket};

/// Read from one link before others get their turn.
const READ_BYTES: usize = 512 * 1024;
/// Written for one link before others get their turn.
const WRITE_BYTES: usize = 256 * 1024;
/// After CLOSE the peer gets so long to read it and end the connection.
const LINGER: Duration = Duration::from_secs(1);
/// A CLOSE that was sent before the connection failed is here by then.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// Runs a link. Dropped early, it ends the link as lost.
#[derive(Debug)]
pub struct LinkTask {
    link: Arc<Link>,
    pub(super) socket: Arc<dyn Socket>,
    pub(super) reader: Reader,
    /// When the channel ends.
    pub(super) expires: time::Instant,
    pub(super) patience: Duration,
}

/// How a channel ended.
enum ChannelEnd {
    /// And the link with it.
    Closed(ClosedReason),
    /// Without a word.
    Lost(String),
    /// Another one takes over.
    Superseded,
    /// Another one follows, and nothing more comes on this.
    Followed,
}

/// Makes a link of a channel. Nothing happens on it before [`LinkTask::run`].
#[must_use]
pub fn open(channel: Channel, index: u32) -> (Arc<Link>, LinkTask) {
    let Channel { socket, established, own, opened, leftover, greeting, lifetime } = channel;
    let session = greeting.as_ref().map_or(opened.resume.session, |greeting| greeting.resume.session);
    let mut writer = Writer::default();
    let opening = greeting.iter().flat_map(|greeting| greeting.frames(&own)).collect::<Vec<_>>();
    writer.attach(Arc::clone(&socket), established.send, &opening);
    let link = Arc::new(Link {
        peer: established.peer,
        terms: opened.terms,
        index,
        session,
        began: time::Instant::now(),
        queue: Mutex::new(Queue::new(&own, &opened)),
        writer: Mutex::new(writer),
        receiving: Mutex::new(Receiving::new(&own)),
        control_room: Room::of(CONTROL_BYTES),
        unread_room: Room::of(UNREAD_BYTES),
        open: AtomicBool::new(true),
        dirty: AtomicBool::new(false),
        queued: AtomicUsize::new(0),
        is_overdue: AtomicBool::new(false),
        was_full: AtomicBool::new(false),
        has_room: AtomicBool::new(false),
        owned: AtomicU64::new(0),
        acknowledged: AtomicU64::new(0),
        round_trip_micros: AtomicU64::new(0),
        bytes_in: AtomicU64::new(0),
        bytes_out: AtomicU64::new(0),
        ended: Mutex::new(None),
        incoming: Mutex::new(None),
        renewal_due: watch::Sender::new(false),
        presence: watch::Sender::new(Presence::Connected),
        proposes: watch::Sender::new(false),
        kick: Notify::new(),
        attend: Notify::new(),
        drained: Notify::new(),
    });
    let reader = Reader::new(established.receive, &leftover);
    let expires = expiry(lifetime);
    let task = LinkTask { link: Arc::clone(&link), socket, reader, expires, patience: Duration::ZERO };
    (link, task)
}

impl LinkTask {
    /// Waits so long for another channel when one is lost; by default not at all.
    #[must_use]
    pub fn patient(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Runs the link to its end and answers how it ended; `events` heard of it before.
    pub async fn run(mut self, events: Arc<dyn LinkEvents>) -> ClosedReason {
        let link = Arc::clone(&self.link);
        // A router that panics in an event must not leave a link that looks alive.
        let guard = AbandonOnDrop(&link);
        events.opened(&link);
        link.flush();
        let mut following = None;
        let reason = loop {
            let end = self.run_channel(&link, &*events, following.as_mut()).await;
            let next = match (end, following.take()) {
                (ChannelEnd::Followed, Some(next)) => {
                    self.read_next(&link, next).await;
                    continue;
                }
                // The other side has gone over; the answer to this side's dial is on its way.
                (ChannelEnd::Followed, None) => match self.follower(&link).await {
                    Some(Ok(Incoming::Follows(channel))) => {
                        if let Some(next) = self.follow(&link, channel) {
                            self.read_next(&link, next).await;
                        }
                        continue;
                    }
                    Some(next) => next,
                    None => self.next_channel(&link, "no other has followed it".into()).await,
                },
                (ChannelEnd::Closed(reason), next) => {
                    if let Some(mut next) = next {
                        // CLOSE goes to the next one, which is read behind this one.
                        let _ = time::timeout(LINGER, next.write_rest(&self.socket)).await;
                        self.socket = next.socket;
                    }
                    break reason;
                }
                (ChannelEnd::Superseded, _) => self.superseded(&link).await,
                (ChannelEnd::Lost(what), _) => self.next_channel(&link, what).await,
            };
            match next {
                Ok(Incoming::GoesOn(channel)) => {
                    if let Err(reason) = self.go_on(&link, channel, &*events) {
                        break reason;
                    }
                }
                Ok(Incoming::Follows(channel)) => following = self.follow(&link, channel),
                Err(reason) => break reason,
            }
        };
        let by_here = matches!(reason, ClosedReason::Here(_) | ClosedReason::Violation(_));
        if !by_here {
            link.abandon(reason.clone());
        }
        let mut leftover = link.queue().take_leftover();
        leftover.partial = link.receiving().partial() as u64;
        events.closed(&link, &reason, &leftover);
        link.presence.send_replace(Presence::Ended);
        if by_here {
            self.linger(&link).await;
        }
        drop(guard);
        reason
    }

    /// Runs the channel at hand to its end. What is written goes to the one that follows it, if one does.
    async fn run_channel(
        &mut self,
        link: &Arc<Link>,
        events: &dyn LinkEvents,
        following: Option<&mut Following>,
    ) -> ChannelEnd {
        let socket = Arc::clone(&self.socket);
        let writing = async {
            let Some(following) = following else { return write(link, &socket).await };
            if let Err(error) = following.write_rest(&socket).await {
                return error.to_string();
            }
            write(link, &following.socket).await
        };
        let failed = tokio::select! {
            biased;
            end = self.read(link, events) => return end,
            what = writing => what,
        };
        match self.last_words(link, events).await {
            Some(end) => end,
            None => ChannelEnd::Lost(failed),
        }
    }

    async fn read(&mut self, link: &Arc<Link>, events: &dyn LinkEvents) -> ChannelEnd {
        // What was read behind the handshake.
        if let Err(end) = self.reader.advance(0, link, events) {
            return ended(link, end);
        }
        events.read_done(link);
        let mut dates = Dates::of(self.expires);
        let timer = time::sleep_until(dates.next());
        pin!(timer);
        loop {
            if let Err(reason) = self.read_turn(link, events) {
                return reason;
            }
            let urgency = Self::ack_urgency(link);
            match urgency {
                AckUrgency::Now => link.send_ack(),
                AckUrgency::By(due) if time::Instant::from_std(due) < timer.deadline() => {
                    timer.as_mut().reset(due.into());
                }
                AckUrgency::By(_) | AckUrgency::Nothing => {}
            }
            tokio::select! {
                biased;
                () = link.attend.notified() => {
                    if link.has_room.swap(false, Ordering::SeqCst) {
                        events.room(link);
                    }
                    if let Some(reason) = lock(&link.ended).clone().or_else(|| link.overdue()) {
                        return ChannelEnd::Closed(reason);
                    }
                    if lock(&link.incoming).is_some() {
                        return ChannelEnd::Superseded;
                    }
                }
                // Before what is always ready on a busy link.
                () = timer.as_mut() => {
                    let due = dates.due(time::Instant::now());
                    if due.is_over {
                        link.close(CloseReason::Expired);
                    }
                    if due.renews {
                        link.renew();
                    }
                    timer.as_mut().reset(dates.next());
                }
                result = self.socket.readable() => {
                    if let Err(error) = result {
                        return lost(&error);
                    }
                }
            }
        }
    }

    fn ack_urgency(link: &Link) -> AckUrgency {
        let acknowledged = link.acknowledged.load(Ordering::Relaxed);
        if link.owned.load(Ordering::Relaxed) == acknowledged {
            return AckUrgency::Nothing;
        }
        // The clock of the timer, which tests may stop.
        link.receiving().ack_urgency(acknowledged, time::Instant::now().into_std())
    }

    /// Reads until nothing is there, or others should have their turn.
    fn read_turn(&mut self, link: &Arc<Link>, events: &dyn LinkEvents) -> Result<(), ChannelEnd> {
        let mut total = 0;
        while total < READ_BYTES {
            match self.socket.try_read(self.reader.space()) {
                Ok(0) => return Err(ChannelEnd::Lost("it ended without a word".into())),
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
    async fn last_words(&mut self, link: &Arc<Link>, events: &dyn LinkEvents) -> Option<ChannelEnd> {
        let read = async {
            loop {
                if let Err(end) = self.read_turn(link, events) {
                    return matches!(end, ChannelEnd::Closed(ClosedReason::Gracefully(_))).then_some(end);
                }
                self.socket.readable().await.ok()?;
            }
        };
        time::timeout(LAST_WORDS, read).await.ok().flatten()
    }

    /// Lets CLOSE reach the peer: a connection that is dropped with unread bytes takes back what it sent.
    async fn linger(&mut self, link: &Arc<Link>) {
        let socket = Arc::clone(&self.socket);
        let rest =
            async { while self.socket.read(self.reader.space()).await.is_ok_and(|count| count > 0) {} };
        let both = async {
            tokio::select! {
                () = rest => {}
                _ = write(link, &socket) => {}
            }
        };
        if time::timeout(LINGER, both).await.is_err() {
            log::debug!("node {} did not end its side of a closed channel", link.peer.name);
        }
        self.socket.shut_down();
    }
}

/// Writes what callers left over, until that fails; answers why. Given up half way, the next call goes on from there: the
/// kick that began it is used up, so what there is to write is looked at first.
async fn write(link: &Arc<Link>, socket: &Arc<dyn Socket>) -> String {
    loop {
        loop {
            match link.drive(WRITE_BYTES) {
                Drive::Idle => break,
                Drive::More => tokio::task::yield_now().await,
                Drive::Blocked => {
                    if let Err(error) = socket.writable().await {
                        return error.to_string();
                    }
                }
                Drive::Failed(what) => return what,
            }
        }
        link.kick.notified().await;
    }
}

fn ended(link: &Arc<Link>, end: ReadEnd) -> ChannelEnd {
    match end {
        ReadEnd::Closed(CloseReason::Replaced) => ChannelEnd::Followed,
        ReadEnd::Closed(reason) => ChannelEnd::Closed(ClosedReason::Gracefully(reason)),
        ReadEnd::Superseded => ChannelEnd::Superseded,
        // Whoever is between the two nodes can change bytes, or cut the connection: it comes to the same.
        ReadEnd::Record(error) => ChannelEnd::Lost(error.to_string()),
        ReadEnd::Session(_) => {
            let reason = ClosedReason::Violation(end.to_string());
            link.close_as(CloseReason::Violation, reason.clone());
            ChannelEnd::Closed(reason)
        }
    }
}

fn lost(error: &io::Error) -> ChannelEnd {
    ChannelEnd::Lost(error.to_string())
}

struct AbandonOnDrop<'a>(&'a Arc<Link>);

impl Drop for AbandonOnDrop<'_> {
    fn drop(&mut self) {
        self.0.abandon(ClosedReason::Lost("the node's I/O ended".into()));
        self.0.presence.send_replace(Presence::Ended);
    }
}
