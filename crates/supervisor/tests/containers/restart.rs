//! What dies is started again, later each time, and not for ever; what is done is left alone.

use crate::support::{Zone, lives};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::time::Duration;
use troupe_supervisor::restart::Policy;

#[tokio::test]
async fn a_container_that_dies_is_started_again_and_the_reason_is_shown() {
    let zone = Zone::new();
    // It dies in its first life and stays in its second.
    let script = "if [ -e been ]; then echo back; read nothing; exit; fi; touch been; exit 3";
    zone.apply(0, &[zone.container("runner", script)]).await;
    zone.until_line("runner", |line| line.message == "back").await;
    zone.join(&["runner"]);
    let status = zone.until_state("runner", "up").await;
    assert_eq!(status["restarts"], 1);
    assert!(status["lastExit"].as_str().unwrap().starts_with("exited with status 3, "), "{status}");
    let said = zone.lines("runner");
    assert!(said.iter().any(|line| line.starts_with("supervisor it exited with status 3, ")), "{said:?}");
    assert_eq!(zone.ask(json!({"delete": {}})).await, json!({"stopped": 1}));
}

#[tokio::test]
async fn a_container_that_dies_at_once_for_ever_is_given_up_and_tried_again_by_the_next_deployment() {
    let zone = Zone::new();
    let plan = [zone.container("runner", "echo here >> starts; exit 1")];
    zone.apply(0, &plan).await;
    let status = zone.until_state("runner", "given-up").await;
    assert_eq!(status["restarts"], 9);
    let starts = || std::fs::read_to_string(zone.folder.join("starts")).unwrap().lines().count();
    assert_eq!(starts(), 10);
    let said = zone.until_line("runner", |line| line.message.contains("is given up")).await;
    assert!(said.message.contains("it was started 10 times within"), "{}", said.message);
    assert_eq!(zone.apply(0, &plan).await, ["replace runner"]);
    zone.until("another start", async || (starts() > 10).then_some(())).await;
}

#[tokio::test]
async fn a_program_that_is_not_there_is_given_up_with_its_name() {
    let zone = Zone::new();
    let mut container = zone.container("runner", "");
    container["program"] = json!("/nowhere/node");
    zone.apply(0, &[container]).await;
    let status = zone.until_state("runner", "given-up").await;
    let said = status["lastExit"].as_str().unwrap();
    assert!(said.starts_with("could not be started: /nowhere/node: No such file"), "{said}");
    let mut container = zone.container("other", "");
    container["cwd"] = json!("/nowhere");
    zone.apply(0, &[container]).await;
    let status = zone.until_state("other", "given-up").await;
    assert_eq!(status["lastExit"], "could not be started: its working folder /nowhere is not there");
}

#[tokio::test]
async fn a_program_that_is_done_is_not_started_again_until_it_is_deployed_again() {
    let zone = Zone::new();
    let plan = [zone.container("client", "echo done >> done")];
    let done = || std::fs::read_to_string(zone.folder.join("done")).unwrap().lines().count();
    zone.apply(0, &plan).await;
    let status = zone.until_state("client", "ended").await;
    assert_eq!((&status["restarts"], done()), (&json!(0), 1));
    zone.until_line("client", |line| line.message.ends_with("it is done, and not started again")).await;
    assert_eq!(zone.apply(0, &plan).await, ["replace client"]);
    zone.until_state("client", "ended").await;
    assert_eq!(done(), 2);
}

