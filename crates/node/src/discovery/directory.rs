//! The zone of one user on one machine: a folder that holds its keys and a record of each live node.
//!
//! ```text
//! TROUPE_HOME/                 0700
//!   zones/NAME/                0700
//!     authority.key access.key 0600, made on first use, kept
//!     zone.lock                0600, held for moments
//!     nodes/NODE.node          0600, one for each live node, locked by it
//!     drafts/                  records that are not yet in place
//! ```
//!
//! Who can read it is a member, and an authority: the operating system's user is the border. Nothing in it is worth a
//! backup; removed as a whole while no node runs, it is made anew.

use std::{
    path::{Path, PathBuf},
    process,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::sync::watch::Receiver;
use troupe_proto::{
    address::check_name,
    noise::{AccessKey, Authority},
};

use super::{
    Announce, AnnounceError, Announcement, Discovery, DiscoveryError, Member, OpenError, keys,
    record::Record, records::Records, trust, watch::Watch,
};

/// An open zone directory. Cheap to ask, keeps no file open; one thread of its own while someone watches.
#[derive(Debug)]
pub struct Directory {
    zone: String,
    authority: Authority,
    access_key: AccessKey,
    records: Arc<Records>,
    watch: Watch,
}

const ZONES: &str = "zones";

/// The folder of one zone's files.
#[must_use]
pub fn zone_folder(home: &Path, zone: &str) -> PathBuf {
    home.join(ZONES).join(zone)
}

impl Directory {
    /// Opens the directory of a zone under `home` ([`default_home`](super::default_home)), and makes it, with new keys,
    /// on first use: of several processes that do so at once, all get the same. Blocks for some file operations, at most
    /// a few seconds when another process keeps the lock.
    pub fn open(home: &Path, zone: &str) -> Result<Self, OpenError> {
        check_name(zone).map_err(|reason| OpenError::BadName { name: zone.to_owned(), reason })?;
        let home = trust::home(home)?;
        let folder = zone_folder(&home, zone);
        trust::folder(&home.join(ZONES))?;
        trust::folder(&folder)?;
        let (authority, access_key) = keys::open(&folder)?;
        let records = Arc::new(Records::open(&folder)?);
        let watch = Watch::new(Arc::clone(&records));
        Ok(Self { zone: zone.to_owned(), authority, access_key, records, watch })
    }

    /// The zone's name.
    #[must_use]
    pub fn zone(&self) -> &str {
        &self.zone
    }

    /// Signs the credentials of this user's nodes.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// What every member has, and nobody else.
    #[must_use]
    pub fn access_key(&self) -> &AccessKey {
        &self.access_key
    }

    /// Puts a node's record in place: from now on it is a member, until the announcement is dropped or the process dies.
    /// The record of a dead node of that name makes room; a live one is [`AnnounceError::NameTaken`].
    pub fn announce(&self, announce: Announce) -> Result<Announcement, AnnounceError> {
        let Announce { id, name, address, incarnation, role } = announce;
        if let Err(reason) = check_name(&name) {
            return Err(AnnounceError::BadName { name, reason });
        }
        let since_unix_ms =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        let member = Member { id, name, address, incarnation, since_unix_ms, role };
        let record = Record { member, process: process::id(), machine: self.records.machine };
        let (path, held) = self.records.claim(&record, &self.zone)?;
        Ok(Announcement::new(record.member, path, held))
    }
}

impl Discovery for Directory {
    fn members(&self) -> Result<Vec<Member>, DiscoveryError> {
        self.records.scan()
    }

    fn changes(&self) -> Receiver<u64> {
        self.watch.subscribe()
    }
}
