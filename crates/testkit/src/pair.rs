//! Two links, back to back.

use std::{net::SocketAddr, sync::Arc};

use tokio::task::JoinHandle;
use troupe_node::{
    channel,
    link::{self, ClosedReason, Link},
    transport::{Socket, Transport},
};
use troupe_proto::{
    codec::{Body, Course, Extensions, Frame, Handle, Message, Resume, Target},
    noise::Membership,
    session::Terms,
    text::Text,
};

use crate::{Founded, NOW, Recorder};

/// How both sides begin their first session.
pub const BEGINS: Resume =
    Resume { course: Course::Begins, incarnation: 1, known_incarnation: 0, session: 1, next_expected: 0 };

/// A link from each end of one channel. The near end dialled.
#[derive(Debug)]
pub struct Pair {
    /// The end that dialled.
    pub near: Arc<Link>,
    /// What it heard.
    pub near_events: Arc<Recorder>,
    /// The end that was dialled.
    pub far: Arc<Link>,
    /// What it heard.
    pub far_events: Arc<Recorder>,
    /// The tasks that run them.
    pub tasks: [JoinHandle<ClosedReason>; 2],
}

impl Pair {
    /// Opens a channel and both links over this transport, with default terms.
    pub async fn open(transport: &dyn Transport) -> Self {
        Self::with(transport, [Terms::default(); 2], [Recorder::new(), Recorder::new()]).await
    }

    /// As [`Pair::open`], with terms and recorders for the near and the far end.
    pub async fn with(transport: &dyn Transport, terms: [Terms; 2], events: [Arc<Recorder>; 2]) -> Self {
        let zone = Founded::new();
        let members = [zone.member("near"), zone.member("far")];
        Self::between(transport, members, terms, events).await
    }

    /// As [`Pair::with`], between these members.
    pub async fn between(
        transport: &dyn Transport,
        [near, far]: [Membership; 2],
        terms: [Terms; 2],
        [near_events, far_events]: [Arc<Recorder>; 2],
    ) -> Self {
        let (dialled, accepted) = connection(transport).await;
        let dial = channel::dial(dialled, &near, far.node_id(), NOW, terms[0], |_| Some(BEGINS.into()));
        let accept = async {
            let knock = channel::answer(accepted, &far, NOW, terms[1]).await.expect("a handshake");
            let (far, task) = link::open(knock.accept(BEGINS), 1);
            (far, tokio::spawn(task.run(Arc::clone(&far_events) as _)))
        };
        let (channel, (far, far_task)) = tokio::join!(dial, accept);
        let (near, task) = link::open(channel.expect("a channel"), 0);
        let near_task = tokio::spawn(task.run(Arc::clone(&near_events) as _));
        Self { near, near_events, far, far_events, tasks: [near_task, far_task] }
    }

    /// Ends the near end as the death of its process does.
    pub fn kill_near(&self) {
        self.tasks[0].abort();
    }
}

/// The two ends of a fresh connection.
pub async fn connection(transport: &dyn Transport) -> (Arc<dyn Socket>, Arc<dyn Socket>) {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = transport.listen(anywhere).expect("a listener");
    let dialled = transport.dial(listener.address()).await.expect("a connection");
    let (accepted, _) = listener.accept().await.expect("a connection");
    (dialled, accepted)
}

/// A message from the worker behind slot `from` to the one behind slot `to`.
#[must_use]
pub fn text_message(from: u32, to: u32, text: &str) -> Frame<'_> {
    Frame::Message(Message {
        request: None,
        control: false,
        remaining_ms: u32::MAX,
        sender: Some(Handle { slot: from, generation: 1 }),
        target: Target::Slot(Handle { slot: to, generation: 1 }),
        extensions: Extensions::NONE,
        body: Body::Text(Text::from_utf8(text)),
    })
}
