//! Remembers what a router would be told, and lets tests wait for it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;
use troupe_node::{
    discovery::Member,
    link::{ClosedReason, Expired, Leftover, Link, LinkEvents},
};
use troupe_proto::{
    codec::{Body, Frame, Message, cost_of},
    noise::NodeId,
};

/// How long a condition may take to come about: far longer than it does on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What happened, in order. Frames are kept apart, see [`Recorder::bodies`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A link opened.
    Opened(u32),
    /// A link closed.
    Closed(u32, ClosedReason),
    /// A dial came to nothing.
    Unreachable(NodeId),
    /// A link that was full has room again.
    Room(u32),
    /// A node joined.
    Joined(String),
    /// A node left.
    Left(String),
}

/// Takes in the events of links and zones.
#[derive(Debug)]
pub struct Recorder {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
    /// Whether what is received is handed back at once, so that windows move.
    consumes: bool,
}

#[derive(Debug, Default)]
struct State {
    events: Vec<Event>,
    bodies: Vec<Vec<u8>>,
    bytes: usize,
    frames: usize,
    remaining: Vec<u32>,
    links: Vec<Arc<Link>>,
    heard: Vec<String>,
    counts_only: bool,
    expired: Vec<Expired>,
    leftover: Leftover,
}

impl Recorder {
    /// Takes everything in at once.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Self::with(true)
    }

    /// Never hands anything back: the peer's window fills up.
    #[must_use]
    pub fn that_never_consumes() -> Arc<Self> {
        Self::with(false)
    }

    fn with(consumes: bool) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), changed: watch::Sender::new(0), consumes })
    }

    /// From now on bodies are counted and not kept.
    pub fn count_only(&self) {
        self.state().counts_only = true;
    }

    /// What happened so far.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.state().events.clone()
    }

    /// Bodies of the messages, replies and failures that came, in order.
    #[must_use]
    pub fn bodies(&self) -> Vec<Vec<u8>> {
        self.state().bodies.clone()
    }

    /// The remaining milliseconds of the messages that came whole, in order.
    #[must_use]
    pub fn remaining(&self) -> Vec<u32> {
        self.state().remaining.clone()
    }

    /// Takes all frames that came so far, in order, each in words. Bodies stand at the end of theirs.
    #[must_use]
    pub fn take_heard(&self) -> Vec<String> {
        std::mem::take(&mut self.state().heard)
    }

    /// Requests that were not sent again.
    #[must_use]
    pub fn expired(&self) -> Vec<Expired> {
        self.state().expired.clone()
    }

    /// What the link that closed last held.
    #[must_use]
    pub fn leftover(&self) -> Leftover {
        self.state().leftover.clone()
    }

    /// How many frames came.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.state().frames
    }

    /// Bytes of all bodies that came.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.state().bytes
    }

    /// The links that opened, in order.
    #[must_use]
    pub fn links(&self) -> Vec<Arc<Link>> {
        self.state().links.clone()
    }

    /// Waits until `condition` holds; it is looked at after every event.
    pub async fn until(&self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let mut changes = self.changed.subscribe();
        let wait = async {
            while !condition(self) {
                changes.changed().await.expect("the recorder lives");
            }
        };
        assert!(
            tokio::time::timeout(PATIENCE, wait).await.is_ok(),
            "{what} did not happen; what did: {:?}, {} frames",
            self.events(),
            self.frames()
        );
    }

    /// Waits for this event.
    pub async fn until_event(&self, event: Event) {
        self.until(&format!("{event:?}"), |recorder| recorder.state().events.contains(&event)).await;
    }

    /// Waits for the end of a link and tells how it ended.
    pub async fn until_closed(&self, index: u32) -> ClosedReason {
        let mut found = None;
        self.until("the end of the link", |recorder| {
            found = recorder.state().events.iter().find_map(|event| match event {
                Event::Closed(closed, reason) if *closed == index => Some(reason.clone()),
                _ => None,
            });
            found.is_some()
        })
        .await;
        found.expect("waited for")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, event: Event) {
        self.state().events.push(event);
        self.note();
    }

    fn note(&self) {
        self.changed.send_modify(|count| *count += 1);
    }
}

impl LinkEvents for Recorder {
    fn opened(&self, link: &Arc<Link>) {
        self.state().links.push(Arc::clone(link));
        self.record(Event::Opened(link.index()));
    }

    fn frame(&self, link: &Arc<Link>, frame: Frame<'_>) {
        let mut state = self.state();
        state.frames += 1;
        if !state.counts_only {
            state.heard.push(in_words(&frame));
        }
        if state.counts_only {
            state.bytes += frame.body().map_or(0, |body| body.wire_len());
        } else if let Frame::Message(message) = &frame {
            state.remaining.push(message.remaining_ms);
        }
        if let Some(body) = frame.body().filter(|_| !state.counts_only) {
            let mut bytes = Vec::new();
            body.write(&mut bytes);
            state.bytes += bytes.len();
            state.bodies.push(bytes);
        }
        drop(state);
        if self.consumes
            && let Some((flow, cost)) = frame.cost()
        {
            link.consumed(flow, u64::from(cost));
        }
    }

    fn frame_in_pieces(&self, link: &Arc<Link>, frame: Frame<'_>, body: Vec<u8>) {
        assert_eq!(frame.body().map(|body| body == Body::EMPTY || body == Body::Bytes(&[])), Some(true));
        let len = body.len();
        let mut state = self.state();
        if !state.counts_only {
            state.heard.push(in_words(&frame.with_body(&body).expect("a body")));
        }
        state.frames += 1;
        state.bytes += len;
        if !state.counts_only {
            state.bodies.push(body);
        }
        drop(state);
        if self.consumes
            && let Some(flow) = frame.flow()
        {
            link.consumed(flow, u64::from(cost_of(len)));
        }
    }

    fn read_done(&self, _link: &Arc<Link>) {
        self.note();
    }

    fn room(&self, link: &Arc<Link>) {
        self.record(Event::Room(link.index()));
    }

    fn expired(&self, _link: &Arc<Link>, expired: &Expired) {
        self.state().expired.push(*expired);
        self.note();
    }

    fn closed(&self, link: &Arc<Link>, reason: &ClosedReason, leftover: &Leftover) {
        self.state().leftover = leftover.clone();
        self.record(Event::Closed(link.index(), reason.clone()));
    }

    fn unreachable(&self, id: NodeId, _reason: &str) {
        self.record(Event::Unreachable(id));
    }

    fn member_joined(&self, member: &Member) {
        self.record(Event::Joined(member.name.clone()));
    }

    fn member_left(&self, member: &Member) {
        self.record(Event::Left(member.name.clone()));
    }
}

/// A frame without its remaining time, which shrinks on the way.
#[must_use]
pub fn in_words(frame: &Frame<'_>) -> String {
    let Some(body) = frame.body() else { return format!("{frame:?}") };
    let mut bytes = Vec::new();
    body.write(&mut bytes);
    let body = String::from_utf8_lossy(&bytes);
    match frame {
        Frame::Message(message) => {
            let Message { request, target, sender, extensions, .. } = message;
            format!(
                "message {request:?} to {target:?} of {sender:?} in {:?}: {body}",
                extensions.traceparent()
            )
        }
        Frame::Reply(reply) => format!("reply {:?}: {body}", reply.correlation),
        Frame::Fail(fail) => {
            format!("fail {:?} {} {}: {body}", fail.correlation, fail.code, fail.maybe_executed)
        }
        other => format!("{other:?}"),
    }
}
