//! Nothing of what has ended is left in an isolate's tables.

use super::{Local, inside};
use crate::{Cause, Context, Error, Node, NodeOptions, OnFailure, Worker, WorkerOptions};
use futures_util::future::join_all;
use std::rc::Rc;
use std::time::Duration;

/// Answers, fails, asks itself on, keeps still, as it is told.
struct Obeys;

impl Worker for Obeys {
    async fn handle_message(&mut self, context: Context, message: String) -> Result<(), Cause> {
        match message.as_str() {
            "fail" => return Err(Cause::new("as told")),
            "panic" => panic!("as told"),
            "silent" => {}
            "twice" => {
                context.reply("one")?;
                context.reply("two")?;
            }
            "nested" => {
                let answer = context.send_and_receive("other", "echo").await?;
                context.reply(answer)?;
            }
            "wait" => context.cancelled().await,
            _ => context.reply(message)?,
        }
        Ok(())
    }
}

fn run(test: impl AsyncFnOnce(Node)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let node = Node::create(NodeOptions::alone("tables")).await.unwrap();
        test(node.clone()).await;
        node.stop(Duration::from_secs(5)).await;
    });
}

/// Bodies, requests, sends, watches and tasks that are in the tables.
async fn left(node: &Node) -> [usize; 5] {
    let count = async |local: Rc<Local>| {
        // What was given up a moment ago is on its way to the port.
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        Ok([
            local.batch.borrow().kept(),
            local.requests.borrow().open_count() + local.port.borrow().open_requests(),
            local.sends.borrow().len(),
            local.watches.borrow().len(),
            local.tasks.borrow().len(),
        ])
    };
    inside(node.inbox(), count).await.unwrap()
}

#[test]
fn whatever_becomes_of_messages_nothing_is_left_of_them() {
    run(async |node| {
        let options = WorkerOptions {
            mailbox: 2,
            on_failure: OnFailure::Restart,
            max_restarts: 1000,
            ..WorkerOptions::default()
        };
        for name in ["one", "other"] {
            node.start_worker(name, || Obeys, options).await.unwrap();
        }
        let before = left(&node).await;
        for _ in 0..5 {
            node.run(async |context: Context| {
                let limit = Duration::from_millis(20);
                let words = ["echo", "fail", "panic", "silent", "twice", "nested", "wait"];
                let asks = words
                    .iter()
                    .cycle()
                    .take(70)
                    .map(|word| context.send_and_receive_within(limit, "one", *word));
                let sends =
                    words.iter().cycle().take(70).map(|word| context.send_within(limit, "one", *word));
                let nobody = context.send("nobody", "x");
                let (outcomes, _, nobody) =
                    futures_util::future::join3(join_all(asks), join_all(sends), nobody).await;
                assert!(outcomes.iter().any(Result::is_ok) && outcomes.iter().any(Result::is_err));
                assert!(matches!(nobody, Err(Error::NoSuchWorker { .. })));
                Ok(())
            })
            .await
            .unwrap();
            // Given up half way, from outside.
            let given_up = node.send_and_receive("other", "wait");
            assert!(tokio::time::timeout(Duration::from_millis(5), given_up).await.is_err());
        }
        while node.list_workers("one", 1).await.unwrap()[0].queued > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(node.send_and_receive("one", "echo").await.unwrap(), "echo");
        assert_eq!(left(&node).await, before);
    });
}

#[test]
fn a_worker_that_has_gone_leaves_its_slot_and_nothing_else() {
    run(async |node| {
        let before = left(&node).await;
        for round in 0..20 {
            for number in 0..20 {
                node.start_worker(&format!("w{number}"), || Obeys, WorkerOptions::default()).await.unwrap();
            }
            let stops = (0..20).map(|number| {
                let node = node.clone();
                async move { node.stop_worker(&format!("w{number}"), Duration::from_secs(round)).await }
            });
            for stopped in join_all(stops).await {
                stopped.unwrap();
            }
        }
        assert_eq!(left(&node).await, before);
    });
}

#[test]
fn a_name_started_again_at_once_never_hears_what_was_meant_for_the_one_before() {
    run(async |node| {
        node.run(async |context: Context| {
            for _ in 0..50 {
                context.start_worker("again", || Obeys, WorkerOptions::default()).await?;
                let asks = join_all((0..40).map(|_| context.send_and_receive("again", "nested")));
                let stop = context.stop_worker("again", Duration::ZERO);
                let (outcomes, stopped) = futures_util::future::join(asks, stop).await;
                stopped?;
                for outcome in outcomes {
                    let is_known = matches!(
                        outcome,
                        Err(Error::WorkerStopped { .. }
                            | Error::WorkerFailed { .. }
                            | Error::NoSuchWorker { .. })
                    );
                    assert!(is_known, "{outcome:?}");
                }
            }
            Ok(())
        })
        .await
        .unwrap();
    });
}
