//! Sees to it that a link which lost its channel gets another one, as long as its node lives; and that one follows a
//! channel in time before its end.

use std::{convert::Infallible, sync::Arc, time::Duration};

use tokio::{sync::watch, time};
use troupe_proto::codec::CloseReason;

use super::{
    Shared,
    dial::{self, DialError},
};
use crate::{
    channel::ChannelError,
    link::{ClosedReason, Link, Presence},
};

/// Pauses between attempts, in milliseconds, each up to doubled at random: the first, and the longest.
const FIRST_PAUSE_MS: u64 = 50;
const LONGEST_PAUSE_MS: u64 = 5000;
/// So long before the node with the larger identifier the other one dials: far longer than that takes.
const PRECEDENCE: Duration = Duration::from_secs(5);

/// Dials whenever it is needed. Goes on until it is dropped, with the link's task.
pub(super) async fn keep(shared: &Arc<Shared>, link: &Arc<Link>) -> Infallible {
    let mut presence = link.presence();
    let mut due = link.renewal_due();
    let mut pause = FIRST_PAUSE_MS;
    let mut came = link.standing();
    loop {
        tokio::select! {
            () = becomes(&mut presence, |presence| *presence == Presence::Absent) => {}
            () = becomes(&mut due, |due| *due) => {
                renew(shared, link).await;
                continue;
            }
        }
        // Whether its process has ended is known a moment later, and then at once.
        shared.look.notify_one();
        // A channel over which nothing came through is worth no new beginning.
        if link.standing() != came {
            pause = FIRST_PAUSE_MS;
        }
        while link.is_absent() {
            if let Some(reason) = attempt(shared, link).await {
                link.give_up(reason);
                break;
            }
            let present = becomes(&mut presence, |presence| *presence != Presence::Absent);
            if time::timeout(shared.jitter.stretch(pause), present).await.is_ok() {
                break;
            }
            pause = (pause * 2).min(LONGEST_PAUSE_MS);
        }
        came = link.standing();
    }
}

/// Dials until another channel follows the one that stands; that goes on meanwhile.
async fn renew(shared: &Arc<Shared>, link: &Arc<Link>) {
    let mut due = link.renewal_due();
    let mut pause = FIRST_PAUSE_MS;
    if shared.id > link.peer().id {
        // The other side's time has come as well: both need not dial.
        let _ = time::timeout(PRECEDENCE, becomes(&mut due, |due| !due)).await;
    }
    while *due.borrow() && link.is_open() {
        // What keeps a channel from being followed does not end it: its own expiry does.
        let _ = attempt(shared, link).await;
        let done = becomes(&mut due, |due| !due);
        if time::timeout(shared.jitter.stretch(pause), done).await.is_ok() {
            return;
        }
        pause = (pause * 2).min(LONGEST_PAUSE_MS);
    }
}

async fn becomes<T>(state: &mut watch::Receiver<T>, what: impl FnMut(&T) -> bool) {
    // The sender is the link's own, which the caller holds.
    let _ = state.wait_for(what).await;
}

/// Dials once; answers why there is no point in doing so again.
async fn attempt(shared: &Arc<Shared>, link: &Arc<Link>) -> Option<ClosedReason> {
    let id = link.peer().id;
    let dial = shared.peers().begin_redial(id, link.index())?;
    let proposing = link.proposing();
    let result = dial::attempt(shared, id, dial).await;
    drop(proposing);
    shared.peers().end_dial(id, dial);
    let error = result.err()?;
    log::debug!(target: "channel", "dial to node {}, to go on: {error}", link.peer().name);
    match error {
        DialError::NoSuchMember => Some(ClosedReason::Lost("its process has ended".into())),
        DialError::Channel(ChannelError::Refused(
            reason @ (CloseReason::NodeStops | CloseReason::Denied | CloseReason::Violation),
        )) => Some(ClosedReason::Gracefully(reason)),
        _ => None,
    }
}
