//! A zone follows its plan: what changes is replaced, drained first, what does not is left alone, and in the end
//! everything stops.

use crate::support::{Zone, lives, short};
use serde_json::json;
use std::time::Duration;
use troupe_supervisor::restart::Policy;
use troupe_supervisor::service::supervise;

/// Says that it is there, and ends well when it is asked to.
const POLITE: &str = "trap 'echo bye; exit 0' TERM; echo hello; read nothing";

#[tokio::test]
async fn one_pod_is_replaced_by_another_and_unchanged_ones_keep_their_process() {
    let zone = Zone::new();
    zone.join(&["api", "db", "web"]);
    let (api, db) = (zone.container("api", POLITE), zone.container("db", POLITE));
    assert_eq!(zone.apply(60_000, &[api.clone(), db]).await, ["start api", "start db"]);
    zone.until_line("db", |line| line.message == "hello").await;
    let (api_pid, db_pid) = (zone.pid("api").await, zone.pid("db").await);
    let plan = [api, zone.container("web", POLITE)];
    let dry = zone.ask(json!({ "plan": Zone::plan(60_000, &plan) })).await;
    assert_eq!(short(&dry), ["keep api", "stop db", "start web"]);
    assert!(lives(db_pid), "to ask changes nothing");
    assert_eq!(zone.apply(60_000, &plan).await, ["keep api", "stop db", "start web"]);
    assert_eq!(zone.pid("api").await, api_pid);
    assert!(!lives(db_pid) && lives(zone.pid("web").await));
    assert!(zone.lines("db").contains(&"stdout bye".to_owned()), "it was drained");
    zone.ask(json!({"delete": {}})).await;
}

#[tokio::test]
async fn a_changed_pod_has_ended_before_it_is_started_anew() {
    let zone = Zone::new();
    zone.join(&["api"]);
    let script = format!("mkdir only-one || exit 9; {}", POLITE.replace("echo bye", "rmdir only-one"));
    zone.apply(60_000, &[zone.container("api", &script)]).await;
    zone.until_line("api", |line| line.message == "hello").await;
    let before = zone.pid("api").await;
    let mut changed = zone.container("api", &script);
    changed["hash"] = json!("another");
    assert_eq!(zone.apply(60_000, &[changed]).await, ["replace api"]);
    let status = zone.status("api").await;
    assert!(status["pid"] != before && status["restarts"] == 0, "{status}");
    zone.ask(json!({"delete": {}})).await;
}

#[tokio::test]
async fn what_does_not_come_up_takes_the_place_of_one_clone_and_not_of_those_that_still_work() {
    let zone = Zone::new();
    zone.join(&["web-0", "web-1"]);
    let names = ["web-0", "web-1"];
    zone.apply(60_000, &names.map(|name| zone.container(name, POLITE))).await;
    zone.until_line("web-1", |line| line.message == "hello").await;
    let pid = zone.pid("web-1").await;
    // The new one of the first never joins.
    zone.join(&["web-1"]);
    let broken = names.map(|name| zone.container(name, "exit 3"));
    assert_eq!(zone.apply(60_000, &broken).await, ["replace web-0", "keep web-1"]);
    zone.until_state("web-0", "backing-off").await;
    assert_eq!(zone.apply(60_000, &broken).await, ["keep web-0", "keep web-1"], "nor the next time");
    assert!(zone.pid("web-1").await == pid && lives(pid));
    zone.join(&names);
    let mended = names.map(|name| zone.container(name, &format!("{POLITE}; true")));
    assert_eq!(zone.apply(60_000, &mended).await, ["replace web-0", "replace web-1"]);
    zone.ask(json!({"delete": {}})).await;
}

