//! Messages of one sender to one receiver arrive in the order sent.

use super::support::{NOBODY, is_at_rest, mailbox_of, on_failure, with_node};
use troupe_node::{Cause, Context, OnFailure, Worker, WorkerOptions};
use troupe_testkit::driver::{FOR_EVER, bodies};
use troupe_testkit::{Driver, Told};

#[test]
fn messages_arrive_in_order_through_mailbox_and_line_whether_sent_or_asked() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &mailbox_of(3));
    let mut requests = Vec::new();
    for number in 0..20 {
        let text = number.to_string();
        if number % 3 == 0 {
            requests.push(driver.ask(NOBODY, worker, &text, FOR_EVER));
        } else {
            driver.send(NOBODY, worker, &text, FOR_EVER);
        }
    }
    let mut seen: Vec<String> = Vec::new();
    let mut told = driver.flush();
    loop {
        let new = bodies(&told).len() as u32;
        if new == 0 {
            break;
        }
        seen.extend(bodies(&told).into_iter().map(str::to_owned));
        driver.done(worker, new);
        told = driver.flush();
    }
    assert_eq!(seen, (0..20).map(|number| number.to_string()).collect::<Vec<_>>());
    for request in requests {
        driver.reply(worker, request, "");
    }
    driver.flush();
    assert!(is_at_rest(&driver));
}

#[test]
fn order_holds_between_a_name_and_a_full_address_and_a_slot() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &mailbox_of(1));
    driver.flush();
    driver.send_to(NOBODY, "worker", "0", FOR_EVER);
    driver.send_to(NOBODY, "here/worker", "1", FOR_EVER);
    driver.send(NOBODY, worker, "2", FOR_EVER);
    driver.send_to(NOBODY, "worker", "3", FOR_EVER);
    let mut seen = Vec::new();
    for _ in 0..4 {
        let told = driver.flush();
        seen.extend(bodies(&told).into_iter().map(str::to_owned));
        driver.done(worker, 1);
    }
    assert_eq!(seen, ["0", "1", "2", "3"]);
}

#[test]
fn a_message_withdrawn_from_the_middle_leaves_the_others_in_order() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &mailbox_of(4));
    driver.room = 1;
    let requests: Vec<_> =
        (0..9).map(|number| driver.ask(NOBODY, worker, &number.to_string(), FOR_EVER)).collect();
    let mut seen = Vec::new();
    let mut keep = |told: Vec<Told>| seen.extend(bodies(&told).into_iter().map(str::to_owned));
    keep(driver.flush());
    // One in the mailbox, one in the line.
    driver.give_up(requests[2]);
    driver.give_up(requests[6]);
    for _ in 0..30 {
        keep(driver.flush());
        driver.done(worker, 1);
    }
    assert_eq!(seen, ["0", "1", "3", "4", "5", "7", "8"]);
}

#[test]
fn a_small_sink_does_not_reorder_what_it_leaves_for_the_next_flush() {
    let mut driver = Driver::new();
    let one = driver.start("one", &mailbox_of(100));
    let two = driver.start("two", &mailbox_of(100));
    driver.room = 3;
    for number in 0..20 {
        driver.send(NOBODY, one, &format!("one {number}"), FOR_EVER);
        driver.send(NOBODY, two, &format!("two {number}"), FOR_EVER);
    }
    let mut seen: Vec<String> = Vec::new();
    let mut told = driver.flush();
    while driver.flushed.more || !told.is_empty() {
        seen.extend(bodies(&told).into_iter().map(str::to_owned));
        told = driver.flush();
    }
    for name in ["one", "two"] {
        let of: Vec<_> = seen.iter().filter(|text| text.starts_with(name)).cloned().collect();
        assert_eq!(of, (0..20).map(|number| format!("{name} {number}")).collect::<Vec<_>>());
    }
}

/// Keeps what it was sent; tells it when asked. Fails when told to.
struct Diary(Vec<String>);

impl Worker for Diary {
    async fn handle_message(&mut self, context: Context, message: String) -> Result<(), Cause> {
        match message.as_str() {
            "tell" => context.reply(self.0.join(" "))?,
            "fail" => return Err(Cause::new("as told")),
            _ => {
                // Ends in a later turn for some, at once for others.
                if message.len().is_multiple_of(2) {
                    tokio::task::yield_now().await;
                }
                self.0.push(message);
            }
        }
        Ok(())
    }
}

#[test]
fn order_holds_for_handlers_that_end_at_once_or_later_and_through_a_full_mailbox() {
    with_node(async |node| {
        node.start_worker("diary", || Diary(Vec::new()), mailbox_of(2)).await.unwrap();
        let expected: Vec<_> =
            (0..300).map(|number| "x".repeat(number % 5 + 1) + &number.to_string()).collect();
        let messages = expected.clone();
        node.run(async move |context: Context| {
            let sends = messages.iter().map(|message| context.send("diary", message.as_str()));
            for sent in futures_util::future::join_all(sends).await {
                sent?;
            }
            Ok(())
        })
        .await
        .unwrap();
        assert_eq!(node.send_and_receive("diary", "tell").await.unwrap(), expected.join(" "));
    });
}

#[test]
fn order_holds_across_a_restart_and_what_waits_is_kept() {
    with_node(async |node| {
        node.start_worker("diary", || Diary(Vec::new()), on_failure(OnFailure::Restart)).await.unwrap();
        let told = node
            .run(async |context: Context| {
                let messages = ["a", "b", "fail", "c", "d", "e"];
                let sends = messages.map(|message| context.send("diary", message));
                for sent in futures_util::future::join_all(sends).await {
                    sent?;
                }
                context.send_and_receive("diary", "tell").await
            })
            .await;
        // What came before the failure was the state of the old instance.
        assert_eq!(told.unwrap(), "c d e");
    });
}

#[test]
fn a_request_keeps_its_place_among_sends() {
    with_node(async |node| {
        node.start_worker("diary", || Diary(Vec::new()), WorkerOptions::default()).await.unwrap();
        let told = node
            .run(async |context: Context| {
                let before = context.send("diary", "before");
                let asked = context.send_and_receive("diary", "tell");
                let after = context.send("diary", "after");
                let (before, told, after) = futures_util::future::join3(before, asked, after).await;
                before?;
                after?;
                told
            })
            .await;
        assert_eq!(told.unwrap(), "before");
    });
}
