//! Plays a program in a simulated zone and has the reference judge what everybody hears.

mod node;
mod steps;
mod told;

use crate::program::{NODES, Step};
use crate::reference::Reference;
use node::Node;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use troupe_node::port::{Handle, Reason, dead_letters};
use troupe_proto::noise::{AccessKey, Authority};
use troupe_testkit::{Roll, Source, Wires};

/// Something that happens by itself when its time has come.
#[derive(Clone, Copy, Debug)]
enum Due {
    Release([usize; 2]),
    Join([usize; 2]),
    Strike(usize),
}

struct Play {
    began: Instant,
    reference: Reference,
    /// By their place; `None`: it is down.
    nodes: Vec<Option<Node>>,
    wires: Wires,
    roll: Roll,
    authority: Authority,
    access_key: AccessKey,
    woken: Arc<Notify>,
    due: Vec<(u64, Due)>,
    /// Requests and waits of messages, at the node they were sent from.
    handles: Vec<Option<Handle>>,
    /// The handle under which a message is known where it came to, and how many replies were made to it.
    asked: Vec<Option<(usize, Handle, u32)>>,
    /// The node that a send came to, and whom a reply to it is put for.
    sources: Vec<Option<(usize, Source)>>,
    lost_before: [u64; Reason::ALL.len()],
}

/// After so long, in ms, with nothing in its way, every link goes on, or is given up.
const REST: u32 = 45_000;

/// Dead letters are counted for the whole process: one program at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Plays a program; the error says at which step, and what is wrong.
pub(crate) fn play(program: &[Step]) -> Result<(), String> {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.unwrap();
    runtime.block_on(async {
        let mut play = Play::new();
        for (number, step) in program.iter().enumerate() {
            play.step(*step).await.map_err(|error| format!("step {number}, {step:?}: {error}"))?;
        }
        play.end().await.map_err(|error| format!("at the end: {error}"))
    })?;
    match runtime.metrics().num_alive_tasks() {
        0 => Ok(()),
        left => Err(format!("{left} tasks are left of a zone that all have left")),
    }
}

impl Play {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            reference: Reference::default(),
            nodes: (0..NODES).map(|_| None).collect(),
            wires: Wires::default(),
            roll: Roll::default(),
            authority: Authority::from_secret(&[1; 32]),
            access_key: AccessKey::from_secret(&[2; 32]),
            woken: Arc::default(),
            due: Vec::new(),
            handles: Vec::new(),
            asked: Vec::new(),
            sources: Vec::new(),
            lost_before: dead_letters(),
        }
    }

    /// Lets time pass. What is to be done is done before any passes.
    async fn pass(&mut self, milliseconds: u32) -> Result<(), String> {
        let end = self.reference.now + u64::from(milliseconds);
        loop {
            self.settle()?;
            let now = self.reference.now;
            let dues = self.due.iter().map(|(at, _)| *at);
            let deadlines = self.nodes.iter().flatten().filter_map(Node::next);
            let next = dues.chain(deadlines).min().unwrap_or(end).min(end).max(now + 1);
            tokio::select! {
                biased;
                () = self.woken.notified() => {}
                () = sleep_until(self.began + Duration::from_millis(next)) => {}
            }
            self.reference.now = self.began.elapsed().as_millis() as u64;
            self.fall_due();
            if self.reference.now >= end {
                self.settle()?;
                return self.reference.judge_rest();
            }
        }
    }

    fn fall_due(&mut self) {
        let now = self.reference.now;
        let (due, later) = self.due.drain(..).partition(|(at, _)| *at <= now);
        self.due = later;
        let due: Vec<(u64, Due)> = due;
        for (_, due) in due {
            match due {
                Due::Release([from, to]) => self.wires.hold(from, to, false),
                Due::Join([one, other]) => self.wires.part(one, other, false),
                Due::Strike(life) => self.roll.strike(&node::id_of(life)),
            }
        }
    }

    /// Everything is mended and done; nothing may be left.
    async fn end(&mut self) -> Result<(), String> {
        self.wires.spare();
        // What goes wrong for a while has gone right by then.
        let last = self.due.iter().map(|(at, _)| *at).max().unwrap_or(0);
        let wait = last.saturating_sub(self.reference.now) as u32 + 1;
        self.pass(wait).await?;
        self.pass(REST).await?;
        loop {
            let has_finished = self.finish_all()?;
            self.pass(1).await?;
            if !has_finished && !self.is_at_work() {
                break;
            }
        }
        self.pass(100).await?;
        let now = dead_letters();
        let lost: Vec<_> = now.iter().zip(self.lost_before).map(|(now, before)| now - before).collect();
        let of = |reason: Reason| lost[Reason::ALL.iter().position(|other| *other == reason).unwrap()];
        let replies = of(Reason::LateReply) + of(Reason::ReplyLost);
        let maybe_delivered = of(Reason::MaybeDelivered);
        let sends = lost.iter().sum::<u64>() - replies - maybe_delivered;
        self.reference.judge_end((sends, maybe_delivered))?;
        for node in 0..NODES {
            self.leave(node, 0)?;
            self.pass(5000).await?;
        }
        // What went by itself has gone by then, too.
        self.pass(REST).await
    }
}