#[tokio::test]
async fn a_node_that_leaves_unasked_comes_back_whatever_its_status_says() {
    let zone = Zone::new();
    zone.join(&["runner"]);
    // As a program that drains because somebody has signalled it.
    let script = "echo x >> lives; trap 'exit 0' TERM; echo ready; read nothing";
    zone.apply(60_000, &[zone.container("runner", script)]).await;
    zone.until_line("runner", |line| line.message == "ready").await;
    let first = zone.until_state("runner", "up").await["pid"].as_u64().unwrap();
    let pid = Pid::from_raw(i32::try_from(first).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let back = zone
        .until("its next life", async || {
            let status = zone.status("runner").await;
            (status["state"] == "up" && status["restarts"] == 1).then_some(status)
        })
        .await;
    assert_ne!(back["pid"], first);
    assert!(back["lastExit"].as_str().unwrap().starts_with("exited with status 0, "), "{back}");
    let lives = || std::fs::read_to_string(zone.folder.join("lives")).unwrap().lines().count();
    zone.until("its program to run again", async || (lives() == 2).then_some(())).await;
    assert_eq!(zone.ask(json!({"delete": {}})).await, json!({"stopped": 1}));
    assert_eq!(lives(), 2, "one that is asked to end does not come back");
}

#[tokio::test]
async fn a_program_without_a_node_is_running_and_becomes_up_when_its_node_joins() {
    let zone = Zone::with(Policy { settled: Duration::ZERO, ..Policy::default() });
    zone.apply(0, &[zone.container("slow", "read nothing")]).await;
    let running = zone.until_state("slow", "running").await;
    assert!(running["pid"].is_u64(), "{running}");
    zone.join(&["slow"]);
    let up = zone.until_state("slow", "up").await;
    assert_eq!(up["pid"], running["pid"]);
    zone.ask(json!({"delete": {}})).await;
}

#[tokio::test]
async fn a_container_that_waits_for_its_restart_stops_at_once() {
    let long = Duration::from_secs(3600);
    let zone = Zone::with(Policy { first: long, longest: long, ..Policy::default() });
    zone.apply(0, &[zone.container("runner", "exit 1")]).await;
    let status = zone.until_state("runner", "backing-off").await;
    assert!(status["nextTry"].as_u64().unwrap() > status["since"].as_u64().unwrap() + 2_000_000, "{status}");
    assert_eq!(zone.ask(json!({"delete": {}})).await, json!({"stopped": 1}));
}

#[tokio::test]
async fn what_a_container_leaves_in_its_group_ends_with_it() {
    let zone = Zone::new();
    zone.apply(0, &[zone.container("runner", "sleep 1000 & echo $!")]).await;
    let line = zone.until_line("runner", |line| line.name == "stdout").await;
    zone.until_state("runner", "ended").await;
    let left = line.message.parse().unwrap();
    zone.until("its child to end", async || (!lives(left)).then_some(())).await;
}

#[tokio::test]
async fn what_is_in_a_session_of_its_own_holds_up_nobody_even_with_the_container_s_outputs() {
    let zone = Zone::new();
    zone.join(&["runner"]);
    // Orphaned at once, as a daemon makes itself.
    let script = "(setsid sh -c 'echo $$; exec sleep 1000' &); read nothing";
    zone.apply(0, &[zone.container("runner", script)]).await;
    let line = zone.until_line("runner", |line| line.name == "stdout").await;
    let own = line.message.parse().unwrap();
    assert_eq!(zone.ask(json!({"delete": {}})).await, json!({"stopped": 1}));
    // It is nobody's: what is promised is that nothing waits for it, and that it is left alone.
    assert!(lives(own));
    let own = i32::try_from(own).ok().and_then(rustix::process::Pid::from_raw).unwrap();
    rustix::process::kill_process(own, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_container_that_closes_its_outputs_goes_on() {
    let zone = Zone::new();
    zone.join(&["runner"]);
    zone.apply(0, &[zone.container("runner", "echo before; exec >&- 2>&-; touch closed; read nothing")])
        .await;
    let closed = zone.folder.join("closed");
    zone.until("it to close them", async || closed.exists().then_some(())).await;
    zone.until_line("runner", |line| line.message == "before").await;
    let pid = zone.pid("runner").await;
    assert!(lives(pid));
    assert_eq!(zone.ask(json!({"delete": {}})).await, json!({"stopped": 1}));
    assert!(!lives(pid));
}

#[tokio::test]
async fn a_container_that_has_moved_to_another_group_is_killed_all_the_same() {
    let zone = Zone::new();
    zone.join(&["runner"]);
    // Into the group of its child, as only a member of the session may; it ignores what it is asked.
    let script = "import os, signal, subprocess, sys\n\
        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n\
        child = subprocess.Popen(['sleep', '1000'], preexec_fn=lambda: os.setpgid(0, 0))\n\
        os.setpgid(0, child.pid)\n\
        print(child.pid, flush=True)\n\
        signal.pause()";
    let mut container = zone.container("runner", "");
    container["args"] = json!(["-c", "exec python3 -c \"$0\"", script]);
    zone.apply(0, &[container]).await;
    let line = zone.until_line("runner", |line| line.name == "stdout").await;
    let pid = zone.pid("runner").await;
    assert_eq!(zone.ask(json!({"delete": {}})).await, json!({"stopped": 1}));
    assert!(!lives(pid));
    let child = line.message.parse::<i32>().ok().and_then(rustix::process::Pid::from_raw).unwrap();
    let _ = rustix::process::kill_process(child, rustix::process::Signal::KILL);
}
