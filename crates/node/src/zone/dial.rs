//! Dials a member when it is asked for, a few times if it has to be, until a link stands or the node is out of reach.

use std::{io, sync::Arc};

use tokio::time;
use troupe_proto::{
    codec::CloseReason,
    noise::{HandshakeError, NodeId, Peer},
    session::SessionError,
};

use super::{
    Shared, end,
    peers::{Dialled, Proposal},
};
use crate::channel::{self, Channel, ChannelError, OPENING_LIMIT};
use crate::discovery::{DiscoveryError, Member};
use crate::link::Link;

/// Pauses between attempts, in milliseconds, each doubled at random. What mends by itself (a dial from the other side,
/// a burst of handshakes, a node that is just being replaced) has mended by then.
const PAUSES_MS: [u64; 4] = [25, 50, 100, 200];

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("it is not in the zone")]
    NoSuchMember,
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    #[error(transparent)]
    Channel(#[from] ChannelError),
    #[error("this node's I/O ends")]
    Ending,
}

impl DialError {
    /// Whether another attempt may do better.
    fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Channel(
                ChannelError::Connection(_)
                    | ChannelError::Handshake(HandshakeError::Closed { .. })
                    | ChannelError::Refused(CloseReason::Duplicate)
            )
        )
    }
}

/// Begins a dial, unless there is a link or a dial already.
pub(super) fn begin(shared: &Arc<Shared>, id: NodeId) {
    let Some(dial) = shared.peers().begin_dial(id) else { return };
    let shared = Arc::clone(shared);
    let runtime = shared.runtime.clone();
    runtime.spawn(async move {
        if let Err(error) = attempts(&shared, id, dial).await
            && shared.peers().end_dial(id, dial)
        {
            shared.events.unreachable(id, &error.to_string());
        }
    });
}

/// Ends well also when a channel of the other side takes the place of the dial.
async fn attempts(shared: &Arc<Shared>, id: NodeId, dial: u64) -> Result<(), DialError> {
    let mut pauses = PAUSES_MS.into_iter();
    loop {
        let Err(error) = attempt(shared, id, dial).await else { return Ok(()) };
        log::debug!(target: "channel", "dial to node {id:?}: {error}");
        if !shared.peers().is_dialling(&id, dial) {
            return Ok(());
        }
        match pauses.next() {
            Some(pause) if error.may_pass() => time::sleep(shared.jitter.stretch(pause)).await,
            _ => return Err(error),
        }
    }
}

/// One attempt; a link stands or goes on when it ends well, or another channel has taken the place of the dial.
pub(super) async fn attempt(shared: &Arc<Shared>, id: NodeId, dial: u64) -> Result<(), DialError> {
    let member = find(shared, id).await?;
    let opened = time::timeout(OPENING_LIMIT, open(shared, &member, dial)).await;
    let (channel, proposal) = opened.unwrap_or(Err(ChannelError::Slow.into()))?;
    let mut peers = shared.peers();
    match peers.dialled(&channel.established.peer, &channel.opened, dial, proposal) {
        Dialled::Begin { index, ended } => {
            end(ended);
            shared.install(&mut peers, channel, index);
        }
        Dialled::GoOn(link, number) => {
            // Too late only when the link has just ended.
            link.attach(channel, number);
        }
        Dialled::Move(link) => {
            // Too late when the channel that stood was lost meanwhile: then the session goes on over a third.
            link.follow(channel);
        }
        Dialled::Unwanted => {}
        Dialled::Nonsense => {
            let wrong = SessionError::OutOfPlace("it goes on with a session that was not proposed");
            return Err(ChannelError::from(wrong).into());
        }
    }
    Ok(())
}

async fn open(
    shared: &Arc<Shared>,
    member: &Member,
    dial: u64,
) -> Result<(Channel, Proposal<Arc<Link>>), DialError> {
    let socket = shared.transport.dial(member.address).await.map_err(ChannelError::from)?;
    let membership = shared.credentials.membership();
    let (id, now) = (member.id, shared.credentials.now());
    let mut proposal = None;
    let greet = |_: &Peer| {
        proposal = shared.peers().propose(&id, dial);
        proposal.as_ref().map(|proposal| proposal.greeting)
    };
    let channel = channel::dial(socket, &membership, id, now, shared.terms, greet).await?;
    proposal.map(|proposal| (channel, proposal)).ok_or(ChannelError::Unwanted.into())
}

/// Where the member is, looked up now: a record of a dead node is never dialled.
async fn find(shared: &Arc<Shared>, id: NodeId) -> Result<Member, DialError> {
    let members = off_the_io_thread(shared, Shared::others).await.map_err(|_| DialError::Ending)??;
    members.into_iter().find(|member| member.id == id).ok_or(DialError::NoSuchMember)
}

/// File operations do not hold up the links.
pub(super) async fn off_the_io_thread<T: Send + 'static>(
    shared: &Arc<Shared>,
    work: impl FnOnce(&Shared) -> T + Send + 'static,
) -> io::Result<T> {
    if !shared.discovery.blocks() {
        return Ok(work(shared));
    }
    let for_work = Arc::clone(shared);
    Ok(shared.runtime.spawn_blocking(move || work(&for_work)).await?)
}
