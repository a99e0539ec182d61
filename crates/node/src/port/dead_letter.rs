//! Messages that reached nobody: counted by reason, and logged, a few a second at most.

use super::record::{NIL, incoming};
use super::target::ELSEWHERE;
use super::{Handle, NOBODY, Port};
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a message reached nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No worker of that name.
    NoSuchWorker,
    /// The worker was stopping, or stopped while the message waited.
    WorkerStopped,
    /// No room, and none to wait in.
    MailboxFull,
    /// No room within the sender's timeout.
    Expired,
    /// No channel to the node, or it was lost.
    NodeUnreachable,
    /// The node was stopping.
    NodeStopped,
    /// The other node takes no message of that length.
    TooLarge,
    /// A reply whose asker no longer waits, or has had one.
    LateReply,
    /// The sender's call was not valid.
    Invalid,
    /// The link to its node was lost, and the node may have it.
    MaybeDelivered,
    /// A reply that was lost with the link to its asker's node.
    ReplyLost,
}

impl Reason {
    /// All reasons, in the order in which they are counted.
    pub const ALL: [Reason; 11] = [
        Reason::NoSuchWorker,
        Reason::WorkerStopped,
        Reason::MailboxFull,
        Reason::Expired,
        Reason::NodeUnreachable,
        Reason::NodeStopped,
        Reason::TooLarge,
        Reason::LateReply,
        Reason::Invalid,
        Reason::MaybeDelivered,
        Reason::ReplyLost,
    ];

    /// The reason for what a search for its target ended in.
    pub(super) fn of_search(code: u8) -> Self {
        if code == crate::code::NO_SUCH_WORKER { Self::NoSuchWorker } else { Self::NodeUnreachable }
    }

    /// What happened to such a message, in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Reason::NoSuchWorker => "no such worker",
            Reason::WorkerStopped => "the worker was stopped",
            Reason::MailboxFull => "the mailbox is full, or the line before it",
            Reason::Expired => "no room within the sender's timeout",
            Reason::NodeUnreachable => "the node can't be reached",
            Reason::NodeStopped => "the node was stopped",
            Reason::TooLarge => "the other node takes no message of that length",
            Reason::LateReply => "nobody waits for this reply",
            Reason::Invalid => "the message, its address or its options were not valid",
            Reason::MaybeDelivered => "the link to its node was lost; it may have been delivered",
            Reason::ReplyLost => "the link to the asker's node was lost; the reply may have been delivered",
        }
    }
}

/// Dead letters of this process.
static COUNTS: [AtomicU64; Reason::ALL.len()] = [const { AtomicU64::new(0) }; Reason::ALL.len()];
/// Per reason, the second of the last log line and the count that it reported.
static LOGGED: [AtomicU64; Reason::ALL.len()] = [const { AtomicU64::new(u64::MAX) }; Reason::ALL.len()];

/// Dead letters of this process so far, in the order of [`Reason::ALL`].
#[must_use]
pub fn counts() -> [u64; Reason::ALL.len()] {
    std::array::from_fn(|index| COUNTS[index].load(Ordering::Relaxed))
}

/// Whom a dead letter was for and from whom it came, each as far as it is known: see [`Letter::to`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parties {
    pub(super) to: (u32, u32),
    pub(super) from: (u32, u32),
}

impl Parties {
    pub(super) const UNKNOWN: Self = Self { to: NOBODY, from: NOBODY };
}

impl Port {
    /// Counts a send that its isolate refused by itself; `to`: the address that it was for, if that is one.
    pub fn count_refused(&mut self, reason: Reason, from: Handle, to: Option<&str>) {
        let from = (from.slot, from.generation);
        if let Some((count, level)) = self.count_loss(reason, from, 1) {
            let from = self.name_of(from);
            log_loss(reason, count, level, (to, from), from);
        }
    }

