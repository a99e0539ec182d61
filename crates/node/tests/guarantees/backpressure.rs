//! Everything is bounded, in bytes as well as in number: full means waiting, in order, within the timeout.

use super::support::{NOBODY, box_of, failure_of, is_at_rest, lent, mailbox_of, with_node};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use troupe_node::code;
use troupe_node::port::record::{self, stage};
use troupe_node::port::{Overflow, WorkerOptions};
use troupe_node::{Cause, Context, Error, Stage, Worker};
use troupe_testkit::driver::{FOR_EVER, bodies};
use troupe_testkit::{Driver, Told};

/// UTF-16 units that fill 64 MiB.
const FULL: usize = 32 << 20;

#[test]
fn a_full_mailbox_makes_senders_wait_and_lets_them_in_as_room_is_made() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &box_of(2));
    for number in 0..4 {
        driver.send(NOBODY, worker, &number.to_string(), FOR_EVER);
    }
    let told = driver.flush();
    assert_eq!(bodies(&told), ["0", "1"]);
    let waits: Vec<_> = told
        .iter()
        .filter_map(
            |told| if let Told::Waiting { number, wait } = told { Some((*number, *wait)) } else { None },
        )
        .collect();
    // The first record was the worker's start.
    assert_eq!(waits.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [3, 4]);
    driver.done(worker, 1);
    let told = driver.flush();
    assert_eq!(bodies(&told), ["2"]);
    assert!(told.contains(&Told::Sent { wait: waits[0].1 }));
    assert!(!told.contains(&Told::Sent { wait: waits[1].1 }));
}

#[test]
fn a_send_waits_no_longer_than_its_timeout_and_is_withdrawn() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &box_of(1));
    driver.send(NOBODY, worker, "first", FOR_EVER);
    driver.send(NOBODY, worker, "waits", 100);
    driver.flush();
    assert!(driver.after(99).is_empty());
    let told = driver.after(1);
    assert!(matches!(told[..], [Told::Unsent { code: code::TIMEOUT, .. }]), "{told:?}");
    driver.done(worker, 1);
    assert!(driver.flush().is_empty());
    assert!(is_at_rest(&driver));
}

#[test]
fn requests_wait_for_room_as_sends_do_within_their_own_deadline() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &box_of(1));
    let first = driver.ask(NOBODY, worker, "first", FOR_EVER);
    let waits = driver.ask(NOBODY, worker, "waits", 100);
    let later = driver.ask(NOBODY, worker, "later", 200);
    driver.flush();
    let told = driver.after(100);
    assert_eq!(failure_of(&told, waits), Some((code::TIMEOUT, stage::QUEUED, false)));
    driver.reply(worker, first, "");
    driver.done(worker, 1);
    assert_eq!(lent(&driver.flush()), [Some(later)]);
}

#[test]
fn a_worker_may_choose_to_refuse_at_once() {
    let mut driver = Driver::new();
    let options = WorkerOptions { overflow: Overflow::Reject, ..box_of(1) };
    let worker = driver.start("worker", &options);
    driver.send(NOBODY, worker, "first", FOR_EVER);
    let number = driver.send(NOBODY, worker, "refused", FOR_EVER);
    let asked = driver.ask(NOBODY, worker, "refused", FOR_EVER);
    let told = driver.flush();
    assert!(told.contains(&Told::Refused { number, code: code::MAILBOX_FULL }));
    assert_eq!(failure_of(&told, asked), Some((code::MAILBOX_FULL, 0, false)));
    assert_eq!(bodies(&told), ["first"]);
    driver.done(worker, 1);
    driver.send(NOBODY, worker, "second", FOR_EVER);
    assert_eq!(bodies(&driver.flush()), ["second"]);
}

#[test]
fn waiting_for_room_in_ones_own_mailbox_fails_at_once() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &mailbox_of(1));
    driver.send(NOBODY, worker, "first", FOR_EVER);
    driver.flush();
    // Its handler runs, and the one place beside it is taken.
    driver.send(NOBODY, worker, "second", FOR_EVER);
    let by_slot = driver.send(worker.slot, worker, "to myself", FOR_EVER);
    let by_name = driver.send_to(worker.slot, "here/worker", "to myself", FOR_EVER);
    let asked = driver.ask(worker.slot, worker, "to myself", FOR_EVER);
    let told = driver.flush();
    for number in [by_slot, by_name] {
        assert!(told.contains(&Told::Refused { number, code: code::MAILBOX_FULL }));
    }
    assert_eq!(failure_of(&told, asked), Some((code::MAILBOX_FULL, 0, false)));
    driver.done(worker, 2);
    driver.flush();
    assert!(is_at_rest(&driver));
}

