//! The next channel of a link: one on which the session goes on when the last was lost, or to which it moves from one that
//! stands.

use std::{
    io,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{sync::watch, time};
use troupe_proto::{codec::CloseReason, noise::OpeningKey};

use super::{ClosedReason, Link, LinkEvents, dates::expiry, events::Expired, lock, run::LinkTask};
use crate::{channel::Channel, transport::Socket};

/// When the other side has gone over to another channel, this side learns so long after that one was accepted, at most.
const FOLLOW_LIMIT: Duration = Duration::from_secs(2);

/// The next channel of a link.
#[derive(Debug)]
pub(super) enum Incoming {
    /// The last one was lost.
    GoesOn(Channel),
    /// The last one stands.
    Follows(Channel),
}

/// Whether a link has a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It has.
    Connected,
    /// It has two: one is written and read to its end, the other follows.
    Moving,
    /// It was lost, and the next one is awaited.
    Absent,
    /// The link has closed, and whoever listens to its events knows.
    Ended,
}

/// A channel that is written and read to its end while another one follows.
#[derive(Debug)]
pub(super) struct Following {
    /// What is still to be written to the channel at hand, behind the first `written` bytes.
    rest: Vec<u8>,
    written: usize,
    pub(super) socket: Arc<dyn Socket>,
    key: OpeningKey,
    leftover: Vec<u8>,
}

impl Following {
    /// Writes the channel at hand to its end. Given up half way, it goes on from there.
    pub(super) async fn write_rest(&mut self, socket: &Arc<dyn Socket>) -> io::Result<()> {
        while self.written < self.rest.len() {
            match socket.try_write(&self.rest[self.written..]) {
                Ok(written) => self.written += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => socket.writable().await?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        socket.finish();
        Ok(())
    }
}

impl Link {
    /// Whether there is a channel, and every change of it.
    pub(crate) fn presence(&self) -> watch::Receiver<Presence> {
        self.presence.subscribe()
    }

    /// Whether the channel was lost and there is no other yet.
    pub(crate) fn is_absent(&self) -> bool {
        *self.presence.borrow() == Presence::Absent
    }

    /// Resolves when the channel was lost, or the link has closed.
    pub(crate) async fn absent(&self) {
        let gone = |presence: &Presence| matches!(presence, Presence::Absent | Presence::Ended);
        // The sender is this link's own.
        let _ = self.presence().wait_for(gone).await;
    }

    /// Resolves when the link has closed and whoever listens to its events knows.
    pub(crate) async fn ended(&self) {
        // The sender is this link's own.
        let _ = self.presence().wait_for(|presence| *presence == Presence::Ended).await;
    }

    /// Reads the channel at hand no more: all that was not owned by now comes again. Answers how many frames are owned,
    /// for RESUME, and the number that the next channel has, for [`Link::attach`].
    pub(crate) fn detach(&self) -> (u64, u64) {
        self.receiving().detach()
    }

    /// The session goes on over this channel, whose RESUME told what [`Link::detach`] answered. `false`: too late,
    /// another channel has that place, or the link is closed.
    pub(crate) fn attach(&self, channel: Channel, number: u64) -> bool {
        if !self.is_open() || self.receiving().channel() != number {
            return false;
        }
        *lock(&self.incoming) = Some(Incoming::GoesOn(channel));
        self.attend.notify_one();
        true
    }

    /// The session moves to this channel: the one at hand is written and read to its CLOSE first. `false`: there is none.
    pub(crate) fn follow(&self, channel: Channel) -> bool {
        // Held over both, so that the loss of the channel at hand comes before or behind it.
        let mut incoming = lock(&self.incoming);
        let moves = self.is_open()
            && self.presence.send_if_modified(|presence| {
                let moves = *presence == Presence::Connected;
                if moves {
                    *presence = Presence::Moving;
                }
                moves
            });
        if moves {
            *incoming = Some(Incoming::Follows(channel));
            self.attend.notify_one();
        }
        moves
    }

    /// Lets another channel follow the one at hand, now rather than when its time comes. Said on the side with the larger
    /// identifier alone, it takes five seconds more: that one lets the other dial first.
    pub fn renew(&self) {
        self.renewal_due.send_replace(true);
    }

    /// Lets a key of this side seal so many records and no more, at most and unless something else is said 2^32: another channel
    /// follows when fifteen parts of sixteen are used up.
    pub fn limit_records(&self, most: u64) {
        lock(&self.writer).limit_records(most);
    }

    /// Resolves when the link has one channel that need not be followed yet, or has closed.
    pub async fn settled(&self) {
        let (mut due, mut presence) = (self.renewal_due(), self.presence());
        loop {
            // The senders are this link's own.
            let _ = due.wait_for(|due| !due).await;
            let at_rest = |presence: &Presence| matches!(presence, Presence::Connected | Presence::Ended);
            let _ = presence.wait_for(at_rest).await;
            if !*due.borrow() || *presence.borrow() == Presence::Ended {
                return;
            }
        }
    }

    /// Whether another channel should follow the one at hand, and every change of it.
    pub(crate) fn renewal_due(&self) -> watch::Receiver<bool> {
        self.renewal_due.subscribe()
    }

    /// This side dials, to go on or to move, until the guard is dropped.
    pub(crate) fn proposing(&self) -> Proposing<'_> {
        self.proposes.send_replace(true);
        Proposing(self)
    }

    /// Resolves when no dial of this side is under way.
    async fn proposes_nothing(&self) {
        // The sender is this link's own.
        let _ = self.proposes.subscribe().wait_for(|proposes| !proposes).await;
    }

    /// Takes the next channel.
    pub(super) fn take_incoming(&self) -> Option<Incoming> {
        lock(&self.incoming).take()
    }
}

/// A dial for a link.
#[derive(Debug)]
pub(crate) struct Proposing<'a>(&'a Link);

