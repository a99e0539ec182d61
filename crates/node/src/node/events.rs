//! What links and the zone tell the node: passed on to the isolate's inbox, or answered here, on the I/O thread.

use super::{Refusal, Shared, services};
use crate::code;
use crate::discovery::Member;
use crate::link::{ClosedReason, Expired, Leftover, Link, LinkEvents};
use crate::port::{Failure, From, Handle, Post, link_key, now_ms};
use std::sync::Arc;
use troupe_proto::codec::{Body, CloseReason, CreditKind, Frame, Message, Target, cost_of};
use troupe_proto::noise::{Capabilities, NodeId};

/// What the receiver of [`LinkEvents`] is: the node, counted.
pub(super) struct Events(pub(super) Arc<Shared>);

impl Shared {
    fn key(&self, link: &Link) -> u32 {
        link_key(self.number(), link.index())
    }

    /// Puts something into the isolate's inbox, which `read_done` wakes.
    fn put(&self, post: Post) {
        // A closed port has nobody to tell.
        let _ = self.inbox.put(post);
    }

    /// Puts a frame that passes no window into the inbox.
    fn put_unbidden(&self, link: &Link, post: Post) {
        match post.unread() {
            Some((_, size)) if !link.unread_room().take(size) => misbehaves(
                link,
                "more frames that pass no window wait here than an isolate can be expected to take in",
            ),
            _ => self.put(post),
        }
    }

    fn message(self: &Arc<Self>, link: &Arc<Link>, message: &Message<'_>) {
        let request = message.request.map(|at| Handle { slot: at.slot, generation: at.generation });
        let target = match message.target {
            Target::Control => return self.control(link, message, request),
            Target::Slot(at) => Handle { slot: at.slot, generation: at.generation },
            // A name that nobody has becomes a handle that nobody has.
            Target::Name(name) => self.look_up(name).unwrap_or(Handle { slot: u32::MAX, generation: 0 }),
        };
        let key = self.key(link);
        let sender = message.sender.map(|at| Handle { slot: at.slot, generation: at.generation });
        let from = From { link: key, sender, request };
        let remaining = message.remaining_ms;
        let no_wait = message.waits_for_nothing();
        let Body::Text(text) = message.body else { return misbehaves(link, "it sent bytes to a worker") };
        let trace = message.extensions.traceparent();
        self.inbox.put_message(text, trace.as_ref(), |body| Post::Message {
            from,
            target,
            remaining,
            no_wait,
            body,
        });
    }

    /// A control request: what the credential does not allow is answered here, and the isolate never sees it.
    fn control(self: &Arc<Self>, link: &Arc<Link>, message: &Message<'_>, request: Option<Handle>) {
        let (Some(request), Body::Bytes(bytes)) = (request, message.body) else {
            return misbehaves(link, "it sent a control request without a number, or as text");
        };
        if !message.control {
            link.consumed(troupe_proto::codec::Flow::Messages, u64::from(cost_of(bytes.len())));
        }
        if let Some(needed) = needs(bytes).filter(|needed| !link.peer().capabilities.contains(*needed)) {
            let name = &link.peer().name;
            match self.not_permitted.take(now_ms()) {
                Some(untold) => log::warn!(
                    target: "node",
                    "node {name} asked for what its credential does not allow ({needed}){untold}"
                ),
                None => {
                    log::debug!(target: "node", "node {name} asked for what its credential does not allow ({needed})");
                }
            }
            let lacks = format!("the credential of node {} lacks {needed}", link.peer().name);
            return services::refuse(link, request, &Refusal::not_permitted(lacks));
        }
        if self.serves_peer(link, request, bytes, message.remaining_ms) {
            return;
        }
        if !link.control_room().take(Post::control_size(bytes)) {
            let why =
                "its requests to start, stop and list workers that have no answer yet hold too much there";
            return services::refuse(
                link,
                request,
                &Refusal { code: code::MAILBOX_FULL, message: why.to_owned() },
            );
        }
        self.put(Post::Control {
            link: self.key(link),
            node: self.number(),
            request,
            remaining: message.remaining_ms,
            body: bytes.into(),
        });
    }
}

/// What a control request takes. Its first byte says what it is; see `lib/control.ts`.
fn needs(request: &[u8]) -> Option<Capabilities> {
    match request.first() {
        Some(b'S') => Some(Capabilities::WORKER_START),
        Some(b'C') => Some(Capabilities::CODE_SHIP),
        Some(b'X') => Some(Capabilities::WORKER_STOP),
        Some(b'O') => Some(Capabilities::OBSERVE),
        Some(b'V') => Some(Capabilities::WORKER_START | Capabilities::WORKER_STOP),
        _ => None,
    }
}

/// Closes the link of a peer whose frames are well formed and make no sense.
pub(super) fn misbehaves(link: &Link, what: &str) {
    log::warn!(target: "channel", "node {} broke the protocol: {what}; its link is closed", link.peer().name);
    link.close(CloseReason::Violation);
}

