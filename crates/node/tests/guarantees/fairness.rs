//! One busy or flooding worker does not starve timers, sockets or the other workers of its isolate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use troupe_node::{Cause, Context, Error, Worker, WorkerOptions};

/// Sends itself one message for each that it handles, until it is told to end.
struct Floods {
    ends: Arc<AtomicBool>,
    handled: Arc<AtomicU64>,
    is_async: bool,
}

impl Worker for Floods {
    async fn handle_message(&mut self, context: Context, message: String) -> Result<(), Cause> {
        self.handled.fetch_add(1, Ordering::Relaxed);
        if self.is_async {
            std::future::ready(()).await;
        }
        if !self.ends.load(Ordering::Relaxed) {
            context.reply(message)?;
        }
        Ok(())
    }
}

struct Echo;

impl Worker for Echo {
    async fn handle_message(&mut self, context: Context, message: String) -> Result<(), Cause> {
        context.reply(message)?;
        Ok(())
    }
}

/// While a flood goes on that would never end by itself.
async fn beside_a_flood<F>(test: impl FnOnce(Context) -> F + Send + 'static, is_async: bool)
where
    F: Future<Output = Result<(), Error>> + 'static,
{
    let runtime = tokio::spawn(async move {
        let node = troupe_node::Node::create(troupe_node::NodeOptions::alone("flooded")).await.unwrap();
        let (ends, handled) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (its_ends, its_handled) = (ends.clone(), handled.clone());
        let make = move || Floods { ends: its_ends.clone(), handled: its_handled.clone(), is_async };
        node.start_worker("ping", make, WorkerOptions::default()).await.unwrap();
        node.start_worker("echo", || Echo, WorkerOptions::default()).await.unwrap();
        node.run(async |context: Context| {
            context.start_worker("starter", || Starter, WorkerOptions::default()).await?;
            for _ in 0..100 {
                context.send("starter", "").await?;
            }
            Ok(())
        })
        .await
        .unwrap();
        let before = handled.load(Ordering::Relaxed);
        node.run(test).await.unwrap();
        assert!(handled.load(Ordering::Relaxed) > before, "the flood had ended");
        ends.store(true, Ordering::Relaxed);
        node.stop(Duration::from_secs(5)).await;
    });
    runtime.await.unwrap();
}

/// Sets ping going, and answers its replies.
struct Starter;

impl Worker for Starter {
    async fn handle_message(&mut self, context: Context, message: String) -> Result<(), Cause> {
        let sender = context.sender();
        if sender.ends_with("main") {
            context.send("ping", "x").await?;
        } else {
            // A reply of ping's: back it goes.
            context.reply(message)?;
        }
        Ok(())
    }
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

#[test]
fn other_workers_are_answered_while_one_floods_itself() {
    for is_async in [false, true] {
        let test = async |context: Context| {
            for number in 0..100 {
                assert_eq!(context.send_and_receive("echo", number.to_string()).await?, number.to_string());
            }
            Ok(())
        };
        run(beside_a_flood(test, is_async));
    }
}

#[test]
fn timers_fire_while_one_worker_floods() {
    run(beside_a_flood(
        async |_| {
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Ok(())
        },
        false,
    ));
}

#[test]
fn sockets_are_read_while_one_worker_floods() {
    run(beside_a_flood(
        async |_| {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut near = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (mut far, _) = listener.accept().await.unwrap();
            for _ in 0..20 {
                near.write_all(b"x").await.unwrap();
                let mut byte = [0];
                far.read_exact(&mut byte).await.unwrap();
            }
            Ok(())
        },
        false,
    ));
}

use std::future::Future;
