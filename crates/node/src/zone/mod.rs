//! The zone as one node sees it: who is there, and one link to each it talks with.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use tokio::runtime::Handle;
use troupe_proto::noise::{Capabilities, NodeId};

use crate::{
    discovery::{AnnounceError, DiscoveryError, Member, OpenError},
    link::{Link, LinkEvents},
};

/// How a node joins a zone.
#[derive(Clone, Debug)]
pub struct ZoneOptions {
    /// The folder that holds the zones' directories; see [`crate::discovery::default_home`].
    pub home: PathBuf,
    /// The zone's name.
    pub zone: String,
    /// This node's name, unique among the live nodes of the zone.
    pub node_name: String,
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Whether members may start code here that this node does not have. They are told in HELLO.
    pub accept_code: bool,
    /// What this node may do at others. In a directory zone every node of the user may do everything.
    pub capabilities: Capabilities,
}

/// Why a node could not join. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The zone's directory can't be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The node's name is taken, or the directory can't be written.
    #[error(transparent)]
    Announce(#[from] AnnounceError),
    /// The address can't be listened on.
    #[error("can't listen on {address}: {source}; choose another address, or port 0 for any free port")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The node's credential could not be made.
    #[error("can't make the node's credential: {0}")]
    Credential(String),
}

/// A joined zone.
pub struct Zone {
    _private: (),
}

impl Zone {
    /// Joins. Blocks for some file operations.
    pub fn join(
        options: ZoneOptions,
        events: Arc<dyn LinkEvents>,
        runtime: &Handle,
    ) -> Result<Self, JoinError> {
        let _ = (options, events, runtime);
        todo!()
    }
    /// Identifier of this node's identity.
    #[must_use]
    pub fn id(&self) -> NodeId {
        todo!()
    }
    /// Signs `parts` under `domain` as this node.
    #[must_use]
    pub fn sign(&self, domain: &[u8], parts: &[&[u8]]) -> [u8; 64] {
        let _ = (domain, parts);
        todo!()
    }
    /// Which life of the node this is.
    #[must_use]
    pub fn incarnation(&self) -> u64 {
        todo!()
    }
    /// Where this node listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        todo!()
    }
    /// The live members but this node, looked up now, sorted by name.
    pub fn members(&self) -> Result<Vec<Member>, DiscoveryError> {
        todo!()
    }
    /// The open link to a node.
    #[must_use]
    pub fn link(&self, id: &NodeId) -> Option<Arc<Link>> {
        let _ = id;
        todo!()
    }
    /// Sees to it that there is a link: ends in `opened` or `unreachable`. Again while it goes on, or is open: nothing.
    pub fn dial(&self, id: NodeId) {
        let _ = id;
        todo!()
    }
    /// Leaves: the record goes first, then links are closed. Links should be drained before.
    pub async fn leave(&self) {
        todo!()
    }
    /// As [`Zone::leave`] for a process that ends: within 100 ms, from any thread.
    pub fn close_now(&self) {
        todo!()
    }
}
