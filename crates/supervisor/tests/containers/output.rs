//! Every line that a container prints is in the history, or its loss is said, however much and whatever it prints.

use crate::support::{PATIENCE, Zone};
use std::io::BufRead;
use std::path::Path;
use troupe_supervisor::files::{FULL, Files, MOST_FILES};
use troupe_supervisor::lines::LONGEST_LINE;
use troupe_supervisor::restart::Policy;

#[tokio::test]
async fn both_streams_are_taken_line_by_line_to_the_last_one() {
    let zone = Zone::new();
    let script = "printf 'one\\n\\ntwo'; printf 'first\\nlast without an end' >&2";
    zone.apply(0, &[zone.container("api", script)]).await;
    zone.until_state("api", "ended").await;
    let lines = zone.lines("api");
    let of = |stream: &str| -> Vec<_> { lines.iter().filter_map(|line| line.strip_prefix(stream)).collect() };
    assert_eq!(of("stdout "), ["one", "", "two"]);
    assert_eq!(of("stderr "), ["first", "last without an end"]);
}

#[tokio::test]
async fn the_end_of_a_container_comes_after_its_last_words() {
    let zone = Zone::new();
    // What has left its group still has its output, and speaks only when it has been waited for.
    let late = "touch moved; while kill -0 $1 2>/dev/null; do sleep 0.01; done; echo late";
    let script = format!("setsid sh -c '{late}' sh $$ & while [ ! -e moved ]; do sleep 0.01; done; echo now");
    zone.apply(0, &[zone.container("api", &script)]).await;
    zone.until_line("api", |line| line.name == "supervisor" && line.message.contains("exited")).await;
    let lines = zone.lines("api");
    assert_eq!(lines[lines.len() - 3..lines.len() - 1], ["stdout now", "stdout late"]);
    assert!(lines[lines.len() - 1].starts_with("supervisor it exited with status 0, "), "{lines:?}");
}

#[tokio::test]
async fn a_line_of_a_megabyte_and_bytes_that_are_no_text_are_taken() {
    let zone = Zone::new();
    let script = "head -c 1000000 /dev/zero | tr '\\0' x; echo; printf 'a\\377b\\n'; echo after";
    zone.apply(0, &[zone.container("api", script)]).await;
    zone.until_state("api", "ended").await;
    let lines = zone.lines("api");
    let long = lines.iter().find(|line| line.starts_with("stdout xxx")).unwrap();
    assert!(long.len() <= LONGEST_LINE + "stdout ".len() && long.ends_with(" more bytes)"));
    assert!(lines.contains(&"stdout a\u{fffd}b".to_owned()));
    assert!(lines.contains(&"stdout after".to_owned()));
}

#[tokio::test]
async fn a_hundred_megabytes_at_once_cost_bounded_memory_and_every_lost_line_is_counted() {
    const LINES: u64 = 100_000;
    let zone = Zone::new();
    let begun = peak_memory();
    // A line of 1 KiB, numbered.
    let script = format!("seq -f '%01023.0f' {LINES}");
    zone.apply(0, &[zone.container("loud", &script), zone.container("quiet", "echo still here")]).await;
    zone.until_state("loud", "ended").await;
    zone.until_state("quiet", "ended").await;
    let grown = peak_memory() - begun;
    assert!(grown < 64 * 1024, "it took {grown} KiB more");
    assert!(zone.lines("quiet").contains(&"stdout still here".to_owned()), "it pushed nobody out");
    // In the files is everything that was let through, and the count of the rest.
    let folder = zone.folder.join("history");
    let count = async || {
        zone.history.flush().await;
        let (printed, dropped) = counted(&folder);
        (printed + dropped >= LINES).then_some((printed, dropped))
    };
    let (printed, dropped) = zone.until("every line to be there or counted", count).await;
    assert_eq!(printed + dropped, LINES);
    assert!(dropped > LINES / 2, "a hundred megabytes are more than a burst: {dropped}");
}

#[tokio::test]
async fn a_container_prints_no_faster_than_the_history_is_written() {
    let zone = Zone::prepared(Policy::default(), pipe_for_history);
    let pipe = zone.folder.join("history/history-000001.jsonl");
    zone.join(&["api"]);
    // Three megabytes: less than a burst, more than lies on the way.
    zone.apply(0, &[zone.container("api", "seq -f '%01023.0f' 3000; touch all; read nothing")]).await;
    zone.until_line("api", |line| line.message.ends_with("0000100")).await;
    let all = zone.folder.join("all");
    assert!(!all.exists(), "nobody reads, and it has printed everything");
    let reader = tokio::task::spawn_blocking(move || {
        let lines = std::io::BufReader::new(std::fs::File::open(pipe).unwrap()).lines().map(Result::unwrap);
        lines.filter(|line| line.contains("\"stdout\"")).take(3000).count()
    });
    assert_eq!(reader.await.unwrap(), 3000, "every line, once it is read");
    zone.until("it to go on", async || all.exists().then_some(())).await;
}

#[tokio::test]
async fn a_history_that_can_not_be_written_at_the_moment_keeps_nobody_from_being_stopped() {
    let zone = Zone::prepared(Policy::default(), pipe_for_history);
    zone.join(&["api", "quiet"]);
    let quiet = zone.container("quiet", "trap 'exit 0' TERM; echo hello; sleep 1000 & wait");
    // It speaks when the other one has spoken: it leaves no room for anybody.
    let script = "while [ ! -e go ]; do sleep 0.01; done; seq -f '%01023.0f' 3000; read nothing";
    zone.apply(60_000, &[zone.container("api", script), quiet]).await;
    zone.until_line("quiet", |line| line.message == "hello").await;
    std::fs::write(zone.folder.join("go"), "").unwrap();
    zone.until_line("api", |line| line.message.ends_with("0000100")).await;
    // Nobody ever reads.
    let stopped = zone.ask(serde_json::json!({"delete": {}}));
    assert_eq!(tokio::time::timeout(PATIENCE, stopped).await.unwrap(), serde_json::json!({"stopped": 2}));
}

/// Puts a pipe in the place of the history's file: it takes 64 KiB until somebody reads them.
fn pipe_for_history(folder: &Path) {
    let history = folder.join("history");
    std::fs::create_dir(&history).unwrap();
    let made = std::process::Command::new("mkfifo").arg(history.join("history-000001.jsonl")).status();
    assert!(made.unwrap().success());
}

/// Lines of node `loud` on disk, and how many it is said to have lost.
fn counted(folder: &Path) -> (u64, u64) {
    let (mut printed, mut dropped) = (0, 0);
    for (_, line) in Files::open(folder).unwrap().tail(MOST_FILES * FULL).unwrap() {
        if line.name == "stdout" && line.node == "loud" {
            printed += 1;
        } else if let Some(words) = line.message.strip_prefix("stdout: ") {
            let count = words.split(' ').next().and_then(|count| count.parse::<u64>().ok());
            dropped += count.unwrap_or_else(|| panic!("{words}"));
        }
    }
    (printed, dropped)
}

/// The most memory that this process ever had, in KiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string(Path::new("/proc/self/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