    /// Counts a dead letter.
    pub(super) fn dead_letter(&mut self, reason: Reason, of: Parties) {
        self.dead_letters(reason, of, 1);
    }

    /// Counts several dead letters alike; none is nothing.
    pub(super) fn dead_letters(&mut self, reason: Reason, of: Parties, more: u64) {
        if let Some((count, level)) = self.count_loss(reason, of.from, more) {
            let (to, from) = (self.name_of(of.to), self.name_of(of.from));
            // The line is about a worker of this node.
            let about = if of.to.1 & ELSEWHERE == 0 { to.or(from) } else { from };
            log_loss(reason, count, level, (to, from), about);
        }
    }

    /// The count so far and the level of the line, if there is to be one.
    fn count_loss(&mut self, reason: Reason, from: (u32, u32), more: u64) -> Option<(u64, log::Level)> {
        if more == 0 {
            return None;
        }
        if self.tells_dead_letters {
            self.tell_dead_letters_of(reason, from, more);
        }
        let index = reason as usize;
        let count = COUNTS[index].fetch_add(more, Ordering::Relaxed) + more;
        let level = if reason == Reason::LateReply { log::Level::Debug } else { log::Level::Warn };
        takes_line(&LOGGED[index], self.now).then_some((count, level))
    }

    /// The name of a worker of this isolate that is still there, or the address of one elsewhere.
    fn name_of(&self, (slot, generation): (u32, u32)) -> Option<&str> {
        let name = if generation & ELSEWHERE == 0 {
            let slot = self.slots.get(slot as usize).filter(|slot| slot.generation == generation)?;
            &*slot.name
        } else {
            self.targets.address(Handle { slot, generation: generation & !ELSEWHERE })?
        };
        (!name.is_empty()).then_some(name)
    }
}

fn log_loss(
    reason: Reason,
    count: u64,
    level: log::Level,
    (to, from): (Option<&str>, Option<&str>),
    about: Option<&str>,
) {
    let what = if matches!(reason, Reason::LateReply | Reason::ReplyLost) { "reply" } else { "message" };
    let to = to.map_or_else(String::new, |name| format!(" for worker {name}"));
    let from = from.map_or_else(String::new, |name| format!(" from worker {name}"));
    let (about, words) = (about.unwrap_or("unknown"), reason.words());
    log::log!(target: "dead-letter", level, worker = about; "a {what}{to}{from} reached nobody: {words} ({count} so far)");
}

impl Port {
    /// Whether the isolate hears of each dead letter from here on, in a record.
    pub fn tell_dead_letters(&mut self, wanted: bool) {
        self.tells_dead_letters = wanted;
    }

    /// A flood of one kind is one record, however slowly the isolate reads.
    fn tell_dead_letters_of(&mut self, reason: Reason, from: (u32, u32), more: u64) {
        let (worker, generation) = if from.1 & ELSEWHERE == 0 { from } else { NOBODY };
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let words = [incoming::DEAD_LETTER, reason as u32, worker, generation];
        if let Some(last) = self.out.back_mut().filter(|last| last.record[..4] == words) {
            last.record[5] = last.record[5].saturating_add(more);
        } else {
            self.emit(incoming::DEAD_LETTER, [reason as u32, worker, generation, NIL, more, 0, 0]);
        }
    }
}

/// Whether a loss at that time, in ms, is logged: one a second and reason, so that a flood of losses does not become a flood of lines.
fn takes_line(logged: &AtomicU64, now: u64) -> bool {
    let second = now / 1000;
    logged.swap(second, Ordering::Relaxed) != second
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_losses_is_one_line_a_second() {
        let logged = AtomicU64::new(u64::MAX);
        let lines = |from: u64| (from..from + 1000).filter(|now| takes_line(&logged, *now)).count();
        assert_eq!(lines(0), 1);
        assert_eq!(lines(5000), 1);
        assert_eq!(lines(6000), 1);
    }
}
