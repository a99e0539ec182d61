//! What a link makes of records that break the rules: from the first one on.

use std::sync::Arc;

use troupe_node::{
    channel::{self, ChannelError},
    link::{self, ClosedReason},
    transport::MemoryNetwork,
};
use troupe_proto::{
    codec::{Body, CloseReason, Correlation, Flow, Frame, Pieces, Reply, ResetReason, encode_head},
    noise::HandshakeError,
    session::{SessionError, Terms},
    text::Text,
};
use troupe_testkit::{Founded, NOW, Pair, Recorder, connection, text_message};

use super::raw::{RawPeer, bytes_of, resume};

/// What a node with these terms makes of a first record.
async fn first_record(plaintext: &[u8]) -> Result<(), ChannelError> {
    let zone = Founded::new();
    let (dialled, accepted) = connection(&MemoryNetwork::default()).await;
    let (near, far) = (zone.member("near"), zone.member("far"));
    let hostile = async {
        let mut peer = RawPeer::dial(dialled, &near, NOW).await;
        peer.say(plaintext).await;
        peer
    };
    let (_peer, result) = tokio::join!(hostile, channel::answer(accepted, &far, NOW, Terms::default()));
    result.map(drop)
}

#[tokio::test]
async fn a_channel_opens_with_hello_and_resume_and_nothing_else() {
    let hello = Terms::default().hello();
    // A membership of the test kit is of incarnation 1.
    first_record(&bytes_of(&[hello, resume(1, 1)])).await.unwrap();
    let others: [&[Frame<'_>]; 10] = [
        &[],
        &[hello],
        &[resume(1, 1)],
        &[resume(1, 1), hello],
        &[hello, hello, resume(1, 1)],
        &[hello, resume(1, 1), Frame::Ping { token: 1 }],
        &[hello, resume(1, 1), text_message(1, 2, "early")],
        &[hello, resume(2, 1)],
        &[hello, resume(1, 0)],
        &[hello, resume(1, u64::MAX)],
    ];
    for frames in others {
        let result = first_record(&bytes_of(frames)).await;
        assert!(
            matches!(result, Err(ChannelError::Session(SessionError::OutOfPlace(_)))),
            "{frames:?}: {result:?}"
        );
    }
    let rubbish = first_record(&[0x3f, 0, 0, 0]).await;
    assert!(matches!(rubbish, Err(ChannelError::Session(SessionError::Codec(_)))), "{rubbish:?}");
}

#[tokio::test]
async fn a_dial_accepts_no_other_member_in_the_place_of_the_one_it_meant() {
    let zone = Founded::new();
    let (dialled, accepted) = connection(&MemoryNetwork::default()).await;
    let (near, far, meant) = (zone.member("near"), zone.member("far"), zone.member("meant"));
    let Frame::Resume(own) = resume(1, 1) else { panic!("a RESUME") };
    let dial = channel::dial(dialled, &near, meant.node_id(), NOW, Terms::default(), |_| Some(own.into()));
    let answer = channel::answer(accepted, &far, NOW, Terms::default());
    let both = async { tokio::join!(dial, async { drop(answer.await) }) };
    let (result, ()) = Box::pin(both).await;
    let Err(ChannelError::Handshake(HandshakeError::OtherNode { presented, .. })) = result else {
        panic!("{result:?}")
    };
    assert_eq!(presented, far.node_id());
}

/// What a node does with a record of a member whose channel is open, and with a message behind it.
async fn told(terms: Terms, consumes: bool, records: &[Vec<u8>]) -> (ClosedReason, usize) {
    let zone = Founded::new();
    let (dialled, accepted) = connection(&MemoryNetwork::default()).await;
    let (near, far) = (zone.member("near"), zone.member("far"));
    let events = if consumes { Recorder::new() } else { Recorder::that_never_consumes() };
    let far = async {
        let knock = channel::answer(accepted, &far, NOW, terms).await.unwrap();
        let Frame::Resume(own) = resume(1, 1) else { panic!("a RESUME") };
        let (_link, task) = link::open(knock.accept(own), 1);
        task.run(Arc::clone(&events) as _).await
    };
    let hostile = async {
        let mut peer = RawPeer::dial(dialled, &near, NOW).await;
        peer.say(&bytes_of(&[Terms::default().hello(), resume(1, 1)])).await;
        for record in records {
            peer.say(record).await;
        }
        peer.say(&bytes_of(&[text_message(1, 2, "behind it")])).await;
        peer
    };
    // The peer's end is dropped, and with it the connection, when the link has said that it closed.
    let (peer, ended) = tokio::join!(hostile, async {
        tokio::select! {
            reason = far => reason,
            reason = events.until_closed(1) => reason,
        }
    });
    drop(peer);
    (ended, events.frames())
}

fn reply(body: Body<'_>) -> Frame<'_> {
    Frame::Reply(Reply { correlation: Correlation { slot: 1, generation: 1 }, body })
}

fn head(id: u32, total: u32, body: Body<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_head(&reply(body), Pieces { id, total }, &mut bytes);
    bytes
}

fn piece(id: u32, last: bool, bytes: &[u8]) -> Vec<u8> {
    bytes_of(&[Frame::Fragment { id, last, bytes }])
}

#[tokio::test]
async fn a_member_that_breaks_the_rules_loses_its_link_and_nothing_behind_is_acted_on() {
    let terms = Terms { max_message: 100, max_reassembly: 150, max_pieces: 2, ..Terms::default() };
    let bytes = Body::Bytes(&[]);
    let cases: [(&str, Vec<Vec<u8>>); 19] = [
        ("an acknowledgement of what was not sent", vec![bytes_of(&[Frame::Ack { count: 99 }])]),
        ("a window that moves back", vec![bytes_of(&[Frame::Window { flow: Flow::Messages, offset: 0 }])]),
        ("a second HELLO", vec![bytes_of(&[Terms::default().hello()])]),
        ("a second RESUME", vec![bytes_of(&[resume(1, 2)])]),
        ("a RESET in the middle", vec![bytes_of(&[Frame::Reset { reason: ResetReason::Expired }])]),
        (
            "a CLOSE with frames missing",
            vec![bytes_of(&[Frame::Close { reason: CloseReason::NodeStops, last: 9 }])],
        ),
        ("an unknown kind", vec![vec![0x3f, 0, 0, 0]]),
        ("a frame cut off", vec![vec![0x44, 0, 8, 0, 1]]),
        ("text that is none", vec![bytes_of(&[reply(Body::Text(Text::Wtf8(&[0xff])))])]),
        ("a piece of nothing", vec![piece(1, true, b"x")]),
        ("a body longer than is taken in", vec![head(1, 101, bytes)]),
        ("more bodies than are put together", vec![head(1, 1, bytes), head(2, 1, bytes), head(3, 1, bytes)]),
        ("more bytes than are put together", vec![head(1, 100, bytes), head(2, 51, bytes)]),
        ("one number for two bodies", vec![head(1, 9, bytes), head(1, 9, bytes)]),
        ("more than was announced", vec![head(1, 1, bytes), piece(1, true, b"xy")]),
        ("less than was announced", vec![head(1, 3, bytes), piece(1, true, b"xy")]),
        ("an end that is none", vec![head(1, 2, bytes), piece(1, false, b"xy")]),
        ("text in pieces that is none", vec![head(1, 1, Body::EMPTY), piece(1, true, &[0xff])]),
        ("a frame that may not be skipped", vec![vec![0x7f, 0, 0, 0]]),
    ];
    for (what, records) in cases {
        let (ended, frames) = Box::pin(told(terms, true, &records)).await;
        assert!(matches!(ended, ClosedReason::Violation(_)), "{what}: {ended:?}");
        assert_eq!(frames, 0, "{what}: something was acted on");
    }
}

#[tokio::test]
async fn a_member_that_sends_beyond_its_window_loses_its_link() {
    let terms = Terms { windows: [100; 2], ..Terms::default() };
    let one = || bytes_of(&[text_message(1, 2, &"x".repeat(60))]);
    let (ended, frames) = Box::pin(told(terms, false, &[one()])).await;
    assert!(matches!(ended, ClosedReason::Violation(_)), "the second is behind its window: {ended:?}");
    assert_eq!(frames, 1);
    // In pieces, the announcement alone is too much.
    let mut long = Vec::new();
    encode_head(&text_message(1, 2, ""), Pieces { id: 1, total: 60 }, &mut long);
    let (ended, frames) = Box::pin(told(terms, false, &[long])).await;
    assert!(matches!(ended, ClosedReason::Violation(_)), "{ended:?}");
    assert_eq!(frames, 0);
}

#[tokio::test]
async fn a_node_begins_no_more_bodies_at_once_than_its_peer_puts_together() {
    let few = Terms { max_pieces: 2, ..Terms::default() };
    let events = [Recorder::new(), Recorder::new()];
    let pair = Pair::with(&MemoryNetwork::default(), [Terms::default(), few], events).await;
    let long = "x".repeat(100_000);
    let mut batch = pair.near.batch().unwrap();
    for sender in 0..6 {
        batch.push(&text_message(sender, 2, &long)).unwrap();
    }
    drop(batch);
    pair.near.flush();
    // One more than two would have ended the link.
    pair.far_events.until("all six", |far| far.bodies().len() == 6).await;
    assert!(pair.near.is_open());
}
