//! Nothing is left of a node that went: no file, no descriptor, no thread. Each test counts those of a process of its own.

use std::{fs, path::Path, thread, time::Instant};

use troupe_node::discovery::{Directory, Discovery};

use crate::support::{Home, Other, PATIENCE, ZONE, announce, files, names, say, told};

/// The part of a process that is a node many times.
pub(crate) fn come_and_go(home: &Path) {
    // The first use opens what stays open.
    drop(announce(&Directory::open(home, ZONE).unwrap(), "runner"));
    let before = open_files();
    for _ in 0..100 {
        let directory = Directory::open(home, ZONE).unwrap();
        let changes = directory.changes();
        let announcement = announce(&directory, "runner");
        assert_eq!(names(&directory), ["runner"]);
        drop((announcement, changes, directory));
    }
    assert_eq!(open_files(), before);
    // The kernel lists a thread for a moment after it was joined.
    until("a thread goes on", || threads_of_ours() == 0);
    say("clean");
}

fn until(otherwise: &str, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "{otherwise}");
        thread::yield_now();
    }
}

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn threads_of_ours() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok())
        .filter(|name| name.starts_with("troupe-"))
        .count()
}

#[test]
fn a_hundred_nodes_come_and_go_and_leave_no_file_no_descriptor_and_no_thread() {
    let home = Home::new();
    let mut other = Other::plays("come-and-go", &home);
    assert_eq!(other.hears(), "clean");
    other.ends();
    assert_eq!(files(&home.nodes()), [""; 0]);
    assert_eq!(files(&home.zone().join("drafts")), [""; 0]);
}

/// The part of a process that watches once more after its watch had ended.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn watch_again(home: &Path) {
    let directory = Directory::open(home, ZONE).unwrap();
    let before = open_files();
    drop(directory.changes());
    until("the watch goes on", || open_files() == before);
    let mut changes = directory.changes();
    let _announcement = announce(&directory, "runner");
    told(&mut changes).await;
    assert_eq!(names(&directory), ["runner"]);
    say("told");
}

#[test]
fn a_watch_ends_with_its_last_receiver_and_begins_again_with_the_next() {
    let home = Home::new();
    let mut other = Other::plays("watch-again", &home);
    assert_eq!(other.hears(), "told");
    other.ends();
}
