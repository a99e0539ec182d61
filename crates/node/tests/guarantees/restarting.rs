//! Restart: a fresh instance, the same mailbox, the same address.

use super::support::{NOBODY, failure_of, is_at_rest, lent, on_failure, with_node};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::mpsc;
use troupe_node::code;
use troupe_node::port::{State, WorkerOptions};
use troupe_node::{Cause, Context, Error, OnFailure, Worker};
use troupe_testkit::driver::{FOR_EVER, bodies};
use troupe_testkit::{Driver, Told};

fn restarts() -> WorkerOptions {
    on_failure(OnFailure::Restart)
}

#[test]
fn messages_wait_while_a_fresh_instance_is_on_its_way_and_the_failed_one_is_not_tried_again() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &restarts());
    driver.room = 1;
    driver.send(NOBODY, worker, "fails", FOR_EVER);
    driver.send(NOBODY, worker, "waits", FOR_EVER);
    driver.flush();
    driver.room = usize::MAX;
    driver.fail(worker, None, "");
    assert_eq!(driver.flush(), [Told::Restart(worker)]);
    driver.send(NOBODY, worker, "comes meanwhile", FOR_EVER);
    assert!(driver.flush().is_empty());
    driver.ready(worker, true);
    assert_eq!(bodies(&driver.flush()), ["waits", "comes meanwhile"]);
}

#[test]
fn the_asker_hears_of_the_failure_when_the_restart_has_been_done() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &restarts());
    let request = driver.ask(NOBODY, worker, "", FOR_EVER);
    driver.flush();
    driver.fail(worker, Some(request), "cause");
    assert_eq!(failure_of(&driver.flush(), request), None);
    driver.ready(worker, true);
    assert_eq!(failure_of(&driver.flush(), request), Some((code::WORKER_FAILED, 0, true)));
    assert!(is_at_rest(&driver));
}

#[test]
fn a_failure_that_is_known_is_the_outcome_when_the_deadline_passes_during_the_restart() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &restarts());
    let request = driver.ask(NOBODY, worker, "", 100);
    driver.flush();
    driver.fail(worker, Some(request), "cause");
    driver.flush();
    assert_eq!(failure_of(&driver.after(100), request), Some((code::WORKER_FAILED, 0, true)));
    driver.ready(worker, true);
    assert!(driver.flush().is_empty());
    assert!(is_at_rest(&driver));
}

#[test]
fn more_restarts_than_allowed_within_the_time_stop_the_worker() {
    let mut driver = Driver::new();
    let options = WorkerOptions { max_restarts: 2, within: 1000, ..restarts() };
    let worker = driver.start("worker", &options);
    let fail = |driver: &mut Driver| {
        driver.send(NOBODY, worker, "", FOR_EVER);
        driver.flush();
        driver.fail(worker, None, "");
        driver.flush()
    };
    for _ in 0..2 {
        assert_eq!(fail(&mut driver), [Told::Restart(worker)]);
        driver.ready(worker, true);
    }
    // The window moves on: one is forgotten.
    driver.now += 1000;
    assert_eq!(fail(&mut driver), [Told::Restart(worker)]);
    driver.ready(worker, true);
    driver.flush();
    assert_eq!(fail(&mut driver), [Told::Restart(worker)]);
    driver.ready(worker, true);
    driver.flush();
    let told = fail(&mut driver);
    assert!(told.contains(&Told::Abort(worker)) && told.contains(&Told::Shutdown(worker)), "{told:?}");
}

#[test]
fn a_restart_that_fails_counts_as_one_and_is_tried_again() {
    let mut driver = Driver::new();
    let options = WorkerOptions { max_restarts: 3, ..restarts() };
    let worker = driver.start("worker", &options);
    let request = driver.ask(NOBODY, worker, "", FOR_EVER);
    driver.flush();
    driver.fail(worker, Some(request), "cause");
    for _ in 0..3 {
        assert_eq!(driver.flush(), [Told::Restart(worker)]);
        driver.ready(worker, false);
    }
    let told = driver.flush();
    assert!(told.contains(&Told::Shutdown(worker)), "{told:?}");
    driver.ended(worker);
    let told = driver.flush();
    assert!(told.contains(&Told::Gone { worker, was_abandoned: false }), "{told:?}");
    assert_eq!(failure_of(&told, request), Some((code::WORKER_FAILED, 0, true)));
    assert!(is_at_rest(&driver));
}