#[test]
fn the_waiting_line_holds_65536_messages_and_refuses_the_next_at_once() {
    let mut driver = Driver::new();
    let full = driver.start("full", &box_of(1));
    let other = driver.start("other", &box_of(1));
    driver.send(NOBODY, full, "", FOR_EVER);
    driver.send(NOBODY, other, "", FOR_EVER);
    let first = driver.ask(NOBODY, full, "", FOR_EVER);
    for _ in 1..65_536 {
        driver.send(NOBODY, full, "", FOR_EVER);
    }
    // The bound is the isolate's: another worker's line counts as well.
    let beyond = [driver.send(NOBODY, full, "", FOR_EVER), driver.send(NOBODY, other, "", FOR_EVER)];
    let asked = driver.ask(NOBODY, full, "", FOR_EVER);
    let told = driver.flush();
    let refused: Vec<_> = told
        .iter()
        .filter_map(
            |told| if let Told::Refused { number, code } = told { Some((*number, *code)) } else { None },
        )
        .collect();
    assert_eq!(refused, beyond.map(|number| (number, code::MAILBOX_FULL)));
    assert_eq!(failure_of(&told, asked), Some((code::MAILBOX_FULL, record::full::LINE, false)));
    // One gives up: there is room for one again.
    driver.give_up(first);
    driver.send(NOBODY, full, "", FOR_EVER);
    let told = driver.flush();
    assert!(told.iter().any(|told| matches!(told, Told::Waiting { .. })), "{told:?}");
}

#[test]
fn the_waiting_line_holds_64_mib_and_one_message_always_fits() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &box_of(1));
    driver.send(NOBODY, worker, "first", FOR_EVER);
    let large = driver.ask_of_size(NOBODY, worker, "large", FULL - 1024, FOR_EVER);
    let small = driver.send(NOBODY, worker, "x", FOR_EVER);
    let over = driver.send_of_size(NOBODY, worker, "over", 4096, FOR_EVER);
    let told = driver.flush();
    assert!(told.iter().any(|told| matches!(told, Told::Waiting { number, .. } if *number == small)));
    assert!(told.contains(&Told::Refused { number: over, code: code::MAILBOX_FULL }));
    assert_eq!(failure_of(&told, large), None);
}

#[test]
fn a_mailbox_holds_64_mib_of_text_whatever_its_bound_in_messages() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &mailbox_of(10_000));
    // Nothing is lent: what counts is what the mailbox holds.
    driver.room = 0;
    let half = driver.send_of_size(NOBODY, worker, "half", FULL / 2, FOR_EVER);
    let rest = driver.send_of_size(NOBODY, worker, "rest", FULL / 2, FOR_EVER);
    let more = driver.send_of_size(NOBODY, worker, "more", 1, FOR_EVER);
    let told = driver.flush();
    let waits: Vec<_> = told
        .iter()
        .filter_map(|told| if let Told::Waiting { number, .. } = told { Some(*number) } else { None })
        .collect();
    assert_eq!(waits, [more], "{half} and {rest} fit");
}

#[test]
fn a_large_message_is_lent_alone_so_that_the_rest_waits_in_the_bounds_of_its_mailbox() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &mailbox_of(10_000));
    driver.send_of_size(NOBODY, worker, "large", FULL / 2, FOR_EVER);
    driver.send(NOBODY, worker, "small", FOR_EVER);
    driver.send_of_size(NOBODY, worker, "large too", FULL / 2, FOR_EVER);
    driver.send(NOBODY, worker, "last", FOR_EVER);
    assert_eq!(bodies(&driver.flush()), ["large"]);
    driver.done(worker, 1);
    assert_eq!(bodies(&driver.flush()), ["small"]);
    driver.done(worker, 1);
    assert_eq!(bodies(&driver.flush()), ["large too"]);
    driver.done(worker, 1);
    assert_eq!(bodies(&driver.flush()), ["last"]);
}

#[test]
fn the_message_in_hand_does_not_wait_and_takes_no_place() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &mailbox_of(2));
    let numbers = [0, 1, 2, 3].map(|number| driver.send(NOBODY, worker, &number.to_string(), FOR_EVER));
    let told = driver.flush();
    assert_eq!(bodies(&told), ["0", "1", "2"]);
    assert!(told.iter().any(|told| matches!(told, Told::Waiting { number, .. } if *number == numbers[3])));
}

