//! The zone of one machine: its keys are made once, its border is the user, and its members are those that live.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod creation;
// Linux alone tells a process of its descriptors and threads.
#[cfg(target_os = "linux")]
mod leaks;
mod life;
mod support;
mod trust;
mod watch;

use std::path::PathBuf;

use support::{PART, PART_HOME};

/// Not a test by itself: what another process does for a test of this program.
#[test]
fn plays_a_part() {
    let Ok(part) = std::env::var(PART) else {
        return;
    };
    let home = PathBuf::from(std::env::var_os(PART_HOME).unwrap());
    match part.split_once(' ').unwrap_or((&part, "")) {
        ("open", _) => creation::open_when_told(&home),
        ("hold", name) => life::hold_until_told(&home, name),
        #[cfg(target_os = "linux")]
        ("watch-again", _) => leaks::watch_again(&home),
        #[cfg(target_os = "linux")]
        ("come-and-go", _) => leaks::come_and_go(&home),
        _ => panic!("no such part: {part}"),
    }
}
