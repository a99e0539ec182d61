//! A member of the zone that asks a node for more than it may, or sends what no node of ours would.

use tokio::time::timeout;
use troupe_node::{
    code,
    port::{BatchText, Handle as Worker, MAX_OPEN_OF_PEER, WorkerOptions, now_ms, record::incoming},
};
use troupe_proto::{
    codec::{Body, CloseReason, Correlation, CreditKind, Extensions, Frame, Handle, Message, Target},
    noise::Capabilities,
    text::Text,
};

use troupe_testkit::recorder::PATIENCE;

use super::isolate::{Node, Taken};
use super::raw::{RawPeer, bytes_of};

const CORRELATION: Correlation = Correlation { slot: 1, generation: 1 };

pub(crate) fn control(request: Option<Correlation>, body: &[u8]) -> Frame<'_> {
    Frame::Message(Message {
        request,
        control: true,
        remaining_ms: 10_000,
        sender: None,
        target: Target::Control,
        extensions: Extensions::NONE,
        body: Body::Bytes(body),
    })
}

pub(crate) fn message(to: Worker, sender: Option<Handle>) -> Frame<'static> {
    Frame::Message(message_to(to, sender))
}

pub(crate) fn message_to(to: Worker, sender: Option<Handle>) -> Message<'static> {
    Message {
        request: Some(CORRELATION),
        control: false,
        remaining_ms: 10_000,
        sender,
        target: Target::Slot(Handle { slot: to.slot, generation: to.generation }),
        extensions: Extensions::NONE,
        body: Body::Text(Text::from_utf8("hello")),
    }
}

/// The code with which the request fails, or the reason with which the channel is closed.
async fn refusal(peer: &mut RawPeer) -> Result<u8, CloseReason> {
    let heard = peer.hear(|frame| match frame {
        Frame::Fail(fail) if fail.correlation == CORRELATION => Some(Ok(fail.code)),
        Frame::Close { reason, .. } => Some(Err(*reason)),
        _ => None,
    });
    heard.await.unwrap()
}

/// The code and the words with which the request fails.
async fn fail(peer: &mut RawPeer) -> (u8, String) {
    let heard = peer.hear(|frame| match frame {
        Frame::Fail(fail) if fail.correlation == CORRELATION => {
            let Body::Text(text) = fail.body else { return None };
            Some((fail.code, text.to_string_lossy()))
        }
        _ => None,
    });
    heard.await.unwrap()
}

#[tokio::test]
async fn a_control_request_beyond_the_credential_is_answered_with_no_and_never_reaches_the_isolate() {
    let mut node = Node::new().await;
    let needs = [
        (b"S", Capabilities::WORKER_START),
        (b"C", Capabilities::CODE_SHIP),
        (b"X", Capabilities::WORKER_STOP),
    ];
    for (kind, needed) in needs {
        let others = Capabilities::from_bits(Capabilities::ALL.bits() & !needed.bits()).unwrap();
        for capabilities in [Capabilities::NONE, others] {
            let mut peer = node.member(capabilities).await;
            peer.say(&bytes_of(&[control(Some(CORRELATION), kind)])).await;
            let (answer, records) = node.while_serving(refusal(&mut peer)).await;
            assert_eq!(answer, Ok(code::NOT_PERMITTED), "{kind:?} with {capabilities}");
            assert!(!records.contains(&incoming::CONTROL), "{kind:?} with {capabilities}");
        }
        let mut peer = node.member(needed).await;
        peer.say(&bytes_of(&[control(Some(CORRELATION), kind)])).await;
        node.until(incoming::CONTROL).await;
    }
}

#[tokio::test]
async fn a_service_is_refused_to_whose_credential_lacks_any_of_what_it_takes_and_never_reaches_the_isolate() {
    let mut node = Node::new().await;
    let supervise = Capabilities::WORKER_START | Capabilities::WORKER_STOP;
    let lacking = [Capabilities::NONE, Capabilities::WORKER_START, Capabilities::WORKER_STOP];
    for capabilities in lacking {
        let mut peer = node.member(capabilities).await;
        peer.say(&bytes_of(&[control(Some(CORRELATION), b"V{}")])).await;
        let (refused, records) = node.while_serving(fail(&mut peer)).await;
        assert_eq!(refused.0, code::NOT_PERMITTED);
        assert!(refused.1.contains("lacks worker:start worker:stop"), "{}", refused.1);
        assert!(!records.contains(&incoming::CONTROL));
    }
    let mut peer = node.member(supervise).await;
    peer.say(&bytes_of(&[control(Some(CORRELATION), b"V{}")])).await;
    let (refused, records) = node.while_serving(fail(&mut peer)).await;
    assert_eq!(refused.0, code::NOT_PERMITTED);
    assert!(refused.1.contains("node node is not the supervisor"), "{}", refused.1);
    assert!(!records.contains(&incoming::CONTROL));
}