#[tokio::test]
async fn while_a_plan_is_applied_a_second_caller_is_told_for_whom_it_waits() {
    let zone = Zone::new();
    zone.join(&["api"]);
    // Its end is the test's to give.
    let script = "trap 'while [ ! -e go ]; do sleep 0.01; done; exit 0' TERM; echo hello; read nothing";
    zone.apply(60_000, &[zone.container("api", script)]).await;
    zone.until_line("api", |line| line.message == "hello").await;
    let second = async {
        zone.until_state("api", "draining").await;
        let mut plan = Zone::plan(0, &[]);
        plan["by"]["pid"] = json!(99);
        let busy = zone.ask(json!({ "apply": plan })).await;
        assert_eq!(busy["busy"]["pid"], 77, "{busy}");
        assert!(busy["busy"]["since"].is_u64());
        assert_eq!(zone.ask(json!({"delete": {}})).await["busy"]["pid"], 77);
        std::fs::write(zone.folder.join("go"), "").unwrap();
    };
    let (first, ()) = tokio::join!(zone.apply(60_000, &[]), second);
    assert_eq!(first, ["stop api"]);
    assert!(zone.apply(0, &[]).await.is_empty(), "now it is free");
}

#[tokio::test]
async fn a_container_that_ignores_sigterm_is_killed_after_the_drain_time() {
    let zone = Zone::new();
    zone.join(&["stubborn"]);
    let script = "trap '' TERM; echo ready; read nothing";
    zone.apply(20, &[zone.container("stubborn", script)]).await;
    zone.until_line("stubborn", |line| line.message == "ready").await;
    let pid = zone.pid("stubborn").await;
    assert_eq!(zone.ask(json!({"delete": {}})).await, json!({"stopped": 1}));
    assert!(!lives(pid));
    let said = zone.lines("stubborn");
    assert!(
        said.contains(&"supervisor it has not ended 20 ms after SIGTERM and is ended by SIGKILL".to_owned()),
        "{said:?}"
    );
    assert!(
        said.iter().any(|line| line.starts_with("supervisor it was to stop, and was ended by SIGKILL, ")),
        "{said:?}"
    );
}

#[tokio::test]
async fn delete_stops_everything_and_nothing_is_started_any_more() {
    let zone = Zone::new();
    zone.join(&["api", "db"]);
    let plan = [zone.container("api", POLITE), zone.container("db", POLITE)];
    zone.apply(60_000, &plan).await;
    for node in ["api", "db"] {
        zone.until_line(node, |line| line.message == "hello").await;
    }
    let pids = [zone.pid("api").await, zone.pid("db").await];
    assert_eq!(zone.ask(json!({"delete": {}})).await, json!({"stopped": 2}));
    assert!(!pids.into_iter().any(lives));
    assert_eq!(zone.ask(json!({"status": {}})).await["containers"], json!([]));
    // Whoever wants something started is told, and can wait for the end.
    assert_eq!(zone.ask(json!({ "apply": Zone::plan(0, &plan) })).await, json!({"ending": {}}));
    assert_eq!(zone.ask(json!({"status": {}})).await["containers"], json!([]));
}

#[tokio::test]
async fn a_container_gets_its_own_environment_and_no_other() {
    let zone = Zone::new();
    let mut container = zone.container("env", "env");
    container["env"] = json!({"PATH": std::env::var("PATH").unwrap(), "GREETING": "two\nlines"});
    container["program"] = json!("/usr/bin/env");
    container["args"] = json!([]);
    zone.apply(4321, &[container]).await;
    zone.until_state("env", "ended").await;
    let mut names: Vec<_> =
        zone.lines("env").into_iter().filter(|line| line.starts_with("stdout ")).collect();
    names.retain(|line| !line.starts_with("stdout PATH="));
    names.sort();
    assert_eq!(names, ["stdout GREETING=two", "stdout TROUPE_DRAIN_MS=4321", "stdout lines"]);
}

