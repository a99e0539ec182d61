//! A session outlives its connections: whatever is cut wherever, nothing is lost, doubled or out of order while both
//! nodes live.

use std::{collections::HashMap, time::Duration};

use crate::{
    pair::{Pair, TARGET, ask, push},
    support::TestNode,
};
use troupe_node::{
    link::{Expired, Link},
    transport::{MemoryNetwork, Tcp},
};
use troupe_proto::{
    codec::{
        Body, Correlation, CreditKind, Extensions, Fail, Flow, Frame, Handle, Message, Reply, Target,
        Traceparent, cost_of,
    },
    session::Terms,
    text::Text,
};
use troupe_testkit::{Direction, Event, Recorder, recorder::in_words, text_message};

/// Frames of one node to the other, each with the pair whose order it has to keep.
type Said = Vec<(u32, String)>;

/// A busy exchange: messages, requests, long bodies, replies, failures, and what has no body.
fn say(link: &Link, round: usize, long: usize, said: &mut Said) {
    let (small, text) = (format!("small {round}"), format!("{round} {}", "x".repeat(long)));
    let at = |slot| Handle { slot, generation: round as u32 + 1 };
    let correlation = |slot| Correlation { slot, generation: round as u32 + 1 };
    let trace = format!("00-{:032x}-00f067aa0ba902b7-01", round + 1);
    let trace = Traceparent::parse(trace.as_bytes()).expect("a traceparent");
    let message = |from: u32, request, body| {
        Frame::Message(Message {
            request,
            control: false,
            remaining_ms: u32::MAX,
            sender: Some(Handle { slot: from, generation: 1 }),
            target: Target::Slot(Handle { slot: 2, generation: 1 }),
            // Every third one belongs to a trace, long ones among them.
            extensions: if round.is_multiple_of(3) { trace.extensions() } else { Extensions::NONE },
            body: Body::Text(Text::from_utf8(body)),
        })
    };
    let body = |body| Body::Text(Text::from_utf8(body));
    let fail = Fail { correlation: correlation(5), code: 3, maybe_executed: true, body: body(&small) };
    let frames = [
        (0, Frame::Bind { handle: at(1), name: "sender" }),
        (1, message(1, None, &small)),
        (2, message(2, Some(correlation(1)), &text)),
        (2, message(2, None, &small)),
        (0, Frame::Credit { kind: CreditKind::Grant, target: at(2), port: 0, messages: 64, bytes: 1 }),
        (3, message(3, None, &text)),
        (4 + round as u32, Frame::Reply(Reply { correlation: correlation(4), body: body(&text) })),
        (3, message(3, Some(correlation(2)), &small)),
        (5_000_000 + round as u32, Frame::Fail(fail)),
        (0, Frame::Cancel { correlation: correlation(6), deadline: round.is_multiple_of(2) }),
        (0, Frame::Where { name: "somebody" }),
        (0, Frame::Stage { correlation: correlation(7), stage: 2 }),
        (0, Frame::Gone { handle: at(9) }),
        (1, message(1, None, "")),
    ];
    let mut batch = link.batch().expect("the link is open");
    for (lane, frame) in &frames {
        batch.push(frame).expect("not too long");
        said.push((*lane, in_words(frame)));
    }
    drop(batch);
    link.flush();
}

/// Waits until all that was said is heard, and checks that it was heard once and in order.
async fn heard(node: &TestNode, said: &mut Said, context: &str) {
    let count = said.len();
    let mut all = Vec::new();
    node.events
        .until(context, |events| {
            all.extend(events.take_heard());
            all.len() >= count
        })
        .await;
    let mut pairs: HashMap<u32, (Vec<&str>, Vec<&str>)> = HashMap::new();
    let lanes: HashMap<&str, u32> = said.iter().map(|(lane, words)| (words.as_str(), *lane)).collect();
    for (lane, words) in said.iter() {
        pairs.entry(*lane).or_default().0.push(words);
    }
    for words in &all {
        let lane = lanes.get(words.as_str()).unwrap_or_else(|| panic!("{context}: nobody said {words:.80}"));
        pairs.entry(*lane).or_default().1.push(words);
    }
    for (said, heard) in pairs.values() {
        assert!(said == heard, "{context}: said {said:.100?}, heard {heard:.100?}");
    }
    said.clear();
}