#[tokio::test]
async fn a_member_that_may_not_observe_is_refused_and_rubbish_of_one_that_may_is_answered_and_leaves_the_link()
 {
    let mut node = Node::new().await;
    let others = Capabilities::from_bits(Capabilities::ALL.bits() & !Capabilities::OBSERVE.bits()).unwrap();
    let mut peer = node.member(others).await;
    peer.say(&bytes_of(&[control(Some(CORRELATION), b"O{\"lines\":{}}")])).await;
    let (refused, _) = node.while_serving(fail(&mut peer)).await;
    assert_eq!(refused.0, code::NOT_PERMITTED);
    assert!(refused.1.contains("lacks observe"), "{}", refused.1);

    let mut peer = node.member(Capabilities::OBSERVE).await;
    let long = [b"O{\"lines\":{\"x\":\"", &[b'x'; 5000][..], b"\"}}"].concat();
    let deep = [b"O", &[b'['; 4000][..]].concat();
    let rubbish: [&[u8]; 12] = [
        b"O",
        b"O{",
        b"O\xff\xfe",
        b"O[]",
        b"O7",
        b"O{}",
        b"O{\"lines\":7}",
        b"O{\"lines\":{\"after\":-1}}",
        b"O{\"lines\":{},\"state\":{}}",
        b"O{\"secrets\":{}}",
        &long,
        &deep,
    ];
    for said in rubbish {
        peer.say(&bytes_of(&[control(Some(CORRELATION), said)])).await;
        let (refused, records) = node.while_serving(fail(&mut peer)).await;
        assert_eq!(refused.0, code::NOT_PERMITTED, "{}", String::from_utf8_lossy(said));
        assert!(refused.1.contains("node node was asked for what it does not know"), "{}", refused.1);
        assert!(!records.contains(&incoming::CONTROL));
    }
    peer.say(&bytes_of(&[control(Some(CORRELATION), b"O{\"lines\":{}}")])).await;
    let answered = peer.hear(|frame| match frame {
        Frame::Reply(reply) if reply.correlation == CORRELATION => Some(matches!(reply.body, Body::Bytes(_))),
        _ => None,
    });
    assert_eq!(node.while_serving(answered).await.0, Some(true));
}

#[tokio::test]
async fn a_control_request_that_nobody_waits_for_ends_the_link() {
    let mut node = Node::new().await;
    let mut peer = node.member(Capabilities::ALL).await;
    peer.say(&bytes_of(&[control(None, b"L")])).await;
    let (answer, records) = node.while_serving(refusal(&mut peer)).await;
    assert_eq!(answer, Err(CloseReason::Violation));
    assert!(!records.contains(&incoming::CONTROL));
}

#[tokio::test]
async fn a_message_without_a_place_in_the_mailbox_ends_the_link() {
    let mut node = Node::new().await;
    let mut peer = node.member(Capabilities::NONE).await;
    peer.say(&bytes_of(&[message(node.worker, None)])).await;
    let (answer, _) = node.while_serving(refusal(&mut peer)).await;
    assert_eq!(answer, Err(CloseReason::Violation));
}

#[tokio::test]
async fn a_message_from_a_sender_whose_name_was_never_told_ends_the_link() {
    let mut node = Node::new().await;
    let mut peer = node.member(Capabilities::NONE).await;
    peer.say(&bytes_of(&[node.ask()])).await;
    let granted = peer.hear(|frame| matches!(frame, Frame::Credit { .. }).then_some(()));
    node.while_serving(granted).await.0.expect("a place");
    let unknown = Some(Handle { slot: 7, generation: 1 });
    peer.say(&bytes_of(&[message(node.worker, unknown)])).await;
    let (answer, _) = node.while_serving(refusal(&mut peer)).await;
    assert_eq!(answer, Err(CloseReason::Violation));
}

pub(crate) fn numbered(slot: u32) -> Correlation {
    Correlation { slot, generation: 1 }
}

fn listing(slot: u32) -> Frame<'static> {
    control(Some(numbered(slot)), b"L")
}

