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
    time::{self, Sleep},
};
use troupe_proto::{codec::CloseReason, session::AckUrgency};

use super::{
    ClosedReason, Drive, Link, LinkEvents, Presence,
    events::Expired,
    lock,
    queue::Queue,
    reader::{ReadEnd, Reader, Receiving},
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
/// No timer runs for longer; whatever says it holds for longer does not matter.
const LONGEST_LIFE: Duration = Duration::from_secs(366 * 24 * 3600);

/// Runs a link. Dropped early, it ends the link as lost.
#[derive(Debug)]
pub struct LinkTask {
    link: Arc<Link>,
    socket: Arc<dyn Socket>,
    reader: Reader,
    /// How long the channel holds.
    lifetime: Duration,
    patience: Duration,
}

/// How a channel ended.
enum ChannelEnd {
    /// And the link with it.
    Closed(ClosedReason),
    /// Without a word.
    Lost(String),
    /// Another one takes over.
    Superseded,
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
        open: AtomicBool::new(true),
        dirty: AtomicBool::new(false),
        queued: AtomicUsize::new(0),
        was_full: AtomicBool::new(false),
        has_room: AtomicBool::new(false),
        owned: AtomicU64::new(0),
        acknowledged: AtomicU64::new(0),
        round_trip_micros: AtomicU64::new(0),
        ended: Mutex::new(None),
        incoming: Mutex::new(None),
        presence: watch::Sender::new(Presence::Connected),
        kick: Notify::new(),
        attend: Notify::new(),
        drained: Notify::new(),
    });
    let reader = Reader::new(established.receive, &leftover);
    let task = LinkTask { link: Arc::clone(&link), socket, reader, lifetime, patience: Duration::ZERO };
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
        let reason = loop {
            let next = match self.run_channel(&link, &*events).await {
                ChannelEnd::Closed(reason) => break reason,
                ChannelEnd::Superseded => lock(&link.incoming).take(),
                ChannelEnd::Lost(what) => match self.next_channel(&link, what).await {
                    Ok(channel) => Some(channel),
                    Err(reason) => break reason,
                },
            };
            if let Some(channel) = next
                && let Err(reason) = self.go_on(&link, channel, &*events)
            {
                break reason;
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

    /// Runs the channel at hand to its end.
    async fn run_channel(&mut self, link: &Arc<Link>, events: &dyn LinkEvents) -> ChannelEnd {
        let socket = Arc::clone(&self.socket);
        let failed = tokio::select! {
            biased;
            end = self.read(link, events) => return end,
            what = write(link, &socket) => what,
        };
        match self.last_words(link, events).await {
            Some(end) => end,
            None => ChannelEnd::Lost(failed),
        }
    }

    /// The channel was lost: waits for the next one.
    async fn next_channel(&mut self, link: &Arc<Link>, what: String) -> Result<Channel, ClosedReason> {
        lock(&link.writer).detach();
        if self.patience.is_zero() {
            return Err(ClosedReason::Lost(what));
        }
        log::debug!(target: "channel", "the channel to node {} was lost: {what}", link.peer.name);
        link.presence.send_replace(Presence::Absent);
        let next = async {
            loop {
                if let Some(reason) = lock(&link.ended).clone() {
                    return Err(reason);
                }
                if let Some(channel) = lock(&link.incoming).take() {
                    return Ok(channel);
                }
                link.attend.notified().await;
                if link.has_room.swap(false, Ordering::SeqCst) {
                    // There is none before there is a channel: it will be said again.
                    link.was_full.store(true, Ordering::SeqCst);
                }
            }
        };
        let limit = self.patience;
        time::timeout(limit, next).await.unwrap_or_else(|_| {
            Err(ClosedReason::Lost(format!("{what}, and there was no other for {} s", limit.as_secs())))
        })
    }

    /// Goes on over another channel: what the peer does not own is sent again.
    fn go_on(
        &mut self,
        link: &Arc<Link>,
        channel: Channel,
        events: &dyn LinkEvents,
    ) -> Result<(), ClosedReason> {
        let Channel { socket, established, own, opened, leftover, greeting, lifetime } = channel;
        let owned = link.owned.load(Ordering::Relaxed);
        let mut expired = Vec::new();
        {
            let mut writer = lock(&link.writer);
            let mut queue = link.queue();
            let result = queue.go_on(opened.resume.next_expected, owned, link.now_ms(), |frame, body_len| {
                expired.extend(Expired::of(frame, body_len));
            });
            link.acknowledged.store(owned, Ordering::Relaxed);
            link.queued.store(queue.bytes(), Ordering::Relaxed);
            drop(queue);
            let opening = greeting.iter().flat_map(|greeting| greeting.frames(&own)).collect::<Vec<_>>();
            writer.attach(Arc::clone(&socket), established.send, &opening);
            drop(writer);
            if let Err(error) = result {
                let reason = ClosedReason::Violation(error.to_string());
                link.close_as(CloseReason::Violation, reason.clone());
                return Err(reason);
            }
        }
        for expired in &expired {
            events.expired(link, expired);
        }
        self.reader.attach(link.receiving().channel(), established.receive, &leftover);
        self.socket = socket;
        self.lifetime = lifetime;
        link.presence.send_replace(Presence::Connected);
        link.note_room();
        link.flush();
        Ok(())
    }

    async fn read(&mut self, link: &Arc<Link>, events: &dyn LinkEvents) -> ChannelEnd {
        // What was read behind the handshake.
        if let Err(end) = self.reader.advance(0, link, events) {
            return ended(link, end);
        }
        events.read_done(link);
        let expires = time::Instant::now() + self.lifetime.min(LONGEST_LIFE);
        let timer = time::sleep_until(expires);
        pin!(timer);
        loop {
            if let Err(reason) = self.read_turn(link, events) {
                return reason;
            }
            let urgency = self.ack_urgency(link);
            match urgency {
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
                        return ChannelEnd::Closed(reason);
                    }
                    if lock(&link.incoming).is_some() {
                        return ChannelEnd::Superseded;
                    }
                }
                result = self.socket.readable() => {
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

    fn ack_urgency(&self, link: &Link) -> AckUrgency {
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

/// Resets the timer to the expiry; says whether that has come.
fn timer_fired(timer: std::pin::Pin<&mut Sleep>, expires: time::Instant) -> bool {
    let expired = time::Instant::now() >= expires;
    let next = if expired { expires + Duration::from_secs(3600) } else { expires };
    timer.reset(next);
    expired
}

/// Writes what callers left over, until that fails; answers why.
async fn write(link: &Arc<Link>, socket: &Arc<dyn Socket>) -> String {
    loop {
        link.kick.notified().await;
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
    }
}

fn ended(link: &Arc<Link>, end: ReadEnd) -> ChannelEnd {
    match end {
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
