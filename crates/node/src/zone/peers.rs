//! One channel per pair of nodes: who may dial, which of two simultaneous dials stays, whether a session goes on or
//! begins, and with which number.
//!
//! The rule: while both dial, the channel dialled by the smaller identifier stays. The side that is dialled decides,
//! before either side uses the channel, so no message is lost by the choice.

use std::collections::{HashMap, hash_map::Entry};

use troupe_proto::{
    codec::{CloseReason, Course, ResetReason, Resume},
    noise::{NodeId, Peer},
    session::{Judgement, Opened, judge},
};

use crate::{channel::Greeting, link::Presence};

mod ending;
mod verdict;

pub(super) use ending::Ending;
use verdict::Of;
pub(super) use verdict::{Dialled, Proposal, Verdict};

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
    /// That session was given up and the other side may not know.
    given_up: bool,
    link: Option<L>,
    /// The dial under way.
    dial: Option<u64>,
}

impl<L: Ending> Peers<L> {
    pub(super) fn new(own: NodeId, incarnation: u64) -> Self {
        Self { own, incarnation, leaving: false, next_link: 0, next_dial: 0, by_id: HashMap::new() }
    }

    /// The open link to a node.
    pub(super) fn link(&self, id: &NodeId) -> Option<L> {
        self.by_id.get(id)?.open_link().cloned()
    }

    /// The nodes that there is a link to, or that are dialled.
    pub(super) fn all(&self) -> Vec<(NodeId, Option<L>)> {
        let is_met = |known: &Known<L>| known.open_link().is_some() || known.dial.is_some();
        let met = self.by_id.iter().filter(|(_, known)| is_met(known));
        met.map(|(id, known)| (*id, known.open_link().cloned())).collect()
    }

