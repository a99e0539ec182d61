//! A worker's handlers never overlap.

use super::support::with_node;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{Semaphore, mpsc};
use troupe_node::{Cause, Context, Worker, WorkerOptions, WorkerState};

/// Counts handlers that run; each waits at a gate in the middle.
struct Gated {
    running: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
}

impl Worker for Gated {
    async fn handle_message(&mut self, context: Context, message: String) -> Result<(), Cause> {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        self.gate.acquire().await?.forget();
        self.running.fetch_sub(1, Ordering::SeqCst);
        context.reply(message)?;
        Ok(())
    }
}

#[test]
fn the_next_handler_begins_when_the_future_of_the_last_has_ended() {
    with_node(async |node| {
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let gate = Arc::new(Semaphore::new(0));
        let (of_worker, most_of_worker, its_gate) = (running.clone(), most.clone(), gate.clone());
        let make = move || Gated {
            running: of_worker.clone(),
            most: most_of_worker.clone(),
            gate: its_gate.clone(),
        };
        node.start_worker("gated", make, WorkerOptions::default()).await.unwrap();
        let asks: Vec<_> = (0..50)
            .map(|number| {
                let node = node.clone();
                tokio::spawn(async move { node.send_and_receive("gated", number.to_string()).await })
            })
            .collect();
        for (number, ask) in asks.into_iter().enumerate() {
            gate.add_permits(1);
            assert_eq!(ask.await.unwrap().unwrap(), number.to_string());
        }
        assert_eq!((most.load(Ordering::SeqCst), running.load(Ordering::SeqCst)), (1, 0));
    });
}

/// Its start waits at a gate.
struct Slow {
    gate: Arc<Semaphore>,
    log: mpsc::UnboundedSender<&'static str>,
}

impl Worker for Slow {
    async fn initialize(&mut self, _: Context) -> Result<(), Cause> {
        self.log.send("begins")?;
        self.gate.acquire().await?.forget();
        self.log.send("initialized")?;
        Ok(())
    }

    async fn handle_message(&mut self, context: Context, _: String) -> Result<(), Cause> {
        self.log.send("handles")?;
        context.reply("")?;
        Ok(())
    }

    async fn shutdown(&mut self, _: Context) -> Result<(), Cause> {
        self.log.send("shuts down")?;
        Ok(())
    }
}

#[test]
fn initialize_comes_before_the_first_message_and_shutdown_after_the_last() {
    with_node(async |node| {
        let gate = Arc::new(Semaphore::new(0));
        let (log, mut logged) = mpsc::unbounded_channel();
        let its_gate = gate.clone();
        let starting = {
            let node = node.clone();
            let make = move || Slow { gate: its_gate.clone(), log: log.clone() };
            tokio::spawn(async move { node.start_worker("slow", make, WorkerOptions::default()).await })
        };
        assert_eq!(logged.recv().await, Some("begins"));
        // It is found by its name; its messages wait.
        node.send("slow", "early").await.unwrap();
        assert_eq!(node.list_workers("slow", 1).await.unwrap()[0].state, WorkerState::Starting);
        gate.add_permits(1);
        starting.await.unwrap().unwrap();
        node.send_and_receive("slow", "late").await.unwrap();
        node.stop_worker("slow", std::time::Duration::from_secs(5)).await.unwrap();
        let mut rest = Vec::new();
        while let Some(line) = logged.recv().await {
            rest.push(line);
        }
        assert_eq!(rest, ["initialized", "handles", "handles", "shuts down"]);
    });
}
