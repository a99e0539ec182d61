//! A member of a zone without the code of one.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use troupe_node::{
    channel::{self, Channel, Greeting},
    discovery::{Announce, Announcement, Directory, Role, zone_folder},
    transport::{MemoryNetwork, Transport},
};
use troupe_proto::{
    codec::Resume,
    noise::{Capabilities, CredentialRequest, Identity, Membership, Peer},
    session::Terms,
};

use crate::support::{Home, TestNode};

/// A node made by hand: it says what others say only in moments that are hard to meet.
pub(crate) struct ByHand {
    directory: Directory,
    pub(crate) identity: Arc<Identity>,
    announcement: Announcement,
}

impl ByHand {
    pub(crate) fn join(home: &Home) -> Self {
        let directory = Directory::open(&home.0, "test").unwrap();
        let identity = Arc::new(Identity::generate().unwrap());
        let address = SocketAddr::from(([127, 0, 0, 1], 9));
        let announce =
            Announce { id: identity.id(), name: "by-hand".into(), address, incarnation: 1, role: Role::Node };
        let announcement = directory.announce(announce).unwrap();
        Self { directory, identity, announcement }
    }

    /// Leaves its record behind, under a lock that nobody holds.
    pub(crate) fn die(self, home: &Home) {
        let folder = zone_folder(&home.0, "test").join("nodes");
        let is_own = |path: &PathBuf| fs::read(path).unwrap().windows(7).any(|bytes| bytes == b"by-hand");
        let record = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).find(is_own).unwrap();
        // Another file of the same content: this process leaves that one alone.
        let copy = record.with_extension("copy");
        fs::copy(&record, &copy).unwrap();
        fs::rename(&copy, &record).unwrap();
        drop(self.announcement);
    }

    pub(crate) async fn dial(&self, network: &MemoryNetwork, to: &TestNode, resume: Resume) -> Channel {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let authority = self.directory.authority();
        let credential = authority
            .issue(&CredentialRequest {
                name: "by-hand",
                public_key: self.identity.public_key(),
                not_before: now,
                expires: now + 3600,
                capabilities: Capabilities::ALL,
            })
            .unwrap();
        let key = self.directory.access_key().clone();
        let identity = Arc::clone(&self.identity);
        let membership =
            Membership::new(identity, credential, authority.public_key(), key, resume.incarnation).unwrap();
        let socket = network.dial(to.zone.address()).await.unwrap();
        let greet = |_: &Peer| Some(Greeting::from(resume));
        channel::dial(socket, &membership, to.zone.id(), now, Terms::default(), greet).await.unwrap()
    }
}
