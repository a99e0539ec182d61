//! Messages that reached nobody: counted by reason, and logged, a few a second at most.

use super::Port;
use super::record::{NIL, incoming};
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

impl Port {
    /// Counts a send that its isolate refused by itself; `worker`: the slot it came from.
    pub fn count_refused(&mut self, reason: Reason, worker: u32) {
        self.dead_letter(reason, worker);
    }

    /// Counts a dead letter. `worker`: the slot it came from (or, for a reply, whose it is), as far as it is known.
    pub(super) fn dead_letter(&mut self, reason: Reason, worker: u32) {
        self.dead_letters(reason, worker, 1);
    }

    /// Counts several dead letters of one worker; none is nothing.
    pub(super) fn dead_letters(&mut self, reason: Reason, worker: u32, more: u64) {
        if more == 0 {
            return;
        }
        if self.tells_dead_letters {
            self.tell_dead_letters_of(reason, worker, more);
        }
        let index = reason as usize;
        let count = COUNTS[index].fetch_add(more, Ordering::Relaxed) + more;
        let level = if reason == Reason::LateReply { log::Level::Debug } else { log::Level::Warn };
        if !takes_line(&LOGGED[index], self.now) {
            return;
        }
        let name = self.slots.get(worker as usize).map_or("", |slot| &*slot.name);
        let name = if name.is_empty() { "unknown" } else { name };
        log::log!(target: "dead-letter", level, worker = name; "a message of worker {name} reached nobody: {} ({count} so far)", reason.words());
    }
}

impl Port {
    /// Whether the isolate hears of each dead letter from here on, in a record.
    pub fn tell_dead_letters(&mut self, wanted: bool) {
        self.tells_dead_letters = wanted;
    }

    /// A flood of one kind is one record, however slowly the isolate reads.
    fn tell_dead_letters_of(&mut self, reason: Reason, worker: u32, more: u64) {
        let generation = self.slots.get(worker as usize).map_or(0, |slot| slot.generation);
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
