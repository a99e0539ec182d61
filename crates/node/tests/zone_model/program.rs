//! Random programs: what may happen in a zone of a few nodes, drawn from a seed.

use troupe_node::OnFailure;
use troupe_testkit::{End, Random};

/// Nodes of the zone: `n0`, `n1`, …; each may be up or down.
pub(crate) const NODES: usize = 3;
/// Names of the workers on each of them: `w0`, `w1`, …
pub(crate) const NAMES: usize = 3;

/// A worker of a node by its number among those that are there, or the node itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) node: usize,
    pub(crate) worker: usize,
}

/// An address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whom {
    /// `None`: whichever node has it.
    pub(crate) node: Option<usize>,
    pub(crate) name: usize,
}

impl std::fmt::Display for Whom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.node {
            Some(node) => write!(f, "n{node}/w{}", self.name),
            None => write!(f, "w{}", self.name),
        }
    }
}

/// One step. What it names and is not there makes it no step, so that any part of a program is a program. Between steps no
/// time passes and no node hears of another.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Join {
        node: usize,
    },
    /// Its workers have `timeout` to drain.
    Leave {
        node: usize,
        timeout: u32,
    },
    /// The others see its record go `lag` later.
    Kill {
        node: usize,
        lag: u32,
    },
    Start {
        node: usize,
        name: usize,
        options: Options,
    },
    /// `initialize`, or a restart, ends.
    Ready {
        at: Who,
        is_good: bool,
    },
    Stop {
        at: Who,
        timeout: u32,
    },
    Send {
        from: Who,
        to: Whom,
        timeout: u32,
        size: usize,
    },
    Ask {
        from: Who,
        to: Whom,
        timeout: u32,
        size: usize,
    },
    /// From inside of the handler that runs.
    AskNested {
        from: Who,
        to: Whom,
        timeout: u32,
    },
    /// A handler ends.
    Finish {
        at: Who,
        end: End,
    },
    /// A reply to something that was handled before, a request or a send.
    ReplyLater {
        message: usize,
    },
    GiveUp {
        message: usize,
    },
    /// The connection between two nodes ends: at once, or behind so many bytes from the first to the second.
    Cut {
        pair: [usize; 2],
        behind: Option<usize>,
    },
    /// What the first says to the second is held up for so long.
    Hold {
        pair: [usize; 2],
        milliseconds: u32,
    },
    /// Two nodes do not reach each other for so long.
    Part {
        pair: [usize; 2],
        milliseconds: u32,
    },
    Pass {
        milliseconds: u32,
    },
}

/// How a worker is started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) capacity: u32,
    pub(crate) rejects: bool,
    pub(crate) on_failure: OnFailure,
    pub(crate) max_restarts: u32,
    /// `initialize` goes on until a `Ready`; else it ends at once.
    pub(crate) is_slow: bool,
}

/// A program of about so many steps, with nodes and workers to begin with.
pub(crate) fn draw(random: &mut Random, steps: usize) -> Vec<Step> {
    let mut program = Vec::new();
    for node in 0..2 + random.below(NODES - 1) {
        program.push(Step::Join { node });
        for name in 0..=random.below(2) {
            program.push(Step::Start { node, name, options: options(random) });
        }
    }
    // Half of all programs have a sound network, in which more is promised; a quarter has nodes that stay.
    let (has_faults, has_ends) = (random.one_in(2), !random.one_in(4));
    program.extend((0..steps).map(|_| step(random, has_faults, has_ends)));
    program
}

fn options(random: &mut Random) -> Options {
    Options {
        capacity: if random.one_in(3) { 1000 } else { 1 + random.below(4) as u32 },
        rejects: random.one_in(8),
        on_failure: [OnFailure::Resume, OnFailure::Restart, OnFailure::Stop][random.below(3)],
        max_restarts: random.below(4) as u32,
        is_slow: random.one_in(6),
    }
}

fn timeout(random: &mut Random) -> u32 {
    match random.below(4) {
        0 | 1 => u32::MAX,
        2 => 1 + random.below(20) as u32,
        _ => 1 + random.below(2000) as u32,
    }
}

/// Mostly small; sometimes more than one record holds.
fn size(random: &mut Random) -> usize {
    match random.below(12) {
        0 => random.below(60_000),
        1 => random.below(3000),
        _ => 0,
    }
}

fn whom(random: &mut Random) -> Whom {
    let (node, names) = (random.below(NODES), NAMES - random.below(2));
    Whom { node: (!random.one_in(5)).then_some(node), name: random.below(names) }
}

fn pair(random: &mut Random) -> [usize; 2] {
    let one = random.below(NODES);
    [one, (one + 1 + random.below(NODES - 1)) % NODES]
}

fn while_of(random: &mut Random) -> u32 {
    match random.below(12) {
        0 => 20_000 + random.below(30_000) as u32,
        1..=3 => random.below(4000) as u32,
        _ => 1 + random.below(200) as u32,
    }
}

fn step(random: &mut Random, has_faults: bool, has_ends: bool) -> Step {
    let node = random.below(NODES);
    let at = Who { node, worker: random.below(1 << 20) };
    let number = random.below(1 << 20);
    let to = whom(random);
    match random.below(100) {
        0..=1 => Step::Join { node },
        2 if has_ends => Step::Leave { node, timeout: [0, 1, 50, 400, 5000][random.below(5)] },
        3 if has_ends => Step::Kill { node, lag: [0, 0, 1, 20, 600][random.below(5)] },
        2..=8 => Step::Start { node, name: to.name, options: options(random) },
        9..=11 => Step::Ready { at, is_good: !random.one_in(4) },
        12..=24 => Step::Send { from: at, to, timeout: timeout(random), size: size(random) },
        25..=42 => Step::Ask { from: at, to, timeout: timeout(random), size: size(random) },
        43..=48 => Step::AskNested { from: at, to, timeout: timeout(random) },
        49..=65 => {
            let ends = [End::Replies, End::Replies, End::Replies, End::RepliesTwice, End::Silent, End::Fails];
            Step::Finish { at, end: ends[random.below(ends.len())] }
        }
        66..=67 => Step::ReplyLater { message: number },
        68..=70 => Step::GiveUp { message: number },
        71..=72 => Step::Stop { at, timeout: [0, 1, 50, 100, 400, 5000][random.below(6)] },
        73..=75 if has_faults => {
            let behind = (!random.one_in(3)).then(|| random.below(600));
            Step::Cut { pair: pair(random), behind }
        }
        76..=77 if has_faults => Step::Hold { pair: pair(random), milliseconds: while_of(random) },
        78 if has_faults => Step::Part { pair: pair(random), milliseconds: while_of(random) },
        _ => Step::Pass {
            milliseconds: match random.below(10) {
                0 => random.below(3000) as u32,
                1 | 2 => random.below(200) as u32,
                _ => 1 + random.below(4) as u32,
            },
        },
    }
}
