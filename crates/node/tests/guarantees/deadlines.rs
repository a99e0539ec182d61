//! Deadlines travel, shrink with every hop, are inherited, and drop an expired message before it is handled.

use super::support::{NOBODY, box_of, failure_of, is_at_rest, lent, mailbox_of, with_node};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use troupe_node::code;
use troupe_node::port::record::{NO_LIMIT, stage};
use troupe_node::{Cause, Context, Error, Stage, Worker, WorkerOptions};
use troupe_testkit::driver::{FOR_EVER, bodies};
use troupe_testkit::{Driver, Told};

fn remaining_of(told: &[Told]) -> Vec<u32> {
    let remaining =
        |told: &Told| if let Told::Message { remaining, .. } = told { Some(*remaining) } else { None };
    told.iter().filter_map(remaining).collect()
}

#[test]
fn a_worker_learns_how_long_its_asker_still_waits() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &box_of(2));
    driver.ask(NOBODY, worker, "now", 1000);
    driver.ask(NOBODY, worker, "no limit", FOR_EVER);
    driver.ask(NOBODY, worker, "later", 1000);
    assert_eq!(remaining_of(&driver.flush()), [1000, NO_LIMIT]);
    driver.now += 300;
    driver.done(worker, 1);
    assert_eq!(remaining_of(&driver.flush()), [700]);
    driver.send(NOBODY, worker, "a send has none", 5);
    driver.done(worker, 2);
    assert_eq!(remaining_of(&driver.flush()), [NO_LIMIT]);
}

#[test]
fn a_nested_request_waits_for_the_smaller_of_its_own_time_and_what_remains() {
    let mut driver = Driver::new();
    let [outer, inner] = ["outer", "inner"].map(|name| driver.start(name, &mailbox_of(100)));
    let parent = driver.ask(NOBODY, outer, "outer", 1000);
    driver.flush();
    driver.now += 400;
    driver.ask_nested(parent, outer.slot, inner, "longer", 30_000);
    driver.ask_nested(parent, outer.slot, inner, "shorter", 100);
    driver.ask_nested(parent, outer.slot, inner, "no limit", FOR_EVER);
    driver.ask(outer.slot, inner, "not nested", 30_000);
    assert_eq!(remaining_of(&driver.flush()), [600, 100, 600, 30_000]);
}

#[test]
fn the_deadline_of_the_first_asker_holds_through_three_hops() {
    let mut driver = Driver::new();
    let workers = ["one", "two", "three"].map(|name| driver.start(name, &mailbox_of(10)));
    let mut parent = driver.ask(NOBODY, workers[0], "hop", 500);
    assert_eq!(remaining_of(&driver.flush()), [500]);
    for (index, expected) in [(1, 450), (2, 400)] {
        driver.now += 50;
        parent = driver.ask_nested(parent, workers[index - 1].slot, workers[index], "hop", 30_000);
        assert_eq!(remaining_of(&driver.flush()), [expected]);
    }
}

#[test]
fn an_expired_message_is_dropped_before_it_is_handled() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &mailbox_of(100));
    driver.room = 1;
    let first = driver.ask(NOBODY, worker, "first", FOR_EVER);
    let expires = driver.ask(NOBODY, worker, "expires", 100);
    driver.ask(NOBODY, worker, "stays", FOR_EVER);
    assert_eq!(lent(&driver.flush()), [Some(first)]);
    driver.room = usize::MAX;
    let told = driver.after(100);
    assert_eq!(failure_of(&told, expires), Some((code::TIMEOUT, stage::QUEUED, false)));
    assert_eq!(bodies(&told), ["stays"]);
}

#[test]
fn an_expired_message_that_was_lent_is_asked_back_with_its_stage() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &mailbox_of(100));
    let runs = driver.ask(NOBODY, worker, "runs", 100);
    let queued = driver.ask(NOBODY, worker, "lent, not begun", 100);
    let handled = driver.ask(NOBODY, worker, "handled without reply", 100);
    driver.flush();
    driver.done(worker, 1);
    let told = driver.after(100);
    for request in [runs, queued, handled] {
        let slot = worker.slot;
        assert!(told.contains(&Told::Cancel { slot, request, wants_stage: true }), "{told:?}");
        assert_eq!(failure_of(&told, request), None);
    }
    driver.stage(runs, stage::RUNNING);
    driver.stage(queued, stage::QUEUED);
    driver.stage(handled, stage::HANDLED);
    driver.done(worker, 2);
    let told = driver.flush();
    assert_eq!(failure_of(&told, runs), Some((code::TIMEOUT, stage::RUNNING, true)));
    assert_eq!(failure_of(&told, queued), Some((code::TIMEOUT, stage::QUEUED, false)));
    assert_eq!(failure_of(&told, handled), Some((code::TIMEOUT, stage::HANDLED, true)));
    assert!(is_at_rest(&driver));
}

#[test]
fn a_reply_that_comes_before_the_stage_is_known_is_the_outcome() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &mailbox_of(100));
    let request = driver.ask(NOBODY, worker, "", 100);
    driver.flush();
    driver.after(100);
    driver.reply(worker, request, "just in time");
    driver.stage(request, stage::RUNNING);
    driver.done(worker, 1);
    let told = driver.flush();
    assert_eq!(told, [Told::Reply { request, body: "just in time".into() }]);
    assert!(is_at_rest(&driver));
}

