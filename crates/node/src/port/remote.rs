//! Places in a mailbox that peers hold, so that what they send never waits on this side.
//!
//! A large, mostly empty mailbox grants [`GRANT`] places ahead, and twice as many each time that a peer has used half of
//! them, up to an eighth of the mailbox; a small or busy one grants what was asked for, and a peer gives back what it
//! does not use, so that an idle peer never holds the only place.

use std::collections::VecDeque;

/// Places granted at a time, to begin with.
pub(crate) const GRANT: u32 = 64;
/// Places that one peer holds at most: a round trip then carries so many messages that what it costs no longer counts
/// (1000 requests in flight: 64 places make 16 round trips of what could be one).
const GRANT_MOST: u32 = 1024;
/// Bytes granted at a time.
pub(crate) const GRANT_BYTES: u32 = 256 << 10;

/// What one peer holds.
#[derive(Clone, Copy, Debug)]
struct Grant {
    link: u32,
    places: u32,
    bytes: i64,
    /// Places that it is granted ahead; grows with its use of them.
    ahead: u32,
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
            self.grants.push(Grant { link, places: 0, bytes: 0, ahead: GRANT });
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
        let used_places = grant.places <= grant.ahead / 2;
        let is_low = used_places || grant.bytes <= i64::from(GRANT_BYTES / 2);
        if !is_low || capacity < 4 * GRANT || room < capacity / 2 {
            return None;
        }
        if used_places {
            grant.ahead = (grant.ahead * 2).min(GRANT_MOST).min(capacity / 8).max(grant.ahead);
        }
        let places = grant.ahead.saturating_sub(grant.places).min(room);
        Some(self.grant(link, places))
    }

    fn grant(&mut self, link: u32, places: u32) -> (u32, u32, u32) {
        let grant = self.grant_of(link);
        let bytes = (i64::from(GRANT_BYTES) - grant.bytes).max(0);
        grant.places += places;
        grant.bytes += bytes;
        self.promised += places;
        (link, places, u32::try_from(bytes).unwrap_or(u32::MAX))
    }

    /// The link is gone, and with it what its peer held. Answers whether that were any places.
    pub(crate) fn forget(&mut self, link: u32) -> bool {
        self.hungry.retain(|(hungry, _)| *hungry != link);
        let Some(index) = self.grants.iter().position(|grant| grant.link == link) else { return false };
        let places = self.grants.swap_remove(index).places;
        self.promised -= places;
        places > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOMY: u32 = 4 * GRANT;

    #[test]
    fn a_peer_uses_no_more_places_and_bytes_than_it_was_granted() {
        let mut credit = RemoteCredit::default();
        assert!(!credit.used(1, 0), "it has asked for nothing");
        credit.asked(1, 2);
        assert_eq!(credit.feed(2, 2), Some((1, 2, GRANT_BYTES)));
        assert!(!credit.used(2, 0), "another holds the places");
        assert!(credit.used(1, 10));
        assert!(credit.used(1, 10));
        assert!(!credit.used(1, 10), "the places are used");
        assert_eq!(credit.promised(), 0);

        credit.asked(1, 2);
        credit.feed(2, 2);
        assert!(credit.used(1, 2 * GRANT_BYTES), "one message of any size fits");
        assert!(!credit.used(1, 0), "the bytes are used");
    }

    #[test]
    fn no_more_is_granted_than_there_is_room_for_nor_than_one_grant_holds() {
        let mut credit = RemoteCredit::default();
        credit.asked(1, u32::MAX);
        assert_eq!(credit.feed(0, 10), None);
        assert_eq!(credit.feed(3, 10).map(|(_, places, _)| places), Some(3));
        credit.asked(1, u32::MAX);
        assert_eq!(credit.feed(1000, 1000).map(|(_, places, _)| places), Some(GRANT));
        credit.asked(2, 1);
        assert_eq!(credit.feed(GRANT / 2, ROOMY).map(|(_, places, _)| places), Some(1), "mostly full");
        credit.asked(3, 1);
        assert_eq!(credit.feed(ROOMY / 2, ROOMY).map(|(_, places, _)| places), Some(GRANT), "mostly empty");
        credit.asked(4, 1);
        assert_eq!(credit.feed(2, 2).map(|(_, places, _)| places), Some(1));
    }

    #[test]
    fn a_refill_stays_within_the_room() {
        let mut credit = RemoteCredit::default();
        assert_eq!(credit.refill(1, ROOMY, ROOMY).map(|(_, places, _)| places), Some(GRANT));
        assert_eq!(credit.refill(1, ROOMY, ROOMY), None, "it holds enough");
        let wide = 100 * GRANT;
        let mut credit = RemoteCredit::default();
        assert_eq!(credit.refill(1, wide / 2 - 1, wide), None, "the mailbox fills up");
        // A mailbox so small that half of it is less than a grant is not refilled ahead.
        assert_eq!(credit.refill(1, GRANT, ROOMY - 1), None);
    }

    #[test]
    fn what_a_peer_gives_back_or_leaves_behind_is_free_again() {
        let mut credit = RemoteCredit::default();
        for link in [1, 2] {
            credit.asked(link, 5);
            credit.feed(5, 10);
        }
        assert_eq!(credit.promised(), 10);
        credit.returned(1, 100);
        assert_eq!(credit.promised(), 5, "it held five");
        credit.forget(2);
        assert_eq!(credit.promised(), 0);
        credit.asked(3, 1);
        credit.forget(3);
        assert!(!credit.is_hungry());
    }

    const LINK: u32 = 7;

    /// Uses up what was granted, as a peer with enough to send does; returns how many places each grant brought it.
    fn grants(capacity: u32, count: usize) -> Vec<u32> {
        let mut credit = RemoteCredit::default();
        credit.asked(LINK, 1);
        let (_, mut held, _) = credit.feed(capacity, capacity).unwrap();
        let mut grants = vec![held];
        for _ in 0..10_000 {
            if grants.len() == count || held == 0 {
                break;
            }
            assert!(credit.used(LINK, 0));
            held -= 1;
            if let Some((_, places, _)) = credit.refill(LINK, capacity - credit.promised(), capacity) {
                grants.push(places);
                held += places;
            }
        }
        grants
    }

    #[test]
    fn a_peer_that_uses_its_places_is_granted_more_ahead_up_to_a_bound() {
        // It holds half of 64, 128, … when it gets the next ones.
        assert_eq!(grants(10_000, 7), [64, 96, 192, 384, 768, 512, 512]);
    }

    #[test]
    fn no_peer_is_granted_more_than_an_eighth_of_a_mailbox_ahead() {
        assert_eq!(grants(800, 4), [64, 68, 50, 50]);
    }

    #[test]
    fn a_small_mailbox_grants_only_what_was_asked_for() {
        assert_eq!(grants(200, 2), [1]);
    }
}
