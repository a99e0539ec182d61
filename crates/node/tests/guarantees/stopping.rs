//! Stop: what a stopping worker takes, drains, fails and abandons.

use super::support::{NOBODY, box_of, failure_of, is_answered, is_at_rest, lent, mailbox_of, on_failure};
use troupe_node::code;
use troupe_node::port::{Handle, StartError, State};
use troupe_node::{OnFailure, WorkerOptions};
use troupe_testkit::driver::{FOR_EVER, bodies};
use troupe_testkit::{Driver, Told};

fn worker_with(driver: &mut Driver, requests: u32) -> (Handle, Vec<Handle>) {
    let worker = driver.start("worker", &mailbox_of(1000));
    driver.room = 2;
    let requests =
        (0..requests).map(|number| driver.ask(NOBODY, worker, &number.to_string(), FOR_EVER)).collect();
    driver.flush();
    driver.room = usize::MAX;
    (worker, requests)
}

#[test]
fn a_stopping_worker_takes_no_more_messages_and_its_name_is_taken() {
    let mut driver = Driver::new();
    let (worker, requests) = worker_with(&mut driver, 1);
    let stopped = driver.stop(worker, 5000);
    let number = driver.send(NOBODY, worker, "", FOR_EVER);
    let asked = driver.ask_at(NOBODY, "worker", "", FOR_EVER);
    let told = driver.flush();
    assert!(told.contains(&Told::Refused { number, code: code::WORKER_STOPPED }));
    assert_eq!(failure_of(&told, asked), Some((code::WORKER_STOPPED, 0, false)));
    assert_eq!(driver.begin_start("worker", &mailbox_of(1)), Err(StartError::NameTaken));
    driver.reply(worker, requests[0], "drained");
    driver.done(worker, 1);
    let told = driver.flush();
    assert!(is_answered(&told, requests[0]));
    assert!(told.contains(&Told::Shutdown(worker)));
    assert!(!is_answered(&told, stopped));
    driver.ended(worker);
    let told = driver.flush();
    assert!(is_answered(&told, stopped));
    assert!(told.contains(&Told::Gone { worker, was_abandoned: false }));
    assert!(is_at_rest(&driver));
    driver.begin_start("worker", &mailbox_of(1)).unwrap();
}

#[test]
fn it_drains_until_its_time_is_over_then_what_waits_fails_and_only_then_its_handler_is_told() {
    let mut driver = Driver::new();
    let (worker, requests) = worker_with(&mut driver, 5);
    driver.stop(worker, 1000);
    // What waits is still lent and handled.
    driver.reply(worker, requests[0], "");
    driver.done(worker, 1);
    let told = driver.flush();
    assert_eq!(lent(&told), [requests[2], requests[3], requests[4]].map(Some));
    assert!(!driver.after(999).contains(&Told::Abort(worker)));
    let told = driver.after(1);
    assert!(told.contains(&Told::Abort(worker)));
    // The handler of 1 runs; 2 to 4 were lent and not begun.
    for request in &requests[2..] {
        driver.refuse(worker, Some(*request));
    }
    let told = driver.flush();
    for request in &requests[2..] {
        assert_eq!(failure_of(&told, *request), Some((code::WORKER_STOPPED, 0, false)));
    }
    assert_eq!(failure_of(&told, requests[1]), None);
    driver.reply(worker, requests[1], "in time");
    driver.done(worker, 1);
    let told = driver.flush();
    assert!(is_answered(&told, requests[1]) && told.contains(&Told::Shutdown(worker)), "{told:?}");
}

#[test]
fn what_waits_in_the_mailbox_fails_before_the_handler_is_told() {
    let mut driver = Driver::new();
    let (worker, requests) = worker_with(&mut driver, 400);
    driver.stop(worker, 1000);
    driver.flush();
    let told = driver.after(1000);
    let at = |wanted: &dyn Fn(&Told) -> bool| told.iter().position(wanted).unwrap();
    let last = requests[399];
    let fails = at(
        &|told| matches!(told, Told::Fail { request, code: code::WORKER_STOPPED, .. } if *request == last),
    );
    assert!(fails < at(&|told| *told == Told::Abort(worker)));
}

#[test]
fn a_handler_that_outlives_that_by_250_ms_is_abandoned() {
    let mut driver = Driver::new();
    let (worker, requests) = worker_with(&mut driver, 1);
    let stopped = driver.stop(worker, 1000);
    driver.after(1000);
    assert_eq!(driver.after(249), []);
    let told = driver.after(1);
    assert_eq!(failure_of(&told, requests[0]), Some((code::WORKER_STOPPED, 0, true)));
    assert!(told.contains(&Told::Gone { worker, was_abandoned: true }));
    assert!(!told.contains(&Told::Shutdown(worker)), "its shutdown is skipped");
    assert!(is_answered(&told, stopped));
    let asked = driver.ask_at(NOBODY, "worker", "", FOR_EVER);
    // Its later reply and its end are nobody's.
    driver.reply(worker, requests[0], "too late");
    driver.done(worker, 1);
    driver.ended(worker);
    let told = driver.flush();
    assert_eq!(failure_of(&told, asked), Some((code::NO_SUCH_WORKER, 0, false)));
    assert_eq!(told.len(), 1);
    assert!(is_at_rest(&driver));
}

