//! What a credential allows its holder beyond sending messages: a closed set, one bit each.

use std::fmt;
use std::ops::BitOr;

/// A set of capabilities. Checked by the receiver, from the credential of the channel the request came over.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Capabilities(u8);

/// Every capability with its name, in the order of their bits.
const NAMED: [(Capabilities, &str); 5] = [
    (Capabilities::WORKER_START, "worker:start"),
    (Capabilities::WORKER_STOP, "worker:stop"),
    (Capabilities::CODE_SHIP, "code:ship"),
    (Capabilities::OBSERVE, "observe"),
    (Capabilities::ENROL, "enrol"),
];

impl Capabilities {
    /// No capability: such a member exchanges messages and no more.
    pub const NONE: Self = Self(0);
    /// `worker:start`: may start workers on other nodes.
    pub const WORKER_START: Self = Self(1);
    /// `worker:stop`: may stop workers on other nodes.
    pub const WORKER_STOP: Self = Self(1 << 1);
    /// `code:ship`: may send code that the other node does not have.
    pub const CODE_SHIP: Self = Self(1 << 2);
    /// `observe`: may read the state of other nodes and their workers.
    pub const OBSERVE: Self = Self(1 << 3);
    /// `enrol`: may pass tickets of new nodes on to the authority.
    pub const ENROL: Self = Self(1 << 4);
    /// Every capability there is.
    pub const ALL: Self = Self(0b1_1111);

    /// The set with these bits; `None` when a bit has no meaning, for a right that is not understood can't be granted.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if bits & !Self::ALL.0 == 0 { Some(Self(bits)) } else { None }
    }

    /// The bits of the set, as a credential carries them.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The capability called `name`, such as `code:ship`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        NAMED.iter().find(|(_, n)| *n == name).map(|(set, _)| *set)
    }

    /// Whether every capability of `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names in this set, such as `worker:start`, in the order of their bits.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMED.iter().filter(move |(set, _)| self.contains(*set)).map(|(_, name)| *name)
    }
}

impl BitOr for Capabilities {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Capabilities {
    /// The names with a space between; `none` for the empty set.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NONE {
            return f.write_str("none");
        }
        for (index, name) in self.names().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Capabilities({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_without_a_meaning_is_refused() {
        for bits in 0..=u8::MAX {
            assert_eq!(Capabilities::from_bits(bits).is_some(), bits < 32, "{bits}");
        }
    }

    #[test]
    fn every_capability_has_one_bit_and_one_name() {
        let mut all = Capabilities::NONE;
        for (set, name) in NAMED {
            assert_eq!(set.bits().count_ones(), 1);
            assert!(!all.contains(set));
            assert_eq!(Capabilities::from_name(name), Some(set));
            all = all | set;
        }
        assert_eq!(all, Capabilities::ALL);
        assert_eq!(Capabilities::from_name("root"), None);
    }

    #[test]
    fn a_set_is_shown_by_its_names() {
        let set = Capabilities::CODE_SHIP | Capabilities::WORKER_START;
        assert_eq!(set.to_string(), "worker:start code:ship");
        assert_eq!(Capabilities::NONE.to_string(), "none");
    }
}