#[tokio::test]
async fn two_hundred_containers_come_up_and_are_stopped_at_the_same_time() {
    let zone = Zone::new();
    let names: Vec<_> = (0..200).map(|number| format!("runner-{number}")).collect();
    zone.join(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let containers: Vec<_> = names.iter().map(|name| zone.container(name, "read nothing")).collect();
    assert_eq!(zone.apply(60_000, &containers).await.len(), 200);
    let status = zone.ask(json!({"status": {}})).await;
    let pids = status["containers"].as_array().unwrap().iter().map(|container| {
        assert_eq!(container["state"], "up", "{container}");
        container["pid"].as_u64().unwrap()
    });
    let pids: Vec<_> = pids.collect();
    assert_eq!(zone.ask(json!({"delete": {}})).await, json!({"stopped": 200}));
    assert!(!pids.into_iter().any(lives));
}

#[tokio::test]
async fn a_node_that_is_still_there_from_before_is_waited_for() {
    let zone = Zone::new();
    zone.were_there(&["api"]);
    let plan = [zone.container("api", POLITE)];
    let rest = async {
        zone.until_line("api", |line| line.message.contains("is in the zone still")).await;
        let status = zone.status("api").await;
        assert_eq!((&status["state"], &status["pid"]), (&json!("starting"), &json!(null)));
        zone.were_there(&[]);
        zone.until_line("api", |line| line.message == "hello").await;
        zone.join(&["api"]);
    };
    let (changes, ()) = tokio::join!(zone.apply(60_000, &plan), rest);
    assert_eq!(changes, ["start api"]);
    let status = zone.until_state("api", "up").await;
    assert_eq!((&status["restarts"], &status["lastExit"]), (&json!(0), &json!(null)));
    zone.ask(json!({"delete": {}})).await;
}

#[tokio::test]
async fn one_that_waits_for_its_name_can_be_stopped() {
    let zone = Zone::with(Policy { settled: Duration::ZERO, ..Policy::default() });
    zone.were_there(&["api"]);
    zone.apply(60_000, &[zone.container("api", "touch started")]).await;
    zone.until_line("api", |line| line.message.contains("is in the zone still")).await;
    assert_eq!(zone.ask(json!({"delete": {}})).await, json!({"stopped": 1}));
    assert!(!zone.folder.join("started").exists());
}

#[tokio::test]
async fn a_supervisor_is_wanted_from_the_moment_on_at_which_its_first_plan_begins() {
    let zone = Zone::new();
    zone.were_there(&["api"]);
    let plan = [zone.container("api", POLITE)];
    let rest = async {
        // Nothing is done yet.
        zone.until_state("api", "starting").await;
        assert!(*zone.supervisor.wanted().borrow());
        assert!(!zone.supervisor.end_if_unwanted(), "it does not end in the middle");
        zone.join(&["api"]);
    };
    let (changes, ()) = tokio::join!(zone.apply(60_000, &plan), rest);
    assert_eq!(changes, ["start api"]);
    zone.ask(json!({"delete": {}})).await;
}

#[tokio::test]
async fn a_supervisor_that_nobody_wants_takes_no_plan_any_more_once_it_ends() {
    let zone = Zone::new();
    assert!(zone.supervisor.end_if_unwanted());
    let plan = [zone.container("api", POLITE)];
    assert_eq!(zone.ask(json!({ "apply": Zone::plan(0, &plan) })).await, json!({"ending": {}}));
}

#[tokio::test]
async fn a_plan_of_another_project_is_refused_while_there_are_containers() {
    let zone = Zone::new();
    zone.join(&["api"]);
    zone.apply(60_000, &[zone.container("api", POLITE)]).await;
    zone.until_line("api", |line| line.message == "hello").await;
    let pid = zone.pid("api").await;
    let mut other = Zone::plan(60_000, &[]);
    other["project"] = json!("/other");
    for request in [json!({"apply": other}), json!({"plan": other})] {
        let refused = supervise(&zone.supervisor, request.to_string().as_bytes()).await.unwrap_err();
        let refused = refused.to_string();
        assert!(
            refused
                .starts_with("zone \"demo\" runs the project in /demo; deployed from /other it would stop"),
            "{refused}"
        );
        assert!(refused.ends_with("troupe zone delete --zone demo"), "{refused}");
    }
    assert!(zone.pid("api").await == pid && lives(pid));
    zone.apply(60_000, &[]).await;
    let done = zone.ask(json!({"apply": other})).await;
    assert_eq!(done, json!({"changes": []}), "a zone without containers is anybody's");
}
