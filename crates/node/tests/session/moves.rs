//! A session moves from one channel to the next without a pause: whoever sends meanwhile notices nothing.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use crate::pair::{Pair, push};
use tokio::time::timeout;
use troupe_node::{
    link::Link,
    transport::{MemoryNetwork, Tcp, Transport},
};
use troupe_testkit::{Recorder, recorder::PATIENCE, text_message};

/// So much is on its way in each direction while the session moves: several times what a connection in memory takes.
const AHEAD_BYTES: usize = 1 << 20;
/// Threads that send to one side.
const SENDERS: u32 = 2;
const MOVES: usize = 15;

/// Threads that push numbered frames until they are stopped.
struct Senders {
    stopped: Arc<AtomicBool>,
    threads: Vec<(u32, JoinHandle<usize>)>,
}

impl Senders {
    fn of(links: &[Arc<Link>; 2]) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let threads = links.iter().flat_map(|link| {
            (0..SENDERS).map(|sender| {
                let (link, stopped) = (Arc::clone(link), Arc::clone(&stopped));
                (sender, thread::spawn(move || send(&link, sender, &stopped)))
            })
        });
        let threads = threads.collect();
        Self { stopped, threads }
    }

    /// How many frames each has pushed: those of the first link, then those of the second.
    fn stop(mut self) -> [HashMap<u32, usize>; 2] {
        self.stopped.store(true, Ordering::Relaxed);
        let mut sent = self.threads.drain(..).map(|(sender, thread)| (sender, thread.join().unwrap()));
        [0, 1].map(|_| sent.by_ref().take(SENDERS as usize).collect())
    }
}

impl Drop for Senders {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // None of them when it ends well; else what one of them panicked with stands in the output already.
        for (_, thread) in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Every eighth body goes in pieces. Answers how many were pushed.
fn send(link: &Link, sender: u32, stopped: &AtomicBool) -> usize {
    let long = "x".repeat(50_000);
    for number in 0.. {
        while link.queued_bytes() > AHEAD_BYTES && !stopped.load(Ordering::Relaxed) {
            thread::yield_now();
        }
        if stopped.load(Ordering::Relaxed) {
            return number;
        }
        let padding = if number % 8 == 0 { &long } else { "x" };
        push(link, &[text_message(sender, 2, &format!("{sender} {number} {padding}"))]);
    }
    unreachable!("it is stopped before")
}

/// What came to one side: the next number of each sender.
#[derive(Default)]
struct Heard(HashMap<u32, usize>);

impl Heard {
    /// Checks that nothing is missing, doubled or out of order in what has come by now.
    fn check(&mut self, events: &Recorder) {
        for words in events.take_heard() {
            let (_, body) = words.rsplit_once(": ").expect("a message");
            let mut parts = body.split(' ');
            let mut part = || parts.next().and_then(|part| part.parse::<usize>().ok()).expect("a number");
            let (sender, number) = (part() as u32, part());
            let next = self.0.entry(sender).or_default();
            assert_eq!(number, *next, "of sender {sender}");
            *next += 1;
        }
    }
}

/// As when the hour is over on both sides.
fn renew(links: &[Arc<Link>; 2]) {
    for link in links {
        link.renew();
    }
}

/// Waits until both sides have gone over.
async fn settled(links: &[Arc<Link>; 2]) {
    for link in links {
        let settled = timeout(PATIENCE, link.settled()).await;
        assert!(settled.is_ok(), "a move does not end: {links:?}");
    }
}

/// Moves a session many times while threads send on both sides all the while.
async fn moves_under_load(network: impl Transport + Clone + 'static) {
    let two = Pair::over(network).await;
    let links = [two.one.link_to(&two.two), two.two.link_to(&two.one)];
    let connections = two.faults.connections();
    let senders = Senders::of(&links);
    let mut heard = [Heard::default(), Heard::default()];
    for round in 1..=MOVES {
        // In the middle of it, on both sides.
        for (node, heard) in [&two.two, &two.one].into_iter().zip(&mut heard) {
            let before: usize = heard.0.values().sum();
            let what = format!("what was sent before move {round}");
            node.events
                .until(&what, |events| {
                    heard.check(events);
                    heard.0.values().sum::<usize>() > before + 50
                })
                .await;
        }
        renew(&links);
        settled(&links).await;
    }
    let sent = senders.stop();
    for ((node, heard), sent) in [&two.two, &two.one].into_iter().zip(&mut heard).zip(&sent) {
        node.events
            .until("all that was sent", |events| {
                heard.check(events);
                heard.0 == *sent
            })
            .await;
    }
    // Nothing was cut, so nothing had to be sent again.
    assert_eq!(two.faults.connections(), connections + MOVES);
    assert_eq!((two.one.opened(), two.two.opened()), (1, 1), "one session");
    assert!(links.iter().all(|link| link.is_open()));
}

#[tokio::test]
async fn threads_that_send_all_the_while_lose_double_and_reorder_nothing_in_many_moves() {
    moves_under_load(MemoryNetwork::default()).await;
}

#[tokio::test]
async fn threads_that_send_over_tcp_lose_double_and_reorder_nothing_in_many_moves() {
    moves_under_load(Tcp).await;
}

/// Pushes more than a connection takes at once, moves while it is on its way, and pushes nothing more.
async fn a_burst_before_a_move(network: impl Transport + Clone + 'static) {
    /// 3 MB: less than the window for messages, so that no WINDOW makes the sender write again.
    const BURST: usize = 60;
    let two = Pair::over(network).await;
    let links = [two.one.link_to(&two.two), two.two.link_to(&two.one)];
    let body = "x".repeat(50_000);
    for round in 1..=20 {
        for link in &links {
            // One side only, in turn: what it receives would make the other one write as well.
            let frames: Vec<_> = (0..BURST as u32).map(|sender| text_message(sender, 2, &body)).collect();
            let other = if Arc::ptr_eq(link, &links[0]) { &two.two } else { &two.one };
            push(link, &frames);
            renew(&links);
            other.events.until("the whole burst", |events| events.frames() == round * BURST).await;
            settled(&links).await;
        }
    }
    assert_eq!((two.one.opened(), two.two.opened()), (1, 1), "one session");
}

#[tokio::test]
async fn a_burst_that_a_move_overtakes_comes_through_though_nobody_sends_any_more() {
    a_burst_before_a_move(MemoryNetwork::default()).await;
}

#[tokio::test]
async fn a_burst_over_tcp_that_a_move_overtakes_comes_through_though_nobody_sends_any_more() {
    a_burst_before_a_move(Tcp).await;
}
