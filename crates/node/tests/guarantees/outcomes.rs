//! A request has exactly one outcome.

use super::support::{NOBODY, failure_of, is_at_rest, mailbox_of, with_node};
use std::time::Duration;
use troupe_node::code;
use troupe_node::port::Handle;
use troupe_node::port::record::full;
use troupe_node::{Cause, Context, Error, MAX_MESSAGE, Worker, WorkerOptions};
use troupe_testkit::driver::FOR_EVER;
use troupe_testkit::{Driver, Told};

#[test]
fn the_first_reply_is_the_answer_and_further_ones_reach_nobody() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &mailbox_of(10));
    let request = driver.ask(NOBODY, worker, "", FOR_EVER);
    driver.flush();
    driver.reply(worker, request, "first");
    driver.reply(worker, request, "second");
    driver.fail(worker, Some(request), "and a failure");
    assert_eq!(driver.flush(), [Told::Reply { request, body: "first".into() }]);
    assert!(is_at_rest(&driver));
}

#[test]
fn a_handler_that_fails_after_its_reply_changes_nothing_for_the_asker() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &mailbox_of(10));
    let request = driver.ask(NOBODY, worker, "", FOR_EVER);
    driver.flush();
    driver.fail(worker, Some(request), "first a failure");
    driver.reply(worker, request, "then a reply");
    let told = driver.flush();
    assert_eq!(failure_of(&told, request), Some((code::WORKER_FAILED, 0, true)));
    assert_eq!(told.len(), 1);
    assert!(is_at_rest(&driver));
}

#[test]
fn a_worker_that_is_not_there_is_known_at_once() {
    let mut driver = Driver::new();
    let by_name = driver.ask_at(NOBODY, "nobody", "", FOR_EVER);
    let by_address = driver.ask_at(NOBODY, "here/nobody", "", FOR_EVER);
    let elsewhere = driver.ask_at(NOBODY, "there/nobody", "", FOR_EVER);
    let stale = driver.ask(NOBODY, Handle { slot: 7, generation: 3 }, "", FOR_EVER);
    let number = driver.send_to(NOBODY, "nobody", "", FOR_EVER);
    let told = driver.flush();
    // No zone to look in: that node is not to be reached.
    assert_eq!(failure_of(&told, elsewhere), Some((code::NODE_UNREACHABLE, 0, false)));
    for request in [by_name, by_address, stale] {
        assert_eq!(failure_of(&told, request), Some((code::NO_SUCH_WORKER, 0, false)));
    }
    assert!(told.contains(&Told::Refused { number, code: code::NO_SUCH_WORKER }));
    assert!(is_at_rest(&driver));
}

#[test]
fn a_stale_slot_never_reaches_the_worker_that_has_it_now() {
    let mut driver = Driver::new();
    let old = driver.start("old", &mailbox_of(10));
    driver.stop(old, 0);
    driver.flush();
    driver.ended(old);
    driver.flush();
    let new = driver.start("new", &mailbox_of(10));
    assert_eq!((new.slot, new.generation != old.generation), (old.slot, true));
    let request = driver.ask(NOBODY, old, "for the old one", FOR_EVER);
    driver.done(old, 5);
    driver.ended(old);
    let told = driver.flush();
    assert_eq!(failure_of(&told, request), Some((code::NO_SUCH_WORKER, 0, false)));
    assert!(is_at_rest(&driver));
}

#[test]
fn a_node_that_is_removed_ends_all_that_is_outstanding_on_it() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &mailbox_of(2));
    let requests: Vec<_> = (0..4).map(|_| driver.ask(NOBODY, worker, "", FOR_EVER)).collect();
    driver.flush();
    driver.port.remove_node(driver.node);
    let told = driver.flush();
    for request in requests {
        assert_eq!(failure_of(&told, request).map(|failure| failure.0), Some(code::WORKER_STOPPED));
    }
    assert!(is_at_rest(&driver));
}

