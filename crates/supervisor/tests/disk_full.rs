//! A disk that is full ends nothing. Alone in its program: the limit that stands for it is one of the process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::sync::Arc;
use troupe_node::observe::Ring;
use troupe_supervisor::files::Files;
use troupe_supervisor::history::History;
use troupe_supervisor::line::{Level, Line};

/// The longest that a file may become from now on.
fn limit_files(current: Option<u64>) -> rustix::io::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current, maximum })
}

#[tokio::test]
async fn a_history_that_can_not_be_written_goes_on_in_memory_and_says_so_once() {
    // Who is asked to write beyond the limit gets a signal as well; it has to be expected, or it ends the process.
    let number = rustix::process::Signal::XFSZ.as_raw();
    let _expected = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(number)).unwrap();
    let folder = std::env::temp_dir().join(format!("troupe-disk-full-{:016x}", getrandom::u64().unwrap()));
    let ring = Arc::<Ring>::default();
    let history = History::open(&folder, ring.clone(), "troupe-supervisor").unwrap();
    let say = async |text: &str| {
        history.add(vec![Line::now("api", Level::Info, "stdout", text.to_owned())]).await;
        history.flush().await;
    };
    say("before").await;
    // The next line does not fit, but its beginning does.
    limit_files(Some(150)).unwrap();
    for n in 0..5 {
        say(&format!("while it is full {n}")).await;
    }
    limit_files(None).unwrap();
    say("after").await;
    let kept = ring.pull(0, usize::MAX, "troupe-supervisor").lines;
    let kept: Vec<Line> = kept.into_iter().map(|line| serde_json::from_value(line).unwrap()).collect();
    let messages: Vec<_> = kept.iter().map(|line| line.message.as_str()).collect();
    let full: Vec<_> = messages.iter().filter(|message| message.starts_with("while it is full")).collect();
    assert_eq!(full.len(), 5, "they are in memory");
    let said: Vec<_> = kept.iter().filter(|line| line.name == "supervisor").collect();
    assert_eq!(said.len(), 2, "{messages:?}");
    assert!(said[0].message.contains("File too large") && said[0].level == Level::Error, "{said:?}");
    assert_eq!(said[1].message, "the history is written to disk again; 5 lines are missing there");
    let on_disk = Files::open(&folder).unwrap().tail(u64::MAX).unwrap();
    let on_disk: Vec<_> = on_disk.iter().map(|(_, line)| line.message.as_str()).collect();
    assert_eq!(on_disk, ["before", "after"], "whole lines, and no beginning of one");
    std::fs::remove_dir_all(folder).unwrap();
}
