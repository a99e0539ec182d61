//! Places in a mailbox that peers hold, so that what they send never waits on this side.
//!
//! A large, mostly empty mailbox grants [`GRANT`] places ahead; a small or busy one grants what was asked for, and a
//! peer gives back what it does not use, so that an idle peer never holds the only place.

use std::collections::VecDeque;

/// Places granted at a time.
pub(crate) const GRANT: u32 = 64;
/// Bytes granted at a time.
pub(crate) const GRANT_BYTES: u32 = 256 << 10;

/// What one peer holds.
#[derive(Clone, Copy, Debug)]
struct Grant {
    link: u32,
    places: u32,
    bytes: i64,
}

/// What all peers hold of one mailbox, and who waits for more.
#[derive(Debug, Default)]
pub(crate) struct RemoteCredit {
    grants: Vec<Grant>,
    hungry: VecDeque<(u32, u32)>,
    promised: u32,
}

impl RemoteCredit {
    /// Places granted and not used.
    pub(crate) fn promised(&self) -> u32 {
        self.promised
    }

    fn grant_of(&mut self, link: u32) -> &mut Grant {
        let index = self.grants.iter().position(|grant| grant.link == link).unwrap_or_else(|| {
            self.grants.push(Grant { link, places: 0, bytes: 0 });
            self.grants.len() - 1
        });
        &mut self.grants[index]
    }

    /// A message of this peer arrived. `false`: it had no place, which a correct peer never does.
    pub(crate) fn used(&mut self, link: u32, size: u32) -> bool {
        let grant = self.grant_of(link);
        if grant.places == 0 || grant.bytes <= 0 {
            return false;
        }
        grant.places -= 1;
        grant.bytes -= i64::from(size);
        self.promised -= 1;
        true
    }

    /// The peer gives back what it does not use.
    pub(crate) fn returned(&mut self, link: u32, places: u32) {
        let grant = self.grant_of(link);
        let places = places.min(grant.places);
        grant.places -= places;
        self.promised -= places;
    }

    /// The peer has messages that wait.
    pub(crate) fn asked(&mut self, link: u32, places: u32) {
        match self.hungry.iter_mut().find(|(hungry, _)| *hungry == link) {
            Some((_, wanted)) => *wanted = places,
            None => self.hungry.push_back((link, places)),
        }
    }

    pub(crate) fn is_hungry(&self) -> bool {
        !self.hungry.is_empty()
    }

    /// Takes out the peer that waits longest.
    pub(crate) fn next_hungry(&mut self) -> Option<u32> {
        self.hungry.pop_front().map(|(link, _)| link)
    }

    /// Grants places to whoever waits longest. Returns the peer, places and bytes to tell it.
    pub(crate) fn feed(&mut self, room: u32, capacity: u32) -> Option<(u32, u32, u32)> {
        if room == 0 {
            return None;
        }
        let (link, wanted) = self.hungry.pop_front()?;
        let ahead = if capacity >= 4 * GRANT && room >= capacity / 2 { GRANT } else { 0 };
        let places = wanted.clamp(1, GRANT).max(ahead).min(room);
        Some(self.grant(link, places))
    }

    /// Grants more to a peer that has used half of what it held, while the mailbox is mostly empty.
    pub(crate) fn refill(&mut self, link: u32, room: u32, capacity: u32) -> Option<(u32, u32, u32)> {
        let grant = self.grant_of(link);
        let is_low = grant.places <= GRANT / 2 || grant.bytes <= i64::from(GRANT_BYTES / 2);
        let places = (GRANT.saturating_sub(grant.places)).min(room);
        (is_low && capacity >= 4 * GRANT && room >= capacity / 2).then(|| self.grant(link, places))
    }

    fn grant(&mut self, link: u32, places: u32) -> (u32, u32, u32) {
        let grant = self.grant_of(link);
        let bytes = (i64::from(GRANT_BYTES) - grant.bytes).max(0);
        grant.places += places;
        grant.bytes += bytes;
        self.promised += places;
        (link, places, u32::try_from(bytes).unwrap_or(u32::MAX))
    }

    /// The link is gone, and with it what its peer held.
    pub(crate) fn forget(&mut self, link: u32) {
        self.hungry.retain(|(hungry, _)| *hungry != link);
        if let Some(index) = self.grants.iter().position(|grant| grant.link == link) {
            self.promised -= self.grants.swap_remove(index).places;
        }
    }
}
