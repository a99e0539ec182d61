//! A zone with a supervisor as a process of its own, for one test.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
use troupe_node::discovery::Role;
use troupe_node::node::SUPERVISE;
use troupe_node::observe::OBSERVE;
use troupe_node::{Node, NodeOptions};
use troupe_supervisor::member::NAME;

/// Longer than anything takes on a busy machine: only a test that fails waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A folder of the test's own, and an observer of the zone in it.
pub(crate) struct Zone {
    pub(crate) home: PathBuf,
    observer: Node,
}

impl Drop for Zone {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

/// A running supervisor; killed with its test, and its containers with it.
pub(crate) struct Supervisor(pub(crate) Child);

impl Supervisor {
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.0.id().and_then(|pid| Pid::from_raw(pid.cast_signed())).unwrap();
        kill_process(pid, signal).unwrap();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id().unwrap()
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        timeout(PATIENCE, self.0.wait()).await.unwrap().unwrap()
    }
}

impl Zone {
    pub(crate) async fn new() -> Self {
        let home = std::env::temp_dir().join(format!("troupe-zone-{:016x}", getrandom::u64().unwrap()));
        let options = NodeOptions::in_zone("observer", "demo", home.clone()).with_role(Role::Observer);
        Self { observer: Node::create(options).await.unwrap(), home }
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_troupe-supervisor"));
        command.args(["--zone", "demo"]).env("TROUPE_HOME", &self.home).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// Starts the supervisor; it is in the zone then.
    pub(crate) async fn supervisor(&self) -> Supervisor {
        let child = self.command().spawn().unwrap();
        self.until("the supervisor to join", async || self.is_there().await.then_some(())).await;
        Supervisor(child)
    }

    pub(crate) async fn is_there(&self) -> bool {
        let members = self.observer.members().await.unwrap();
        members.iter().any(|member| member.name == NAME && member.role == Role::Supervisor)
    }

    pub(crate) async fn ask(&self, kind: u8, request: Value) -> Value {
        let answer = self.observer.ask(NAME, kind, request.to_string().as_bytes(), PATIENCE).await.unwrap();
        serde_json::from_slice(&answer).unwrap()
    }

    /// What is told of a container, if it is there.
    pub(crate) async fn container(&self, node: &str) -> Option<Value> {
        let status = self.ask(SUPERVISE, json!({"status": {}})).await;
        status["containers"].as_array().unwrap().iter().find(|one| one["node"] == node).cloned()
    }

    /// A node, as a container's program would open it.
    pub(crate) async fn node(&self, name: &str) -> Node {
        Node::create(NodeOptions::in_zone(name, "demo", self.home.clone())).await.unwrap()
    }

    /// Starts a shell script as a container. Whether its node joins is another matter: the answer is not waited for.
    pub(crate) fn apply(&self, node: &str, script: &str) {
        let request = json!({"apply": {
            "zone": "demo", "project": "/demo", "by": {"pid": 1}, "drainMs": 60_000,
            "containers": [{
                "node": node, "pod": node, "clone": 0, "container": "main", "image": "script", "program": "/bin/sh",
                "args": ["-c", script], "env": {"PATH": std::env::var("PATH").unwrap()}, "cwd": self.home, "hash": script,
            }],
        }});
        let observer = self.observer.clone();
        tokio::spawn(
            async move { observer.ask(NAME, SUPERVISE, request.to_string().as_bytes(), PATIENCE).await },
        );
    }

    /// Waits for a line of the history, the way a reader does.
    pub(crate) async fn until_line(&self, message: &str) -> Value {
        self.until_told(message, |told| told == message).await
    }

    /// Waits for a line whose message is one that is looked for.
    pub(crate) async fn until_told(&self, what: &str, is_it: impl Fn(&str) -> bool) -> Value {
        self.until(what, async || {
            let told = self.ask(OBSERVE, json!({"lines": {"after": 0, "limit": 2000, "wait": 10}})).await;
            let mut lines = told["lines"].as_array().unwrap().iter();
            lines.find(|line| line["message"].as_str().is_some_and(&is_it)).cloned()
        })
        .await
    }

    pub(crate) async fn until<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        let wait = async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
    }
}
