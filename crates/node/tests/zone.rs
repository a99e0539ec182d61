//! Nodes of one directory zone find each other, keep one channel a pair, and notice at once who is gone.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails a test")]

mod support;

use support::{Home, TestNode, join, options};
use tokio::runtime::Handle;
use troupe_node::{
    discovery::AnnounceError,
    link::ClosedReason,
    transport::{MemoryNetwork, Tcp, Transport},
    zone::{JoinError, Zone},
};
use troupe_proto::codec::CloseReason;
use troupe_testkit::{Event, FaultyNetwork, Recorder};

async fn nodes_meet_and_talk(one: &TestNode, two: &TestNode) {
    assert_eq!(one.names(), ["two"]);
    assert_eq!(two.names(), ["one"]);
    one.events.until_event(Event::Joined("two".into())).await;
    two.events.until_event(Event::Joined("one".into())).await;
    one.zone.dial(two.zone.id());
    one.linked(two).await;
    two.linked(one).await;
    one.say(two, "there");
    two.say(one, "and back");
    two.events.until("the message", |events| events.bodies() == [b"there"]).await;
    one.events.until("the answer", |events| events.bodies() == [b"and back"]).await;
    let link = one.zone.link(&two.zone.id()).unwrap();
    assert!(link.accepts_code());
    assert_eq!((link.peer().name.as_str(), link.peer().id), ("two", two.zone.id()));
}

#[tokio::test]
async fn nodes_meet_and_talk_over_tcp() {
    let home = Home::new();
    nodes_meet_and_talk(&join(&home, Tcp, "one"), &join(&home, Tcp, "two")).await;
}

#[tokio::test]
async fn nodes_meet_and_talk_in_memory() {
    let home = Home::new();
    let network = MemoryNetwork::default();
    nodes_meet_and_talk(&join(&home, network.clone(), "one"), &join(&home, network, "two")).await;
}

#[tokio::test]
async fn nobody_is_dialled_unasked() {
    let home = Home::new();
    let (one, two) = (join(&home, Tcp, "one"), join(&home, Tcp, "two"));
    one.events.until_event(Event::Joined("two".into())).await;
    two.events.until_event(Event::Joined("one".into())).await;
    assert_eq!((one.opened(), two.opened()), (0, 0));
}

#[tokio::test]
async fn simultaneous_dials_leave_one_channel_and_lose_nothing() {
    let home = Home::new();
    let network = MemoryNetwork::default();
    for round in 0..50 {
        let one = join(&home, network.clone(), &format!("one-{round}"));
        let two = join(&home, network.clone(), &format!("two-{round}"));
        one.zone.dial(two.zone.id());
        two.zone.dial(one.zone.id());
        one.linked(&two).await;
        one.say(&two, "from one");
        two.linked(&one).await;
        two.say(&one, "from two");
        two.events.until("one's message", |events| events.frames() == 1).await;
        one.events.until("two's message", |events| events.frames() == 1).await;
        assert_eq!((one.opened(), two.opened()), (1, 1), "round {round}");
        one.zone.leave().await;
        two.zone.leave().await;
    }
}

#[tokio::test]
async fn dialling_again_while_there_is_a_link_does_nothing() {
    let home = Home::new();
    let (one, two) = (join(&home, Tcp, "one"), join(&home, Tcp, "two"));
    for _ in 0..3 {
        one.zone.dial(two.zone.id());
    }
    one.linked(&two).await;
    one.zone.dial(two.zone.id());
    two.linked(&one).await;
    two.zone.dial(one.zone.id());
    one.say(&two, "x");
    two.events.until("the message", |events| events.frames() == 1).await;
    assert_eq!((one.opened(), two.opened()), (1, 1));
}

#[tokio::test]
async fn who_leaves_says_so_and_is_gone() {
    let home = Home::new();
    let (one, two) = (join(&home, Tcp, "one"), join(&home, Tcp, "two"));
    one.zone.dial(two.zone.id());
    one.linked(&two).await;
    two.linked(&one).await;
    two.zone.leave().await;
    assert!(one.names().is_empty());
    assert_eq!(one.events.until_closed(0).await, ClosedReason::Gracefully(CloseReason::NodeStops));
    one.events.until_event(Event::Left("two".into())).await;
    assert!(one.zone.link(&two.zone.id()).is_none());
    one.zone.dial(two.zone.id());
    one.events.until_event(Event::Unreachable(two.zone.id())).await;
}

