//! A supervisor without a zone, whose containers are shell programs in a folder of the test's own.

use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use troupe_node::observe::Ring;
use troupe_supervisor::history::History;
use troupe_supervisor::keeper::{Present, Surroundings};
use troupe_supervisor::line::{Line, unix_ms};
use troupe_supervisor::restart::Policy;
use troupe_supervisor::service::supervise;
use troupe_supervisor::supervisor::Supervisor;

/// Longer than anything takes on a busy machine: only a test that fails waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A supervisor, and where its containers are started.
pub(crate) struct Zone {
    pub(crate) folder: PathBuf,
    pub(crate) history: History,
    pub(crate) ring: Arc<Ring>,
    pub(crate) supervisor: Supervisor,
    present: watch::Sender<Present>,
}

impl Drop for Zone {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Zone {
    /// With a policy whose pauses are no longer than the test has time.
    pub(crate) fn new() -> Self {
        Self::with(Policy { first: Duration::ZERO, ..Policy::default() })
    }

    pub(crate) fn with(policy: Policy) -> Self {
        Self::prepared(policy, |_| ())
    }

    /// With something in the folder of its history before it is opened.
    pub(crate) fn prepared(policy: Policy, prepare: impl FnOnce(&Path)) -> Self {
        let folder =
            std::env::temp_dir().join(format!("troupe-supervisor-{:016x}", getrandom::u64().unwrap()));
        std::fs::create_dir(&folder).unwrap();
        prepare(&folder);
        let ring = Arc::<Ring>::default();
        let history = History::open(&folder.join("history"), ring.clone(), "troupe-supervisor").unwrap();
        let (present, told) = watch::channel(Present::default());
        let around = Surroundings { history: history.clone(), present: told, policy };
        Self { folder, history, ring, supervisor: Supervisor::new("demo", around), present }
    }

    /// Lets nodes be in the zone from now on.
    pub(crate) fn join(&self, nodes: &[&str]) {
        let later = unix_ms() + 3_600_000;
        let present: HashMap<_, _> = nodes.iter().map(|node| ((*node).to_owned(), later)).collect();
        self.present.send_replace(Arc::new(present));
    }

    /// Lets nodes be in the zone that were there before anything was started, and no others.
    pub(crate) fn were_there(&self, nodes: &[&str]) {
        self.present.send_replace(Arc::new(nodes.iter().map(|node| ((*node).to_owned(), 1)).collect()));
    }

    /// A container that runs a shell script, in a pod of its own.
    pub(crate) fn container(&self, node: &str, script: &str) -> Value {
        json!({
            "node": node, "pod": node, "clone": 0, "container": "main", "image": "script", "program": "/bin/sh",
            "args": ["-c", script], "env": {"PATH": std::env::var("PATH").unwrap()}, "cwd": self.folder, "hash": script,
        })
    }

    pub(crate) fn plan(drain_ms: u64, containers: &[Value]) -> Value {
        json!({
            "zone": "demo", "project": "/demo", "by": {"pid": 77}, "drainMs": drain_ms, "containers": containers,
        })
    }

    pub(crate) async fn ask(&self, request: Value) -> Value {
        supervise(&self.supervisor, request.to_string().as_bytes()).await.unwrap()
    }

    /// Applies a plan and returns the changes in short.
    pub(crate) async fn apply(&self, drain_ms: u64, containers: &[Value]) -> Vec<String> {
        let done = self.ask(json!({ "apply": Self::plan(drain_ms, containers) })).await;
        short(&done)
    }

    pub(crate) async fn status(&self, node: &str) -> Value {
        let status = self.ask(json!({"status": {}})).await;
        let containers = status["containers"].as_array().unwrap();
        containers.iter().find(|container| container["node"] == node).cloned().unwrap_or_default()
    }

    pub(crate) async fn pid(&self, node: &str) -> u64 {
        self.status(node).await["pid"].as_u64().unwrap()
    }

    /// Waits for a state of a container.
    pub(crate) async fn until_state(&self, node: &str, state: &str) -> Value {
        self.until(&format!("{node} to be {state}"), async || {
            let status = self.status(node).await;
            (status["state"] == state).then_some(status)
        })
        .await
    }

    /// Waits for a line of the history.
    pub(crate) async fn until_line(&self, node: &str, found: impl Fn(&Line) -> bool) -> Line {
        let wait = async {
            let mut next = 0;
            loop {
                let (lines, behind) = read(&self.ring, next);
                if let Some(line) = lines.into_iter().find(|line| line.node == node && found(line)) {
                    return line;
                }
                next = behind;
                self.ring.has_news(next).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        waited.unwrap_or_else(|_| panic!("no such line of {node}: {:?}", self.lines(node)))
    }

    /// What a node printed and what was said of it.
    pub(crate) fn lines(&self, node: &str) -> Vec<String> {
        let lines = read(&self.ring, 0).0.into_iter().filter(|line| line.node == node);
        lines.map(|line| format!("{} {}", line.name, line.message)).collect()
    }

    /// Waits until a look finds something.
    pub(crate) async fn until<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        let wait = async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
    }
}

/// Changes in short.
pub(crate) fn short(done: &Value) -> Vec<String> {
    let changes = done["changes"].as_array().unwrap_or_else(|| panic!("{done}"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    changes.iter().map(|change| format!("{} {}", text(&change["what"]), text(&change["node"]))).collect()
}

/// Whether a process is there, and no zombie.
pub(crate) fn lives(pid: u64) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

/// All lines of a ring behind a number, and the number of the last one.
fn read(ring: &Ring, mut next: u64) -> (Vec<Line>, u64) {
    let mut lines = Vec::new();
    loop {
        let pulled = ring.pull(next, usize::MAX, "troupe-supervisor");
        if pulled.next == next {
            return (lines, next);
        }
        next = pulled.next;
        lines.extend(pulled.lines.into_iter().map(|line| serde_json::from_value::<Line>(line).unwrap()));
    }
}
