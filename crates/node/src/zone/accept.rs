//! Lets other nodes in: handshakes with those who connect, bounded in number and time.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{sync::oneshot, time};
use troupe_proto::noise::HandshakeError;

use super::{Shared, end, lock, peers::Verdict};
use crate::{
    channel::{self, ChannelError, OPENING_LIMIT},
    transport::{Listener, Socket},
};

/// Connections taken before the links get their turn.
const A_TURN: usize = 4;
/// Out of file descriptors, most likely: it gets no better at once.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts until it is aborted.
pub(super) async fn run(shared: Arc<Shared>, listener: Box<dyn Listener>) {
    loop {
        for _ in 0..A_TURN {
            match listener.accept().await {
                Ok((socket, from)) => begin(&shared, socket, from),
                Err(error) => {
                    log::warn!(target: "channel", "can't accept connections on {}: {error}", shared.address);
                    time::sleep(PAUSE).await;
                }
            }
        }
        tokio::task::yield_now().await;
    }
}

fn begin(shared: &Arc<Shared>, socket: Arc<dyn Socket>, from: SocketAddr) {
    let (tell, told) = oneshot::channel();
    let task = shared.runtime.spawn({
        let shared = Arc::clone(shared);
        async move {
            // It has a place among the half open before it begins.
            let Ok(number) = told.await else { return };
            let result = time::timeout(OPENING_LIMIT, let_in(&shared, socket)).await;
            lock(&shared.half_open).remove(number);
            report(&shared, result.unwrap_or(Err(ChannelError::Slow)), from);
        }
    });
    let (number, turned_out) = lock(&shared.half_open).add(from, task.abort_handle());
    if let Some((oldest, its)) = turned_out {
        oldest.abort();
        shared.refusals.tell(its, &"too many connections open no channel, and it was the oldest of them");
    }
    // Nobody listens when the task was aborted meanwhile.
    let _ = tell.send(number);
}

async fn let_in(shared: &Arc<Shared>, socket: Arc<dyn Socket>) -> Result<(), ChannelError> {
    let membership = shared.credentials.membership();
    let knock = channel::answer(socket, &membership, shared.credentials.now(), shared.terms).await?;
    let (knock, reason) = {
        let mut peers = shared.peers();
        match peers.knocked(knock.peer(), knock.opened()) {
            Verdict::Begin { greeting, index, ended } => {
                end(ended);
                shared.install(&mut peers, knock.accept(greeting), index);
                return Ok(());
            }
            Verdict::GoOn { greeting, link, number } => {
                log::debug!(target: "channel", "node {} goes on over a new channel", knock.peer().name);
                // Too late only when the link has just ended: then the other side hears of that by its next dial.
                link.attach(knock.accept(greeting), number);
                return Ok(());
            }
            Verdict::Move { greeting, link } => {
                link.follow(knock.accept(greeting));
                return Ok(());
            }
            Verdict::Refuse(reason) => (knock, reason),
        }
    };
    log::debug!(target: "channel", "told node {} no: {reason:?}", knock.peer().name);
    knock.refuse(reason).await
}

fn report(shared: &Shared, result: Result<(), ChannelError>, from: SocketAddr) {
    let Err(error) = result else { return };
    match error {
        // As of a member that died, was stopped or has another channel by now.
        ChannelError::Connection(_)
        | ChannelError::Refused(_)
        | ChannelError::Handshake(HandshakeError::Closed { .. }) => {
            log::debug!(target: "channel", "a connection from {from} came to nothing: {error}");
        }
        error => shared.refusals.tell(from, &error),
    }
}
