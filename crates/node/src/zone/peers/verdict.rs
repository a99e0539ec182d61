//! What comes of a dial, on either side.

use troupe_proto::codec::{CloseReason, ResetReason};

use crate::channel::Greeting;

/// What becomes of a channel that another node dialled.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::zone) enum Verdict<L> {
    /// A session begins.
    Begin {
        /// What this side answers.
        greeting: Greeting,
        /// The number of the link to be made; hand it to [`super::Peers::opened`] under the same lock.
        index: u32,
        /// The link whose place it takes, and why.
        ended: Option<(L, ResetReason)>,
    },
    /// The session of this link goes on: attach the channel under this number.
    GoOn {
        /// What this side answers.
        greeting: Greeting,
        /// The link.
        link: L,
        /// What [`crate::link::Link::detach`] answered.
        number: u64,
    },
    /// The session of this link moves to the channel.
    Move {
        /// What this side answers.
        greeting: Greeting,
        /// The link.
        link: L,
    },
    /// It is told no.
    Refuse(CloseReason),
}

/// What this side says when it dials.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::zone) struct Proposal<L> {
    pub(in crate::zone) greeting: Greeting,
    /// The link whose session is to go on or to move.
    pub(super) of: Of<L>,
}

/// The session that a proposal is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Of<L> {
    Nothing,
    /// And what [`crate::link::Link::detach`] answered.
    GoesOn(L, u64),
    Moves(L),
}

/// What becomes of a dial that the peer accepted.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::zone) enum Dialled<L> {
    /// A session begins; see [`Verdict::Begin`].
    Begin {
        /// The number of the link to be made.
        index: u32,
        /// The link whose place it takes, and why.
        ended: Option<(L, ResetReason)>,
    },
    /// The session of this link goes on.
    GoOn(L, u64),
    /// The session of this link moves to the channel.
    Move(L),
    /// Another channel has taken its place.
    Unwanted,
    /// The peer goes on with a session that was not proposed.
    Nonsense,
}
