//! Connections that have not yet proven who they are: bounded, so that strangers can't keep members out.

use std::{collections::VecDeque, net::SocketAddr};

use tokio::task::AbortHandle;

/// Handshakes under way at once.
const IN_ALL: usize = 64;
/// Of them from one other machine. The nodes of this machine share an address, so it does not count for that one.
const PER_ADDRESS: usize = 8;

/// Handshakes of others, oldest first. A full house turns out the oldest: a member needs a few milliseconds, a stranger
/// who stalls has had his time.
#[derive(Debug)]
pub(super) struct HalfOpen<H = AbortHandle> {
    under_way: VecDeque<(u64, SocketAddr, H)>,
    next: u64,
}

impl<H> HalfOpen<H> {
    pub(super) fn new() -> Self {
        Self { under_way: VecDeque::new(), next: 0 }
    }

    /// Adds a handshake; answers its number and the one that has to go for it, with where that came from.
    pub(super) fn add(&mut self, from: SocketAddr, handle: H) -> (u64, Option<(H, SocketAddr)>) {
        let is_same = |other: &SocketAddr| other.ip() == from.ip();
        let of_address = self.under_way.iter().filter(|(_, address, _)| is_same(address)).count();
        let oldest = if of_address >= PER_ADDRESS && !from.ip().is_loopback() {
            self.under_way.iter().position(|(_, address, _)| is_same(address))
        } else if self.under_way.len() >= IN_ALL {
            Some(0)
        } else {
            None
        };
        let turned_out =
            oldest.and_then(|at| self.under_way.remove(at)).map(|(_, address, handle)| (handle, address));
        self.next += 1;
        self.under_way.push_back((self.next, from, handle));
        (self.next, turned_out)
    }

    /// A handshake has ended, in whatever way.
    pub(super) fn remove(&mut self, number: u64) {
        self.under_way.retain(|(other, ..)| *other != number);
    }

    /// Takes all that are under way.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = H> {
        self.under_way.drain(..).map(|(.., handle)| handle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each connection of a machine comes from another port.
    fn from(ip: [u8; 4], port: u16) -> SocketAddr {
        SocketAddr::from((ip, port))
    }

    fn here(port: u16) -> SocketAddr {
        from([127, 0, 0, 1], port)
    }

    #[test]
    fn an_address_has_eight_places_and_its_ninth_turns_out_its_oldest() {
        let mut half_open = HalfOpen::new();
        half_open.add(from([10, 0, 0, 1], 1), 0);
        for handle in 1..=8 {
            assert_eq!(half_open.add(from([10, 0, 0, 2], handle), handle).1, None);
        }
        assert_eq!(half_open.add(from([10, 0, 0, 2], 9), 9).1, Some((1, from([10, 0, 0, 2], 1))));
        assert_eq!(half_open.add(from([10, 0, 0, 3], 1), 10).1, None);
    }

    #[test]
    fn there_are_sixty_four_places_in_all() {
        let mut half_open = HalfOpen::new();
        for handle in 0..64 {
            assert_eq!(half_open.add(here(handle), handle).1, None);
        }
        assert_eq!(half_open.add(from([10, 0, 0, 1], 1), 64).1, Some((0, here(0))));
        let (number, turned_out) = half_open.add(here(65), 65);
        assert_eq!(turned_out, Some((1, here(1))));
        half_open.remove(number);
        assert_eq!(half_open.add(here(66), 66).1, None);
        assert_eq!(half_open.drain().count(), 64);
    }
}
