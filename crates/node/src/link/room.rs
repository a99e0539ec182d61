//! Room for what a peer may have lying here beside its messages: control requests until they are answered, other frames
//! that pass no window until the isolate has taken them in.

use std::sync::atomic::{AtomicUsize, Ordering};

/// So many bytes, taken on the I/O thread and given back on the isolate's.
#[derive(Debug)]
pub(crate) struct Room {
    most: usize,
    taken: AtomicUsize,
}

impl Room {
    pub(super) const fn of(most: usize) -> Self {
        Self { most, taken: AtomicUsize::new(0) }
    }

    /// Takes so many bytes; `false`: there are not as many. Something always fits where there is nothing, however large.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        let fits = |taken| (taken == 0 || taken + bytes <= self.most).then_some(taken + bytes);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
    }

    /// Gives back what [`Room::take`] took.
    pub(crate) fn give_back(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_always_fits_and_what_was_given_back_is_there_again() {
        let room = Room::of(100);
        assert!(room.take(1000));
        assert!(!room.take(1));
        room.give_back(1000);
        assert!(room.take(60) && room.take(40));
        assert!(!room.take(1));
        room.give_back(60);
        assert!(room.take(60) && !room.take(1));
    }
}
