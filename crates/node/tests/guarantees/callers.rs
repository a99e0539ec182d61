//! Callers on other threads, which run no workers: what they ask has the outcome that a request of the isolate has.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use troupe_node::{Cause, Context, Error, Full, Node, NodeOptions, Overflow, Stage, Worker, WorkerOptions};

const LONG: Duration = Duration::from_secs(30);

/// Answers with what it was asked, and from whom; fails, waits or says nothing when it is told to.
struct Echo {
    begun: Arc<Notify>,
    called_off: Arc<Notify>,
}

impl Worker for Echo {
    async fn handle_message(&mut self, context: Context, message: String) -> Result<(), Cause> {
        match message.as_str() {
            "fail" => return Err(Cause::new("as it was told")),
            "wait" => {
                self.begun.notify_one();
                context.cancelled().await;
                self.called_off.notify_one();
            }
            "say nothing" => {}
            _ => context.reply(format!("{message} from {:?}", context.sender()))?,
        }
        Ok(())
    }
}

struct Fixture {
    node: Node,
    begun: Arc<Notify>,
    called_off: Arc<Notify>,
}

async fn fixture(options: NodeOptions) -> Fixture {
    let node = Node::create(options).await.unwrap();
    let (begun, called_off) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (one, other) = (begun.clone(), called_off.clone());
    let make = move || Echo { begun: one.clone(), called_off: other.clone() };
    let options = WorkerOptions { mailbox: 1, overflow: Overflow::Reject, ..WorkerOptions::default() };
    node.start_worker("echo", make, options).await.unwrap();
    Fixture { node, begun, called_off }
}

#[tokio::test]
async fn a_caller_of_another_thread_gets_the_reply_and_is_nobody_to_the_worker() {
    let Fixture { node, .. } = fixture(NodeOptions::alone("here")).await;
    let shared = node.shared();
    assert_eq!(shared.request("echo", "hé".into(), LONG).await.unwrap(), "hé from \"\"");
    assert_eq!(shared.request("here/echo", "x".into(), LONG).await.unwrap(), "x from \"\"");
    shared.send("echo", "y".into(), LONG).await.unwrap();
    assert!(shared.turn().await);
}

#[tokio::test]
async fn a_caller_of_another_thread_gets_each_failure_by_its_code() {
    let Fixture { node, begun, called_off } = fixture(NodeOptions::alone("here")).await;
    let shared = node.shared();
    let gone = shared.request("nobody", "".into(), LONG).await.unwrap_err();
    assert_eq!(gone, Error::NoSuchWorker { worker: "nobody".into() });
    assert!(matches!(shared.send("nobody", "".into(), LONG).await, Err(Error::NoSuchWorker { .. })));
    assert!(matches!(shared.request("no name!", "".into(), LONG).await, Err(Error::InvalidArgument { .. })));
    let Error::WorkerFailed { cause, .. } = shared.request("echo", "fail".into(), LONG).await.unwrap_err()
    else {
        panic!("it failed otherwise");
    };
    assert_eq!(cause.message, "as it was told");
    let soon = Duration::from_millis(1);
    let late = shared.request("echo", "say nothing".into(), soon).await.unwrap_err();
    assert!(matches!(late, Error::Timeout { stage: Stage::Handled | Stage::Queued, .. }), "{late:?}");

    let running = tokio::spawn({
        let shared = shared.clone();
        async move { shared.request("echo", "wait".into(), LONG).await }
    });
    begun.notified().await;
    shared.send("echo", "fills the mailbox".into(), LONG).await.unwrap();
    let full = shared.request("echo", "one too many".into(), LONG).await.unwrap_err();
    assert_eq!(full, Error::MailboxFull { worker: "echo".into(), full: Full::Mailbox });
    running.abort();
    // The handler hears that nobody waits.
    called_off.notified().await;
    node.stop(Duration::ZERO).await;
    assert_eq!(shared.request("echo", "x".into(), LONG).await.unwrap_err(), Error::NodeStopped);
    assert!(!shared.turn().await);
}

#[tokio::test]
async fn a_caller_of_another_thread_reaches_workers_of_other_nodes() {
    let home = std::env::temp_dir().join(format!("troupe-callers-{}", std::process::id()));
    std::fs::create_dir(&home).unwrap();
    std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o700)).unwrap();
    let _removed = Removed(home.clone());
    let far = fixture(NodeOptions::in_zone("far", "callers", home.clone())).await;
    let near = Node::create(NodeOptions::in_zone("near", "callers", home.clone())).await.unwrap();
    let shared = near.shared();
    for i in 0..3 {
        let answer = shared.request("echo", format!("{i}").into(), LONG).await.unwrap();
        assert_eq!(answer, format!("{i} from \"\""));
    }
    assert_eq!(shared.request("far/echo", "x".into(), LONG).await.unwrap(), "x from \"\"");
    shared.send("echo", "y".into(), LONG).await.unwrap();
    assert!(matches!(shared.request("near/echo", "x".into(), LONG).await, Err(Error::NoSuchWorker { .. })));
    near.stop(Duration::ZERO).await;
    far.node.stop(Duration::ZERO).await;
}

struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
