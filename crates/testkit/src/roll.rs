//! A discovery in memory: who is in a simulated zone.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;
use troupe_node::discovery::{
    Announce, AnnounceError, Announcement, Discovery, DiscoveryError, Holder, Member,
};
use troupe_proto::noise::NodeId;

/// Who is in a zone. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Roll(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    listed: Mutex<Listed>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Listed {
    by_name: BTreeMap<String, Member>,
    /// Nodes that can't take themselves off.
    kept: BTreeSet<[u8; 32]>,
}

impl Inner {
    fn listed(&self) -> MutexGuard<'_, Listed> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn strike(&self, id: &NodeId) {
        self.listed().by_name.retain(|_, member| member.id != *id);
        self.changes.send_modify(|count| *count += 1);
    }
}

impl Roll {
    /// The record of this node stays whatever the node does, as that of a process which dies stays for a moment.
    pub fn keep(&self, id: &NodeId) {
        self.0.listed().kept.insert(id.0);
    }

    /// Takes a node off: it is known to be dead.
    pub fn strike(&self, id: &NodeId) {
        self.0.listed().kept.remove(&id.0);
        self.0.strike(id);
    }
}

impl Discovery for Roll {
    fn announce(&self, announce: Announce) -> Result<Announcement, AnnounceError> {
        let Announce { id, name, address, incarnation, role } = announce;
        let member = Member { id, name: name.clone(), address, incarnation, since_unix_ms: 0, role };
        let mut listed = self.0.listed();
        if listed.by_name.contains_key(&name) {
            return Err(AnnounceError::NameTaken { name, zone: "simulated".into(), holder: Holder::Unknown });
        }
        listed.by_name.insert(name, member.clone());
        drop(listed);
        self.0.changes.send_modify(|count| *count += 1);
        let inner = Arc::clone(&self.0);
        Ok(Announcement::new(member, move || {
            let is_kept = inner.listed().kept.contains(&id.0);
            if !is_kept {
                inner.strike(&id);
            }
        }))
    }

    fn members(&self) -> Result<Vec<Member>, DiscoveryError> {
        Ok(self.0.listed().by_name.values().cloned().collect())
    }

    fn blocks(&self) -> bool {
        false
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }
}