#[test]
fn shutdown_shares_the_time_to_drain() {
    let mut driver = Driver::new();
    let (worker, requests) = worker_with(&mut driver, 1);
    driver.stop(worker, 1000);
    driver.now += 900;
    driver.reply(worker, requests[0], "");
    driver.done(worker, 1);
    assert!(driver.flush().contains(&Told::Shutdown(worker)));
    assert_eq!(driver.after(100), [Told::Abort(worker)]);
    let told = driver.after(250);
    assert!(told.contains(&Told::Gone { worker, was_abandoned: true }), "{told:?}");
    assert!(is_at_rest(&driver));
}

#[test]
fn with_no_time_to_drain_what_waits_fails_at_once() {
    let mut driver = Driver::new();
    let (worker, requests) = worker_with(&mut driver, 10);
    driver.stop(worker, 0);
    let told = driver.flush();
    assert!(told.contains(&Told::Abort(worker)));
    for request in &requests[2..] {
        assert_eq!(failure_of(&told, *request), Some((code::WORKER_STOPPED, 0, false)));
    }
}

#[test]
fn an_idle_worker_stops_at_once_whatever_its_time() {
    let mut driver = Driver::new();
    let (worker, _) = worker_with(&mut driver, 0);
    driver.stop(worker, 1_000_000);
    assert_eq!(driver.flush(), [Told::Shutdown(worker)]);
    driver.ended(worker);
    driver.flush();
    assert!(is_at_rest(&driver));
}

#[test]
fn who_waits_in_line_was_not_taken_and_fails_at_once() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &box_of(1));
    driver.send(NOBODY, worker, "runs", FOR_EVER);
    driver.send(NOBODY, worker, "in line", FOR_EVER);
    let asked = driver.ask(NOBODY, worker, "in line", FOR_EVER);
    driver.flush();
    driver.stop(worker, 5000);
    let told = driver.flush();
    assert!(
        told.iter().any(|told| matches!(told, Told::Unsent { code: code::WORKER_STOPPED, .. })),
        "{told:?}"
    );
    assert_eq!(failure_of(&told, asked), Some((code::WORKER_STOPPED, 0, false)));
}

#[test]
fn every_call_to_stop_is_answered_and_the_shortest_time_holds() {
    let mut driver = Driver::new();
    let (worker, requests) = worker_with(&mut driver, 1);
    let stops = [driver.stop(worker, 60_000), driver.stop(worker, 100), driver.stop(worker, 30_000)];
    assert!(!driver.after(99).contains(&Told::Abort(worker)));
    assert!(driver.after(1).contains(&Told::Abort(worker)));
    let told = driver.after(250);
    for stopped in stops {
        assert!(is_answered(&told, stopped));
    }
    assert_eq!(failure_of(&told, requests[0]), Some((code::WORKER_STOPPED, 0, true)));
    assert!(is_at_rest(&driver));
}

#[test]
fn two_stops_of_the_same_moment_leave_the_handler_its_250_ms() {
    let mut driver = Driver::new();
    let (worker, requests) = worker_with(&mut driver, 1);
    driver.stop(worker, 100);
    driver.stop(worker, 100);
    assert_eq!(driver.after(100), [Told::Abort(worker)]);
    assert_eq!(driver.after(249), []);
    driver.reply(worker, requests[0], "in time");
    driver.done(worker, 1);
    assert!(driver.flush().contains(&Told::Shutdown(worker)));
}

#[test]
fn a_hundred_thousand_workers_stop_without_looking_at_each_other() {
    let mut driver = Driver::new();
    let workers: Vec<_> =
        (0..100_000).map(|number| driver.start(&format!("worker-{number}"), &mailbox_of(1))).collect();
    driver.flush();
    for worker in &workers {
        driver.stop(*worker, 5000);
    }
    assert_eq!(driver.flush().len(), workers.len());
    for worker in &workers {
        driver.ended(*worker);
    }
    driver.flush();
    assert!(is_at_rest(&driver));
    assert_eq!(driver.port.list(driver.node, "", usize::MAX), []);
}