impl LinkEvents for Events {
    fn opened(&self, link: &Arc<Link>) {
        let Self(node) = self;
        node.put(Post::Opened { link: link.clone(), node: node.number() });
        node.inbox.wake();
        node.dialled(&link.peer().id, Some(link));
    }

    fn frame(&self, link: &Arc<Link>, frame: Frame<'_>) {
        let Self(node) = self;
        let key = node.key(link);
        match frame {
            Frame::Message(message) => node.message(link, &message),
            Frame::Reply(reply) => {
                let at = reply.correlation;
                let request = Handle { slot: at.slot, generation: at.generation };
                if services::is_own(request) {
                    return node.service_answered(link, request, &reply.body);
                }
                match reply.body {
                    Body::Text(text) => {
                        node.inbox.put_text(text, |body| Post::Reply { link: key, request, body });
                    }
                    Body::Bytes(bytes) => {
                        node.put(Post::Controlled { link: key, request, body: bytes.into() });
                    }
                }
            }
            Frame::Fail(fail) => {
                let request = Handle { slot: fail.correlation.slot, generation: fail.correlation.generation };
                let failure = Failure { code: fail.code, stage: 0, maybe_executed: fail.maybe_executed };
                let Body::Text(text) = fail.body else {
                    return misbehaves(link, "it failed a request with bytes");
                };
                if services::is_own(request) {
                    return node.service_refused(link, request, failure, text);
                }
                node.inbox.put_text(text, |cause| Post::Fail { request, failure, cause, link: key });
            }
            Frame::Cancel { correlation: at, .. } => {
                let request = Handle { slot: at.slot, generation: at.generation };
                if !node.service_given_up(link, request) {
                    node.put_unbidden(link, Post::Cancel { link: key, request });
                }
            }
            Frame::Stage { correlation: at, stage } => {
                let request = Handle { slot: at.slot, generation: at.generation };
                node.put_unbidden(link, Post::Stage { link: key, request, stage });
            }
            Frame::Where { name } => node.answer_where(link, name),
            Frame::Here { name, at } => {
                let at = at.map(|at| Handle { slot: at.slot, generation: at.generation });
                node.heard_here(link, name, at);
            }
            Frame::Gone { handle } => {
                let handle = Handle { slot: handle.slot, generation: handle.generation };
                node.put_unbidden(link, Post::Gone { link: key, handle });
            }
            Frame::Bind { handle, name } => {
                let handle = Handle { slot: handle.slot, generation: handle.generation };
                node.put_unbidden(link, Post::Bind { link: key, handle, name: name.into() });
            }
            Frame::Credit { kind, target, messages, bytes, .. } => {
                let target = Handle { slot: target.slot, generation: target.generation };
                let post = match kind {
                    CreditKind::Grant => Post::Credit { link: key, target, messages, bytes },
                    CreditKind::Ask => Post::Ask { link: key, target, messages },
                    CreditKind::Return => Post::Return { link: key, target, messages },
                };
                node.put_unbidden(link, post);
            }
            // The session's own frames stay in the link.
            _ => {}
        }
    }

    fn turns(&self) -> Vec<u32> {
        let ago = now_ms().saturating_sub(self.0.inbox.last_turn());
        vec![u32::try_from(ago).unwrap_or(u32::MAX)]
    }

    fn read_done(&self, _: &Arc<Link>) {
        self.0.inbox.wake();
    }

    fn room(&self, link: &Arc<Link>) {
        self.0.put(Post::Room { link: self.0.key(link) });
        self.0.inbox.wake();
    }

    fn expired(&self, link: &Arc<Link>, expired: &Expired) {
        let Self(node) = self;
        if let Some(target) = expired.target {
            let target = Handle { slot: target.slot, generation: target.generation };
            let bytes = u32::try_from(expired.body_len).unwrap_or(u32::MAX);
            node.put(Post::Unused { link: node.key(link), target, bytes });
            node.inbox.wake();
        }
    }

    fn closed(&self, link: &Arc<Link>, reason: &ClosedReason, leftover: &Leftover) {
        let Self(node) = self;
        let name = &link.peer().name;
        log::debug!(target: "channel", "the link to node {name} is gone: {reason}");
        if leftover.partial > 0 {
            log::debug!(target: "channel", "{} messages of node {name} had come only in part", leftover.partial);
        }
        node.services_lost(link, leftover);
        let leftover = (!leftover.is_empty()).then(|| Box::new(leftover.clone()));
        node.put(Post::Closed { link: node.key(link), leftover });
        node.inbox.wake();
        node.forget_link(link.index());
    }

    fn unreachable(&self, id: NodeId, reason: &str) {
        log::debug!(target: "channel", "node {id:?} can't be reached: {reason}");
        self.0.dialled(&id, None);
    }

    fn member_joined(&self, _: &Member) {
        self.0.joined();
    }

    fn looked(&self) {
        self.0.put(Post::Members { node: self.0.number() });
        self.0.inbox.wake();
    }
}
