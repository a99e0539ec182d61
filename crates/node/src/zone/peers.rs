//! One channel per pair of nodes: who may dial, which of two simultaneous dials stays, which number the session gets.
//!
//! The rule: while both dial, the channel dialled by the smaller identifier stays. The side that is dialled decides,
//! before either side uses the channel, so no message is lost by the choice.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use troupe_proto::{
    codec::{CloseReason, Resume},
    noise::{NodeId, Peer},
};

use crate::link::Link;

/// A link as far as this table cares.
pub(super) trait Ending: Clone {
    /// Whether frames can still be sent on it.
    fn is_open(&self) -> bool;
    /// Its number.
    fn index(&self) -> u32;
}

impl Ending for Arc<Link> {
    fn is_open(&self) -> bool {
        Link::is_open(self)
    }

    fn index(&self) -> u32 {
        Link::index(self)
    }
}

/// What this node knows of the others it has, or had, to do with.
#[derive(Debug)]
pub(super) struct Peers<L> {
    own: NodeId,
    incarnation: u64,
    leaving: bool,
    next_link: u32,
    next_dial: u64,
    by_id: HashMap<NodeId, Known<L>>,
}

#[derive(Debug)]
struct Known<L> {
    /// Which life of it, 0 before it was met.
    incarnation: u64,
    /// The highest session number used with that life.
    session: u64,
    link: Option<L>,
    /// The dial under way.
    dial: Option<u64>,
}

/// What becomes of a channel that another node dialled.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict<L> {
    /// It is let in.
    Accept {
        /// What this side answers.
        resume: Resume,
        /// The number of the link to be made; hand it to [`Peers::opened`] under the same lock.
        index: u32,
        /// The link it takes the place of: the other side no longer has it.
        replaced: Option<L>,
    },
    /// It is told no.
    Refuse(CloseReason),
}

impl<L: Ending> Peers<L> {
    pub(super) fn new(own: NodeId, incarnation: u64) -> Self {
        Self { own, incarnation, leaving: false, next_link: 0, next_dial: 0, by_id: HashMap::new() }
    }

    /// The open link to a node.
    pub(super) fn link(&self, id: &NodeId) -> Option<L> {
        self.by_id.get(id)?.open_link().cloned()
    }

    /// Begins a dial and gives it a number; `None` when there is a link, a dial, or no more dialling.
    pub(super) fn begin_dial(&mut self, id: NodeId) -> Option<u64> {
        if self.leaving || id == self.own {
            return None;
        }
        let known = self.by_id.entry(id).or_default();
        if known.open_link().is_some() || known.dial.is_some() {
            return None;
        }
        self.next_dial += 1;
        known.dial = Some(self.next_dial);
        known.dial
    }

    /// Whether a dial is still wanted: no channel of the other side has taken its place.
    pub(super) fn is_dialling(&self, id: &NodeId, dial: u64) -> bool {
        self.by_id.get(id).is_some_and(|known| known.dial == Some(dial))
    }

    /// Ends a dial without a link; says whether it was still wanted.
    pub(super) fn end_dial(&mut self, id: NodeId, dial: u64) -> bool {
        let wanted = self.is_dialling(&id, dial);
        if wanted {
            self.change(id, |known| known.dial = None);
        }
        wanted
    }

    /// What this side says when it dials; `None` when the dial is no longer wanted. Asked at the last moment: a proposal
    /// made after a channel of the other side was let in would look as if that had been lost.
    pub(super) fn propose(&self, id: &NodeId, dial: u64) -> Option<Resume> {
        let known = self.by_id.get(id).filter(|known| known.dial == Some(dial))?;
        Some(Resume {
            incarnation: self.incarnation,
            known_incarnation: known.incarnation,
            session: known.session + 1,
            next_expected: 0,
        })
    }

    /// A dial has become a channel that the peer accepted: the number of the link to be made, or `None` when another
    /// channel has taken its place.
    pub(super) fn dialled(&mut self, peer: &Peer, answer: &Resume, dial: u64) -> Option<u32> {
        if self.leaving || !self.end_dial(peer.id, dial) {
            return None;
        }
        let known = self.by_id.entry(peer.id).or_default();
        known.meet(peer.incarnation);
        known.session = known.session.max(answer.session);
        Some(self.next_index())
    }

    /// Another node has dialled and proven who it is.
    pub(super) fn knocked(&mut self, peer: &Peer, proposal: &Resume) -> Verdict<L> {
        if self.leaving {
            return Verdict::Refuse(CloseReason::NodeStops);
        }
        let known = self.by_id.entry(peer.id).or_default();
        let known_incarnation = known.incarnation;
        let another_life = known.meet(peer.incarnation);
        if !another_life {
            if known.open_link().is_some() {
                // A node dials only when it has no link. One that proposes no more than the session that stands dialled
                // before that was made; one that proposes more has lost it, and this side has not noticed yet.
                if proposal.session <= known.session {
                    return Verdict::Refuse(CloseReason::Duplicate);
                }
            } else if known.dial.is_some() && self.own < peer.id {
                return Verdict::Refuse(CloseReason::Duplicate);
            }
        }
        known.dial = None;
        known.session = proposal.session.max(known.session + 1);
        let resume = Resume {
            incarnation: self.incarnation,
            known_incarnation,
            session: known.session,
            next_expected: 0,
        };
        let replaced = known.link.take().filter(Ending::is_open);
        Verdict::Accept { resume, index: self.next_index(), replaced }
    }

    /// A link was made.
    pub(super) fn opened(&mut self, id: NodeId, link: L) {
        self.by_id.entry(id).or_default().link = Some(link);
    }

    /// A link has ended.
    pub(super) fn closed(&mut self, id: NodeId, index: u32) {
        self.change(id, |known| {
            if known.link.as_ref().is_some_and(|link| link.index() == index) {
                known.link = None;
            }
        });
    }

    /// A node has left the zone for good: nothing of it is remembered but what is open.
    pub(super) fn forget(&mut self, id: NodeId) {
        self.change(id, |known| {
            known.incarnation = 0;
            known.session = if known.open_link().is_some() { known.session } else { 0 };
        });
    }

    /// From now on nobody is dialled or let in; answers with the links that are open.
    pub(super) fn leave(&mut self) -> Vec<L> {
        self.leaving = true;
        self.by_id.values_mut().filter_map(|known| known.link.take()).collect()
    }

    fn next_index(&mut self) -> u32 {
        self.next_link += 1;
        self.next_link - 1
    }

    /// Changes what is known of a node; keeps no entry that says nothing.
    fn change(&mut self, id: NodeId, change: impl FnOnce(&mut Known<L>)) {
        if let Entry::Occupied(mut entry) = self.by_id.entry(id) {
            let known = entry.get_mut();
            change(known);
            if known.session == 0 && known.link.is_none() && known.dial.is_none() {
                entry.remove();
            }
        }
    }
}

impl<L> Default for Known<L> {
    fn default() -> Self {
        Self { incarnation: 0, session: 0, link: None, dial: None }
    }
}

impl<L: Ending> Known<L> {
    fn open_link(&self) -> Option<&L> {
        self.link.as_ref().filter(|link| link.is_open())
    }

    /// Notes which life of the node this is; says whether it is another one than before.
    fn meet(&mut self, incarnation: u64) -> bool {
        let another = self.incarnation != 0 && self.incarnation != incarnation;
        if another {
            self.session = 0;
        }
        self.incarnation = incarnation;
        another
    }
}

#[cfg(test)]
mod tests;
