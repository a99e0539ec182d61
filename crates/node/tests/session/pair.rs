//! Two nodes over connections that fail on demand.

use std::sync::Arc;

use troupe_node::{link::Link, transport::Transport};
use troupe_proto::{
    codec::{Body, Correlation, Extensions, Frame, Handle, Message, Target},
    text::Text,
};
use troupe_testkit::{Faults, FaultyNetwork, Recorder};

use crate::support::{Home, TestNode, join_with};

/// Two nodes of a zone of their own, over connections that fail on demand.
pub(crate) struct Pair {
    pub(crate) one: TestNode,
    pub(crate) two: TestNode,
    pub(crate) faults: Faults,
    _home: Home,
}

impl Pair {
    pub(crate) async fn over<T: Transport + Clone + 'static>(network: T) -> Self {
        Self::with(network, Recorder::new).await
    }

    pub(crate) async fn with<T: Transport + Clone + 'static>(
        network: T,
        events: fn() -> Arc<Recorder>,
    ) -> Self {
        let home = Home::new();
        let faults = Faults::default();
        let wrapped = || FaultyNetwork::with(network.clone(), faults.clone());
        let join = |name| join_with(&home, wrapped(), name, events());
        let (one, two) = (join("one"), join("two"));
        one.zone.dial(two.zone.id());
        one.linked(&two).await;
        two.linked(&one).await;
        Self { one, two, faults, _home: home }
    }
}

/// A request of the worker behind slot `from`.
pub(crate) fn ask(from: u32, slot: u32, remaining_ms: u32, body: &str) -> Frame<'_> {
    Frame::Message(Message {
        request: Some(Correlation { slot, generation: 1 }),
        control: false,
        remaining_ms,
        sender: Some(Handle { slot: from, generation: 1 }),
        target: Target::Slot(TARGET),
        extensions: Extensions::NONE,
        body: Body::Text(Text::from_utf8(body)),
    })
}

/// Whom [`ask`] asks.
pub(crate) const TARGET: Handle = Handle { slot: 2, generation: 1 };

/// Pushes and flushes.
pub(crate) fn push(link: &Link, frames: &[Frame<'_>]) {
    let mut batch = link.batch().expect("the link is open");
    for frame in frames {
        batch.push(frame).expect("not too long");
    }
    drop(batch);
    link.flush();
}
