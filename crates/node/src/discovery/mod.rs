//! Who is in the zone: one trait, and its implementation for the nodes of one user on one machine.
//!
//! What a discovery says is a hint about where to dial. Who answers there proves itself by its credential in the
//! handshake; nothing here is trusted for that.

mod announcement;
mod directory;
mod error;
mod home;
mod keys;
mod lock;
mod network;
mod record;
mod records;
mod trust;
mod watch;

use std::net::SocketAddr;

use tokio::sync::watch::Receiver;
use troupe_proto::noise::NodeId;

pub use announcement::{Announce, Announcement};
pub use directory::{Directory, zone_folder};
pub use error::{AnnounceError, DiscoveryError, Holder, OpenError};
pub use home::default_home;
pub use trust::{Fault, Untrusted};

/// The door for `fuzz/`, which is built with this condition: what is parsed here is not public otherwise.
#[cfg(fuzzing)]
pub mod fuzzing {
    /// What a record's bytes say of the member, and the same record written anew; `None` when they are no record.
    pub fn reread(bytes: &[u8]) -> Option<(super::Member, Vec<u8>)> {
        let record = super::record::Record::decode(bytes).ok()?;
        let written = record.encode();
        Some((record.member, written))
    }
}

/// What a member is in its zone. Only nodes run workers: whoever looks for a worker, or for the nodes of the zone, passes
/// the others over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// It runs workers.
    #[default]
    Node,
    /// It looks on, as the command line and the page do.
    Observer,
    /// It starts the zone's nodes and keeps them up.
    Supervisor,
}

impl Role {
    /// The role with this number; `None` for a number without a meaning.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Node),
            1 => Some(Self::Observer),
            2 => Some(Self::Supervisor),
            _ => None,
        }
    }

    /// Its number, as records carry it.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Its name: `node`, `observer` or `supervisor`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Observer => "observer",
            Self::Supervisor => "supervisor",
        }
    }
}

/// A live member of the zone, as it announced itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Identifier of its identity. A dial expects this one and no other to answer.
    pub id: NodeId,
    /// Its name, unique among the live nodes of the zone.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Tells two lives of one name apart; never zero.
    pub incarnation: u64,
    /// When it announced itself: milliseconds since 1970 by its own clock. For people, not for ordering.
    pub since_unix_ms: u64,
    /// What it is in the zone.
    pub role: Role,
}

/// Where a node learns who else is in its zone.
pub trait Discovery: Send + Sync {
    /// The members alive at this moment, sorted by name, the asking node among them once it is announced.
    /// Looks anew at every call.
    fn members(&self) -> Result<Vec<Member>, DiscoveryError>;

    /// Whether this node is known to be alive at this moment. A node that is stalled, or can't be reached, is alive.
    /// What can't be looked up counts as alive: only a death that was seen ends a link.
    fn is_live(&self, id: &NodeId) -> bool {
        self.members().map_or(true, |members| members.iter().any(|member| member.id == *id))
    }

    /// A counter that moves when members may have joined or left, once for several; look at [`members`](Self::members)
    /// then. Watching goes on while a receiver lives.
    fn changes(&self) -> Receiver<u64>;
}