#[test]
fn the_port_says_when_it_wants_to_be_flushed_next() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &mailbox_of(1));
    driver.ask(NOBODY, worker, "", 40);
    driver.ask(NOBODY, worker, "", 30);
    driver.flush();
    assert_eq!(driver.flushed.next, Some(driver.now + 30));
    driver.after(30);
    assert_eq!(driver.flushed.next, Some(driver.now + 10));
}

#[test]
fn a_timeout_of_zero_is_over_at_once_unless_the_answer_is_there_already() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &box_of(1));
    driver.ask(NOBODY, worker, "runs", FOR_EVER);
    let asked = driver.ask(NOBODY, worker, "", 0);
    driver.flush();
    assert_eq!(failure_of(&driver.after(1), asked), Some((code::TIMEOUT, stage::QUEUED, false)));
}

/// Tells what it handles; waits at its gate.
struct Gated {
    gate: Arc<Semaphore>,
    log: mpsc::UnboundedSender<(String, Option<Duration>)>,
}

impl Worker for Gated {
    async fn handle_message(&mut self, context: Context, message: String) -> Result<(), Cause> {
        self.log.send((message.clone(), context.remaining()))?;
        self.gate.acquire().await?.forget();
        if message != "silent" {
            context.reply(message)?;
        }
        Ok(())
    }
}

#[test]
fn a_timeout_in_rust_says_how_far_the_message_came() {
    with_node(async |node| {
        let gate = Arc::new(Semaphore::new(0));
        let (log, mut logged) = mpsc::unbounded_channel();
        let its_gate = gate.clone();
        let make = move || Gated { gate: its_gate.clone(), log: log.clone() };
        node.start_worker("gated", make, WorkerOptions::default()).await.unwrap();
        let limit = Duration::from_millis(30);
        let stage_of = async |message: &str| match node.send_and_receive_within(limit, "gated", message).await
        {
            Err(Error::Timeout { stage, .. }) => stage,
            other => panic!("{other:?}"),
        };
        assert_eq!(stage_of("runs").await, Stage::Running);
        assert_eq!(stage_of("waits").await, Stage::Queued);
        gate.add_permits(1000);
        assert_eq!(stage_of("silent").await, Stage::Handled);
        node.send("gated", "last").await.unwrap();
        let mut seen = Vec::new();
        while seen.last() != Some(&"last".to_owned()) {
            let (message, remaining) = logged.recv().await.unwrap();
            assert_eq!(remaining.is_some_and(|remaining| remaining <= limit), message != "last");
            seen.push(message);
        }
        assert_eq!(seen, ["runs", "silent", "last"]);
    });
}

/// Blocks its thread until long after the deadline of the next message, which was lent with it.
struct Blocking(mpsc::UnboundedSender<String>);

impl Worker for Blocking {
    async fn handle_message(&mut self, context: Context, message: String) -> Result<(), Cause> {
        self.0.send(message.clone())?;
        if message == "block" {
            while context.remaining().is_some_and(|left| !left.is_zero()) {
                std::thread::yield_now();
            }
        }
        context.reply(message)?;
        Ok(())
    }
}

#[test]
fn a_lent_message_whose_deadline_passed_while_the_thread_was_blocked_is_not_handled() {
    with_node(async |node| {
        let (log, mut logged) = mpsc::unbounded_channel();
        node.start_worker("blocking", move || Blocking(log.clone()), WorkerOptions::default()).await.unwrap();
        let (blocked, expired) = node
            .run(async |context: Context| {
                let block = context.send_and_receive_within(Duration::from_millis(40), "blocking", "block");
                let expires =
                    context.send_and_receive_within(Duration::from_millis(10), "blocking", "expires");
                Ok(futures_util::future::join(block, expires).await)
            })
            .await
            .unwrap();
        // It replied when its time was over: whichever came first is the outcome.
        assert!(matches!(&blocked, Ok(_) | Err(Error::Timeout { .. })), "{blocked:?}");
        let expected = Error::Timeout { worker: "blocking".into(), stage: Stage::Queued };
        assert_eq!(expired, Err(expected));
        node.send_and_receive("blocking", "after").await.unwrap();
        assert_eq!(logged.recv().await.unwrap(), "block");
        assert_eq!(logged.recv().await.unwrap(), "after");
    });
}

/// Asks on, with a longer timeout than its asker has.
struct Asks(&'static str);

impl Worker for Asks {
    async fn handle_message(&mut self, context: Context, message: String) -> Result<(), Cause> {
        let answer = context.send_and_receive_within(Duration::from_secs(3600), self.0, message).await?;
        context.reply(answer)?;
        Ok(())
    }
}

struct TellsRemaining;

impl Worker for TellsRemaining {
    async fn handle_message(&mut self, context: Context, _: String) -> Result<(), Cause> {
        context.reply(context.remaining().unwrap_or(Duration::MAX).as_secs().to_string())?;
        Ok(())
    }
}

#[test]
fn nested_requests_in_rust_inherit_the_deadline() {
    with_node(async |node| {
        node.start_worker("one", || Asks("two"), WorkerOptions::default()).await.unwrap();
        node.start_worker("two", || Asks("three"), WorkerOptions::default()).await.unwrap();
        node.start_worker("three", || TellsRemaining, WorkerOptions::default()).await.unwrap();
        let limit = Duration::from_secs(100);
        let seconds: u64 = node.send_and_receive_within(limit, "one", "").await.unwrap().parse().unwrap();
        assert!(seconds <= 100, "{seconds}");
    });
}