impl Node {
    /// Asks for a place in the mailbox of the worker, which is granted: whatever came before was dealt with by then.
    pub(crate) fn ask(&self) -> Frame<'static> {
        let target = Handle { slot: self.worker.slot, generation: self.worker.generation };
        Frame::Credit { kind: CreditKind::Ask, target, port: 0, messages: 1, bytes: 0 }
    }

    /// The codes with which requests fail when a peer says this, and how many control requests the isolate got.
    pub(crate) async fn refused(
        &mut self,
        peer: &mut RawPeer,
        frames: &[Frame<'_>],
    ) -> (Vec<(u32, u8)>, usize) {
        peer.say_all(frames.iter().copied().chain([self.ask()])).await;
        let mut failed = Vec::new();
        let all = peer.hear(|frame| {
            if let Frame::Fail(fail) = frame {
                failed.push((fail.correlation.slot, fail.code));
            }
            matches!(frame, Frame::Credit { .. }).then_some(())
        });
        let (granted, records) = self.while_serving(all).await;
        assert!(granted.is_some(), "an open link");
        (failed, records.iter().filter(|kind| **kind == incoming::CONTROL).count())
    }
}

#[tokio::test]
async fn a_peer_may_have_65_536_requests_open_and_the_next_one_is_refused_whatever_it_asks() {
    let mut node = Node::new().await;
    let mut peer = node.member(Capabilities::NONE).await;
    // The isolate of this node answers nothing: all of them stay open.
    let most = MAX_OPEN_OF_PEER;
    let many: Vec<_> = (0..=most).map(listing).collect();
    let refused = node.refused(&mut peer, &many).await;
    assert_eq!(refused, (vec![(most, code::MAILBOX_FULL)], most as usize));

    let late = Message { request: Some(numbered(most + 1)), ..message_to(node.worker, None) };
    let refused = node.refused(&mut peer, &[Frame::Message(late)]).await;
    assert_eq!(refused, (vec![(most + 1, code::MAILBOX_FULL)], 0));

    let cancel = Frame::Cancel { correlation: numbered(7), deadline: false };
    let refused = node.refused(&mut peer, &[cancel, listing(7), listing(most)]).await;
    assert_eq!(refused, (vec![(most, code::MAILBOX_FULL)], 1), "one that ends makes room for one");

    let mut other = node.member(Capabilities::NONE).await;
    assert_eq!(node.refused(&mut other, &[listing(1)]).await, (vec![], 1), "another peer is not concerned");
}

#[tokio::test]
async fn a_peer_has_no_more_requests_open_when_it_names_them_all_alike() {
    let mut node = Node::new().await;
    let mut peer = node.member(Capabilities::NONE).await;
    let many = vec![listing(1); MAX_OPEN_OF_PEER as usize + 1];
    let refused = node.refused(&mut peer, &many).await;
    assert_eq!(refused, (vec![(1, code::MAILBOX_FULL)], MAX_OPEN_OF_PEER as usize));
}

#[tokio::test]
async fn a_peer_that_asks_for_a_name_again_and_again_is_told_once_when_a_worker_of_that_name_starts() {
    let mut node = Node::new().await;
    let mut peer = node.member(Capabilities::NONE).await;
    let count = 1000;
    peer.say_all((0..count).map(|_| Frame::Where { name: "later" })).await;
    let mut answers = 0;
    let each = peer.hear(|frame| {
        answers += usize::from(matches!(frame, Frame::Here { name: "later", at: None }));
        (answers == count).then_some(())
    });
    each.await.expect("an answer to each");
    node.port.start(node.number, "later", &WorkerOptions::default()).unwrap();
    peer.say_all([Frame::Where { name: "worker" }]).await;
    let mut told = 0;
    let all = peer.hear(|frame| {
        told += usize::from(matches!(frame, Frame::Here { name: "later", at: Some(_) }));
        matches!(frame, Frame::Here { name: "worker", .. }).then_some(())
    });
    all.await.expect("an answer");
    assert_eq!(told, 1);
}

/// The time that PONG tells of the only isolate.
async fn since_last_turn(peer: &mut RawPeer, token: u64) -> u64 {
    peer.say_all([Frame::Ping { token }]).await;
    let pong = peer.hear(|frame| match frame {
        Frame::Pong(pong) if pong.token == token => Some(pong.turn_times().collect::<Vec<_>>()),
        _ => None,
    });
    let turns = pong.await.unwrap();
    assert_eq!(turns.len(), 1, "{turns:?}");
    u64::from(turns[0])
}

#[tokio::test]
async fn a_node_whose_isolate_has_no_turn_answers_a_ping_and_says_since_when() {
    let mut node = Node::new().await;
    let mut peer = node.member(Capabilities::NONE).await;
    for round in 1..=2 {
        let turn = now_ms();
        node.port.flush(&[], BatchText::Ascii(&[]), &mut Taken::default(), turn, true);
        let told = since_last_turn(&mut peer, round).await;
        assert!(told <= now_ms() - turn, "{told}");
        let grows = async { while since_last_turn(&mut peer, 10).await < 20 {} };
        timeout(PATIENCE, grows).await.expect("a time that grows");
    }
}