#[test]
fn a_million_requests_may_be_open_and_the_next_is_refused() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &mailbox_of(2_000_000));
    let first = driver.ask(NOBODY, worker, "", FOR_EVER);
    for _ in 1..1_000_000 {
        driver.ask(NOBODY, worker, "", FOR_EVER);
    }
    let beyond = driver.ask(NOBODY, worker, "", FOR_EVER);
    let told = driver.flush();
    assert_eq!(failure_of(&told, beyond), Some((code::MAILBOX_FULL, full::REQUESTS, false)));
    driver.give_up(first);
    let again = driver.ask(NOBODY, worker, "", FOR_EVER);
    assert_eq!(failure_of(&driver.flush(), again), None);
}

/// Replies as often as it is told.
struct Replies;

impl Worker for Replies {
    async fn handle_message(&mut self, context: Context, message: String) -> Result<(), Cause> {
        for number in 0..message.parse::<u32>()? {
            context.reply(number.to_string())?;
        }
        Ok(())
    }
}

#[test]
fn outcomes_in_rust() {
    with_node(async |node| {
        node.start_worker("replies", || Replies, WorkerOptions::default()).await.unwrap();
        assert_eq!(node.send_and_receive("replies", "3").await.unwrap(), "0");
        let failed = node.send_and_receive("replies", "no number").await.unwrap_err();
        let Error::WorkerFailed { worker, cause } = &failed else { panic!("{failed:?}") };
        assert_eq!((worker.as_str(), cause.name.as_str()), ("replies", "ParseIntError"));
        assert_eq!(failed.to_string(), "worker \"replies\" failed: invalid digit found in string");
        let nobody = node.send_and_receive("nobody", "").await.unwrap_err();
        assert_eq!(nobody, Error::NoSuchWorker { worker: "nobody".into() });
        let invalid = node.send("no name", "").await.unwrap_err();
        assert!(matches!(invalid, Error::InvalidArgument { what: "address", .. }), "{invalid:?}");
        let large = node.send_and_receive("replies", "x".repeat(MAX_MESSAGE + 1)).await.unwrap_err();
        assert_eq!(large, Error::MessageTooLarge { worker: "replies".into() });
        // To a send, each reply is a message.
        node.send("replies", "3").await.unwrap();
        for number in 0..3 {
            let incoming = node.mailbox().receive().await.unwrap();
            assert_eq!((incoming.message, incoming.sender), (number.to_string(), "here/replies".into()));
        }
        node.stop(Duration::from_secs(5)).await;
        assert_eq!(node.send("replies", "1").await, Err(Error::NodeStopped));
        assert_eq!(node.send_and_receive("replies", "1").await, Err(Error::NodeStopped));
    });
}

#[test]
fn a_mailbox_receives_in_order_answers_and_closes() {
    with_node(async |node| {
        let mailbox = node.create_mailbox("box", 10).await.unwrap();
        let taken = node.create_mailbox("box", 10).await.unwrap_err();
        assert_eq!(taken, Error::NameTaken { worker: "box".into() });
        let nothing = mailbox.receive_within(Duration::from_millis(1)).await.unwrap_err();
        assert_eq!(nothing, Error::NothingReceived { mailbox: "box".into() });
        let asked = tokio::spawn({
            let node = node.clone();
            async move { node.send_and_receive("box", "question").await }
        });
        let incoming = mailbox.receive().await.unwrap();
        assert_eq!((incoming.message.as_str(), incoming.sender.as_str()), ("question", "here/main"));
        incoming.reply("answer").await.unwrap();
        assert_eq!(asked.await.unwrap().unwrap(), "answer");
        for number in 0..5 {
            mailbox.send("box", number.to_string()).await.unwrap();
        }
        for number in 0..4 {
            assert_eq!(mailbox.receive().await.unwrap().message, number.to_string());
        }
        mailbox.close().await.unwrap();
        assert_eq!(mailbox.receive().await.unwrap_err(), Error::NodeStopped);
        assert_eq!(node.send("box", "").await, Err(Error::NoSuchWorker { worker: "box".into() }));
    });
}
