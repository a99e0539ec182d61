//! A session ends when it has to, and both sides know what became of everything.

use std::{collections::HashMap, time::Duration};

use crate::{
    by_hand::ByHand,
    pair::{Pair, ask, push},
    support::{Home, join},
};
use troupe_node::{
    link::{ClosedReason, LostSend},
    transport::MemoryNetwork,
};
use troupe_proto::codec::{
    Body, CloseReason, Correlation, Course, Frame, Handle, Reply, ResetReason, Resume,
};
use troupe_testkit::{BEGINS, Direction, Event, Recorder, text_message};

/// Both sides of a session that nobody could go on with.
async fn ended(two: &Pair) {
    let began = tokio::time::Instant::now();
    tokio::time::sleep(Duration::from_secs(25)).await;
    assert!(two.one.link_to(&two.two).is_open() && two.two.link_to(&two.one).is_open(), "too early");
    for node in [&two.one, &two.two] {
        let ended = node.events.until_closed(0).await;
        assert!(matches!(&ended, ClosedReason::Lost(what) if what.contains("30 s")), "{ended:?}");
    }
    assert!(began.elapsed() >= Duration::from_secs(29), "{:?}", began.elapsed());
    let left = |event: &Event| matches!(event, Event::Left(_));
    assert!(!two.one.events.events().iter().any(left), "a node that lives has not left");
}

/// A send from this worker to that with slot 2.
fn lost_send(from: u32, maybe_delivered: bool) -> LostSend {
    let handle = |slot| Some(Handle { slot, generation: 1 });
    LostSend { sender: handle(from), target: handle(2), maybe_delivered }
}

