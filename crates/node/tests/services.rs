//! Services between members: answered on the I/O thread, bounded, and given up with their asker.

#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::Duration,
};

use tokio::sync::{Notify, watch};
use troupe_node::{
    Cause, Context, Error, Node, NodeOptions, Worker, WorkerOptions,
    discovery::Role,
    node::{Asked, Opened, Refusal},
    port::Port,
};
use troupe_proto::noise::Capabilities;

const PATIENCE: Duration = Duration::from_secs(20);
const KIND: u8 = b'T';

/// A folder of the test's own, removed in the end.
struct Home(PathBuf);

impl Home {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("troupe-services-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        Self(path)
    }

    async fn node(&self, name: &str, role: Role) -> Node {
        Node::create(NodeOptions::in_zone(name, "test", self.0.clone()).with_role(role)).await.unwrap()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_node_has_its_number_in_the_port_before_a_member_can_see_it() {
    let mut port = Port::new(0);
    port.add_node("first");
    let seen = Arc::new(OnceLock::new());
    let seeing = seen.clone();
    let options = NodeOptions::alone("second").prepared(move |node| seeing.set(node.number()).unwrap());
    let opened = Opened::open(options, &mut port, |result| result.unwrap());
    assert_eq!((seen.get(), opened.shared().number()), (Some(&1), 1));
}

#[tokio::test]
async fn an_observer_asks_a_node_which_hears_who_it_is_and_what_it_may() {
    let home = Home::new();
    let (node, observer) = (home.node("node", Role::Node).await, home.node("looker", Role::Observer).await);
    let id = observer.id().to_owned();
    node.serve(KIND, move |Asked { by, body }| {
        assert_eq!((by.name.as_str(), by.id.to_string()), ("looker", id.clone()));
        assert_eq!(by.capabilities, Capabilities::ALL);
        async move { Ok([b"heard ", &body[..]].concat()) }
    });
    assert_eq!(observer.ask("node", KIND, b"me", PATIENCE).await.unwrap(), b"heard me");
    node.serve(KIND, |_| async { Err(Refusal::failed("out of order")) });
    let refused = observer.ask("node", KIND, b"", PATIENCE).await.unwrap_err();
    assert!(
        matches!(&refused, Error::WorkerFailed { worker, cause } if worker == "node" && cause.message == "out of order"),
        "{refused:?}"
    );
    let unknown = observer.ask("node", b'?', b"", PATIENCE).await.unwrap_err();
    assert!(matches!(unknown, Error::NotPermitted { .. }), "{unknown:?}");
    let nobody = observer.ask("nobody", KIND, b"", PATIENCE).await.unwrap_err();
    assert!(matches!(nobody, Error::NodeUnreachable { maybe_executed: false, .. }), "{nobody:?}");
}

#[tokio::test]
async fn a_node_asks_itself_as_it_asks_others() {
    let home = Home::new();
    let node = home.node("node", Role::Node).await;
    node.serve(KIND, |Asked { by, body }| async move { Ok([by.name.as_bytes(), &body].concat()) });
    assert_eq!(node.ask("node", KIND, b"!", PATIENCE).await.unwrap(), b"node!");
    let unknown = node.ask("node", b'?', b"", PATIENCE).await.unwrap_err();
    assert!(matches!(unknown, Error::NotPermitted { .. }), "{unknown:?}");
}

/// Blocks its isolate's thread until it is let go.
struct Blocks(Arc<Mutex<mpsc::Receiver<()>>>, Arc<Notify>);

impl Worker for Blocks {
    async fn handle_message(&mut self, _: Context, _: String) -> Result<(), Cause> {
        self.1.notify_one();
        let _ = self.0.lock().unwrap().recv();
        Ok(())
    }
}

#[tokio::test]
async fn a_service_answers_while_the_isolate_is_blocked() {
    let home = Home::new();
    let (node, observer) = (home.node("node", Role::Node).await, home.node("looker", Role::Observer).await);
    node.serve(KIND, |_| async { Ok(b"here".to_vec()) });
    let (go, gate) = mpsc::channel();
    let (gate, is_blocked) = (Arc::new(Mutex::new(gate)), Arc::new(Notify::new()));
    let told = is_blocked.clone();
    let options = WorkerOptions::default();
    node.start_worker("blocks", move || Blocks(gate.clone(), told.clone()), options).await.unwrap();
    let sender = node.clone();
    let sent = tokio::spawn(async move { sender.send("blocks", "now").await });
    is_blocked.notified().await;
    assert_eq!(observer.ask("node", KIND, b"", PATIENCE).await.unwrap(), b"here");
    go.send(()).unwrap();
    sent.await.unwrap().unwrap();
}

/// Counts how many of it live.
struct Alive(Arc<watch::Sender<usize>>);

impl Alive {
    fn new(count: &Arc<watch::Sender<usize>>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

#[tokio::test]
async fn a_member_has_64_requests_under_way_and_what_it_gives_up_makes_room() {
    let home = Home::new();
    let (node, observer) = (home.node("node", Role::Node).await, home.node("looker", Role::Observer).await);
    let count = Arc::new(watch::Sender::new(0));
    let alive = count.clone();
    node.serve(KIND, move |Asked { body, .. }| {
        let alive = Alive::new(&alive);
        async move {
            if body == b"wait" {
                std::future::pending::<()>().await;
            }
            drop(alive);
            Ok(body)
        }
    });
    let waiting: Vec<_> = (0..64)
        .map(|_| {
            let observer = observer.clone();
            tokio::spawn(async move { observer.ask("node", KIND, b"wait", PATIENCE).await })
        })
        .collect();
    let mut changes = count.subscribe();
    changes.wait_for(|count| *count == 64).await.unwrap();
    let refused = observer.ask("node", KIND, b"one more", PATIENCE).await.unwrap_err();
    assert!(matches!(refused, Error::MailboxFull { .. }), "{refused:?}");
    let other = home.node("other", Role::Observer).await;
    assert_eq!(other.ask("node", KIND, b"another's", PATIENCE).await.unwrap(), b"another's");
    waiting[0].abort();
    changes.wait_for(|count| *count == 63).await.unwrap();
    assert_eq!(observer.ask("node", KIND, b"again", PATIENCE).await.unwrap(), b"again");
    observer.stop(Duration::ZERO).await;
    changes.wait_for(|count| *count == 0).await.unwrap();
}

#[tokio::test]
async fn a_member_has_32_mib_of_requests_under_way() {
    let home = Home::new();
    let (node, observer) = (home.node("node", Role::Node).await, home.node("looker", Role::Observer).await);
    let begun = Arc::new(watch::Sender::new(0));
    let told = begun.clone();
    node.serve(KIND, move |Asked { body, .. }| {
        told.send_modify(|count| *count += 1);
        async move {
            if body.len() > 100 {
                std::future::pending::<()>().await;
            }
            Ok(body)
        }
    });
    let mut changes = begun.subscribe();
    let mut waiting = Vec::new();
    for count in 1..=2 {
        let asker = observer.clone();
        // With the byte of the kind as long as a message may be.
        let body = vec![b'x'; (16 << 20) - 1];
        waiting.push(tokio::spawn(async move { asker.ask("node", KIND, &body, PATIENCE).await }));
        changes.wait_for(|begun| *begun == count).await.unwrap();
    }
    let refused = observer.ask("node", KIND, b"one more", PATIENCE).await.unwrap_err();
    assert!(matches!(refused, Error::MailboxFull { .. }), "{refused:?}");
    assert_eq!(observer.ask("node", KIND, b"", PATIENCE).await.unwrap(), b"");
    waiting[0].abort();
    let retry = async { while observer.ask("node", KIND, b"again", PATIENCE).await.is_err() {} };
    tokio::time::timeout(PATIENCE, retry).await.unwrap();
}

#[tokio::test]
async fn a_request_ends_with_its_time_and_its_node() {
    let home = Home::new();
    let (node, observer) = (home.node("node", Role::Node).await, home.node("looker", Role::Observer).await);
    let begun = Arc::new(watch::Sender::new(0));
    let told = begun.clone();
    node.serve(KIND, move |_| {
        told.send_modify(|count| *count += 1);
        std::future::pending()
    });
    let late = observer.ask("node", KIND, b"", Duration::from_millis(1)).await.unwrap_err();
    assert!(matches!(late, Error::Timeout { .. }), "{late:?}");
    let asker = observer.clone();
    let asked = tokio::spawn(async move { asker.ask("node", KIND, b"", PATIENCE).await });
    begun.subscribe().wait_for(|count| *count >= 1).await.unwrap();
    node.stop(Duration::ZERO).await;
    let lost = asked.await.unwrap().unwrap_err();
    assert!(matches!(lost, Error::NodeUnreachable { .. }), "{lost:?}");
}

#[tokio::test]
async fn an_answer_of_more_than_16_mib_fails_as_too_large() {
    let home = Home::new();
    let (node, observer) = (home.node("node", Role::Node).await, home.node("looker", Role::Observer).await);
    node.serve(KIND, |Asked { body, .. }| async move {
        let more = usize::from(body == b"more");
        Ok(vec![b'x'; (16 << 20) + more])
    });
    assert_eq!(observer.ask("node", KIND, b"", PATIENCE).await.unwrap().len(), 16 << 20);
    let refused = observer.ask("node", KIND, b"more", PATIENCE).await.unwrap_err();
    assert!(matches!(refused, Error::MessageTooLarge { .. }), "{refused:?}");
}

/// Answers with the name of its node.
struct Echo(&'static str);

impl Worker for Echo {
    async fn handle_message(&mut self, context: Context, _: String) -> Result<(), Cause> {
        context.reply(self.0)?;
        Ok(())
    }
}

#[tokio::test]
async fn nobody_asks_an_observer_or_the_supervisor_for_a_worker() {
    let home = Home::new();
    let node = home.node("node", Role::Node).await;
    let observer = home.node("looker", Role::Observer).await;
    let supervisor = home.node("keeper", Role::Supervisor).await;
    for (of, name) in [(&observer, "looker"), (&supervisor, "keeper")] {
        of.start_worker("echo", move || Echo(name), WorkerOptions::default()).await.unwrap();
    }
    let absent = node.send_and_receive("echo", "").await.unwrap_err();
    assert!(matches!(absent, Error::NoSuchWorker { .. }), "{absent:?}");
    let unreachable = node.send_and_receive("looker/echo", "").await.unwrap_err();
    assert!(matches!(unreachable, Error::NodeUnreachable { .. }), "{unreachable:?}");
    node.start_worker("here", || Echo("node"), WorkerOptions::default()).await.unwrap();
    assert_eq!(observer.send_and_receive("here", "").await.unwrap(), "node");
    let members = observer.members().await.unwrap();
    let roles: Vec<_> = members.iter().map(|member| (member.name.as_str(), member.role)).collect();
    assert_eq!(roles, [("keeper", Role::Supervisor), ("node", Role::Node)]);
}
