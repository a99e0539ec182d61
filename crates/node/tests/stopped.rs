//! A stopped node is gone: no thread, no file and no socket of it is left. Apart from other tests, whose threads come and go.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use troupe_node::{Cause, Context, Error, Node, NodeOptions, Worker, WorkerOptions};

struct Echo;

impl Worker for Echo {
    async fn handle_message(&mut self, context: Context, message: String) -> Result<(), Cause> {
        context.reply(message)?;
        Ok(())
    }
}

/// Names of this process's threads of ours, and how many files it has open.
fn held() -> (Vec<String>, usize) {
    let threads = std::fs::read_dir("/proc/self/task").unwrap().filter_map(|task| {
        // It may have ended since it was listed.
        let name = std::fs::read_to_string(task.unwrap().path().join("comm")).ok()?;
        name.starts_with("troupe").then_some(name)
    });
    (threads.collect(), std::fs::read_dir("/proc/self/fd").unwrap().count())
}

#[test]
fn a_hundred_nodes_up_and_down_leave_nothing() {
    let home = std::env::temp_dir().join(format!("troupe-stopped-{}", std::process::id()));
    std::fs::create_dir(&home).unwrap();
    std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o700)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let before = held();
    assert_eq!(before.0, [""; 0]);
    runtime.block_on(async {
        for round in 0..25 {
            let far = Node::create(NodeOptions::in_zone("far", "stopped", home.clone())).await.unwrap();
            let near = Node::create(NodeOptions::in_zone("near", "stopped", home.clone())).await.unwrap();
            let alone = Node::create(NodeOptions::alone("alone")).await.unwrap();
            far.start_worker("echo", || Echo, WorkerOptions::default()).await.unwrap();
            assert_eq!(near.send_and_receive("echo", "there").await.unwrap(), "there");
            // Called off by the end of its node.
            let waits = alone.mailbox();
            let (received, ()) =
                futures_util::future::join(waits.receive_within(Duration::MAX), alone.stop(Duration::ZERO))
                    .await;
            assert_eq!(received.unwrap_err(), Error::NodeStopped);
            if round % 2 == 0 {
                near.stop(Duration::from_secs(5)).await;
                far.stop(Duration::from_secs(5)).await;
            } else {
                far.stop(Duration::from_secs(5)).await;
                near.stop(Duration::from_secs(5)).await;
                // Again: the same.
                near.stop(Duration::from_secs(5)).await;
            }
            let dropped = Node::create(NodeOptions::alone("dropped")).await.unwrap();
            let kept = dropped.mailbox();
            drop(dropped);
            drop(kept);
        }
    });
    // A node that was dropped, not stopped, ends by itself.
    while !held().0.is_empty() {
        std::thread::yield_now();
    }
    assert_eq!(held(), before);
    std::fs::remove_dir_all(&home).unwrap();
}
