//! Stop, as workers in Rust see it.

use super::support::with_node;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use troupe_node::{Cause, Context, Error, Worker, WorkerOptions};

/// Runs until it is cancelled or its gate opens; tells how it ends.
struct Stubborn {
    gate: Arc<Semaphore>,
    log: mpsc::UnboundedSender<&'static str>,
    listens: bool,
}

impl Drop for Stubborn {
    fn drop(&mut self) {
        let _ = self.log.send("dropped");
    }
}

impl Worker for Stubborn {
    async fn handle_message(&mut self, context: Context, _: String) -> Result<(), Cause> {
        self.log.send("begins")?;
        if self.listens {
            context.cancelled().await;
            self.log.send("was told")?;
        } else {
            self.gate.acquire().await?.forget();
        }
        context.reply("")?;
        Ok(())
    }

    async fn shutdown(&mut self, _: Context) -> Result<(), Cause> {
        self.log.send("shuts down")?;
        Ok(())
    }
}

fn stubborn(
    listens: bool,
) -> (impl FnMut() -> Stubborn + Send + 'static, mpsc::UnboundedReceiver<&'static str>) {
    let (log, logged) = mpsc::unbounded_channel();
    let gate = Arc::new(Semaphore::new(0));
    (move || Stubborn { gate: gate.clone(), log: log.clone(), listens }, logged)
}

#[test]
fn a_handler_in_rust_that_listens_ends_in_time_and_one_that_does_not_is_dropped() {
    with_node(async |node| {
        for listens in [true, false] {
            let (make, mut logged) = stubborn(listens);
            node.start_worker("stubborn", make, WorkerOptions::default()).await.unwrap();
            let asked = tokio::spawn({
                let node = node.clone();
                async move { node.send_and_receive("stubborn", "").await }
            });
            assert_eq!(logged.recv().await, Some("begins"));
            node.stop_worker("stubborn", Duration::from_millis(10)).await.unwrap();
            let mut lines = Vec::new();
            while let Some(line) = logged.recv().await {
                lines.push(line);
            }
            let outcome = asked.await.unwrap();
            if listens {
                assert_eq!(lines, ["was told", "shuts down", "dropped"]);
                assert_eq!(outcome, Ok(String::new()));
            } else {
                assert_eq!(lines, ["dropped"]);
                let expected = Error::WorkerStopped { worker: "stubborn".into(), maybe_executed: true };
                assert_eq!(outcome, Err(expected));
            }
        }
    });
}

#[test]
fn stopping_a_node_drains_its_workers_and_main_is_not_stopped_alone() {
    with_node(async |node| {
        let refused = node.stop_worker("main", Duration::ZERO).await.unwrap_err();
        assert!(matches!(refused, Error::NotPermitted { .. }), "{refused:?}");
        let gone = node.stop_worker("nobody", Duration::ZERO).await.unwrap_err();
        assert_eq!(gone, Error::NoSuchWorker { worker: "nobody".into() });
        let (log, mut logged) = mpsc::unbounded_channel();
        for name in ["a", "b", "c"] {
            let log = log.clone();
            node.start_worker(name, move || Counts(0, log.clone()), WorkerOptions::default()).await.unwrap();
        }
        drop(log);
        for number in 0..300 {
            node.send(["a", "b", "c"][number % 3], "").await.unwrap();
        }
        node.stop(Duration::from_secs(30)).await;
        let mut counts = Vec::new();
        while let Some(count) = logged.recv().await {
            counts.push(count);
        }
        assert_eq!(counts, [100, 100, 100]);
    });
}

/// Counts, in a later turn; tells at the end.
struct Counts(u32, mpsc::UnboundedSender<u32>);

impl Worker for Counts {
    async fn handle_message(&mut self, _: Context, _: String) -> Result<(), Cause> {
        tokio::task::yield_now().await;
        self.0 += 1;
        Ok(())
    }

    async fn shutdown(&mut self, _: Context) -> Result<(), Cause> {
        self.1.send(self.0)?;
        Ok(())
    }
}

#[test]
fn a_worker_may_stop_its_own_node() {
    with_node(async |node| {
        node.start_worker("ends", || StopsItsNode, WorkerOptions::default()).await.unwrap();
        node.send("ends", "").await.unwrap();
        // Ends when the node does.
        let closed = node.mailbox().receive_within(Duration::MAX).await.unwrap_err();
        assert_eq!(closed, Error::NodeStopped);
    });
}

struct StopsItsNode;

impl Worker for StopsItsNode {
    async fn handle_message(&mut self, context: Context, _: String) -> Result<(), Cause> {
        context.node().stop(Duration::from_secs(1)).await;
        Ok(())
    }
}