impl Drop for Proposing<'_> {
    fn drop(&mut self) {
        self.0.proposes.send_replace(false);
    }
}

impl LinkTask {
    /// The channel that the other side has gone over to: the answer to this side's dial is on its way. `None` when there is
    /// no such dial, because the other side has taken one that was given up for one that is meant.
    pub(super) async fn follower(&self, link: &Arc<Link>) -> Option<Result<Incoming, ClosedReason>> {
        tokio::select! {
            biased;
            next = time::timeout(FOLLOW_LIMIT, self.incoming(link)) => next.ok(),
            () = link.proposes_nothing() => link.take_incoming().map(Ok),
        }
    }

    /// Another channel takes over.
    pub(super) async fn superseded(&mut self, link: &Arc<Link>) -> Result<Incoming, ClosedReason> {
        match link.take_incoming() {
            Some(next) => Ok(next),
            None => self.next_channel(link, "another one was to take over".into()).await,
        }
    }

    /// The channel was lost: waits for the next one.
    pub(super) async fn next_channel(
        &mut self,
        link: &Arc<Link>,
        what: String,
    ) -> Result<Incoming, ClosedReason> {
        lock(&link.writer).detach();
        if self.patience.is_zero() {
            return Err(ClosedReason::Lost(what));
        }
        log::debug!(target: "channel", "the channel to node {} was lost: {what}", link.peer.name);
        link.renewal_due.send_replace(false);
        {
            // One that was to follow it has nothing to follow.
            let mut incoming = lock(&link.incoming);
            incoming.take_if(|incoming| matches!(incoming, Incoming::Follows(_)));
            link.presence.send_replace(Presence::Absent);
        }
        let limit = self.patience;
        time::timeout(limit, self.incoming(link)).await.unwrap_or_else(|_| {
            Err(ClosedReason::Lost(format!("{what}, and there was no other for {} s", limit.as_secs())))
        })
    }

    /// The next channel, or how the link ended meanwhile.
    pub(super) async fn incoming(&self, link: &Arc<Link>) -> Result<Incoming, ClosedReason> {
        loop {
            if let Some(reason) = lock(&link.ended).clone().or_else(|| link.overdue()) {
                return Err(reason);
            }
            if let Some(next) = link.take_incoming() {
                return Ok(next);
            }
            link.attend.notified().await;
            if link.has_room.swap(false, Ordering::SeqCst) {
                // There is none before there is a channel: it will be said again.
                link.was_full.store(true, Ordering::SeqCst);
            }
        }
    }

    /// What is written from now on goes to this channel; the one at hand ends with CLOSE.
    pub(super) fn follow(&mut self, link: &Arc<Link>, channel: Channel) -> Option<Following> {
        let Channel { socket, established, own, leftover, greeting, lifetime, .. } = channel;
        let opening = greeting.iter().flat_map(|greeting| greeting.frames(&own)).collect::<Vec<_>>();
        let moved = {
            let mut writer = lock(&link.writer);
            // Nobody takes anything from the queue meanwhile: that is the writer's holder's.
            let last = link.queue().sent();
            writer.move_to(Arc::clone(&socket), established.send, &opening, last)
        };
        let rest = match moved {
            Ok(Some(rest)) => rest,
            Ok(None) => return None,
            Err(error) => {
                // The channel at hand can't say that another one follows: it is lost, and the session goes on.
                log::debug!(target: "channel", "no channel can follow to node {}: {error}", link.peer.name);
                lock(&link.writer).detach();
                return None;
            }
        };
        link.renewal_due.send_replace(false);
        link.flush();
        self.expires = expiry(lifetime);
        Some(Following { rest, written: 0, socket, key: established.receive, leftover })
    }

    /// The channel at hand was read to its end: the next one is read.
    pub(super) async fn read_next(&mut self, link: &Arc<Link>, mut next: Following) {
        // The other side reads to the end, too; what it does not get it notices.
        let _ = time::timeout(FOLLOW_LIMIT, next.write_rest(&self.socket)).await;
        log::debug!(target: "channel", "to node {}: another channel has followed", link.peer.name);
        self.reader.attach(link.receiving().channel(), next.key, &next.leftover);
        self.socket = next.socket;
        link.presence.send_replace(Presence::Connected);
    }

    /// Goes on over another channel: what the peer does not own is sent again.
    pub(super) fn go_on(
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
            self.socket = socket;
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
        self.expires = expiry(lifetime);
        link.presence.send_replace(Presence::Connected);
        link.note_room();
        link.flush();
        Ok(())
    }
}
