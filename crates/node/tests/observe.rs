//! What a member that observes sees of a node's log.

#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::sync::Notify;
use troupe_node::{
    Cause, Context, Node, NodeOptions, OnFailure, Worker, WorkerOptions,
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

    /// The state, until it satisfies the condition: what a flush has not acknowledged yet is not in it.
    async fn state_until(&self, condition: impl Fn(&Value) -> bool) -> Value {
        let asking = async {
            loop {
                let state = self.ask(json!({"state": {"workers": 5}})).await;
                if condition(&state) {
                    return state;
                }
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.unwrap()
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
        // Asked after the one that waits, and answered before: that one has been waiting.
        let none = observed.ask(json!({"lines": {"after": 0}})).await;
        assert_eq!(none["lines"], json!([]));
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

#[tokio::test]
async fn the_last_lines_come_back_to_front_page_by_page_to_the_first_one() {
    let observed = Observed::new().await;
    for number in 1..=7 {
        observed.say(&number.to_string());
    }
    let (mut question, mut found) = (json!({"last": 3}), Vec::new());
    for is_last in [false, false, true] {
        let answer = observed.ask(json!({ "lines": question })).await;
        assert_eq!((&answer["next"], &answer["covers"]), (&json!(7), &json!([])));
        let lines = answer["lines"].as_array().unwrap();
        found.push(lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect::<Vec<_>>());
        assert_eq!(answer["before"].is_null(), is_last);
        question = json!({"last": 3, "before": answer["before"]});
    }
    assert_eq!(found, [vec![5, 6, 7], vec![2, 3, 4], vec![1]]);
}

#[tokio::test]
async fn a_reader_of_some_lines_gets_no_others_and_is_not_woken_by_them() {
    let observed = Observed::new().await;
    observed.say("warning");
    let none = observed.ask(json!({"lines": {"after": 0, "level": "error"}})).await;
    assert_eq!((&none["next"], &none["lines"]), (&json!(1), &json!([])));
    let none = observed.ask(json!({"lines": {"last": 9, "node": "another"}})).await;
    assert_eq!((&none["lines"], &none["before"]), (&json!([]), &Value::Null));
    let waiting = observed.ask(json!({"lines": {"after": 0, "wait": 25_000, "level": "error"}}));
    let (answer, ()) = tokio::join!(waiting, async {
        // Asked after the one that waits, and answered before: that one has been waiting.
        let _ = observed.ask(json!({"lines": {"after": 0}})).await;
        observed.say("another warning");
        let _ = observed.ask(json!({"lines": {"after": 0}})).await;
        let (time, node, name, worker, fields) = (7, None, "node".into(), None, None);
        let error =
            Line { time, node, level: Level::Error, name, worker, message: "an error".into(), fields };
        observed.node.shared().ring().push(error);
    });
    let lines = answer["lines"].as_array().unwrap();
    assert_eq!((lines.len(), &lines[0]["message"], &answer["next"]), (1, &json!("an error"), &json!(3)));
}

#[tokio::test]
async fn a_question_for_lines_that_makes_no_sense_is_refused_with_what_is_wrong() {
    let observed = Observed::new().await;
    let wrong = [
        (json!({"last": -1}), "last"),
        (json!({"last": 1, "before": 7}), "before"),
        (json!({"last": 1, "before": "1:2:3"}), "before"),
        (json!({"after": 0, "level": "loud"}), "loud"),
        (json!({"after": 0, "node": 7}), "node"),
    ];
    for (lines, word) in wrong {
        let question = json!({ "lines": lines }).to_string();
        let refused = observed.observer.ask("node", OBSERVE, question.as_bytes(), PATIENCE).await;
        assert!(refused.is_err_and(|error| error.to_string().contains(word)), "{question}");
    }
}

/// Answers, fails, and blocks its isolate's thread as it is told.
struct Told {
    is_blocked: Arc<Notify>,
    gate: Arc<Mutex<mpsc::Receiver<()>>>,
}

impl Worker for Told {
    async fn handle_message(&mut self, context: Context, message: String) -> Result<(), Cause> {
        match message.as_str() {
            "fail" => return Err(Cause::new("on purpose")),
            "block" => {
                self.is_blocked.notify_one();
                // Ends with the sender as well.
                let _ = self.gate.lock().map(|gate| gate.recv());
            }
            _ => {}
        }
        context.reply("done")?;
        Ok(())
    }
}

/// A worker called `told` on the node, what lets it go, and what says that it blocks.
async fn told(observed: &Observed, on_failure: OnFailure) -> (mpsc::Sender<()>, Arc<Notify>) {
    let (go, gate) = mpsc::channel();
    let (gate, is_blocked) = (Arc::new(Mutex::new(gate)), Arc::new(Notify::new()));
    let says = is_blocked.clone();
    let make = move || Told { is_blocked: says.clone(), gate: gate.clone() };
    let options = WorkerOptions { on_failure, ..WorkerOptions::default() };
    observed.node.start_worker("told", make, options).await.unwrap();
    (go, is_blocked)
}

fn named<'a>(list: &'a Value, key: &str, name: &str) -> &'a Value {
    list.as_array().unwrap().iter().find(|one| one[key] == name).unwrap()
}

#[tokio::test]
async fn the_state_tells_what_was_counted_of_workers_classes_peers_and_failures() {
    let observed = Observed::new().await;
    let (_go, _) = told(&observed, OnFailure::Restart).await;
    for message in ["one", "two"] {
        observed.observer.send_and_receive("told", message).await.unwrap();
    }
    observed.observer.send_and_receive("told", "fail").await.unwrap_err();
    let state = observed.state_until(|state| named(&state["classes"], "type", "Told")["restarts"] == 1).await;
    assert_eq!(
        (&state["node"], &state["zone"], &state["role"]),
        (&json!("node"), &json!("test"), &json!("node"))
    );
    assert_eq!((&state["state"], &state["pid"]), (&json!("up"), &json!(std::process::id())));
    assert_eq!(state["id"], observed.node.id());
    assert!(state["since"].as_u64() <= state["time"].as_u64());

    let class = named(&state["classes"], "type", "Told");
    assert_eq!((&class["workers"], &class["handled"], &class["failed"]), (&json!(1), &json!(3), &json!(1)));
    for histogram in ["inMailbox", "inHandler"] {
        assert_eq!(class[histogram]["count"], 3, "{histogram}");
        let buckets = class[histogram]["buckets"].as_array().unwrap();
        assert_eq!(buckets.iter().filter_map(|bucket| bucket[1].as_u64()).sum::<u64>(), 3);
    }
    assert_eq!(state["workersTotal"], 2);
    let worker = named(&state["workers"], "name", "told");
    assert_eq!(
        (&worker["type"], &worker["handled"], &worker["restarts"]),
        (&json!("Told"), &json!(3), &json!(1))
    );
    let main = named(&state["workers"], "name", "main");
    assert_eq!(main["type"], "Mailbox");

    let peer = named(&state["peers"], "node", "looker");
    assert_eq!((&peer["state"], &peer["handshakes"]), (&json!("connected"), &json!(1)));
    for (key, least) in [("messagesIn", 4), ("messagesOut", 3), ("bytesIn", 100), ("bytesOut", 100)] {
        assert!(peer[key].as_u64().unwrap() >= least, "{key}: {}", peer[key]);
    }
    let [failure] = &state["failures"].as_array().unwrap()[..] else { panic!("one failure") };
    assert_eq!((&failure["worker"], &failure["type"]), (&json!("told"), &json!("Told")));
    assert!(failure["message"].as_str().unwrap().contains("on purpose"), "{failure}");
}

#[tokio::test]
async fn a_node_whose_isolate_is_blocked_is_stalled_and_tells_what_it_said_last() {
    let observed = Observed::new().await;
    let (go, is_blocked) = told(&observed, OnFailure::Resume).await;
    let before = observed.state_until(|state| state["workersTotal"] == 2).await;
    assert_eq!((&before["state"], &before["asOf"]), (&json!("up"), &Value::Null));
    let asker = observed.observer.clone();
    let asked = tokio::spawn(async move { asker.send_and_receive("told", "block").await });
    is_blocked.notified().await;
    let stalled = observed.state_until(|state| state["state"] == "stalled").await;
    assert!(stalled["asOf"].as_u64() >= before["time"].as_u64().map(|time| time - 1000), "{stalled}");
    assert_eq!(stalled["workersTotal"], 2);
    go.send(()).unwrap();
    asked.await.unwrap().unwrap();
    let after = observed.state_until(|state| state["state"] == "up" && state["asOf"].is_null()).await;
    let delay = &after["isolates"][0]["delay"];
    let long = delay["buckets"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|bucket| bucket[0].as_f64().is_none_or(|ms| ms > 1000.0));
    assert_eq!(long.filter_map(|bucket| bucket[1].as_u64()).sum::<u64>(), 1, "{delay}");
}

#[tokio::test]
async fn a_node_that_is_blocked_when_it_is_first_asked_is_not_said_to_be_well() {
    let observed = Observed::new().await;
    let (go, is_blocked) = told(&observed, OnFailure::Resume).await;
    let asker = observed.observer.clone();
    let asked = tokio::spawn(async move { asker.send_and_receive("told", "block").await });
    is_blocked.notified().await;
    let state = observed.ask(json!({"state": {"workers": 5}})).await;
    assert_eq!((&state["state"], state.get("asOf")), (&json!("stalled"), Some(&Value::Null)));
    go.send(()).unwrap();
    asked.await.unwrap().unwrap();
}

#[tokio::test]
async fn of_many_workers_those_with_the_longest_queues_are_told_one_by_one() {
    let observed = Observed::new().await;
    for (name, count) in [("few", 1), ("none", 0), ("many", 3)] {
        let _mailbox = observed.node.create_mailbox(name, 10).await.unwrap();
        for _ in 0..count {
            observed.node.send(name, "waits").await.unwrap();
        }
    }
    let state = observed.ask(json!({"state": {"workers": 2}})).await;
    let queued: Vec<_> = state["workers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|worker| (&worker["name"], &worker["queued"]))
        .collect();
    assert_eq!(queued, [(&json!("many"), &json!(3)), (&json!("few"), &json!(1))]);
    assert_eq!(state["workersTotal"], 4);
    assert_eq!(named(&state["classes"], "type", "Mailbox")["queued"], 4);
}