    /// The link to a node, also when it has just ended and not everybody knows yet.
    pub(super) fn last_link(&self, id: &NodeId) -> Option<L> {
        self.by_id.get(id)?.link.clone()
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

    /// As [`Peers::begin_dial`], for a link that has lost its channel, or whose channel is to be followed by another.
    pub(super) fn begin_redial(&mut self, id: NodeId, index: u32) -> Option<u64> {
        let known = self.by_id.get_mut(&id).filter(|_| !self.leaving)?;
        let is_same = known.open_link().is_some_and(|link| link.index() == index);
        if !is_same || known.dial.is_some() {
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

    /// What this side says when it dials; `None` when the dial is no longer wanted. Asked at the last moment: what is told
    /// of the session must still hold when the peer hears it.
    pub(super) fn propose(&self, id: &NodeId, dial: u64) -> Option<Proposal<L>> {
        let known = self.by_id.get(id).filter(|known| known.dial == Some(dial))?;
        let begins = Resume {
            course: Course::Begins,
            incarnation: self.incarnation,
            known_incarnation: known.incarnation,
            session: known.session + 1,
            next_expected: 0,
        };
        let Some(link) = known.open_link() else {
            let reset = known.given_up.then_some(ResetReason::Expired);
            return Some(Proposal { greeting: Greeting { resume: begins, reset }, of: Of::Nothing });
        };
        let session = link.standing().session;
        let (resume, of) = match link.presence() {
            Presence::Connected => {
                (Resume { course: Course::Moves, session, ..begins }, Of::Moves(link.clone()))
            }
            Presence::Absent => {
                let (next_expected, number) = link.detach();
                let resume = Resume { course: Course::GoesOn, session, next_expected, ..begins };
                (resume, Of::GoesOn(link.clone(), number))
            }
            Presence::Moving | Presence::Ended => return None,
        };
        Some(Proposal { greeting: resume.into(), of })
    }

    /// A dial has become a channel that the peer accepted.
    pub(super) fn dialled(
        &mut self,
        peer: &Peer,
        answer: &Opened,
        dial: u64,
        proposal: Proposal<L>,
    ) -> Dialled<L> {
        if self.leaving || !self.end_dial(peer.id, dial) {
            return Dialled::Unwanted;
        }
        let known = self.by_id.entry(peer.id).or_default();
        let another_life = known.meet(peer.incarnation);
        let resume = &answer.resume;
        match resume.course {
            Course::Begins => {
                if let Of::GoesOn(link, number) = proposal.of
                    && !another_life
                    && resume.session == link.standing().session
                    && link.is_unheard()
                {
                    // To the other side it is the first that it hears of this session.
                    return Dialled::GoOn(link, number);
                }
                let reason = if another_life { Some(ResetReason::NewIncarnation) } else { answer.reset };
                let ended = known.begin(resume.session, reason);
                Dialled::Begin { index: self.next_index(), ended }
            }
            Course::GoesOn | Course::Moves
                if another_life || resume.known_incarnation != self.incarnation =>
            {
                Dialled::Nonsense
            }
            Course::GoesOn => match proposal.of {
                Of::GoesOn(link, number)
                    if resume.session == link.standing().session
                        && link.standing().reaches(resume.next_expected) =>
                {
                    Dialled::GoOn(link, number)
                }
                _ => Dialled::Nonsense,
            },
            Course::Moves => match proposal.of {
                Of::Moves(link) if resume.session == link.standing().session => Dialled::Move(link),
                _ => Dialled::Nonsense,
            },
        }
    }

    /// Another node has dialled and proven who it is.
    pub(super) fn knocked(&mut self, peer: &Peer, opened: &Opened) -> Verdict<L> {
        if self.leaving {
            return Verdict::Refuse(CloseReason::NodeStops);
        }
        let own = (self.own, self.incarnation);
        let known = self.by_id.entry(peer.id).or_default();
        let known_incarnation = known.incarnation;
        let another_life = known.meet(peer.incarnation);
        let proposal = &opened.resume;
        let answer = |course, session, next_expected| Resume {
            course,
            incarnation: own.1,
            known_incarnation,
            session,
            next_expected,
        };
        let standing = known.open_link().map(Ending::standing);
        let reset = if another_life {
            Some(ResetReason::NewIncarnation)
        } else {
            let judgement = judge(proposal, own.1, standing.as_ref());
            // The answer with which it began was lost with its channel.
            let unheard = known.open_link().filter(|link| {
                link.presence() == Presence::Absent
                    && link.is_unheard()
                    && link.standing().session == proposal.session
            });
            let unheard = unheard.filter(|_| proposal.course == Course::Begins).cloned();
            let overtaken = match proposal.course {
                // A node begins only when it has no link. One that proposes no more than the session that stands dialled
                // before that was made; one that proposes more has given it up.
                Course::Begins => {
                    standing.is_some() && proposal.session <= known.session && unheard.is_none()
                }
                Course::GoesOn => judgement == Judgement::Stale,
                Course::Moves => standing.is_none_or(|standing| standing.session != proposal.session),
            };
            let loses = known.dial.is_some() && own.0 < peer.id;
            if overtaken || loses {
                return Verdict::Refuse(CloseReason::Duplicate);
            }
            if proposal.course == Course::Moves {
                let Some(link) =
                    known.open_link().filter(|link| link.presence() == Presence::Connected).cloned()
                else {
                    // Its channel is lost, which the other side will notice too.
                    return Verdict::Refuse(CloseReason::Duplicate);
                };
                known.dial = None;
                let greeting = answer(Course::Moves, proposal.session, 0).into();
                return Verdict::Move { greeting, link };
            }
            if let Some(link) = unheard {
                known.dial = None;
                let (_, number) = link.detach();
                let greeting = answer(Course::Begins, proposal.session, 0).into();
                return Verdict::GoOn { greeting, link, number };
            }
            let is_news = standing.is_none() && proposal.session > known.session;
            if is_news
                && proposal.course == Course::GoesOn
                && proposal.next_expected == 0
                && proposal.known_incarnation == own.1
            {
                // This side's dial was lost before the answer with which the session began.
                known.dial = None;
                let ended = known.begin(proposal.session, None);
                let greeting = answer(Course::Begins, proposal.session, 0).into();
                return Verdict::Begin { greeting, index: self.next_index(), ended };
            }
            if judgement == Judgement::GoOn
                && let Some(link) = known.open_link().cloned()
            {
                known.dial = None;
                let (owned, number) = link.detach();
                let greeting = answer(Course::GoesOn, proposal.session, owned).into();
                return Verdict::GoOn { greeting, link, number };
            }
            match judgement {
                Judgement::Begin(reason) if proposal.course == Course::GoesOn => reason,
                _ => opened.reset,
            }
        };
        known.dial = None;
        let proposed = proposal.session + u64::from(proposal.course != Course::Begins);
        let session = proposed.max(known.session + 1);
        let ended = known.begin(session, reset);
        // The reason is for the side that did not know.
        let reset = reset.filter(|_| proposal.course == Course::GoesOn);
        let greeting = Greeting { resume: answer(Course::Begins, session, 0), reset };
        Verdict::Begin { greeting, index: self.next_index(), ended }
    }

    /// A link was made.
    pub(super) fn opened(&mut self, id: NodeId, link: L) {
        self.by_id.entry(id).or_default().link = Some(link);
    }

    /// A link has ended; `given_up` when the other side may not know.
    pub(super) fn closed(&mut self, id: NodeId, index: u32, given_up: bool) {
        self.change(id, |known| {
            if known.link.as_ref().is_some_and(|link| link.index() == index) {
                known.link = None;
                known.given_up = given_up;
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
        Self { incarnation: 0, session: 0, given_up: false, link: None, dial: None }
    }
}

impl<L: Ending> Known<L> {
    fn open_link(&self) -> Option<&L> {
        self.link.as_ref().filter(|link| link.is_open())
    }

    /// A session begins; answers the link that ends with it.
    fn begin(&mut self, session: u64, reset: Option<ResetReason>) -> Option<(L, ResetReason)> {
        self.session = self.session.max(session);
        self.given_up = false;
        let ended = self.link.take().filter(Ending::is_open)?;
        Some((ended, reset.unwrap_or(ResetReason::NothingKept)))
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
