//! What a member that observes sees of a node's log.

#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use serde_json::{Value, json};
use troupe_node::{
    Node, NodeOptions,
    discovery::Role,
    observe::{Level, Line, OBSERVE},
};

const PATIENCE: Duration = Duration::from_secs(40);

/// A node of a zone of its own, and who observes it.
struct Observed {
    node: Node,
    observer: Node,
    home: PathBuf,
}

impl Observed {
    async fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let home = std::env::temp_dir().join(format!("troupe-observe-{}-{number}", std::process::id()));
        fs::create_dir(&home).unwrap();
        fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
        let options = |name: &str, role| NodeOptions::in_zone(name, "test", home.clone()).with_role(role);
        let node = Node::create(options("node", Role::Node)).await.unwrap();
        let observer = Node::create(options("looker", Role::Observer)).await.unwrap();
        Self { node, observer, home }
    }

    fn say(&self, message: &str) {
        self.node.shared().ring().push(Line {
            time: 7,
            node: None,
            level: Level::Warn,
            name: "node".into(),
            worker: Some("greeter".into()),
            message: message.into(),
            fields: Some(r#"{"n":1}"#.into()),
        });
    }

    async fn ask(&self, request: Value) -> Value {
        let request = request.to_string();
        let answer = self.observer.ask("node", OBSERVE, request.as_bytes(), PATIENCE).await.unwrap();
        serde_json::from_slice(&answer).unwrap()
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.home);
    }
}

#[tokio::test]
async fn lines_are_pulled_with_their_node_and_number_and_the_life_of_the_node() {
    let observed = Observed::new().await;
    observed.say("one");
    observed.say("two");
    let answer = observed.ask(json!({"lines": {"after": 1}})).await;
    assert_eq!(answer["incarnation"].as_str(), Some(&*observed.node.shared().incarnation()));
    assert_eq!((&answer["next"], &answer["dropped"], &answer["covers"]), (&json!(2), &json!(0), &json!([])));
    let two = json!({
        "seq": 2, "time": 7, "node": "node", "level": "warn", "name": "node",
        "worker": "greeter", "message": "two", "fields": {"n": 1},
    });
    assert_eq!(answer["lines"], json!([two]));
}

#[tokio::test]
async fn who_waits_for_lines_gets_the_next_one_and_who_does_not_gets_none() {
    let observed = Observed::new().await;
    let none = observed.ask(json!({"lines": {"after": 0}})).await;
    assert_eq!((&none["next"], &none["lines"]), (&json!(0), &json!([])));
    let waiting = observed.ask(json!({"lines": {"after": 0, "wait": 25_000}}));
    let (answer, ()) = tokio::join!(waiting, async {
        // Polled after the request has gone.
        tokio::task::yield_now().await;
        observed.say("news");
    });
    assert_eq!(answer["lines"][0]["message"], "news");
}

#[tokio::test]
async fn a_reader_that_is_too_slow_is_told_how_many_lines_it_missed() {
    let observed = Observed::new().await;
    for number in 1..=10_005 {
        observed.say(&number.to_string());
    }
    let answer = observed.ask(json!({"lines": {"after": 2, "limit": 3}})).await;
    assert_eq!(answer["dropped"], 3);
    let messages: Vec<_> = answer["lines"].as_array().unwrap().iter().map(|line| &line["message"]).collect();
    assert_eq!(messages, ["6", "7", "8"]);
    let rest = observed.ask(json!({"lines": {"after": answer["next"], "limit": 1_000_000}})).await;
    assert_eq!(rest["lines"].as_array().unwrap().len(), 2000);
}