/// More than a link keeps for a peer, and what the system's buffers take beside.
const FAR_TOO_MUCH: usize = 128 << 20;

/// Says these frames for ever and never reads; answers after how many bytes the node has ended the connection.
async fn flood(peer: &mut RawPeer, frame: Frame<'_>) -> usize {
    let one = bytes_of(&[frame]);
    let record = one.repeat(16_000 / one.len());
    let mut said = 0;
    while said < FAR_TOO_MUCH {
        if peer.try_say(&record).await.is_err() {
            return said;
        }
        said += record.len();
    }
    panic!("nothing ended a flood of {frame:?}");
}

#[tokio::test]
async fn a_member_that_asks_for_ever_and_never_reads_loses_its_link_and_others_keep_theirs() {
    let mut node = Node::new().await;
    let mut other = node.member(Capabilities::NONE).await;
    let name = "x".repeat(128);
    let gone = Handle { slot: 1 << 20, generation: 1 };
    let ask = Frame::Credit { kind: CreditKind::Ask, target: gone, port: 0, messages: 1, bytes: 0 };
    // What is one too many of the requests fails, and passes no window on its way here.
    for frame in [Frame::Where { name: &name }, listing(1), ask] {
        let mut peer = node.member(Capabilities::NONE).await;
        let (said, _) = node.while_serving(flood(&mut peer, frame)).await;
        assert!(said > 1 << 20, "{said}: a peer that is slow to read keeps its link");
    }
    assert_eq!(node.refused(&mut other, &[listing(1)]).await, (vec![], 1));
}

#[tokio::test]
async fn control_requests_of_a_member_hold_32_mib_until_they_are_answered_and_the_next_one_is_refused_at_once()
 {
    let mut node = Node::new().await;
    let mut peer = node.member(Capabilities::NONE).await;
    let body = vec![b'L'; 16_000];
    let long = |slot| control(Some(numbered(slot)), &body);
    let many: Vec<_> = (0..2200).map(long).collect();
    let (failed, taken) = node.refused(&mut peer, &many).await;
    assert!((2050..2097).contains(&taken), "{taken}");
    let rest: Vec<_> = (taken as u32..2200).map(|slot| (slot, code::MAILBOX_FULL)).collect();
    assert_eq!(failed, rest);

    let mut other = node.member(Capabilities::NONE).await;
    assert_eq!(node.refused(&mut other, &[long(1)]).await, (vec![], 1), "another member is not concerned");

    // One that nobody waits for and the isolate has not looked at makes room for one.
    let cancel = |slot| Frame::Cancel { correlation: numbered(slot), deadline: false };
    node.refused(&mut peer, &[cancel(7)]).await;
    let refused = node.refused(&mut peer, &[long(3000), long(3001)]).await;
    assert_eq!(refused, (vec![(3001, code::MAILBOX_FULL)], 1));

    // One that it is at work on does when that has ended.
    node.refused(&mut peer, &[cancel(3000)]).await;
    peer.say_all([long(3002)]).await;
    let [_, _, request, generation, ..] = node.until(incoming::CONTROL).await;
    node.port.take_control(request).unwrap();
    node.refused(&mut peer, &[cancel(3002)]).await;
    let refused = node.refused(&mut peer, &[long(3003)]).await;
    assert_eq!(refused, (vec![(3003, code::MAILBOX_FULL)], 0));
    node.port.answer_control(Worker { slot: request, generation }, Ok(&[]));
    let refused = node.refused(&mut peer, &[long(3004), long(3005)]).await;
    assert_eq!(refused, (vec![(3005, code::MAILBOX_FULL)], 1));
}

#[tokio::test]
async fn what_an_isolate_has_no_turn_to_take_in_is_bounded_and_the_flood_of_one_member_harms_no_other() {
    let mut node = Node::new().await;
    let (mut peer, mut other) =
        (node.member(Capabilities::NONE).await, node.member(Capabilities::NONE).await);
    let cancel = Frame::Cancel { correlation: numbered(1), deadline: false };
    peer.say_all(vec![cancel; 2_000_000]).await;
    assert_eq!(refusal(&mut peer).await, Err(CloseReason::Violation));
    // As many are no flood while it takes turns.
    for _ in 0..5 {
        assert_eq!(node.refused(&mut other, &vec![cancel; 400_000]).await, (vec![], 0));
    }
}
