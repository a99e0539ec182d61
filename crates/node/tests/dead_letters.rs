//! Every loss is counted, with its reason. Counts are those of the process: these tests run one after the other, apart from
//! all others.

use std::sync::{Mutex, PoisonError};
use troupe_node::port::{Overflow, Reason, WorkerOptions, dead_letters};
use troupe_testkit::driver::FOR_EVER;
use troupe_testkit::{Driver, listen_to_warnings, warnings_with};

const NOBODY: u32 = u32::MAX;
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// What was lost while this ran, by reason.
fn lost(run: impl FnOnce(&mut Driver)) -> Vec<(Reason, u64)> {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let before = dead_letters();
    let mut driver = Driver::new();
    run(&mut driver);
    assert_eq!(driver.kept_bodies(), 0, "what is lost leaves nothing behind");
    let after = dead_letters();
    let counts = Reason::ALL.into_iter().zip(after.iter().zip(before).map(|(after, before)| after - before));
    counts.filter(|(_, count)| *count > 0).collect()
}

fn mailbox_of(mailbox: u32) -> WorkerOptions {
    WorkerOptions { mailbox, has_behaviour: false, ..WorkerOptions::default() }
}

#[test]
fn a_send_to_nobody_is_counted() {
    let lost = lost(|driver| {
        driver.send_to(NOBODY, "nobody", "", FOR_EVER);
        driver.send_to(NOBODY, "here/nobody", "", FOR_EVER);
        driver.flush();
    });
    assert_eq!(lost, [(Reason::NoSuchWorker, 2)]);
}

#[test]
fn a_send_to_a_node_without_a_way_to_it_is_counted() {
    let lost = lost(|driver| {
        driver.send_to(NOBODY, "elsewhere/worker", "", FOR_EVER);
        driver.flush();
    });
    assert_eq!(lost, [(Reason::NodeUnreachable, 1)]);
}

#[test]
fn a_send_that_a_full_mailbox_refuses_and_a_reply_that_finds_no_room_are_counted() {
    let lost = lost(|driver| {
        let worker = driver.start("worker", &WorkerOptions { overflow: Overflow::Reject, ..mailbox_of(1) });
        driver.send(NOBODY, worker, "taken", FOR_EVER);
        driver.send(NOBODY, worker, "refused", FOR_EVER);
        driver.reply_to_send(NOBODY, worker, "no room");
        driver.flush();
    });
    assert_eq!(lost, [(Reason::MailboxFull, 2)]);
}

#[test]
fn a_send_that_finds_no_room_in_time_or_is_given_up_is_counted() {
    let lost = lost(|driver| {
        let worker = driver.start("worker", &mailbox_of(1));
        driver.send(NOBODY, worker, "taken", FOR_EVER);
        driver.send(NOBODY, worker, "expires", 10);
        driver.flush();
        driver.after(10);
        driver.send(NOBODY, worker, "given up", FOR_EVER);
        let told = driver.flush();
        let [troupe_testkit::Told::Waiting { wait, .. }] = told[..] else { panic!("{told:?}") };
        driver.give_up(wait);
        driver.flush();
    });
    assert_eq!(lost, [(Reason::Expired, 2)]);
}

#[test]
fn what_a_stopping_worker_does_not_take_or_does_not_get_to_is_counted() {
    let lost = lost(|driver| {
        let worker = driver.start("worker", &mailbox_of(4));
        driver.room = 1;
        for text in ["lent", "waits", "waits", "waits", "in line"] {
            driver.send(NOBODY, worker, text, FOR_EVER);
        }
        driver.flush();
        driver.room = usize::MAX;
        driver.stop(worker, 0);
        driver.send(NOBODY, worker, "too late", FOR_EVER);
        driver.flush();
        // What was lent and not begun comes back.
        driver.refuse(worker, None);
        driver.flush();
        driver.ended(worker);
        driver.flush();
    });
    assert_eq!(lost, [(Reason::WorkerStopped, 6)]);
}

#[test]
fn a_reply_that_nobody_waits_for_is_counted() {
    let lost = lost(|driver| {
        let worker = driver.start("worker", &mailbox_of(4));
        let answered = driver.ask(NOBODY, worker, "", FOR_EVER);
        let given_up = driver.ask(NOBODY, worker, "", FOR_EVER);
        let late = driver.ask(NOBODY, worker, "", 10);
        driver.flush();
        driver.reply(worker, answered, "first");
        driver.reply(worker, answered, "second");
        driver.give_up(given_up);
        driver.reply(worker, given_up, "to nobody");
        driver.after(10);
        driver.stage(late, 2);
        driver.flush();
        driver.reply(worker, late, "late");
        driver.flush();
    });
    assert_eq!(lost, [(Reason::LateReply, 3)]);
}

/// What is logged of the losses of this run. Each reason has a line in this hour, which no other test has.
fn logged(hour: u64, run: impl FnOnce(&mut Driver)) -> Vec<String> {
    listen_to_warnings();
    let mut lines = Vec::new();
    lost(|driver| {
        // While no other test runs.
        let before = warnings_with("reached nobody").len();
        driver.after(hour * 3_600_000);
        run(driver);
        lines = warnings_with("reached nobody").split_off(before);
    });
    lines.into_iter().map(|line| line.split(" reached").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_log_names_whom_a_lost_message_was_for_and_who_sent_it() {
    let lines = logged(1, |driver| {
        let sender = driver.start("sender", &mailbox_of(4)).slot;
        let full = driver.start("full", &mailbox_of(1));
        driver.send_to(sender, "here/nobody", "", FOR_EVER);
        driver.send_to(sender, "elsewhere/worker", "", FOR_EVER);
        driver.send(sender, full, "taken", FOR_EVER);
        driver.reply_to_send(sender, full, "no room");
        driver.send(sender, full, "expires", 10);
        driver.flush();
        driver.after(10);
        driver.send(NOBODY, full, "in line", FOR_EVER);
        driver.stop(full, 0);
        driver.flush();
    });
    let expected = [
        "a message for worker here/nobody from worker sender",
        "a message for worker elsewhere/worker from worker sender",
        "a message for worker full from worker sender",
        "a message for worker full from worker sender",
        "a message for worker full",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_request_that_fails_is_told_and_so_not_counted() {
    let lost = lost(|driver| {
        let worker = driver.start("worker", &mailbox_of(1));
        driver.ask_at(NOBODY, "nobody", "", FOR_EVER);
        driver.ask(NOBODY, worker, "taken", 10);
        driver.ask(NOBODY, worker, "expires", 10);
        driver.flush();
        driver.after(10);
    });
    assert_eq!(lost, []);
}
