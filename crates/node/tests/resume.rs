//! A session outlives its connections: whatever is cut wherever, nothing is lost, doubled or out of order while both
//! nodes live.

mod support;

use std::collections::HashMap;

use support::{Home, TestNode, join};
use troupe_node::{
    link::Link,
    transport::{MemoryNetwork, Tcp, Transport},
};
use troupe_proto::codec::{
    Body, Correlation, CreditKind, Extensions, Fail, Frame, Handle, Message, Reply, Target,
};
use troupe_proto::text::Text;
use troupe_testkit::{Direction, Event, Faults, FaultyNetwork, recorder::in_words};

/// Frames of one node to the other, each with the pair whose order it has to keep.
type Said = Vec<(u32, String)>;

/// A busy exchange: messages, requests, long bodies, replies, failures, and what has no body.
fn say(link: &Link, round: usize, long: usize, said: &mut Said) {
    let (small, text) = (format!("small {round}"), format!("{round} {}", "x".repeat(long)));
    let at = |slot| Handle { slot, generation: round as u32 + 1 };
    let correlation = |slot| Correlation { slot, generation: round as u32 + 1 };
    let message = |from: u32, request, body| {
        Frame::Message(Message {
            request,
            control: false,
            remaining_ms: u32::MAX,
            sender: Some(Handle { slot: from, generation: 1 }),
            target: Target::Slot(Handle { slot: 2, generation: 1 }),
            extensions: Extensions::NONE,
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
        (0, Frame::Cancel { correlation: correlation(6), deadline: round % 2 == 0 }),
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

struct Two {
    one: TestNode,
    two: TestNode,
    faults: Faults,
    _home: Home,
}

impl Two {
    async fn over<T: Transport + Clone + 'static>(network: T) -> Self {
        let home = Home::new();
        let faults = Faults::default();
        let faulty = || FaultyNetwork::with(network.clone(), faults.clone());
        let (one, two) = (join(&home, faulty(), "one"), join(&home, faulty(), "two"));
        one.zone.dial(two.zone.id());
        one.linked(&two).await;
        two.linked(&one).await;
        Self { one, two, faults, _home: home }
    }

    /// Exchanges once in both directions while a connection is cut; checks that it still is the same link.
    async fn exchange(&self, round: usize, long: usize, context: &str) {
        let (near, far) = (self.one.link_to(&self.two), self.two.link_to(&self.one));
        let (mut by_one, mut by_two) = (Said::new(), Said::new());
        say(&near, round, long, &mut by_one);
        say(&far, round, long, &mut by_two);
        tokio::task::yield_now().await;
        say(&near, round + 1, 10, &mut by_one);
        say(&far, round + 1, 10, &mut by_two);
        heard(&self.two, &mut by_one, context).await;
        heard(&self.one, &mut by_two, context).await;
        assert!(near.is_open() && far.is_open(), "{context}");
    }
}

/// Cuts the exchange behind its first byte, then behind that which is `step` later, and so on until it is over before
/// the cut; in both directions, on one session. Answers how many cuts that were.
async fn cut_behind_every(two: &Two, long: usize, step: usize) -> usize {
    // What keeps an exchange from a cut now and then is that fewer acknowledgements were due in it.
    const OVER: usize = 20;
    let mut round = 0;
    for direction in [Direction::There, Direction::Back] {
        let (mut byte, mut uncut) = (0, 0);
        while uncut < OVER {
            let before = two.faults.cuts();
            two.faults.cut_after(direction, byte);
            two.exchange(round, long, &format!("a cut behind byte {byte} {direction:?}")).await;
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
    let two = Two::over(MemoryNetwork::default()).await;
    let cuts = cut_behind_every(&two, 40, 1).await;
    assert!(cuts > 1500, "{cuts}");
}

#[tokio::test]
async fn a_cut_among_the_pieces_of_long_bodies_loses_doubles_and_reorders_nothing() {
    let two = Two::over(MemoryNetwork::default()).await;
    let cuts = cut_behind_every(&two, 40_000, 331).await;
    assert!(cuts > 500, "{cuts}");
}

#[tokio::test]
async fn a_cut_over_tcp_loses_doubles_and_reorders_nothing() {
    let two = Two::over(Tcp).await;
    let cuts = cut_behind_every(&two, 40_000, 4001).await;
    assert!(cuts > 40, "{cuts}");
}
