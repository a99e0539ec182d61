//! Who watches a zone hears of each join and leave, whatever way a node ends.

use std::fs;

use troupe_node::discovery::Discovery;

use crate::support::{Home, Other, announce, names, told, until};

#[tokio::test]
async fn the_watch_tells_of_a_join_and_of_a_leave() {
    let home = Home::new();
    let directory = home.open();
    let mut changes = directory.changes();
    let other = Other::holding("runner", &home);
    until(&directory, &mut changes, &["runner"]).await;
    other.ends();
    until(&directory, &mut changes, &[]).await;
}

#[tokio::test]
async fn the_watch_tells_of_a_node_that_was_killed() {
    let home = Home::new();
    let directory = home.open();
    let other = Other::holding("runner", &home);
    let mut changes = directory.changes();
    until(&directory, &mut changes, &["runner"]).await;
    other.kill();
    told(&mut changes).await;
    until(&directory, &mut changes, &[]).await;
}

#[tokio::test]
async fn a_death_of_which_the_kernel_tells_nothing_is_found_by_looking_at_the_locks() {
    let home = Home::new();
    let directory = home.open();
    let other = Other::holding("runner", &home);
    // The kernel tells of an open file where it was opened: put another name of the file in the record's place.
    let aside = home.zone().join("drafts/aside");
    fs::rename(home.record("runner"), &aside).unwrap();
    fs::hard_link(&aside, home.record("runner")).unwrap();
    let mut changes = directory.changes();
    assert_eq!(names(&directory), ["runner"]);
    other.kill();
    told(&mut changes).await;
    until(&directory, &mut changes, &[]).await;
}

/// A node that comes and goes between two looks leaves all as it was; somebody else may have seen it.
#[tokio::test]
async fn a_change_is_told_also_when_all_is_as_before_when_it_is_looked_at() {
    let home = Home::new();
    let directory = home.open();
    let mut changes = directory.changes();
    let draft = home.record("runner").with_extension("draft");
    fs::write(&draft, "").unwrap();
    fs::remove_file(&draft).unwrap();
    told(&mut changes).await;
    assert!(names(&directory).is_empty());
}

#[tokio::test]
async fn every_receiver_is_told() {
    let home = Home::new();
    let directory = home.open();
    let (mut one, mut other) = (directory.changes(), directory.changes());
    let announcement = announce(&directory, "runner");
    told(&mut one).await;
    told(&mut other).await;
    drop(announcement);
    until(&directory, &mut one, &[]).await;
    until(&directory, &mut other, &[]).await;
}

#[tokio::test]
async fn looking_at_the_zone_wakes_nobody_who_watches_it() {
    let home = Home::new();
    let (directory, watched) = (home.open(), home.open());
    let _held = Other::holding("runner", &home);
    let mut changes = watched.changes();
    for _ in 0..1000 {
        assert_eq!(names(&directory), ["runner"]);
    }
    let _announcement = announce(&directory, "second");
    told(&mut changes).await;
    // The one change, and at most a look after it.
    assert!(*changes.borrow() <= 2, "{}", *changes.borrow());
}

#[tokio::test]
async fn receivers_hear_when_the_directory_is_closed() {
    let home = Home::new();
    let directory = home.open();
    let mut changes = directory.changes();
    drop(directory);
    while changes.changed().await.is_ok() {}
}