#[tokio::test]
async fn a_lost_connection_is_dialled_anew_and_the_link_goes_on() {
    let home = Home::new();
    let network = FaultyNetwork::new(Tcp);
    let faults = network.faults();
    let (one, two) = (join(&home, network, "one"), join(&home, Tcp, "two"));
    one.zone.dial(two.zone.id());
    one.linked(&two).await;
    two.linked(&one).await;
    for round in 1..10 {
        faults.cut();
        one.say(&two, "again");
        two.say(&one, "and again");
        for node in [&one, &two] {
            node.events.until("the message", |events| events.frames() == round).await;
        }
    }
    for node in [&one, &two] {
        assert_eq!(node.opened(), 1);
        let ended = |event: &Event| matches!(event, Event::Closed(..) | Event::Left(_));
        assert!(!node.events.events().iter().any(ended), "a node that lives has not left");
    }
}

#[tokio::test]
async fn an_unknown_node_is_unreachable() {
    let home = Home::new();
    let one = join(&home, Tcp, "one");
    let nobody = troupe_proto::noise::NodeId([7; 32]);
    one.zone.dial(nobody);
    one.events.until_event(Event::Unreachable(nobody)).await;
}

#[tokio::test]
async fn a_name_that_is_taken_joins_nothing() {
    let home = Home::new();
    let _one = join(&home, Tcp, "one");
    let error = Zone::join(options(&home.0, "one"), Recorder::new(), &Handle::current()).unwrap_err();
    assert!(matches!(error, JoinError::Announce(AnnounceError::NameTaken { .. })), "{error}");
}

#[tokio::test]
async fn another_zone_of_the_same_user_is_not_let_in() {
    let (home, other_home) = (Home::new(), Home::new());
    let one = join(&home, Tcp, "one");
    let stranger = join(&other_home, Tcp, "stranger");
    let socket = Tcp.dial(one.zone.address()).await.unwrap();
    drop(stranger);
    // Not even the header of another version gets an answer.
    socket.write_all(b"troupe\x02\0\x01\0\0\0\0\0\0\0").await.unwrap();
    assert_eq!(socket.read(&mut [0; 64]).await.unwrap_or(0), 0);
    assert_eq!(one.opened(), 0);
}

#[tokio::test]
async fn members_get_in_while_strangers_stall() {
    let home = Home::new();
    let (one, two) = (join(&home, Tcp, "one"), join(&home, Tcp, "two"));
    let mut strangers = Vec::new();
    for _ in 0..100 {
        strangers.push(Tcp.dial(one.zone.address()).await.unwrap());
    }
    two.zone.dial(one.zone.id());
    two.linked(&one).await;
    let mut turned_out = 0;
    for stranger in &strangers[..30] {
        assert_eq!(stranger.read(&mut [0; 64]).await.unwrap_or(0), 0, "it gets no answer");
        turned_out += 1;
    }
    assert_eq!(turned_out, 30, "the oldest had to make room");
}

#[tokio::test]
async fn many_nodes_dial_one_at_once() {
    let home = Home::new();
    let network = MemoryNetwork::default();
    let one = join(&home, network.clone(), "one");
    let others: Vec<_> =
        (0..30).map(|number| join(&home, network.clone(), &format!("other-{number}"))).collect();
    for other in &others {
        other.zone.dial(one.zone.id());
        one.zone.dial(other.zone.id());
    }
    for other in &others {
        other.linked(&one).await;
        other.say(&one, "hello");
    }
    one.events.until("all messages", |events| events.frames() == others.len()).await;
    assert_eq!(one.opened(), others.len());
}

#[tokio::test]
async fn leaving_at_the_end_of_a_process_is_read_by_the_others() {
    let home = Home::new();
    let (one, two) = (join(&home, Tcp, "one"), join(&home, Tcp, "two"));
    one.zone.dial(two.zone.id());
    one.linked(&two).await;
    two.linked(&one).await;
    two.zone.close_now();
    assert_eq!(one.events.until_closed(0).await, ClosedReason::Gracefully(CloseReason::NodeStops));
    assert!(one.names().is_empty());
    two.zone.close_now();
}
