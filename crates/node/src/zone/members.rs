//! Tells who joins and who leaves: from what the discovery says, and at once when a link is lost.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use tokio::time::{self, Instant};
use troupe_proto::noise::NodeId;

use super::{Shared, dial::off_the_io_thread};
use crate::{
    discovery::Member,
    link::{ClosedReason, Link},
};

/// After a lost link the discovery is asked again so much later: the connection of a process that dies ends a moment
/// before its lock is free, and a machine under load stretches the moment.
const LOOKS_AFTER_LOSS: [Duration; 6] = [
    Duration::from_millis(1),
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_millis(750),
    Duration::from_millis(1500),
];

/// What a node says last, or the end of its connections, has come by then.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Watches until it is aborted.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut changes = shared.discovery.changes();
    let mut known = HashMap::new();
    let mut watching = true;
    let mut is_told = false;
    // When to look again, the next one last.
    let mut looks: Vec<Instant> = Vec::new();
    loop {
        changes.borrow_and_update();
        let differs = look(&shared, &mut known).await;
        if is_told || differs {
            shared.events.looked();
        }
        is_told = false;
        let next = looks.last().copied();
        tokio::select! {
            changed = changes.changed(), if watching => {
                watching = changed.is_ok();
                is_told = true;
            }
            () = shared.look.notified() => {
                let now = Instant::now();
                looks = LOOKS_AFTER_LOSS.iter().rev().map(|pause| now + *pause).collect();
            }
            () = time::sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                looks.pop();
            }
        }
    }
}

/// The node behind a link is gone: so is the link, a moment later. What would wait for another connection need not.
async fn end(link: &Link) {
    if time::timeout(LAST_WORDS, link.absent()).await.is_err() {
        log::debug!(target: "zone", "node {} is gone from the zone, and still connected", link.peer().name);
    }
    if link.is_absent() {
        link.give_up(ClosedReason::Lost("its process has ended".into()));
        link.ended().await;
    }
}

/// Compares who is there with who was, and says whether anything differs.
async fn look(shared: &Arc<Shared>, known: &mut HashMap<NodeId, Member>) -> bool {
    let found = match off_the_io_thread(shared, Shared::others).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => {
            log::warn!(target: "zone", "can't tell who is in the zone: {error}");
            return false;
        }
        Err(_) => return false,
    };
    let mut left: Vec<Member> = known
        .extract_if(|id, _| !found.iter().any(|member| member.id == *id))
        .map(|(_, member)| member)
        .collect();
    left.sort_by(|one, other| one.name.cmp(&other.name));
    for member in &left {
        let link = shared.peers().last_link(&member.id);
        if let Some(link) = link {
            end(&link).await;
        }
        shared.peers().forget(member.id);
        shared.events.member_left(member);
    }
    let mut differs = !left.is_empty();
    for member in found {
        if let Entry::Vacant(entry) = known.entry(member.id) {
            shared.events.member_joined(&member);
            entry.insert(member);
            differs = true;
        }
    }
    differs
}
