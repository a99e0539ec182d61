//! Random programs: what may happen to a node, drawn from a seed.

use troupe_node::OnFailure;
use troupe_testkit::{End, Random};

/// One step. Numbers are taken modulo what there is, so that any part of a program is a program.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// `is_slow`: `initialize` goes on until a `Ready`; else it ends at once.
    Start {
        capacity: u32,
        rejects: bool,
        on_failure: OnFailure,
        max_restarts: u32,
        is_slow: bool,
    },
    /// `initialize`, or a restart, ends.
    Ready {
        worker: usize,
        is_good: bool,
    },
    Send {
        from: usize,
        to: usize,
        timeout: u32,
    },
    Ask {
        from: usize,
        to: usize,
        timeout: u32,
    },
    /// From inside of the handler that runs.
    AskNested {
        from: usize,
        to: usize,
        timeout: u32,
    },
    /// A reply to what was sent: it takes room or is lost.
    Answer {
        from: usize,
        to: usize,
    },
    /// A handler ends.
    Finish {
        worker: usize,
        end: End,
    },
    /// A reply to something that was handled before.
    ReplyLater {
        message: usize,
    },
    GiveUp {
        message: usize,
    },
    Stop {
        worker: usize,
        timeout: u32,
    },
    /// `shutdown` ends.
    Ended {
        worker: usize,
    },
    Pass {
        milliseconds: u32,
    },
}

/// A program of so many steps.
pub(crate) fn draw(random: &mut Random, steps: usize) -> Vec<Step> {
    (0..steps).map(|number| if number < 2 { start(random) } else { step(random) }).collect()
}

fn start(random: &mut Random) -> Step {
    Step::Start {
        capacity: 1 + random.below(4) as u32,
        rejects: random.one_in(6),
        on_failure: [OnFailure::Resume, OnFailure::Restart, OnFailure::Stop][random.below(3)],
        max_restarts: random.below(4) as u32,
        is_slow: random.one_in(4),
    }
}

fn timeout(random: &mut Random) -> u32 {
    match random.below(4) {
        0 => u32::MAX,
        1 => 1 + random.below(5) as u32,
        _ => 1 + random.below(300) as u32,
    }
}

fn step(random: &mut Random) -> Step {
    let (one, two) = (random.below(1 << 20), random.below(1 << 20));
    match random.below(100) {
        0..=5 => start(random),
        6..=11 => Step::Ready { worker: one, is_good: !random.one_in(4) },
        12..=25 => Step::Send { from: one, to: two, timeout: timeout(random) },
        26..=42 => Step::Ask { from: one, to: two, timeout: timeout(random) },
        43..=49 => Step::AskNested { from: one, to: two, timeout: timeout(random) },
        50..=53 => Step::Answer { from: one, to: two },
        54..=74 => {
            let ends = [End::Replies, End::Replies, End::RepliesTwice, End::Silent, End::Fails, End::Fails];
            Step::Finish { worker: one, end: ends[random.below(ends.len())] }
        }
        75..=78 => Step::ReplyLater { message: one },
        79..=84 => Step::GiveUp { message: one },
        85..=88 => {
            let timeout = [0, 1, 50, 100, 400, 5000][random.below(6)];
            Step::Stop { worker: one, timeout }
        }
        89..=91 => Step::Ended { worker: one },
        _ => {
            let milliseconds = if random.one_in(4) { random.below(300) } else { random.below(10) };
            Step::Pass { milliseconds: milliseconds as u32 }
        }
    }
}
