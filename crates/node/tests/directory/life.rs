//! A record lives as long as its node, and a name belongs to one node at a time.

use std::{
    collections::HashSet,
    fs::{self, File},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::Command,
    sync::{
        Barrier,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use rustix::fs::{FlockOperation, flock};
use troupe_node::discovery::{AnnounceError, Directory, Discovery, Holder};
use troupe_proto::noise::NodeId;
use troupe_testkit::listen_to_warnings;

use crate::support::{
    Home, Other, ZONE, announce, announce_of, files, names, say, wait_for_word, warnings_about,
};

/// The part of a node: announced until it is told to end.
pub(crate) fn hold_until_told(home: &Path, name: &str) {
    let directory = Directory::open(home, ZONE).unwrap();
    let _announcement = announce(&directory, name);
    say("held");
    wait_for_word();
}

#[test]
fn members_are_those_announced_sorted_by_name_with_what_they_said() {
    let home = Home::new();
    let directory = home.open();
    let announced = ["runner-2", "main", "runner-1"].map(|name| announce(&directory, name));
    let members = home.open().members().unwrap();
    assert_eq!(names(&directory), ["main", "runner-1", "runner-2"]);
    assert_eq!(members[0], *announced[1].member());
    assert!(members[0].since_unix_ms > 1_600_000_000_000);
    assert!(directory.is_live(&members[0].id));
    assert!(!directory.is_live(&NodeId([0; 32])));
}

#[test]
fn a_node_leaves_when_its_announcement_is_dropped_or_closed() {
    let home = Home::new();
    let directory = home.open();
    let (dropped, closed) = (announce(&directory, "dropped"), announce(&directory, "closed"));
    drop(dropped);
    assert_eq!(names(&directory), ["closed"]);
    closed.close_now();
    closed.close_now();
    assert_eq!(files(&home.nodes()), [""; 0]);
}

#[test]
fn closing_leaves_the_record_of_the_next_node_of_that_name_alone() {
    let home = Home::new();
    let directory = home.open();
    let first = announce(&directory, "runner");
    fs::remove_file(home.record("runner")).unwrap();
    let second = announce(&directory, "runner");
    first.close_now();
    assert_eq!(directory.members().unwrap(), [second.member().clone()]);
}

#[test]
fn the_second_node_of_a_live_name_is_told_who_has_it() {
    let home = Home::new();
    let directory = home.open();
    let other = Other::holding("runner", &home);
    let error = directory.announce(announce_of("runner")).expect_err("announced");
    let said = error.to_string();
    assert!(said.contains("\"runner\"") && said.contains("\"default\""), "{said}");
    assert!(said.contains(&format!("process {}, which listens on 127.0.0.1:4242", other.id())), "{said}");
    let AnnounceError::NameTaken { holder: Holder::Node { process, .. }, .. } = error else {
        panic!("{said}")
    };
    assert_eq!(process, other.id());

    // Within one process just as well; and nothing is left of the attempt.
    let _here = announce(&directory, "here");
    assert!(matches!(directory.announce(announce_of("here")), Err(AnnounceError::NameTaken { .. })));
    assert_eq!(names(&directory), ["here", "runner"]);
    assert_eq!(files(&home.zone().join("drafts")), [""; 0]);
}

#[test]
fn a_bad_name_is_refused() {
    let home = Home::new();
    for name in ["", "../runner", "a.node", &"x".repeat(129)] {
        let error = home.open().announce(announce_of(name)).expect_err(name);
        assert!(matches!(error, AnnounceError::BadName { .. }), "{error}");
    }
    drop(announce(&home.open(), &"x".repeat(128)));
}

#[test]
fn the_record_of_a_killed_node_is_removed_by_whoever_looks() {
    let home = Home::new();
    let directory = home.open();
    let other = Other::holding("runner", &home);
    assert_eq!(names(&directory), ["runner"]);
    other.kill();
    assert_eq!(files(&home.nodes()), ["runner.node"]);
    assert_eq!(names(&directory), [""; 0]);
    assert_eq!(files(&home.nodes()), [""; 0]);
}

#[test]
fn the_name_of_a_killed_node_is_free_at_once() {
    let home = Home::new();
    let directory = home.open();
    Other::holding("runner", &home).kill();
    let announcement = announce(&directory, "runner");
    assert_eq!(directory.members().unwrap(), [announcement.member().clone()]);
}

#[test]
fn a_dead_node_is_live_to_nobody_however_many_look_at_once() {
    const LOOKERS: usize = 16;
    for _ in 0..10 {
        let home = Home::new();
        let directory = home.open();
        let other = Other::holding("runner", &home);
        let id = directory.members().unwrap()[0].id;
        other.kill();
        let start = Barrier::new(LOOKERS);
        thread::scope(|scope| {
            for _ in 0..LOOKERS {
                scope.spawn(|| {
                    start.wait();
                    assert!(!directory.is_live(&id));
                });
            }
        });
    }
}

#[test]
fn of_many_that_want_the_name_of_a_dead_node_one_gets_it_while_others_look() {
    const NODES: usize = 4;
    let home = Home::new();
    let directory = home.open();
    for round in 0..200 {
        // In half of the rounds those that look clear the record away, in the others those that want the name do.
        let lookers = if round % 2 == 0 { NODES } else { 0 };
        fs::write(home.record("runner"), "of a dead node").unwrap();
        fs::set_permissions(home.record("runner"), PermissionsExt::from_mode(0o600)).unwrap();
        let (start, winners) = (Barrier::new(NODES + lookers), AtomicU32::new(0));
        let (start, winners, directory) = (&start, &winners, &directory);
        let kept: Vec<_> = thread::scope(|scope| {
            let nodes: Vec<_> = (0..NODES)
                .map(|_| {
                    scope.spawn(move || {
                        start.wait();
                        match directory.announce(announce_of("runner")) {
                            Ok(announcement) => {
                                winners.fetch_add(1, Ordering::Relaxed);
                                Some(announcement)
                            }
                            Err(AnnounceError::NameTaken { holder: Holder::Node { .. }, .. }) => None,
                            Err(error) => panic!("{error}"),
                        }
                    })
                })
                .collect();
            for _ in 0..lookers {
                scope.spawn(move || {
                    start.wait();
                    for _ in 0..20 {
                        directory.members().unwrap();
                    }
                });
            }
            nodes.into_iter().filter_map(|node| node.join().unwrap()).collect()
        });
        assert_eq!(winners.load(Ordering::Relaxed), 1, "round {round}");
        assert_eq!(directory.members().unwrap(), [kept[0].member().clone()], "round {round}");
    }
}

/// A record held as a live node would, with other bytes in it.
fn held(home: &Home, name: &str, bytes: &[u8]) -> File {
    let path = home.record(name);
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    let file = File::open(&path).unwrap();
    flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
    file
}

#[test]
fn what_is_no_record_of_a_node_here_is_skipped_with_one_warning_each() {
    listen_to_warnings();
    let home = Home::new();
    let directory = home.open();
    let _announcement = announce(&directory, "runner");
    let good = fs::read(home.record("runner")).unwrap();
    // The record of a node of another name, six letters long too, with one byte turned.
    let other = |name: &str, at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        let start = bytes.len() - name.len();
        bytes[start..].copy_from_slice(name.as_bytes());
        bytes
    };
    let _held = [
        held(&home, "half", &good[..50]),
        held(&home, "empty", b""),
        held(&home, "newer1", &other("newer1", 7)),
        held(&home, "reboot", &other("reboot", 60)),
        held(&home, "docker", &other("docker", 76)),
        held(&home, "renamed", &good),
        held(&home, "wide", &good),
    ];
    fs::set_permissions(home.record("wide"), PermissionsExt::from_mode(0o644)).unwrap();
    fs::write(home.nodes().join("notes.txt"), "mine").unwrap();
    symlink(home.record("runner"), home.record("link")).unwrap();
    assert!(Command::new("mkfifo").arg(home.record("pipe")).args(["-m", "600"]).status().unwrap().success());
    fs::create_dir(home.record("folder")).unwrap();

    for _ in 0..3 {
        assert_eq!(names(&directory), ["runner"]);
    }
    let warned = warnings_about(&home.nodes());
    let about: HashSet<&str> = warned
        .iter()
        .map(|line| line[home.nodes().as_os_str().len() + 1..].split(' ').next().unwrap())
        .collect();
    assert_eq!(warned.len(), 11, "{warned:#?}");
    assert_eq!(about.len(), 11);
    let says = |file: &str, what: &str| warned.iter().any(|line| line.contains(file) && line.contains(what));
    assert!(says("half.node", "cut off"), "{warned:#?}");
    assert!(says("reboot.node", "another machine"), "{warned:#?}");
    assert!(says("docker.node", "network namespace"), "{warned:#?}");
    assert!(says("renamed.node", "another name"), "{warned:#?}");
    assert!(says("wide.node", "chmod 600"), "{warned:#?}");
    // Nobody's file is touched.
    assert_eq!(fs::read(home.nodes().join("notes.txt")).unwrap(), b"mine");
    assert!(home.record("half").exists());
}

#[test]
fn a_half_written_record_that_nobody_holds_is_removed_like_any_of_a_dead_node() {
    let home = Home::new();
    let directory = home.open();
    drop(held(&home, "half", b"troupeN\x01half"));
    assert_eq!(names(&directory), [""; 0]);
    assert_eq!(files(&home.nodes()), [""; 0]);
}

#[test]
fn a_name_held_by_a_record_of_another_version_is_taken() {
    let home = Home::new();
    let directory = home.open();
    let _held = held(&home, "runner", b"troupeN\x02");
    let taken = directory.announce(announce_of("runner"));
    assert!(matches!(taken, Err(AnnounceError::NameTaken { holder: Holder::Unknown, .. })), "{taken:?}");
}

#[test]
fn drafts_of_killed_processes_are_swept_and_those_being_written_are_not() {
    let home = Home::new();
    let directory = home.open();
    let drafts = home.zone().join("drafts");
    let left = drafts.join("00000000000000aa");
    fs::write(&left, "half").unwrap();
    fs::set_permissions(&left, PermissionsExt::from_mode(0o600)).unwrap();
    let written = drafts.join("00000000000000bb");
    fs::rename(&left, &written).unwrap();
    let writing = File::open(&written).unwrap();
    flock(&writing, FlockOperation::NonBlockingLockExclusive).unwrap();
    fs::write(&left, "half").unwrap();
    fs::set_permissions(&left, PermissionsExt::from_mode(0o600)).unwrap();

    drop(announce(&directory, "runner"));
    assert_eq!(files(&drafts), ["00000000000000bb"]);
}

#[test]
fn a_member_that_can_not_be_looked_up_does_not_count_as_dead() {
    let home = Home::new();
    let directory = home.open();
    let announcement = announce(&directory, "runner");
    let hidden = home.zone().join("hidden");
    fs::rename(home.nodes(), &hidden).unwrap();
    assert!(directory.members().is_err());
    assert!(directory.is_live(&announcement.member().id));
    fs::rename(&hidden, home.nodes()).unwrap();
}