/// Exchanges once in both directions while a connection is cut; checks that it still is the same link.
async fn exchange(pair: &Pair, round: usize, long: usize, context: &str) {
    let (near, far) = (pair.one.link_to(&pair.two), pair.two.link_to(&pair.one));
    let (mut by_one, mut by_two) = (Said::new(), Said::new());
    say(&near, round, long, &mut by_one);
    say(&far, round, long, &mut by_two);
    tokio::task::yield_now().await;
    say(&near, round + 1, 10, &mut by_one);
    say(&far, round + 1, 10, &mut by_two);
    heard(&pair.two, &mut by_one, context).await;
    heard(&pair.one, &mut by_two, context).await;
    assert!(near.is_open() && far.is_open(), "{context}");
}

/// Cuts the exchange behind its first byte, then behind that which is `step` later, and so on until it is over before
/// the cut; in both directions, on one session. Answers how many cuts that were.
async fn cut_behind_every(two: &Pair, long: usize, step: usize) -> usize {
    // What keeps an exchange from a cut now and then is that fewer acknowledgements were due in it.
    const OVER: usize = 20;
    let mut round = 0;
    for direction in [Direction::There, Direction::Back] {
        let (mut byte, mut uncut) = (0, 0);
        while uncut < OVER {
            let before = two.faults.cuts();
            two.faults.cut_after(direction, byte);
            exchange(two, round, long, &format!("a cut behind byte {byte} {direction:?}")).await;
            two.faults.spare();
            uncut = if two.faults.cuts() > before { 0 } else { uncut + 1 };
            byte += step;
            round += 2;
        }
    }
    for node in [&two.one, &two.two] {
        let opened = node.events.events().iter().filter(|event| matches!(event, Event::Opened(_))).count();
        assert_eq!(opened, 1, "one session");
    }
    two.faults.cuts()
}

#[tokio::test]
async fn a_cut_behind_any_byte_of_a_busy_exchange_loses_doubles_and_reorders_nothing() {
    let two = Pair::over(MemoryNetwork::default()).await;
    let cuts = cut_behind_every(&two, 40, 1).await;
    assert!(cuts > 1500, "{cuts}");
}

#[tokio::test]
async fn a_cut_among_the_pieces_of_long_bodies_loses_doubles_and_reorders_nothing() {
    let two = Pair::over(MemoryNetwork::default()).await;
    let cuts = cut_behind_every(&two, 40_000, 331).await;
    assert!(cuts > 500, "{cuts}");
}

#[tokio::test]
async fn a_cut_over_tcp_loses_doubles_and_reorders_nothing() {
    let two = Pair::over(Tcp).await;
    let cuts = cut_behind_every(&two, 40_000, 4001).await;
    assert!(cuts > 40, "{cuts}");
}

