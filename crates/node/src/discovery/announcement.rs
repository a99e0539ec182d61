//! A node's own record, from its start to its end.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

use troupe_proto::noise::NodeId;

use super::{Member, Role};

/// What a node says of itself. Its identity and incarnation are made anew at every start and live in its memory only.
#[derive(Debug, Clone)]
pub struct Announce {
    /// Identifier of its identity.
    pub id: NodeId,
    /// Its name: 1 to 128 of `A-Z a-z 0-9 _ -`.
    pub name: String,
    /// Where it listens already: others may dial as soon as it is announced.
    pub address: SocketAddr,
    /// A random number, not zero.
    pub incarnation: u64,
    /// What it is in the zone.
    pub role: Role,
}

/// Keeps a node's record in the zone. Dropping it, or the death of the process, takes the node out of the zone.
pub struct Announcement {
    member: Member,
    withdraw: Mutex<Option<Withdraw>>,
}

/// Takes the record out of the zone.
type Withdraw = Box<dyn FnOnce() + Send>;

impl Announcement {
    /// Of a node that is a member until `withdraw` has been called: once, from any thread, and without waiting.
    pub fn new(member: Member, withdraw: impl FnOnce() + Send + 'static) -> Self {
        Self { member, withdraw: Mutex::new(Some(Box::new(withdraw))) }
    }

    /// The node as the others see it.
    #[must_use]
    pub fn member(&self) -> &Member {
        &self.member
    }

    /// Removes the record. Does what dropping does, for a process that exits and drops nothing: three system calls,
    /// from any thread, no waiting. Again: nothing.
    pub fn close_now(&self) {
        let withdraw = self.withdraw.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(withdraw) = withdraw {
            withdraw();
        }
    }
}

impl fmt::Debug for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Announcement").field("member", &self.member).finish_non_exhaustive()
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        self.close_now();
    }
}
