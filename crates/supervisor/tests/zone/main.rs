//! The program as a member of a zone: one for each, asked by others, gone when it is to be, and leaving nothing behind.

#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]

mod support;

use rustix::process::Signal;
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::Duration;
use support::{PATIENCE, Supervisor, Zone};
use tokio::process::Command;
use tokio::time::timeout;
use troupe_node::node::SUPERVISE;
use troupe_node::observe::OBSERVE;
use troupe_supervisor::files::Files;
use troupe_supervisor::member::NAME;

#[tokio::test]
async fn a_second_supervisor_of_a_zone_ends_at_once_and_says_who_has_it() {
    let zone = Zone::new().await;
    let first = zone.supervisor().await;
    let second = timeout(PATIENCE, zone.command().stderr(Stdio::piped()).output()).await.unwrap().unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(second.status.success(), "{said}");
    let process = first.0.id().unwrap();
    assert!(said.starts_with("zone demo has its supervisor already: "), "{said}");
    assert!(said.contains(&format!("taken in zone \"demo\" by process {process},")), "{said}");
}

#[tokio::test]
async fn what_a_supervisor_recorded_of_itself_is_told_by_the_next_one_when_it_was_killed() {
    let zone = Zone::new().await;
    let child = zone.command().env("TROUPE_LOG", "debug").spawn().unwrap();
    zone.until("the supervisor to join", async || zone.is_there().await.then_some(())).await;
    let mut first = Supervisor(child);
    let late = zone.node("late").await;
    let asked = late.ask(NAME, OBSERVE, br#"{"lines":{"after":0,"limit":1,"wait":0}}"#, PATIENCE).await;
    assert!(asked.is_ok());
    zone.until("the record to be on disk", async || {
        let files = Files::open(&zone.home.join("supervisor/demo")).unwrap();
        let lines = files.tail(u64::MAX).unwrap();
        lines.iter().any(|(_, line)| line.message.starts_with("open to node late (")).then_some(())
    })
    .await;
    first.signal(Signal::KILL);
    first.ended().await;
    zone.until("it to be gone", async || (!zone.is_there().await).then_some(())).await;
    let _next = zone.supervisor().await;
    let line = zone.until_told("that record", |told| told.starts_with("open to node late (")).await;
    assert_eq!(
        (&line["node"], &line["name"], &line["level"]),
        (&json!(NAME), &json!("channel"), &json!("debug"))
    );
}

#[tokio::test]
async fn it_applies_a_plan_tells_what_its_containers_say_and_ends_when_all_is_deleted() {
    let zone = Zone::new().await;
    let mut supervisor = zone.supervisor().await;
    zone.apply("api", "trap 'exit 0' TERM; echo hello; read nothing");
    let line = zone.until_line("hello").await;
    assert_eq!(
        (&line["node"], &line["name"], &line["level"]),
        (&json!("api"), &json!("stdout"), &json!("info"))
    );
    let told = zone.ask(OBSERVE, json!({"lines": {"after": line["seq"], "limit": 1}})).await;
    assert_eq!((&told["covers"], &told["dropped"]), (&json!(["api"]), &json!(0)));
    let status = zone.ask(SUPERVISE, json!({"status": {}})).await;
    assert_eq!(status["pid"].as_u64(), supervisor.0.id().map(u64::from));
    assert_eq!(status["containers"][0]["state"], "starting", "its node is not in the zone");
    let busy = zone.ask(SUPERVISE, json!({"delete": {}})).await;
    assert_eq!(busy["busy"]["pid"], 1, "the first plan waits for it");
    let node = zone.node("api").await;
    zone.until("its node to be seen", async || {
        let status = zone.ask(SUPERVISE, json!({"status": {}})).await;
        (status["containers"][0]["state"] == "up").then_some(())
    })
    .await;
    node.stop(Duration::ZERO).await;
    zone.until("the end of the first plan", async || {
        let answer = zone.ask(SUPERVISE, json!({"delete": {}})).await;
        (answer == json!({"stopped": 1})).then_some(())
    })
    .await;
    assert!(supervisor.ended().await.success());
    assert!(!zone.is_there().await);
}

#[tokio::test]
async fn sigterm_drains_everything_and_the_end_of_a_terminal_does_nothing() {
    let zone = Zone::new().await;
    let mut supervisor = zone.supervisor().await;
    zone.apply("api", "trap 'touch drained; exit 0' TERM; echo hello; read nothing");
    zone.until_line("hello").await;
    supervisor.signal(Signal::HUP);
    zone.ask(SUPERVISE, json!({"status": {}})).await;
    supervisor.signal(Signal::TERM);
    assert!(supervisor.ended().await.success());
    assert!(zone.home.join("drained").exists());
    let history = Files::open(&zone.home.join("supervisor/demo")).unwrap().tail(u64::MAX).unwrap();
    let said = history.iter().rev().map(|(_, line)| line).find(|line| line.node == NAME).unwrap();
    assert_eq!(said.message, "the supervisor of zone demo ends: it got SIGTERM");
}

#[tokio::test]
async fn when_it_is_killed_its_containers_notice_by_their_standard_input() {
    let zone = Zone::new().await;
    let mut supervisor = zone.supervisor().await;
    zone.apply("api", "echo hello; read nothing; touch noticed");
    zone.until_line("hello").await;
    let noticed = zone.home.join("noticed");
    assert!(!noticed.exists());
    supervisor.signal(Signal::KILL);
    supervisor.ended().await;
    zone.until("the container to notice", async || noticed.exists().then_some(())).await;
}

#[tokio::test]
async fn the_next_supervisor_has_the_history_of_the_one_before() {
    let zone = Zone::new().await;
    let mut supervisor = zone.supervisor().await;
    zone.apply("api", "echo before the fall");
    zone.until_line("before the fall").await;
    supervisor.signal(Signal::TERM);
    supervisor.ended().await;
    let _next = zone.supervisor().await;
    zone.until_line("before the fall").await;
}

#[tokio::test]
async fn the_records_of_its_nodes_are_in_its_history_and_losses_are_said() {
    let zone = Zone::new().await;
    let _supervisor = zone.supervisor().await;
    zone.apply("api", "read nothing");
    zone.until("its container", async || {
        let status = zone.ask(SUPERVISE, json!({"status": {}})).await;
        status["containers"].get(0).map(|_| ())
    })
    .await;
    let node = zone.node("api").await;
    // What a node has to tell, page by page; then nothing, for as long as it is asked to wait.
    node.serve(OBSERVE, |asked| async move {
        let asked: Value = serde_json::from_slice(&asked.body).unwrap();
        let line = |seq: u64, message: &str| {
            json!({
                "seq": seq, "time": 1000 + seq, "node": "another", "level": "debug", "name": "channel",
                "worker": "greeter", "message": message, "fields": {"port": 7},
            })
        };
        let (next, dropped, lines) = match asked["lines"]["after"].as_u64().unwrap() {
            0 => (2, 0, vec![line(1, "first"), line(2, "second")]),
            2 => (9, 6, vec![line(9, "last")]),
            _ => return std::future::pending().await,
        };
        let told =
            json!({"incarnation": "1", "next": next, "dropped": dropped, "covers": [], "lines": lines});
        Ok(told.to_string().into_bytes())
    });
    let last = zone.until_line("last").await;
    let line = json!({
        "seq": last["seq"], "time": 1009, "node": "api", "level": "debug", "name": "channel",
        "worker": "greeter", "message": "last", "fields": {"port": 7},
    });
    assert_eq!(last, line, "as it was, but for its number and the name of another node");
    let told = zone.ask(OBSERVE, json!({"lines": {"after": 0, "limit": 2000}})).await;
    let lines = told["lines"].as_array().unwrap();
    let messages: Vec<_> = lines.iter().filter_map(|line| line["message"].as_str()).collect();
    let from = messages.iter().position(|message| *message == "first").unwrap();
    let expected = [
        "first",
        "second",
        "6 of its records were dropped here: they came faster than they were taken",
        "last",
    ];
    assert_eq!(messages[from..from + 4], expected);
}

#[tokio::test]
async fn when_the_folder_of_its_zone_is_removed_nobody_finds_it_any_more_and_it_ends_with_its_containers() {
    let zone = Zone::new().await;
    let mut supervisor = zone.supervisor().await;
    zone.apply("api", "trap 'touch drained; exit 0' TERM; echo hello; read nothing");
    zone.until_line("hello").await;
    std::fs::remove_dir_all(zone.home.join("zones/demo")).unwrap();
    assert!(supervisor.ended().await.success());
    assert!(zone.home.join("drained").exists());
    let log = std::fs::read_to_string(zone.home.join("supervisor/demo/supervisor.log")).unwrap();
    assert!(log.contains("zones/demo was removed"), "{log}");
}

#[tokio::test]
async fn its_own_log_tells_what_it_did_and_what_ended_it() {
    let zone = Zone::new().await;
    let mut supervisor = zone.supervisor().await;
    zone.apply("api", "echo hello; exit 3");
    zone.until_line("hello").await;
    let path = zone.home.join("supervisor/demo/supervisor.log");
    let log = async |words: &str| {
        zone.until(words, async || {
            std::fs::read_to_string(&path).ok().filter(|log| log.contains(words)).map(drop)
        })
        .await;
    };
    log(&format!(
        " info  troupe-supervisor the supervisor of zone demo is up, as process {}\n",
        supervisor.pid()
    ))
    .await;
    log(" warn  api it exited with status 3, ").await;
    // Its standard error is the same file: there the system and the language say what they end a process for.
    let stderr = std::fs::read_link(format!("/proc/{}/fd/2", supervisor.pid())).unwrap();
    assert_eq!(stderr, path);
    // What a container prints is not its business.
    assert!(!std::fs::read_to_string(&path).unwrap().contains("hello"));
    supervisor.signal(Signal::TERM);
    supervisor.ended().await;
    log("the supervisor of zone demo ends: it got SIGTERM").await;
}

#[tokio::test]
async fn it_takes_as_many_descriptors_as_the_system_grants() {
    let zone = Zone::new().await;
    let mut command = Command::new("sh");
    let script = format!("ulimit -Sn 64; exec {} --zone demo", env!("CARGO_BIN_EXE_troupe-supervisor"));
    command.args(["-c", &script]).env("TROUPE_HOME", &zone.home).kill_on_drop(true).stdin(Stdio::null());
    let supervisor = Supervisor(command.spawn().unwrap());
    zone.until("the supervisor to join", async || zone.is_there().await.then_some(())).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", supervisor.pid())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let columns: Vec<_> = line.split_whitespace().collect();
    assert_eq!(columns[3], columns[4], "{line}");
}

#[tokio::test]
async fn records_that_wait_for_the_history_when_their_node_goes_are_not_lost() {
    const LINES: u64 = 200;
    let zone = Zone::new().await;
    // In the place of the history's file is a pipe, which takes 64 KiB until somebody reads it.
    let folder = zone.home.join("supervisor/demo");
    std::fs::create_dir_all(&folder).unwrap();
    let pipe = folder.join("history-000001.jsonl");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let supervisor = zone.supervisor().await;
    zone.apply("api", "read nothing");
    zone.until("its container", async || zone.container("api").await.map(|_| ())).await;
    let node = zone.node("api").await;
    // One answer of four megabytes: more than there is room for on the way to the files.
    node.serve(OBSERVE, |asked| async move {
        let asked: Value = serde_json::from_slice(&asked.body).unwrap();
        if asked["lines"]["after"] != 0 {
            return std::future::pending().await;
        }
        let line = |seq: u64| {
            json!({
                "seq": seq, "time": 1000 + seq, "node": "api", "level": "info", "name": "node",
                "message": format!("{seq:020000}"),
            })
        };
        let lines: Vec<_> = (1..=LINES).map(line).collect();
        let told = json!({"incarnation": "1", "next": LINES, "dropped": 0, "covers": [], "lines": lines});
        Ok(told.to_string().into_bytes())
    });
    let taken = async || {
        let (mut after, mut taken) = (json!(0), Vec::new());
        loop {
            let told = zone.ask(OBSERVE, json!({"lines": {"after": after, "limit": 2000}})).await;
            let lines = told["lines"].as_array().unwrap();
            if lines.is_empty() {
                return taken;
            }
            let own = lines.iter().filter(|line| line["node"] == "api" && line["name"] == "node");
            taken.extend(own.map(|line| line["message"].as_str().unwrap().parse::<u64>().unwrap()));
            after = told["next"].clone();
        }
    };
    zone.until("as many as there is room for", async || (taken().await.len() > 90).then_some(())).await;
    node.stop(Duration::ZERO).await;
    // Who sees that another one has come has seen that the first one has gone.
    zone.apply("later", "read nothing");
    zone.until("another container", async || zone.container("later").await.map(|_| ())).await;
    let _later = zone.node("later").await;
    zone.until("another node to be seen", async || {
        let status = zone.container("later").await;
        status.filter(|status| status["state"] == "up")
    })
    .await;
    assert!((taken().await.len() as u64) < LINES, "nobody has read yet");
    let reader = tokio::task::spawn_blocking(move || {
        std::io::copy(&mut std::fs::File::open(pipe).unwrap(), &mut std::io::sink()).unwrap()
    });
    let all: Vec<_> = (1..=LINES).collect();
    zone.until("every line", async || (taken().await == all).then_some(())).await;
    drop(supervisor);
    reader.await.unwrap();
}
