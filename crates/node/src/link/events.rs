//! What a zone and its links tell the router.

use std::sync::Arc;

use troupe_proto::{
    codec::{CloseReason, Correlation, Frame, Handle, ResetReason, Target},
    noise::NodeId,
};

use super::{Leftover, Link};
use crate::discovery::Member;

/// Takes in what happens on the links of a zone.
///
/// All calls about one link come one after the other, from the node's I/O thread: `opened` first, `closed` last. Between
/// them connections may be lost and made without a word: the link goes on. They
/// must not block and must not wait for a lock that is held while a link's batch is made.
pub trait LinkEvents: Send + Sync + 'static {
    /// A link stands. Batches may be made from now on.
    fn opened(&self, link: &Arc<Link>);

    /// A frame for the router (none of the session's own), in the order sent. Whoever takes it in hands its
    /// [`Frame::cost`], if it has one, back by [`Link::consumed`] when it has left the node's inboxes, or is dropped.
    fn frame(&self, link: &Arc<Link>, frame: Frame<'_>);

    /// As [`LinkEvents::frame`], for a frame whose body came in pieces: `frame` has an empty body, `body` is the real
    /// one, checked, and may be kept without a copy. Its cost is that of the frame with its body.
    fn frame_in_pieces(&self, link: &Arc<Link>, frame: Frame<'_>, body: Vec<u8>) {
        if let Ok(frame) = frame.with_body(&body) {
            self.frame(link, frame);
        }
    }

    /// How many milliseconds ago each isolate of this node last had a turn, 64 at most: what a PING is answered with.
    fn turns(&self) -> Vec<u32> {
        Vec::new()
    }

    /// The frames of one read have been handed over: the time to wake whom they were for.
    fn read_done(&self, link: &Arc<Link>);

    /// A link that was full ([`Link::is_full`]) has room again.
    fn room(&self, link: &Arc<Link>);

    /// A request had expired before it was sent again, so the peer never got it and nothing of its mailbox was used.
    fn expired(&self, link: &Arc<Link>, expired: &Expired) {
        let _ = (link, expired);
    }

    /// The link is closed. Everything outstanding on it is lost: nothing comes any more and nothing goes out. `leftover`
    /// says what is known of it.
    fn closed(&self, link: &Arc<Link>, reason: &ClosedReason, leftover: &Leftover);

    /// A dial that was asked for came to nothing. Nothing was sent.
    fn unreachable(&self, id: NodeId, reason: &str);

    /// A node joined the zone, or was there when this one joined.
    fn member_joined(&self, member: &Member) {
        let _ = member;
    }

    /// A node left the zone or died. Its link, if there was one, has been closed before.
    fn member_left(&self, member: &Member) {
        let _ = member;
    }

    /// Who is in the zone was looked up anew, for something has changed there: also when a node came and went again between
    /// two looks, so that this side never saw it and others may have.
    fn looked(&self) {}
}

/// A request that is not sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired {
    /// The request.
    pub request: Correlation,
    /// The worker of the peer it was for, where its handle was known.
    pub target: Option<Handle>,
    /// Bytes of its body on the wire.
    pub body_len: usize,
}

impl Expired {
    pub(super) fn of(frame: &Frame<'_>, body_len: usize) -> Option<Self> {
        let Frame::Message(message) = frame else { return None };
        let target = if let Target::Slot(target) = message.target { Some(target) } else { None };
        Some(Self { request: message.request?, target, body_len })
    }
}

/// How a link ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClosedReason {
    /// This side closed it.
    Here(CloseReason),
    /// The peer closed it, authenticated, and all that it had sent was read.
    Gracefully(CloseReason),
    /// The connection ended without a word and no other came in time: the peer died or was cut off. Says what was noticed.
    Lost(String),
    /// One of the nodes could not go on with the session: a new one takes its place.
    Reset(ResetReason),
    /// The peer broke the protocol, so this side closed the link. Says how.
    Violation(String),
}

impl std::fmt::Display for ClosedReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Here(reason) => write!(f, "closed by this node: {}", describe(*reason)),
            Self::Gracefully(reason) => write!(f, "closed by the other node: {}", describe(*reason)),
            Self::Lost(what) => write!(f, "connection lost: {what}"),
            Self::Reset(reason) => write!(f, "started over: {}", describe_reset(*reason)),
            Self::Violation(what) => write!(f, "closed because the other node broke the protocol: {what}"),
        }
    }
}

fn describe(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::NodeStops => "it stops",
        CloseReason::Duplicate => "the two nodes have another channel",
        CloseReason::Expired => "a credential or key expired; it is dialled anew when needed",
        CloseReason::Violation => "the protocol was broken",
        CloseReason::Denied => "the node is no longer let in",
        CloseReason::Replaced => "a new channel takes over",
    }
}

fn describe_reset(reason: ResetReason) -> &'static str {
    match reason {
        ResetReason::NothingKept => "one of the nodes no longer had what the other needed",
        ResetReason::NewIncarnation => "one of the nodes was started anew",
        ResetReason::Expired => "there was no connection for too long",
    }
}