#[test]
fn a_worker_stopped_while_it_starts_takes_nothing_more_and_drains_what_it_had() {
    let mut driver = Driver::new();
    let worker = driver.begin_start("worker", &mailbox_of(10)).unwrap();
    let early = driver.ask(NOBODY, worker, "early", FOR_EVER);
    driver.flush();
    driver.stop(worker, 5000);
    let late = driver.ask(NOBODY, worker, "late", FOR_EVER);
    let told = driver.flush();
    assert_eq!(failure_of(&told, late), Some((code::WORKER_STOPPED, 0, false)));
    driver.ready(worker, true);
    assert_eq!(bodies(&driver.flush()), ["early"]);
    driver.reply(worker, early, "");
    driver.done(worker, 1);
    assert!(driver.flush().contains(&Told::Shutdown(worker)));
}

#[test]
fn a_worker_whose_start_outlives_its_stop_is_abandoned() {
    let mut driver = Driver::new();
    let worker = driver.begin_start("worker", &mailbox_of(10)).unwrap();
    let early = driver.ask(NOBODY, worker, "early", FOR_EVER);
    driver.flush();
    let stopped = driver.stop(worker, 1000);
    let mut told = driver.after(1000);
    assert!(told.contains(&Told::Abort(worker)), "{told:?}");
    told.extend(driver.after(250));
    assert_eq!(failure_of(&told, early), Some((code::WORKER_STOPPED, 0, false)));
    assert!(is_answered(&told, stopped));
    assert!(told.contains(&Told::Gone { worker, was_abandoned: true }));
    assert!(is_at_rest(&driver));
}

#[test]
fn a_worker_stopped_while_it_restarts_takes_nothing_more_and_ends() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &on_failure(OnFailure::Restart));
    driver.send(NOBODY, worker, "fails", FOR_EVER);
    driver.flush();
    driver.fail(worker, None, "");
    driver.flush();
    driver.stop(worker, 5000);
    let number = driver.send(NOBODY, worker, "late", FOR_EVER);
    assert_eq!(driver.flush(), [Told::Refused { number, code: code::WORKER_STOPPED }]);
    driver.ready(worker, true);
    assert_eq!(driver.flush(), [Told::Shutdown(worker)]);
    driver.ended(worker);
    driver.flush();
    assert!(is_at_rest(&driver));
}

#[test]
fn a_worker_that_fails_to_restart_while_it_stops_ends() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &WorkerOptions { max_restarts: 1, ..on_failure(OnFailure::Restart) });
    let request = driver.ask(NOBODY, worker, "fails", FOR_EVER);
    driver.flush();
    driver.fail(worker, Some(request), "cause");
    driver.flush();
    let stopped = driver.stop(worker, 5000);
    driver.ready(worker, false);
    let told = driver.flush();
    assert!(told.contains(&Told::Shutdown(worker)), "{told:?}");
    driver.ended(worker);
    let told = driver.flush();
    assert!(is_answered(&told, stopped));
    assert_eq!(failure_of(&told, request), Some((code::WORKER_FAILED, 0, true)));
    assert!(is_at_rest(&driver));
}

#[test]
fn a_failure_of_a_worker_that_stops_on_failure_ends_its_draining() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &on_failure(OnFailure::Stop));
    let fails = driver.ask(NOBODY, worker, "fails", FOR_EVER);
    let waits = driver.ask(NOBODY, worker, "waits", FOR_EVER);
    driver.flush();
    driver.stop(worker, 60_000);
    driver.flush();
    driver.fail(worker, Some(fails), "cause");
    let told = driver.flush();
    assert!(told.contains(&Told::Abort(worker)), "{told:?}");
    driver.refuse(worker, Some(waits));
    let told = driver.flush();
    assert_eq!(failure_of(&told, waits), Some((code::WORKER_STOPPED, 0, false)));
    driver.ended(worker);
    let told = driver.flush();
    assert_eq!(failure_of(&told, fails), Some((code::WORKER_FAILED, 0, true)));
    assert!(is_at_rest(&driver));
}

#[test]
fn a_reply_never_waits_for_room() {
    let mut driver = Driver::new();
    let [full, sender] = ["full", "sender"].map(|name| driver.start(name, &box_of(1)));
    driver.send(NOBODY, full, "", FOR_EVER);
    driver.reply_to_send(sender.slot, full, "finds no room");
    let told = driver.flush();
    assert_eq!(bodies(&told), [""]);
    assert_eq!(told.len(), 1);
    driver.done(full, 1);
    assert!(driver.flush().is_empty());
    assert!(is_at_rest(&driver));
}

#[test]
fn state_in_listings_follows_the_life() {
    let mut driver = Driver::new();
    let worker = driver.begin_start("worker", &mailbox_of(10)).unwrap();
    let state = |driver: &Driver| driver.port.list(driver.node, "", 10).first().map(|worker| worker.state);
    assert_eq!(state(&driver), Some(State::Starting));
    driver.ready(worker, true);
    driver.flush();
    assert_eq!(state(&driver), Some(State::Live));
    driver.stop(worker, 5000);
    assert_eq!(state(&driver), Some(State::Ending));
    driver.ended(worker);
    driver.flush();
    assert_eq!(state(&driver), None);
}
