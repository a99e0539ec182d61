//! Names behind handles: a peer may tell so many, and a node that has more workers than that tells no more.

use troupe_node::port::{
    BatchText, Handle as Worker, MAX_NAMES, WorkerOptions,
    record::{NIL, NO_LIMIT, STRIDE, TO_TARGET, incoming, outgoing},
};
use troupe_proto::{
    codec::{CloseReason, CreditKind, Frame, Handle},
    noise::Capabilities,
};

use super::{
    isolate::{Node, Taken},
    member::message,
    raw::RawPeer,
};

fn handle(slot: usize) -> Handle {
    Handle { slot: slot as u32, generation: 1 }
}

fn bind(slot: usize) -> Frame<'static> {
    Frame::Bind { handle: handle(slot), name: "some" }
}

#[tokio::test]
async fn a_peer_may_tell_65_536_names_and_loses_its_link_with_the_next_one() {
    let mut node = Node::new().await;
    let mut peer = node.member(Capabilities::NONE).await;
    let gone = Frame::Gone { handle: handle(7) };
    let ask = node.ask();
    peer.say_all((0..MAX_NAMES).map(bind).chain([bind(0), gone, bind(MAX_NAMES), ask])).await;
    let end = |frame: &Frame<'_>| match frame {
        Frame::Credit { .. } => Some(None),
        Frame::Close { reason, .. } => Some(Some(*reason)),
        _ => None,
    };
    let (answer, _) = node.while_serving(peer.hear(end)).await;
    assert_eq!(answer, Some(None), "so many are none too many");
    peer.say_all([bind(MAX_NAMES + 1), ask]).await;
    let (answer, _) = node.while_serving(peer.hear(end)).await;
    assert_eq!(answer, Some(Some(CloseReason::Violation)));
}

#[tokio::test]
async fn a_node_with_more_senders_than_may_be_named_keeps_its_link_and_sends_for_the_rest_without_a_sender() {
    let mut node = Node::new().await;
    let mut peer = node.member(Capabilities::NONE).await;
    // The peer's worker says hello, so that it can be written to, and has room for all that follows.
    let grant = |messages, bytes| Frame::Credit {
        kind: CreditKind::Grant,
        target: handle(0),
        port: 0,
        messages,
        bytes,
    };
    peer.say_all([bind(0), grant(u32::MAX, u32::MAX)]).await;
    granted(&mut node, &mut peer).await;
    make_ready(&mut node);
    peer.say_all([message(node.worker, Some(handle(0)))]).await;
    let [.., target, generation] = node.until(incoming::MESSAGE).await;

    let senders: Vec<_> = (0..=MAX_NAMES)
        .map(|number| {
            node.port.start(node.number, &format!("sender-{number}"), &WorkerOptions::default()).unwrap()
        })
        .collect();
    let word = outgoing::MESSAGE | TO_TARGET;
    let sends: Vec<[u32; STRIDE]> = [&senders[..], &senders[MAX_NAMES - 1..]]
        .concat()
        .iter()
        .map(|sender| [word, target, generation, sender.slot, 1, NO_LIMIT, NIL, 0])
        .collect();
    let text = vec![b'x'; sends.len()];
    node.port.flush(sends.as_flattened(), BatchText::Ascii(&text), &mut Taken::default(), 0, true);

    let (mut names, mut named, mut nameless) = (0, 0, 0);
    let count = sends.len();
    let all = peer.hear(|frame| {
        match frame {
            Frame::Bind { .. } => names += 1,
            Frame::Message(message) if message.sender.is_some() => named += 1,
            Frame::Message(_) => nameless += 1,
            _ => {}
        }
        (named + nameless == count).then_some(())
    });
    node.while_serving(all).await.0.expect("an open link");
    assert_eq!((names, named, nameless), (MAX_NAMES, MAX_NAMES + 1, 2));
}

#[tokio::test]
async fn a_message_that_comes_behind_the_end_of_its_sender_has_none_and_the_link_stays() {
    let mut node = Node::new().await;
    let mut peer = node.member(Capabilities::NONE).await;
    granted(&mut node, &mut peer).await;
    make_ready(&mut node);
    let gone = Frame::Gone { handle: handle(1) };
    peer.say_all([bind(1), gone, message(node.worker, Some(handle(1)))]).await;
    let [.., sender, _] = node.until(incoming::MESSAGE).await;
    assert_eq!(sender, NIL);
    granted(&mut node, &mut peer).await;
}

#[tokio::test]
async fn a_message_that_waits_is_nobody_elses_when_its_sender_has_gone_and_another_came() {
    let mut node = Node::new().await;
    let mut peer = node.member(Capabilities::NONE).await;
    granted(&mut node, &mut peer).await;
    let gone = Frame::Gone { handle: handle(1) };
    // The worker is still starting: the message waits in its mailbox.
    peer.say_all([bind(1), message(node.worker, Some(handle(1))), gone, bind(2)]).await;
    granted(&mut node, &mut peer).await;
    make_ready(&mut node);
    let [.., slot, generation] = node.until(incoming::MESSAGE).await;
    assert_eq!(node.port.address_of(Worker { slot, generation }), None);
}

#[tokio::test]
async fn a_message_is_from_the_node_of_its_channel_whatever_it_says_of_its_sender() {
    let mut node = Node::new().await;
    make_ready(&mut node);
    for name in ["one", "other"] {
        let mut peer = node.member_named(name, Capabilities::ALL).await;
        granted(&mut node, &mut peer).await;
        // The same handle, and the name of a worker of the node that it writes to.
        let bind = Frame::Bind { handle: handle(1), name: "worker" };
        peer.say_all([bind, message(node.worker, Some(handle(1)))]).await;
        let [.., slot, generation] = node.until(incoming::MESSAGE).await;
        let sender = node.port.address_of(Worker { slot, generation });
        assert_eq!(sender, Some(&*format!("{name}/worker")));
        let done = [outgoing::ACK, node.worker.slot, node.worker.generation, 1, NIL, 0, 0, 0];
        node.port.flush(&done, BatchText::Ascii(&[]), &mut Taken::default(), 0, true);

        for claimed in ["node/worker", "/worker", ""] {
            let mut peer = node.member_named(&format!("{name}-{}", claimed.len()), Capabilities::ALL).await;
            peer.say_all([Frame::Bind { handle: handle(2), name: claimed }]).await;
            let ended = peer.hear(|frame| match frame {
                Frame::Close { reason, .. } => Some(*reason),
                _ => None,
            });
            assert_eq!(node.while_serving(ended).await.0, Some(CloseReason::Violation), "{claimed:?}");
        }
    }
}

/// The peer gets a place in the mailbox of the worker; what it said before has been dealt with by then.
async fn granted(node: &mut Node, peer: &mut RawPeer) {
    peer.say_all([node.ask()]).await;
    let granted = peer.hear(|frame| matches!(frame, Frame::Credit { .. }).then_some(()));
    assert!(node.while_serving(granted).await.0.is_some(), "an open link");
}

fn make_ready(node: &mut Node) {
    let ready = [outgoing::READY, node.worker.slot, node.worker.generation, 0, 0, 0, 0, 0];
    // Without a turn of its own: what comes of it is for whoever looks next.
    node.port.flush(&ready, BatchText::Ascii(&[]), &mut Taken::default(), 0, false);
}
