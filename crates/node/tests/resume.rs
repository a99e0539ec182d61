//! A session outlives its connections: whatever is cut wherever, nothing is lost, doubled or out of order while both
//! nodes live.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails a test")]

mod support;

use std::{
    collections::HashMap,
    fs,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use support::{Home, TestNode, join, join_with};
use troupe_node::{
    channel::{self, Channel, Greeting},
    discovery::{Announce, Announcement, Directory, zone_folder},
    link::{ClosedReason, Expired, Link},
    transport::{MemoryNetwork, Tcp, Transport},
};
use troupe_proto::{
    codec::{
        Body, Correlation, Course, CreditKind, Extensions, Fail, Flow, Frame, Handle, Message, Reply,
        ResetReason, Resume, Target, cost_of,
    },
    noise::{Capabilities, CredentialRequest, Identity, Membership, Peer},
    session::Terms,
    text::Text,
};
use troupe_testkit::{
    BEGINS, Direction, Event, Faults, FaultyNetwork, Recorder, recorder::in_words, text_message,
};

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

/// Two nodes of a zone of their own, over connections that fail on demand.
struct Pair {
    one: TestNode,
    two: TestNode,
    faults: Faults,
    _home: Home,
}

impl Pair {
    async fn over<T: Transport + Clone + 'static>(network: T) -> Self {
        Self::with(network, Recorder::new).await
    }

    async fn with<T: Transport + Clone + 'static>(network: T, events: fn() -> Arc<Recorder>) -> Self {
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
async fn cut_behind_every(two: &Pair, long: usize, step: usize) -> usize {
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
        for byte in (0..1000).step_by(3) {
            let before = two.faults.cuts();
            two.faults.cut();
            two.faults.cut_after(direction, byte);
            two.exchange(round, 40, &format!("a cut behind byte {byte} {direction:?} of a beginning")).await;
            assert_eq!(two.faults.cuts(), before + 1);
            round += 2;
        }
    }
    assert_eq!((two.one.opened(), two.two.opened()), (1, 1));
}

fn ask(from: u32, slot: u32, remaining_ms: u32, body: &str) -> Frame<'_> {
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

const TARGET: Handle = Handle { slot: 2, generation: 1 };

fn push(link: &Link, frames: &[Frame<'_>]) {
    let mut batch = link.batch().expect("the link is open");
    for frame in frames {
        batch.push(frame).expect("not too long");
    }
    drop(batch);
    link.flush();
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

fn sender(slot: u32) -> Handle {
    Handle { slot, generation: 1 }
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
    assert_eq!(leftover.sends, HashMap::from([((Some(sender(1)), false), 2)]));
    assert_eq!((leftover.unsent, leftover.answers), (vec![Correlation { slot: 7, generation: 1 }], 1));
    let leftover = two.two.events.leftover();
    assert_eq!((leftover.sends, leftover.answers), (HashMap::from([((Some(sender(4)), false), 1)]), 2));
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
    assert_eq!(leftover.sends, HashMap::from([((Some(sender(1)), true), 1), ((Some(sender(3)), false), 1)]));
    assert_eq!((leftover.unsent, leftover.partial), (vec![], 0));
    assert_eq!(two.two.events.leftover().partial, 1);
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

/// A node made by hand: it says what others say only in moments that are hard to meet.
struct ByHand {
    directory: Directory,
    identity: Arc<Identity>,
    announcement: Announcement,
}

impl ByHand {
    fn join(home: &Home) -> Self {
        let directory = Directory::open(&home.0, "test").unwrap();
        let identity = Arc::new(Identity::generate().unwrap());
        let address = SocketAddr::from(([127, 0, 0, 1], 9));
        let announce = Announce { id: identity.id(), name: "by-hand".into(), address, incarnation: 1 };
        let announcement = directory.announce(announce).unwrap();
        Self { directory, identity, announcement }
    }

    /// Leaves its record behind, under a lock that nobody holds.
    fn die(self, home: &Home) {
        let folder = zone_folder(&home.0, "test").join("nodes");
        let is_own = |path: &PathBuf| fs::read(path).unwrap().windows(7).any(|bytes| bytes == b"by-hand");
        let record = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).find(is_own).unwrap();
        // Another file of the same content: this process leaves that one alone.
        let copy = record.with_extension("copy");
        fs::copy(&record, &copy).unwrap();
        fs::rename(&copy, &record).unwrap();
        drop(self.announcement);
    }

    async fn dial(&self, network: &MemoryNetwork, to: &TestNode, resume: Resume) -> Channel {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let authority = self.directory.authority();
        let credential = authority
            .issue(&CredentialRequest {
                name: "by-hand",
                public_key: self.identity.public_key(),
                not_before: now,
                expires: now + 3600,
                capabilities: Capabilities::ALL,
            })
            .unwrap();
        let key = self.directory.access_key().clone();
        let identity = Arc::clone(&self.identity);
        let membership =
            Membership::new(identity, credential, authority.public_key(), key, resume.incarnation).unwrap();
        let socket = network.dial(to.zone.address()).await.unwrap();
        let greet = |_: &Peer| Some(Greeting::from(resume));
        channel::dial(socket, &membership, to.zone.id(), now, Terms::default(), greet).await.unwrap()
    }
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
    let (home, network) = (Home::new(), MemoryNetwork::default());
    let (one, by_hand) = (join(&home, network.clone(), "one"), ByHand::join(&home));
    let goes_on = Resume {
        course: Course::GoesOn,
        known_incarnation: one.zone.incarnation(),
        session: 4,
        next_expected: 9,
        ..BEGINS
    };
    let answer = *by_hand.dial(&network, &one, goes_on).await.opened();
    assert_eq!((answer.resume.course, answer.resume.session), (Course::Begins, 5));
    assert_eq!(answer.reset, Some(ResetReason::NothingKept));
    let of_another_life = Resume { known_incarnation: one.zone.incarnation() ^ 1, session: 6, ..goes_on };
    let answer = *by_hand.dial(&network, &one, of_another_life).await.opened();
    assert_eq!((answer.resume.session, answer.reset), (7, Some(ResetReason::NewIncarnation)));
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
            two.exchange(round, 20_000, &format!("a cut behind byte {byte} {direction:?} of a move")).await;
            two.faults.spare();
            round += 2;
        }
    }
    assert!(two.faults.cuts() > 350, "{}", two.faults.cuts());
    assert_eq!((two.one.opened(), two.two.opened()), (1, 1), "one session");
}