/// Of the handshake and what opens the channel, too: the side that was dialled may have gone over to a channel that the
/// other never got to use.
#[tokio::test(start_paused = true)]
async fn a_cut_behind_any_byte_of_the_next_channels_beginning_is_followed_by_another() {
    let two = Pair::over(MemoryNetwork::default()).await;
    let mut round = 0;
    for direction in [Direction::There, Direction::Back] {
        // A channel begins with less than a thousand bytes each way; the exchange behind it is cut as well.
        for byte in 0..1000 {
            let before = two.faults.cuts();
            two.faults.cut();
            two.faults.cut_after(direction, byte);
            exchange(&two, round, 40, &format!("a cut behind byte {byte} {direction:?} of a beginning"))
                .await;
            assert_eq!(two.faults.cuts(), before + 1);
            round += 2;
        }
    }
    assert_eq!((two.one.opened(), two.two.opened()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_expired_while_there_was_no_connection_is_not_sent_again() {
    let two = Pair::over(MemoryNetwork::default()).await;
    let near = two.one.link_to(&two.two);
    let long = "x".repeat(20_000);
    two.faults.refuse(true);
    two.faults.cut_after(Direction::There, 0);
    push(
        &near,
        &[
            ask(1, 1, 100, "short"),
            text_message(1, 2, "between"),
            ask(3, 2, 100, &long),
            ask(1, 3, 60_000, "has time"),
            text_message(3, 2, "last"),
        ],
    );
    tokio::time::sleep(Duration::from_millis(500)).await;
    two.faults.refuse(false);
    two.two.events.until("what did not expire", |events| events.frames() == 3).await;
    assert_eq!(two.two.events.bodies(), [&b"between"[..], b"has time", b"last"]);
    assert!(two.two.events.remaining()[1] <= 59_500, "time without a connection counts");
    let expired = |slot, body_len| Expired {
        request: Correlation { slot, generation: 1 },
        target: Some(TARGET),
        body_len,
    };
    assert_eq!(two.one.events.expired(), [expired(1, 5), expired(2, long.len())]);
    assert!(two.two.link_to(&two.one).is_open(), "they left their numbers");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_sent_again_fills_no_window() {
    let two = Pair::over(MemoryNetwork::default()).await;
    let near = two.one.link_to(&two.two);
    let body = "x".repeat(15_000);
    // Twice what the window takes.
    while two.one.events.expired().len() * body.len() < 2 * Terms::default().windows[0] as usize {
        let before = two.one.events.expired().len();
        // Whoever has dialled this time.
        two.faults.cut_after(Direction::There, 0);
        two.faults.cut_after(Direction::Back, 0);
        push(&near, &[ask(1, 1, 0, &body), ask(1, 2, 0, &body), ask(1, 3, 0, &body)]);
        two.one.events.until("the end of their time", |events| events.expired().len() == before + 3).await;
        // Whatever is cut next is not what goes on from here.
        near.drained().await;
    }
    push(&near, &[text_message(1, 2, "comes through")]);
    two.two.events.until("the message", |events| events.bodies() == [b"comes through"]).await;
}

#[tokio::test]
async fn a_full_resend_buffer_makes_senders_wait_until_there_is_a_connection_again() {
    let two = Pair::over(MemoryNetwork::default()).await;
    let (near, far) = (two.one.link_to(&two.two), two.two.link_to(&two.one));
    two.faults.refuse(true);
    two.faults.cut();
    let body = "x".repeat(1 << 20);
    let mut count = [0, 0];
    for (link, count) in [&near, &far].into_iter().zip(&mut count) {
        while !link.is_full() {
            push(link, &[text_message(*count, 2, &body)]);
            *count += 1;
        }
        assert!((31..=33).contains(count), "full at 32 MiB, not after {count}");
    }
    two.faults.refuse(false);
    for (node, link, count) in [(&two.one, &near, count[1]), (&two.two, &far, count[0])] {
        node.events.until_event(Event::Room(0)).await;
        node.events.until("all that waited", |events| events.frames() == count as usize).await;
        assert!(!link.is_full());
    }
}

#[tokio::test]
async fn windows_that_are_full_on_both_sides_open_again_whatever_was_cut() {
    const COUNT: usize = 30;
    let two = Pair::with(MemoryNetwork::default(), Recorder::that_never_consumes).await;
    let (near, far) = (two.one.link_to(&two.two), two.two.link_to(&two.one));
    let body = "x".repeat(1 << 20);
    for link in [&near, &far] {
        let frames: Vec<_> = (0..COUNT as u32).map(|from| text_message(from, 2, &body)).collect();
        push(link, &frames);
    }
    let ends = [(&two.one, &near), (&two.two, &far)];
    let held = Terms::default().windows[0] as usize / body.len();
    for (node, _) in ends {
        node.events.until("a full window", |events| events.frames() == held).await;
    }
    // In each round what opens the windows is lost on the way.
    let mut consumed = [0, 0];
    while consumed != [COUNT, COUNT] {
        two.faults.cut_after(Direction::There, 0);
        two.faults.cut_after(Direction::Back, 0);
        for ((node, link), consumed) in ends.into_iter().zip(&mut consumed) {
            let frames = node.events.frames();
            for _ in *consumed..frames {
                link.consumed(Flow::Messages, u64::from(cost_of(body.len())));
            }
            *consumed = frames;
        }
        for ((node, _), consumed) in ends.into_iter().zip(consumed) {
            let next = (consumed + held / 2).min(COUNT);
            node.events.until("more", |events| events.frames() >= next).await;
        }
    }
    assert_eq!((two.one.opened(), two.two.opened()), (1, 1));
}

/// Half a minute before another channel follows.
const ALMOST: Duration = Duration::from_secs(3600 - 30);

/// Waits until another channel has followed the one at hand, whose time has come.
async fn renewed(two: &Pair, connections: usize) {
    let mut waited = 0;
    while two.faults.connections() == connections {
        tokio::time::sleep(Duration::from_secs(1)).await;
        waited += 1;
        assert!(waited < 60, "no other channel followed");
    }
}

#[tokio::test(start_paused = true)]
async fn every_hour_another_channel_follows_and_frames_keep_their_order_across_it() {
    let two = Pair::over(MemoryNetwork::default()).await;
    for round in 0..6 {
        let connections = two.faults.connections();
        tokio::time::sleep(ALMOST).await;
        assert_eq!(two.faults.connections(), connections, "not before its time");
        let (near, far) = (two.one.link_to(&two.two), two.two.link_to(&two.one));
        let (mut by_one, mut by_two) = (Said::new(), Said::new());
        let mut part = 0;
        // Both sides talk while one channel follows the other.
        while two.faults.connections() == connections || part % 50 != 0 {
            say(&near, round * 10_000 + part, 20_000, &mut by_one);
            say(&far, round * 10_000 + part, 40, &mut by_two);
            part += 1;
            let pause = if part % 10 == 0 { 500 } else { 0 };
            tokio::time::sleep(Duration::from_millis(pause)).await;
            assert!(part < 5000, "no other channel followed");
        }
        heard(&two.two, &mut by_one, "what one said").await;
        heard(&two.one, &mut by_two, "what two said").await;
        // Nothing was cut, so nothing had to be sent again.
        assert_eq!(two.faults.connections(), connections + 1);
    }
    assert_eq!((two.one.opened(), two.two.opened()), (1, 1), "one session");
}

#[tokio::test(start_paused = true)]
async fn a_cut_while_one_channel_follows_another_loses_doubles_and_reorders_nothing() {
    let two = Pair::over(MemoryNetwork::default()).await;
    let mut round = 0;
    for direction in [Direction::There, Direction::Back] {
        for byte in (0..2400).step_by(13) {
            let connections = two.faults.connections();
            tokio::time::sleep(ALMOST).await;
            two.faults.cut_after(direction, byte);
            renewed(&two, connections).await;
            exchange(&two, round, 20_000, &format!("a cut behind byte {byte} {direction:?} of a move")).await;
            two.faults.spare();
            round += 2;
        }
    }
    assert!(two.faults.cuts() > 350, "{}", two.faults.cuts());
    assert_eq!((two.one.opened(), two.two.opened()), (1, 1), "one session");
}

/// Records that a key seals in this test, and how many of them are sealed before another channel is due.
const RECORDS: u64 = 1600;
const DUE: usize = 1500;

#[tokio::test(start_paused = true)]
async fn another_channel_follows_before_a_key_has_sealed_all_the_records_it_may() {
    let two = Pair::over(MemoryNetwork::default()).await;
    let (near, far) = (two.one.link_to(&two.two), two.two.link_to(&two.one));
    for round in 1..=5 {
        near.limit_records(RECORDS);
        far.limit_records(RECORDS);
        let connections = two.faults.connections();
        // Each is a record of its own, for it is read before the next is said.
        for number in (round - 1) * DUE + 1..=round * DUE {
            push(&near, &[text_message(1, 2, &number.to_string())]);
            two.two.events.until("the message", |events| events.frames() == number).await;
        }
        // Nothing more is said: what makes another one follow is not that the key has ended.
        renewed(&two, connections).await;
        near.settled().await;
        assert_eq!(two.faults.connections(), connections + 1);
    }
    let said: Vec<_> = (1..=5 * DUE).map(|number| number.to_string().into_bytes()).collect();
    assert!(two.two.events.bodies() == said, "each once, in order");
    assert_eq!((two.one.opened(), two.two.opened()), (1, 1), "one session");
}
