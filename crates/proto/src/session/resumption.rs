//! Whether a session goes on over a new channel or begins anew: decided once, by the side that was dialled.

use crate::codec::{Course, ResetReason, Resume};

/// What a side keeps of its session with a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Number of the session.
    pub session: u64,
    /// Numbered frames that the peer is known to own; they are not kept any more.
    pub acknowledged: u64,
    /// Numbered frames sent so far.
    pub sent: u64,
}

/// What becomes of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The session goes on.
    GoOn,
    /// A session begins. What this side kept of an earlier one is given up, for this reason if there was one.
    Begin(Option<ResetReason>),
    /// It comes from an attempt that a later one has overtaken.
    Stale,
}

impl Standing {
    /// Whether a peer that expects this number next can be sent all that it lacks.
    #[must_use]
    pub fn reaches(&self, next_expected: u64) -> bool {
        (self.acknowledged..=self.sent).contains(&next_expected)
    }
}

/// Judges the RESUME of a peer that dialled. `own` is this side's incarnation; `standing` what it keeps, if anything.
#[must_use]
pub fn judge(proposal: &Resume, own: u64, standing: Option<&Standing>) -> Judgement {
    if proposal.course != Course::GoesOn {
        return Judgement::Begin(standing.map(|_| ResetReason::NothingKept));
    }
    if proposal.known_incarnation != own {
        return Judgement::Begin(Some(ResetReason::NewIncarnation));
    }
    match standing {
        Some(standing) if standing.session == proposal.session => {
            if standing.reaches(proposal.next_expected) {
                Judgement::GoOn
            } else if proposal.next_expected < standing.acknowledged {
                Judgement::Stale
            } else {
                Judgement::Begin(Some(ResetReason::NothingKept))
            }
        }
        Some(standing) if proposal.session < standing.session => Judgement::Stale,
        _ => Judgement::Begin(Some(ResetReason::NothingKept)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: u64 = 7;
    const STANDING: Standing = Standing { session: 3, acknowledged: 10, sent: 20 };

    fn goes_on(session: u64, next_expected: u64) -> Resume {
        Resume { course: Course::GoesOn, incarnation: 8, known_incarnation: OWN, session, next_expected }
    }

    #[test]
    fn a_session_goes_on_when_all_that_is_lacking_is_kept() {
        for next_expected in [10, 15, 20] {
            assert_eq!(judge(&goes_on(3, next_expected), OWN, Some(&STANDING)), Judgement::GoOn);
        }
        assert_eq!(
            judge(&goes_on(3, 21), OWN, Some(&STANDING)),
            Judgement::Begin(Some(ResetReason::NothingKept)),
            "it expects what was never sent"
        );
    }

    #[test]
    fn an_overtaken_attempt_ends_nothing() {
        assert_eq!(judge(&goes_on(3, 9), OWN, Some(&STANDING)), Judgement::Stale);
        assert_eq!(judge(&goes_on(2, 15), OWN, Some(&STANDING)), Judgement::Stale);
    }

    #[test]
    fn who_keeps_nothing_begins_anew_and_says_why() {
        let nothing = Judgement::Begin(Some(ResetReason::NothingKept));
        assert_eq!(judge(&goes_on(3, 15), OWN, None), nothing);
        assert_eq!(judge(&goes_on(4, 15), OWN, Some(&STANDING)), nothing);
        let other_life = Resume { known_incarnation: OWN + 1, ..goes_on(3, 15) };
        let new = Judgement::Begin(Some(ResetReason::NewIncarnation));
        assert_eq!(judge(&other_life, OWN, Some(&STANDING)), new);
    }

    #[test]
    fn a_beginning_ends_what_stood() {
        let begins = Resume { course: Course::Begins, next_expected: 0, ..goes_on(4, 0) };
        assert_eq!(judge(&begins, OWN, None), Judgement::Begin(None));
        assert_eq!(judge(&begins, OWN, Some(&STANDING)), Judgement::Begin(Some(ResetReason::NothingKept)));
    }
}
