//! What the table of peers wants to know of a link, so that its rules can be tested without any.

use crate::link::{Link, Presence};
use std::sync::Arc;
use troupe_proto::session::Standing;

/// A link as far as this table cares.
pub(in crate::zone) trait Ending: Clone {
    /// Whether frames can still be sent on it.
    fn is_open(&self) -> bool;
    /// Its number.
    fn index(&self) -> u32;
    /// Whether it has a channel.
    fn presence(&self) -> Presence;
    /// What it keeps of its session.
    fn standing(&self) -> Standing;
    /// Whether nothing of the other side has come yet: that may not know of the session.
    fn is_unheard(&self) -> bool;
    /// Ends the reading of its channel; see [`Link::detach`].
    fn detach(&self) -> (u64, u64);
}

impl Ending for Arc<Link> {
    fn is_open(&self) -> bool {
        Link::is_open(self)
    }

    fn index(&self) -> u32 {
        Link::index(self)
    }

    fn presence(&self) -> Presence {
        *Link::presence(self).borrow()
    }

    fn standing(&self) -> Standing {
        Link::standing(self)
    }

    fn is_unheard(&self) -> bool {
        Link::is_unheard(self)
    }

    fn detach(&self) -> (u64, u64) {
        Link::detach(self)
    }
}
