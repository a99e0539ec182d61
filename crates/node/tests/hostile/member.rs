//! A member of the zone that asks a node for more than it may, or sends what no node of ours would.

use std::sync::Arc;

use tokio::sync::{Notify, oneshot};
use troupe_node::{
    code,
    discovery::{Directory, Discovery, Role},
    node::{NodeOptions, Opened},
    port::{
        BatchText, BodyRef, Handle as Worker, MAX_OPEN_OF_PEER, Port, Sink, WorkerOptions,
        record::{KIND, STRIDE, incoming},
    },
    transport::{Tcp, Transport},
    zone::ZoneOptions,
};
use troupe_proto::{
    codec::{Body, CloseReason, Correlation, CreditKind, Extensions, Frame, Handle, Message, Target},
    noise::Capabilities,
    session::Terms,
    text::Text,
};

use super::raw::{Home, RawPeer, bytes_of, now, resume};

#[derive(Default)]
pub(crate) struct Taken(Vec<[u32; STRIDE]>);

impl Taken {
    fn kinds(&self) -> Vec<u32> {
        self.0.iter().map(|record| record[0] & KIND).collect()
    }
}

impl Sink for Taken {
    fn push(&mut self, record: [u32; STRIDE], _: BodyRef<'_>) {
        self.0.push(record);
    }

    fn has_room(&self, _: &BodyRef<'_>) -> bool {
        true
    }
}

/// A node with its isolate, whose only worker is still starting.
pub(crate) struct Node {
    pub(crate) port: Port,
    pub(crate) number: u16,
    pub(crate) worker: Worker,
    mail: Arc<Notify>,
    home: Home,
    _opened: Opened,
}

impl Node {
    pub(crate) async fn new() -> Self {
        let home = Home::new();
        let mut port = Port::new(0);
        let (told, is_open) = oneshot::channel();
        let zone = ZoneOptions {
            home: home.0.clone(),
            zone: "test".into(),
            node_name: "node".into(),
            listen: ([127, 0, 0, 1], 0).into(),
            accept_code: true,
            role: Role::Node,
        };
        let options = NodeOptions { name: "node".into(), zone: Some(zone), prepare: None };
        let opened = Opened::open(options, port.inbox().clone(), |result| drop(told.send(result)));
        is_open.await.unwrap().unwrap();
        let mail = Arc::new(Notify::new());
        let notify = Arc::clone(&mail);
        port.inbox().set_waker(Box::new(move || notify.notify_one()));
        let number = port.add_node(opened.shared().clone());
        let worker = port.start(number, "worker", &WorkerOptions::default()).unwrap();
        Self { port, number, worker, mail, home, _opened: opened }
    }

    /// A member with these capabilities and an open channel.
    pub(crate) async fn member(&self, capabilities: Capabilities) -> RawPeer {
        let membership = self.home.member(capabilities);
        let directory = Directory::open(&self.home.0, "test").unwrap();
        let address = directory.members().unwrap()[0].address;
        let mut peer = RawPeer::dial(Tcp.dial(address).await.unwrap(), &membership, now()).await;
        peer.say(&bytes_of(&[Terms::default().hello(), resume(1, 1)])).await;
        peer
    }

    /// What `peer` hears, while the isolate takes in what comes; and the kinds of records that the isolate got.
    pub(crate) async fn while_serving<T>(&mut self, hears: impl Future<Output = T>) -> (T, Vec<u32>) {
        let mut taken = Taken::default();
        let mut hears = std::pin::pin!(hears);
        loop {
            tokio::select! {
                heard = &mut hears => return (heard, taken.kinds()),
                () = self.mail.notified() => {
                    self.port.flush(&[], BatchText::Ascii(&[]), &mut taken, 0, true);
                }
            }
        }
    }

    /// Takes in what has come until the isolate has a record of this kind; answers it.
    pub(crate) async fn until(&mut self, kind: u32) -> [u32; STRIDE] {
        let mut taken = Taken::default();
        loop {
            self.port.flush(&[], BatchText::Ascii(&[]), &mut taken, 0, true);
            if let Some(record) = taken.0.iter().find(|record| record[0] & KIND == kind) {
                return *record;
            }
            self.mail.notified().await;
        }
    }
}

const CORRELATION: Correlation = Correlation { slot: 1, generation: 1 };

fn control(request: Option<Correlation>, body: &[u8]) -> Frame<'_> {
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

fn message_to(to: Worker, sender: Option<Handle>) -> Message<'static> {
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

fn numbered(slot: u32) -> Correlation {
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
    async fn refused(&mut self, peer: &mut RawPeer, frames: &[Frame<'_>]) -> (Vec<(u32, u8)>, usize) {
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