#[test]
fn one_message_larger_than_the_bound_fits_an_empty_mailbox() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &mailbox_of(10));
    driver.send_of_size(NOBODY, worker, "enormous", FULL * 2, FOR_EVER);
    assert_eq!(bodies(&driver.flush()), ["enormous"]);
}

#[test]
fn places_freed_by_whoever_gives_up_go_to_who_waits_longest() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &mailbox_of(2));
    driver.room = 1;
    let requests: Vec<_> =
        (0..4).map(|number| driver.ask(NOBODY, worker, &number.to_string(), FOR_EVER)).collect();
    driver.flush();
    // One is lent, one is in the mailbox, two wait in line.
    driver.give_up(requests[1]);
    driver.room = 0;
    driver.flush();
    driver.room = usize::MAX;
    driver.done(worker, 1);
    assert_eq!(lent(&driver.flush()), [Some(requests[2]), Some(requests[3])]);
}

#[test]
fn what_is_lent_counts_as_in_the_mailbox() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &box_of(40));
    for _ in 0..40 {
        driver.send(NOBODY, worker, "", FOR_EVER);
    }
    assert_eq!(bodies(&driver.flush()).len(), 40);
    driver.send(NOBODY, worker, "waits", FOR_EVER);
    let told = driver.flush();
    assert!(matches!(told[..], [Told::Waiting { .. }]), "{told:?}");
    let listed = &driver.port.list(driver.node, "worker", 1)[0];
    assert_eq!((listed.held, listed.lent, listed.handled), (40, 40, 0));
}

#[test]
fn handlers_that_end_later_are_lent_32_messages_at_a_time_others_256() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &mailbox_of(10_000));
    for _ in 0..1000 {
        driver.send(NOBODY, worker, "", FOR_EVER);
    }
    assert_eq!(bodies(&driver.flush()).len(), 256);
    driver.done_later(worker, 256);
    assert_eq!(bodies(&driver.flush()).len(), 32);
    driver.done_later(worker, 16);
    assert_eq!(bodies(&driver.flush()).len(), 16);
}

/// Handles nothing before its gate opens.
struct Blocked(Arc<Semaphore>);

impl Worker for Blocked {
    async fn handle_message(&mut self, context: Context, _: String) -> Result<(), Cause> {
        self.0.acquire().await?.forget();
        context.reply("")?;
        Ok(())
    }
}

#[test]
fn a_sender_in_rust_waits_for_room_and_hears_of_the_stage_when_its_time_is_over() {
    with_node(async |node| {
        let gate = Arc::new(Semaphore::new(0));
        let its_gate = gate.clone();
        node.start_worker("blocked", move || Blocked(its_gate.clone()), mailbox_of(1)).await.unwrap();
        node.send("blocked", "runs").await.unwrap();
        node.send("blocked", "fills").await.unwrap();
        let limit = Duration::from_millis(20);
        let error = node.send_within(limit, "blocked", "waits").await.unwrap_err();
        assert_eq!(error, Error::Timeout { worker: "blocked".into(), stage: Stage::Queued });
        let error = node.send_and_receive_within(limit, "blocked", "waits").await.unwrap_err();
        assert_eq!(error, Error::Timeout { worker: "blocked".into(), stage: Stage::Queued });
        // What nobody waits for any more does not come after all.
        gate.add_permits(1000);
        node.send_and_receive("blocked", "comes").await.unwrap();
        assert_eq!(node.list_workers("blocked", 1).await.unwrap()[0].handled, 3);
    });
}

#[test]
fn a_send_that_is_dropped_while_it_waits_is_withdrawn() {
    with_node(async |node| {
        let gate = Arc::new(Semaphore::new(0));
        let its_gate = gate.clone();
        node.start_worker("blocked", move || Blocked(its_gate.clone()), mailbox_of(1)).await.unwrap();
        node.send("blocked", "runs").await.unwrap();
        node.send("blocked", "fills").await.unwrap();
        node.run(async |context: Context| {
            let waits = std::pin::pin!(context.send("blocked", "waits"));
            let in_time = std::pin::pin!(tokio::task::yield_now());
            let first = futures_util::future::select(waits, in_time).await;
            assert!(matches!(first, futures_util::future::Either::Right(_)));
            Ok(())
        })
        .await
        .unwrap();
        gate.add_permits(1000);
        node.send_and_receive("blocked", "comes").await.unwrap();
        assert_eq!(node.list_workers("blocked", 1).await.unwrap()[0].handled, 3);
        assert_eq!(gate.available_permits(), 997);
    });
}
