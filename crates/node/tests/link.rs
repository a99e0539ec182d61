//! Links keep what they promise, over every transport: order, fairness, bounds, and a known end.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails a test")]

use std::{sync::Arc, time::Duration};

use troupe_node::{
    link::{ClosedReason, Link, NotTaken},
    transport::{MemoryNetwork, Tcp, Transport},
};
use troupe_proto::{
    codec::{Body, CloseReason, Correlation, FLOW_OVERHEAD, Fail, Flow, Frame, Message, Reply, Target},
    session::Terms,
    text::Text,
};
use troupe_testkit::{Event, FaultyNetwork, Founded, NOW, Pair, Recorder, text_message};

/// Runs each scenario over each transport.
macro_rules! over_every_transport {
    ($(async fn $name:ident($transport:ident) $body:block)*) => {
        $(
            mod $name {
                use super::*;

                async fn scenario($transport: &dyn Transport) $body

                #[tokio::test]
                async fn over_tcp() {
                    scenario(&Tcp).await;
                }

                #[tokio::test]
                async fn in_memory() {
                    scenario(&MemoryNetwork::default()).await;
                }
            }
        )*
    };
}

fn push(link: &Link, frames: &[Frame<'_>]) {
    let mut batch = link.batch().expect("the link is open");
    for frame in frames {
        batch.push(frame).expect("not too long");
    }
    drop(batch);
    link.flush();
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

fn message(from: u32, body: &str) -> Message<'_> {
    let Frame::Message(message) = text_message(from, 2, body) else { unreachable!("it makes messages") };
    message
}

fn window(bytes: u32) -> [Terms; 2] {
    [Terms { windows: [bytes; 2], ..Terms::default() }; 2]
}

fn far_never_consumes() -> [Arc<Recorder>; 2] {
    [Recorder::new(), Recorder::that_never_consumes()]
}

over_every_transport! {
    async fn a_message_arrives_as_it_was_sent(transport) {
        let pair = Pair::open(transport).await;
        push(&pair.near, &[text_message(1, 2, "grüße")]);
        pair.far_events.until("the message", |far| far.bodies() == ["grüße".as_bytes()]).await;
        assert_eq!(pair.near.peer().name, "far");
        assert_eq!(pair.far.peer().name, "near");
    }

    async fn many_small_messages_arrive_in_order_both_ways(transport) {
        let pair = Pair::open(transport).await;
        let count = 20_000;
        for first in (0..count).step_by(100) {
            let texts: Vec<_> = (first..first + 100).map(|number| number.to_string()).collect();
            let frames: Vec<_> = texts.iter().map(|text| text_message(1, 2, text)).collect();
            push(&pair.near, &frames);
            push(&pair.far, &frames);
            tokio::task::yield_now().await;
        }
        let expected: Vec<_> = (0..count).map(|number| number.to_string().into_bytes()).collect();
        for events in [&pair.near_events, &pair.far_events] {
            events.until("all messages", |events| events.frames() == count).await;
            assert!(events.bodies() == expected, "in order");
        }
    }

    async fn small_messages_pass_between_the_pieces_of_large_ones(transport) {
        let pair = Pair::open(transport).await;
        let large = "x".repeat(16 << 20);
        for link in [&pair.near, &pair.far] {
            push(link, &[text_message(1, 2, &large), text_message(3, 4, "small"), text_message(1, 2, "after")]);
        }
        for events in [&pair.near_events, &pair.far_events] {
            events.until("all three", |events| events.frames() == 3).await;
            let bodies = events.bodies();
            assert!(bodies[0] == b"small", "another pair's message is not held up");
            assert!(bodies[1] == large.as_bytes());
            assert!(bodies[2] == b"after", "the same pair's message never passes");
        }
    }

    async fn a_pair_keeps_its_order_whatever_the_sizes(transport) {
        let pair = Pair::open(transport).await;
        let sizes = [1, 20_000, 3, 16_300, 16_368, 100_000, 5, 6, 1 << 20, 7];
        let texts: Vec<_> = (0..60).map(|number| format!("{number} {}", "y".repeat(sizes[number % 10]))).collect();
        for chunk in texts.chunks(7) {
            let frames: Vec<_> = chunk.iter().map(|text| text_message(1, 2, text)).collect();
            push(&pair.near, &frames);
            tokio::task::yield_now().await;
        }
        pair.far_events.until("all", |far| far.frames() == texts.len()).await;
        let bodies = pair.far_events.bodies();
        assert!(bodies.iter().map(|body| text(body)).eq(texts.iter()), "in order and whole");
    }

    async fn a_name_that_turns_into_a_handle_keeps_its_order(transport) {
        let pair = Pair::open(transport).await;
        let large = "x".repeat(1 << 20);
        let by_name = Frame::Message(Message { target: Target::Name("worker"), ..message(1, &large) });
        push(&pair.near, &[by_name, text_message(1, 2, "second")]);
        pair.far_events.until("both", |far| far.frames() == 2).await;
        assert!(pair.far_events.bodies()[1] == b"second");
    }

    async fn many_large_messages_stay_within_what_the_peer_puts_together(transport) {
        let terms = Terms { max_message: 1 << 20, max_reassembly: 2 << 20, max_pieces: 3, ..Terms::default() };
        let pair = Pair::with(transport, [terms; 2], [Recorder::new(), Recorder::new()]).await;
        let large = "z".repeat(1 << 20);
        let frames: Vec<_> = (0..40).map(|from| text_message(from, 2, &large[from as usize..])).collect();
        push(&pair.near, &frames);
        pair.far_events.until("all", |far| far.frames() == 40).await;
        assert!(pair.near.is_open() && pair.far.is_open());
    }

    async fn a_message_longer_than_the_peer_takes_is_refused_at_once(transport) {
        let terms = Terms { max_message: 10, ..Terms::default() };
        let pair = Pair::with(transport, [Terms::default(), terms], [Recorder::new(), Recorder::new()]).await;
        assert_eq!(pair.near.max_message(), 10);
        let mut batch = pair.near.batch().unwrap();
        assert!(batch.push(&text_message(1, 2, "12345678901")).is_err());
        assert!(batch.push(&text_message(1, 2, "1234567890")).is_ok());
        drop(batch);
        pair.near.flush();
        pair.far_events.until("the shorter one", |far| far.frames() == 1).await;
    }

    async fn a_flood_is_held_by_the_window_and_control_is_not(transport) {
        let pair = Pair::with(transport, window(64 * 1024), far_never_consumes()).await;
        let body = "f".repeat(1000);
        let flood: Vec<_> = (0..1000).map(|_| text_message(1, 2, &body)).collect();
        push(&pair.near, &flood);
        let correlation = Correlation { slot: 0, generation: 0 };
        let reply = Frame::Reply(Reply { correlation, body: Body::EMPTY });
        let control = Message { control: true, target: Target::Control, ..message(9, "control") };
        let control = Frame::Message(control);
        push(&pair.near, &[reply, control, Frame::Where { name: "worker" }]);

        let cost = body.len() + FLOW_OVERHEAD as usize;
        let admitted = (64_usize * 1024).div_ceil(cost);
        pair.far_events.until("a window's worth and three others", |far| far.frames() == admitted + 3).await;
        assert_eq!(pair.far_events.bodies().last().map(|body| text(body).to_owned()), Some("control".into()));
        assert!(pair.near.queued_bytes() > (1000 - admitted) * body.len(), "the rest waits at its sender");

        pair.far.consumed(Flow::Messages, (admitted * cost) as u64);
        pair.far_events.until("a second window's worth", |far| far.frames() >= 2 * admitted + 2).await;
        assert!(pair.near.is_open() && pair.far.is_open());
    }

    async fn a_message_larger_than_the_window_fits(transport) {
        let pair = Pair::with(transport, window(1000), [Recorder::new(), Recorder::new()]).await;
        let large = "w".repeat(3 << 20);
        push(&pair.near, &[text_message(1, 2, &large), text_message(3, 4, &large), text_message(1, 2, "last")]);
        pair.far_events.until("all", |far| far.frames() == 3).await;
    }

    async fn waiting_for_the_window_shortens_the_remaining_time(transport) {
        let pair = Pair::with(transport, window(1), far_never_consumes()).await;
        let limited = Frame::Message(Message { remaining_ms: 1000, ..message(1, "m") });
        push(&pair.near, &[limited, limited]);
        pair.far_events.until("the first", |far| far.frames() == 1).await;
        assert_eq!(pair.far_events.remaining(), [1000]);
        // The wait itself is what is measured here, so it has to take some time.
        tokio::time::sleep(Duration::from_millis(30)).await;
        pair.far.consumed(Flow::Messages, 1 + u64::from(FLOW_OVERHEAD));
        pair.far_events.until("the second", |far| far.frames() == 2).await;
        let second = pair.far_events.remaining()[1];
        assert!(second <= 971, "{second}");
    }

    async fn drained_means_that_the_peer_owns_everything(transport) {
        let pair = Pair::open(transport).await;
        let large = "d".repeat(5 << 20);
        push(&pair.near, &[text_message(1, 2, &large), text_message(3, 4, "small")]);
        pair.near.drained().await;
        assert_eq!(pair.far_events.frames(), 2);
        // With nothing to send it is true at once.
        pair.near.drained().await;
        pair.far.drained().await;
    }

    async fn drained_ends_when_the_link_does(transport) {
        let pair = Pair::with(transport, window(1), far_never_consumes()).await;
        push(&pair.near, &[text_message(1, 2, "one"), text_message(1, 2, "two")]);
        pair.far_events.until("the first", |far| far.frames() == 1).await;
        tokio::join!(pair.near.drained(), async { pair.far.close(CloseReason::NodeStops) });
    }

    async fn a_close_is_graceful_and_comes_after_what_was_sent(transport) {
        let pair = Pair::open(transport).await;
        push(&pair.near, &[text_message(1, 2, "last words")]);
        pair.near.close(CloseReason::NodeStops);
        assert!(!pair.near.is_open());
        assert!(pair.near.batch().is_none());
        assert_eq!(pair.far_events.until_closed(1).await, ClosedReason::Gracefully(CloseReason::NodeStops));
        assert_eq!(pair.near_events.until_closed(0).await, ClosedReason::Here(CloseReason::NodeStops));
        assert_eq!(pair.far_events.frames(), 1);
        assert!(pair.far.batch().is_none());
        for task in pair.tasks {
            task.await.unwrap();
        }
    }

    async fn both_may_close_at_once(transport) {
        let pair = Pair::open(transport).await;
        pair.near.close(CloseReason::NodeStops);
        pair.far.close(CloseReason::NodeStops);
        pair.far_events.until_closed(1).await;
        pair.near_events.until_closed(0).await;
    }

    async fn the_death_of_the_other_end_is_a_loss_at_once(transport) {
        let pair = Pair::open(transport).await;
        push(&pair.near, &[text_message(1, 2, "hello")]);
        pair.far_events.until("the message", |far| far.frames() == 1).await;
        pair.kill_near();
        let ended = pair.far_events.until_closed(1).await;
        assert!(matches!(ended, ClosedReason::Lost(_)), "{ended:?}");
        assert!(pair.far.batch().is_none());
    }

    async fn a_closing_process_says_so_without_waiting(transport) {
        let pair = Pair::open(transport).await;
        pair.near.close_now(CloseReason::NodeStops);
        assert_eq!(pair.far_events.until_closed(1).await, ClosedReason::Gracefully(CloseReason::NodeStops));
    }

    async fn a_link_ends_when_its_channel_expires(transport) {
        let zone = Founded::new();
        let members = [zone.member("near"), zone.member_until("far", NOW + 1)];
        let events = [Recorder::new(), Recorder::new()];
        let pair = Pair::between(transport, members, [Terms::default(); 2], events).await;
        for (events, index) in [(&pair.near_events, 0), (&pair.far_events, 1)] {
            let ended = events.until_closed(index).await;
            let expired = CloseReason::Expired;
            assert!(ended == ClosedReason::Here(expired) || ended == ClosedReason::Gracefully(expired), "{ended:?}");
        }
    }
}

#[tokio::test]
async fn a_changed_bit_ends_the_channel_and_nothing_of_it_is_delivered() {
    let network = FaultyNetwork::new(Tcp);
    let faults = network.faults();
    let pair = Pair::open(&network).await;
    faults.flip_a_bit();
    push(&pair.near, &[text_message(1, 2, "changed on the way")]);
    let ended = pair.far_events.until_closed(1).await;
    assert!(matches!(&ended, ClosedReason::Lost(what) if what.contains("does not open")), "{ended:?}");
    assert_eq!(pair.far_events.frames(), 0);
}

#[tokio::test]
async fn nothing_on_the_wire_can_be_read() {
    let network = FaultyNetwork::new(Tcp);
    let faults = network.faults();
    let pair = Pair::open(&network).await;
    push(
        &pair.near,
        &[text_message(1, 2, "the secret word is sesame"), Frame::Where { name: "hidden-worker" }],
    );
    pair.far_events.until("both", |far| far.frames() == 2).await;
    let carried = faults.carried();
    for word in ["sesame", "hidden-worker", "near"] {
        assert!(!carried.windows(word.len()).any(|bytes| bytes == word.as_bytes()), "{word} is on the wire");
    }
}

#[tokio::test]
async fn a_cut_is_a_loss_for_both_ends() {
    let network = FaultyNetwork::new(MemoryNetwork::default());
    let faults = network.faults();
    let pair = Pair::open(&network).await;
    faults.cut();
    for (events, index) in [(&pair.near_events, 0), (&pair.far_events, 1)] {
        let ended = events.until_closed(index).await;
        assert!(matches!(ended, ClosedReason::Lost(_)), "{ended:?}");
    }
}

#[tokio::test]
async fn a_flush_never_waits_and_a_full_link_says_when_it_has_room() {
    let network = FaultyNetwork::new(MemoryNetwork::default());
    let faults = network.faults();
    let pair = Pair::with(&network, window(u32::MAX), [Recorder::new(), Recorder::new()]).await;
    faults.stall(true);
    let body = "b".repeat(1 << 20);
    let mut count = 0;
    while !pair.near.is_full() {
        push(&pair.near, &[text_message(count, 2, &body)]);
        count += 1;
    }
    assert!((31..=34).contains(&count), "full at 32 MiB, not after {count}");
    faults.stall(false);
    pair.near_events.until_event(Event::Room(0)).await;
    pair.far_events.until("all", |far| far.frames() == count as usize).await;
    assert!(!pair.near.is_full());
}

#[tokio::test]
async fn replies_that_are_not_taken_in_are_kept_up_to_256_mib_and_no_more() {
    let network = FaultyNetwork::new(MemoryNetwork::default());
    let faults = network.faults();
    let pair = Pair::with(&network, window(u32::MAX), [Recorder::new(), Recorder::new()]).await;
    pair.far_events.count_only();
    let long = "r".repeat(16 << 20);
    let reply = |slot, body| {
        let correlation = Correlation { slot, generation: 1 };
        Frame::Reply(Reply { correlation, body: Body::Text(Text::from_utf8(body)) })
    };
    let to_send = Frame::Message(Message { request: None, remaining_ms: 0, ..message(1, &long) });
    faults.stall(true);
    let take = |frame: &Frame<'_>| {
        let taken = pair.near.batch().expect("the link is open").push(frame);
        pair.near.flush();
        taken
    };
    let taken = (0..100).take_while(|slot| take(&reply(*slot, &long)).is_ok()).count();
    // A head stands before each body.
    assert_eq!(taken, 15);
    assert_eq!(take(&to_send), Err(NotTaken::Untaken), "what answers a send is a reply, too");
    assert_eq!(take(&reply(100, "short")), Ok(()));
    let correlation = Correlation { slot: 101, generation: 1 };
    let fail = Fail { correlation, code: 7, maybe_executed: true, body: Body::EMPTY };
    assert_eq!(take(&Frame::Fail(fail)), Ok(()), "that it failed is told");
    assert!(pair.near.queued_bytes() <= 256 << 20);

    faults.stall(false);
    pair.far_events.until("all that was taken", |far| far.frames() == taken + 2).await;
    pair.near.drained().await;
    assert_eq!(take(&reply(102, &long)), Ok(()), "there is room again");
}

/// Threads that send, as JavaScript's does: no runtime there, the I/O elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn any_thread_may_send() {
    let pair = Pair::open(&Tcp).await;
    let threads: Vec<_> = (0..4)
        .map(|from| {
            let link = Arc::clone(&pair.near);
            std::thread::spawn(move || {
                for number in 0..2000 {
                    let text = format!("{from} {number} {}", "t".repeat(number * 13 % 3000));
                    push(&link, &[text_message(from, 2, &text)]);
                }
            })
        })
        .collect();
    pair.far_events.until("all", |far| far.frames() == 8000).await;
    for thread in threads {
        thread.join().unwrap();
    }
    let mut next = [0; 4];
    for body in pair.far_events.bodies() {
        let mut words = text(&body).split(' ');
        let from: usize = words.next().unwrap().parse().unwrap();
        let number: usize = words.next().unwrap().parse().unwrap();
        assert_eq!(number, next[from], "of one sender in order");
        next[from] += 1;
    }
}
