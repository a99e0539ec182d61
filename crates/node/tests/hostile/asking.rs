//! A member that asks for what it may not have, or takes in nothing of what it is answered.

use troupe_node::{
    code,
    port::{
        BatchText,
        record::{NIL, incoming, outgoing},
    },
};
use troupe_proto::{
    codec::{Body, Flow, Frame, Message},
    noise::Capabilities,
};
use troupe_testkit::{listen_to_warnings, warnings_with};

use super::{
    isolate::{Node, Taken},
    member::{control, message_to, numbered},
};

#[tokio::test]
async fn a_member_that_asks_for_ever_for_what_it_may_not_fills_no_log() {
    listen_to_warnings();
    let mut node = Node::new().await;
    let mut peer = node.member_named("pest", Capabilities::NONE).await;
    let count = 2000;
    let words = "node pest asked for what its credential does not allow";
    // What is not listed is counted in the next line, which comes when a second has passed.
    loop {
        let many: Vec<_> = (0..count).map(|slot| control(Some(numbered(slot)), b"X")).collect();
        let (failed, _) = node.refused(&mut peer, &many).await;
        assert_eq!(failed.len(), count as usize);
        if warnings_with(words).iter().any(|line| line.contains("more before it that are not listed")) {
            break;
        }
    }
    let lines = warnings_with(words);
    assert!(lines[0].contains("(worker:stop)") && (8..200).contains(&lines.len()), "{lines:?}");
}

#[tokio::test]
async fn replies_that_a_member_does_not_take_in_are_kept_up_to_256_mib_and_whoever_asked_hears_of_the_rest() {
    let mut node = Node::new().await;
    let mut peer = node.member(Capabilities::NONE).await;
    let worker = node.worker;
    let ready = [outgoing::READY, worker.slot, worker.generation, 0, NIL, 0, 0, 0];
    node.port.flush(&ready, BatchText::Ascii(&[]), &mut Taken::default(), 0, true);
    peer.say_all([node.ask()]).await;
    let granted = peer.hear(|frame| matches!(frame, Frame::Credit { .. }).then_some(()));
    node.while_serving(granted).await.0.expect("places");

    let long = vec![b'r'; 16 << 20];
    let count = 20;
    for slot in 0..count {
        let asked = Message { request: Some(numbered(slot)), ..message_to(worker, None) };
        peer.say_all([Frame::Message(asked)]).await;
        let [_, _, request, generation, ..] = node.until(incoming::MESSAGE).await;
        let reply = [outgoing::REPLY, request, generation, worker.slot, long.len() as u32, 0, 0, 0];
        let done = [outgoing::ACK, worker.slot, worker.generation, 1, NIL, 0, 0, 0];
        let records = [reply, done].concat();
        node.port.flush(&records, BatchText::Ascii(&long), &mut Taken::default(), 0, true);
    }
    // It has opened its window for replies no further than at first, and opens it now.
    peer.say_all([Frame::Window { flow: Flow::Replies, offset: 1 << 40 }]).await;
    let mut failed = Vec::new();
    let all = peer.hear(|frame| {
        if let Frame::Fail(fail) = frame {
            let Body::Text(text) = fail.body else { return None };
            assert_eq!((fail.code, fail.maybe_executed), (code::NODE_UNREACHABLE, true));
            assert!(text.to_string_lossy().contains("waits for this node to take it in"));
            failed.push(fail.correlation.slot);
        }
        (failed.len() == 5).then_some(())
    });
    node.while_serving(all).await.0.expect("an open link");
    assert_eq!(failed, (15..count).collect::<Vec<_>>());
}