#[test]
fn a_failure_while_the_worker_drains_does_not_keep_the_rest_from_being_handled() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &restarts());
    let fails = driver.ask(NOBODY, worker, "fails", FOR_EVER);
    let drains = driver.ask(NOBODY, worker, "drains", FOR_EVER);
    driver.flush();
    driver.stop(worker, 5000);
    driver.fail(worker, Some(fails), "cause");
    let told = driver.flush();
    // A fresh instance takes over for what is left.
    assert_eq!(told, [Told::Restart(worker)]);
    driver.ready(worker, true);
    let told = driver.flush();
    assert_eq!(failure_of(&told, fails), Some((code::WORKER_FAILED, 0, true)));
    driver.reply(worker, drains, "");
    driver.done(worker, 1);
    let told = driver.flush();
    assert!(told.contains(&Told::Shutdown(worker)), "{told:?}");
}

#[test]
fn what_was_lent_stays_lent_across_a_restart() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &WorkerOptions { mailbox: 3, ..restarts() });
    for number in 0..3 {
        driver.send(NOBODY, worker, &number.to_string(), FOR_EVER);
    }
    assert_eq!(lent(&driver.flush()).len(), 3);
    driver.fail(worker, None, "");
    driver.flush();
    driver.ready(worker, true);
    assert!(driver.flush().is_empty(), "nothing is handed out twice");
    let listed = &driver.port.list(driver.node, "worker", 1)[0];
    assert_eq!((listed.held, listed.state, listed.failed), (2, State::Live, 1));
    driver.done(worker, 2);
    driver.flush();
    driver.send(NOBODY, worker, "", FOR_EVER);
    assert_eq!(lent(&driver.flush()).len(), 1);
}

/// Tells its instance's number, and what happens to it.
struct Numbered(u32, mpsc::UnboundedSender<String>);

impl Worker for Numbered {
    async fn initialize(&mut self, _: Context) -> Result<(), Cause> {
        self.1.send(format!("{} begins", self.0))?;
        if self.0 == 2 { Err(Cause::new("the second can't begin")) } else { Ok(()) }
    }

    async fn handle_message(&mut self, context: Context, message: String) -> Result<(), Cause> {
        if message == "fail" {
            return Err(Cause::new("as told"));
        }
        context.reply(self.0.to_string())?;
        Ok(())
    }

    async fn shutdown(&mut self, _: Context) -> Result<(), Cause> {
        self.1.send(format!("{} shuts down", self.0))?;
        Ok(())
    }
}

#[test]
fn in_rust_the_old_instance_shuts_down_and_a_fresh_one_takes_over() {
    with_node(async |node| {
        let (log, mut logged) = mpsc::unbounded_channel();
        let count = Arc::new(AtomicU32::new(0));
        let make = move || Numbered(count.fetch_add(1, Ordering::Relaxed), log.clone());
        node.start_worker("numbered", make, restarts()).await.unwrap();
        assert_eq!(node.send_and_receive("numbered", "").await.unwrap(), "0");
        let failed = node.send_and_receive("numbered", "fail").await.unwrap_err();
        assert!(matches!(failed, Error::WorkerFailed { .. }), "{failed:?}");
        assert_eq!(node.send_and_receive("numbered", "").await.unwrap(), "1");
        // The instance after this one can't begin: the one after that takes over.
        let (failed, after) = node
            .run(async |context: Context| {
                let failing = context.send_and_receive("numbered", "fail");
                let after = context.send_and_receive("numbered", "");
                Ok(futures_util::future::join(failing, after).await)
            })
            .await
            .unwrap();
        assert!(matches!(failed, Err(Error::WorkerFailed { .. })), "{failed:?}");
        assert_eq!(after.unwrap(), "3");
        node.stop_worker("numbered", std::time::Duration::from_secs(5)).await.unwrap();
        let mut lines = Vec::new();
        while let Ok(line) = logged.try_recv() {
            lines.push(line);
        }
        let expected =
            ["0 begins", "0 shuts down", "1 begins", "1 shuts down", "2 begins", "3 begins", "3 shuts down"];
        assert_eq!(lines, expected);
    });
}

#[test]
fn the_place_of_a_message_that_failed_is_given_on_while_a_fresh_instance_is_on_its_way() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &WorkerOptions { mailbox: 1, ..restarts() });
    for text in ["fails", "waits", "in line"] {
        driver.send(NOBODY, worker, text, FOR_EVER);
    }
    let told = driver.flush();
    assert_eq!(bodies(&told), ["fails", "waits"]);
    let wait =
        told.iter().find_map(|told| if let Told::Waiting { wait, .. } = told { Some(*wait) } else { None });
    driver.fail(worker, None, "");
    let told = driver.flush();
    assert!(told.contains(&Told::Sent { wait: wait.unwrap() }), "{told:?}");
    driver.ready(worker, true);
    assert_eq!(bodies(&driver.flush()), ["in line"]);
}
