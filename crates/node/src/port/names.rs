//! The names behind handles that the two ends of a link tell each other with BIND: how many, and which.
//!
//! Each end counts both directions alike, since BIND and GONE of a handle arrive in the order in which they were sent. So a
//! node never tells its peer one name too many, and a peer that does is no node of ours.

use super::Handle;
use std::collections::HashSet;

/// Names that one end of a link has told the other and not taken back, at most. A handle takes some hundred bytes where
/// it is known, whether anything is ever sent to it or not.
pub const MAX_NAMES: usize = 65_536;

/// What the peer of a link and this isolate know of each other's workers.
#[derive(Debug, Default)]
pub(super) struct Names {
    told: HashSet<Handle>,
    /// Workers that had something to send when no more names could be told. They stay without one: what one worker sends
    /// goes in order only as long as it always names its sender, or never does.
    nameless: HashSet<Handle>,
    heard: HashSet<Handle>,
    /// One that was heard has been taken back.
    has_forgotten: bool,
}

/// How a worker of this isolate appears to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Appearance {
    /// Under its handle, which the peer knows.
    Known,
    /// Under its handle, which the peer is to be told now.
    New,
    /// Without one. `is_first`: no worker did before.
    Nameless { is_first: bool },
}

impl Names {
    /// A worker of this isolate sends something.
    pub(super) fn appear(&mut self, worker: Handle) -> Appearance {
        if self.told.contains(&worker) {
            return Appearance::Known;
        }
        if self.told.len() < MAX_NAMES && !self.nameless.contains(&worker) {
            self.told.insert(worker);
            return Appearance::New;
        }
        let is_first = self.nameless.is_empty();
        self.nameless.insert(worker);
        Appearance::Nameless { is_first }
    }

    /// A worker of this isolate is gone. Answers whether the peer knows its name.
    pub(super) fn take_back(&mut self, worker: Handle) -> bool {
        self.nameless.remove(&worker);
        self.told.remove(&worker)
    }

    /// The peer tells the name behind a handle of its own. `false`: that is one too many.
    pub(super) fn hear(&mut self, handle: Handle) -> bool {
        self.heard.insert(handle);
        self.heard.len() <= MAX_NAMES
    }

    /// The peer says that a handle of its own leads nowhere any more.
    pub(super) fn forget(&mut self, handle: Handle) {
        self.has_forgotten |= self.heard.remove(&handle);
    }

    /// Whether a handle that is not known may have been: GONE passes the messages of its worker that wait for a window or
    /// go in pieces. What was taken back is not remembered one by one, so that it takes no memory.
    pub(super) fn may_have_heard(&self) -> bool {
        self.has_forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(slot: usize) -> Handle {
        Handle { slot: slot as u32, generation: 1 }
    }

    #[test]
    fn a_worker_that_began_without_a_name_stays_without_until_it_is_gone() {
        let mut names = Names::default();
        for slot in 0..MAX_NAMES {
            assert_eq!(names.appear(worker(slot)), Appearance::New);
        }
        let [late, later] = [worker(MAX_NAMES), worker(MAX_NAMES + 1)];
        assert_eq!(names.appear(late), Appearance::Nameless { is_first: true });
        assert_eq!(names.appear(later), Appearance::Nameless { is_first: false });
        assert!(names.take_back(worker(0)));
        assert_eq!(
            names.appear(late),
            Appearance::Nameless { is_first: false },
            "its first message may still wait"
        );
        assert!(!names.take_back(late), "the peer never heard of it");
        assert_eq!(names.appear(worker(MAX_NAMES + 2)), Appearance::New);
        assert_eq!(names.appear(worker(1)), Appearance::Known);
    }

    #[test]
    fn a_name_that_was_taken_back_makes_room_for_another() {
        let mut names = Names::default();
        assert!((0..MAX_NAMES).all(|slot| names.hear(worker(slot))));
        assert!(names.hear(worker(0)), "it is known");
        names.forget(worker(7));
        assert!(names.hear(worker(MAX_NAMES)));
        assert!(!names.hear(worker(MAX_NAMES + 1)));
    }
}