#[tokio::test(start_paused = true)]
async fn after_thirty_seconds_without_a_connection_the_session_starts_over_and_both_sides_know() {
    let two = Pair::over(MemoryNetwork::default()).await;
    let (near, far) = (two.one.link_to(&two.two), two.two.link_to(&two.one));
    two.faults.refuse(true);
    two.faults.cut();
    // Both have noticed: nothing of this is sent.
    tokio::time::sleep(Duration::from_millis(1)).await;
    let reply =
        |slot| Frame::Reply(Reply { correlation: Correlation { slot, generation: 1 }, body: Body::EMPTY });
    let lost =
        [text_message(1, 2, "lost"), text_message(1, 2, "lost too"), ask(1, 7, 60_000, "lost"), reply(1)];
    push(&near, &lost);
    push(&far, &[text_message(4, 2, &"x".repeat(50_000)), reply(2), reply(3)]);
    ended(&two).await;
    let leftover = two.one.events.leftover();
    assert_eq!(leftover.sends, HashMap::from([(lost_send(1, false), 2)]));
    assert_eq!((leftover.unsent, leftover.answers), (vec![Correlation { slot: 7, generation: 1 }], 1));
    let leftover = two.two.events.leftover();
    assert_eq!((leftover.sends, leftover.answers), (HashMap::from([(lost_send(4, false), 1)]), 2));
    assert!(near.batch().is_none() && far.batch().is_none());

    two.faults.refuse(false);
    two.one.zone.dial(two.two.zone.id());
    two.one.linked(&two.two).await;
    two.two.linked(&two.one).await;
    two.one.say(&two.two, "anew");
    two.two.events.until("the message", |events| events.bodies() == [b"anew"]).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_and_not_acknowledged_may_have_been_delivered() {
    let two = Pair::over(MemoryNetwork::default()).await;
    let near = two.one.link_to(&two.two);
    let long = "x".repeat(200_000);
    two.faults.refuse(true);
    two.faults.cut_after(Direction::There, 20_000);
    push(
        &near,
        &[text_message(1, 2, "arrives"), ask(1, 7, 60_000, "arrives too"), text_message(3, 2, &long)],
    );
    ended(&two).await;
    assert_eq!(two.two.events.bodies(), [&b"arrives"[..], b"arrives too"]);
    let leftover = two.one.events.leftover();
    // Of the long one some pieces have come, but not the last.
    assert_eq!(leftover.sends, HashMap::from([(lost_send(1, true), 1), (lost_send(3, false), 1)]));
    assert_eq!((leftover.unsent, leftover.partial), (vec![], 0));
    assert_eq!(two.two.events.leftover().partial, 1);
}

#[tokio::test(start_paused = true)]
async fn a_side_that_is_left_for_a_channel_it_has_not_dialled_knows_at_once_that_it_has_none() {
    let (home, network) = (Home::new(), MemoryNetwork::default());
    let (one, by_hand) = (join(&home, network.clone(), "one"), ByHand::join(&home));
    let channel = by_hand.dial(&network, &one, BEGINS).await;
    one.events.until_event(Event::Opened(0)).await;
    let link = one.zone.link(&by_hand.identity.id()).expect("a link");
    let (other_end, task) = troupe_node::link::open(channel, 0);
    tokio::spawn(task.run(Recorder::new()));
    let began = tokio::time::Instant::now();
    // As one does that has taken a dial for meant which was given up long before.
    other_end.close(CloseReason::Replaced);
    while link.traffic().is_connected {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(began.elapsed() < Duration::from_millis(100), "{:?}", began.elapsed());
    assert!(link.is_open(), "the session waits for another channel");
}

/// A process that is killed: its connections end, its lock is free, its record stays.
#[tokio::test(start_paused = true)]
async fn a_node_whose_process_was_killed_is_gone_at_once_and_everything_outstanding_fails() {
    let (home, network) = (Home::new(), MemoryNetwork::default());
    let (one, by_hand) = (join(&home, network.clone(), "one"), ByHand::join(&home));
    one.events.until_event(Event::Joined("by-hand".into())).await;
    let channel = by_hand.dial(&network, &one, BEGINS).await;
    one.events.until_event(Event::Opened(0)).await;
    let link = one.zone.link(&by_hand.identity.id()).expect("a link");
    push(&link, &[text_message(1, 2, "too late"), ask(1, 7, 60_000, "too late")]);
    let began = tokio::time::Instant::now();
    drop(channel);
    by_hand.die(&home);
    let ended = one.events.until_closed(0).await;
    assert!(matches!(&ended, ClosedReason::Lost(_)), "{ended:?}");
    one.events.until_event(Event::Left("by-hand".into())).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let events = one.events.events();
    assert!(matches!(events[events.len() - 2..], [Event::Closed(..), Event::Left(_)]), "{events:?}");
    assert_eq!(one.events.leftover().sends.values().sum::<u64>(), 1);
    assert!(link.batch().is_none());
}

#[tokio::test]
async fn another_life_of_a_node_ends_the_session_with_the_first_at_once() {
    let (home, network) = (Home::new(), MemoryNetwork::default());
    let (one, by_hand) = (join(&home, network.clone(), "one"), ByHand::join(&home));
    let first = by_hand.dial(&network, &one, BEGINS).await;
    one.events.until_event(Event::Opened(0)).await;
    let second = Resume { incarnation: 2, ..BEGINS };
    let second = by_hand.dial(&network, &one, second).await;
    let ended = one.events.until_closed(0).await;
    assert_eq!(ended, ClosedReason::Reset(ResetReason::NewIncarnation));
    one.events.until_event(Event::Opened(1)).await;
    assert_eq!(second.opened().resume.session, 1);
    drop(first);
}

#[tokio::test]
async fn who_wants_to_go_on_with_a_session_that_nobody_keeps_is_told_to_start_over() {
    for (of_another_life, reason) in [(0, ResetReason::NothingKept), (1, ResetReason::NewIncarnation)] {
        let (home, network) = (Home::new(), MemoryNetwork::default());
        let (one, by_hand) = (join(&home, network.clone(), "one"), ByHand::join(&home));
        let goes_on = Resume {
            course: Course::GoesOn,
            known_incarnation: one.zone.incarnation() ^ of_another_life,
            session: 4,
            next_expected: 9,
            ..BEGINS
        };
        let answer = *by_hand.dial(&network, &one, goes_on).await.opened();
        assert_eq!((answer.resume.course, answer.resume.session), (Course::Begins, 5));
        assert_eq!(answer.reset, Some(reason));
    }
}

#[tokio::test]
async fn a_side_that_has_not_noticed_the_loss_goes_on_over_the_channel_that_the_other_dialled() {
    let (home, network) = (Home::new(), MemoryNetwork::default());
    let (one, by_hand) = (join(&home, network.clone(), "one"), ByHand::join(&home));
    let first = by_hand.dial(&network, &one, BEGINS).await;
    one.events.until_event(Event::Opened(0)).await;
    let goes_on = Resume { course: Course::GoesOn, known_incarnation: one.zone.incarnation(), ..BEGINS };
    for _ in 0..3 {
        // Each attempt takes the place of the one before, which has not ended.
        let next = by_hand.dial(&network, &one, goes_on).await;
        let answer = next.opened();
        assert_eq!((answer.resume.course, answer.resume.session, answer.reset), (Course::GoesOn, 1, None));
        std::mem::forget(next);
    }
    drop(first);
    assert_eq!(one.opened(), 1);
    let link = one.zone.link(&by_hand.identity.id()).expect("the link goes on");
    assert!(link.is_open());
}
