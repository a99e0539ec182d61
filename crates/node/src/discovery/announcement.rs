//! A node's own record, from its start to its end.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use troupe_proto::noise::NodeId;

use super::{Member, Role, records};

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
#[derive(Debug)]
pub struct Announcement {
    member: Member,
    path: PathBuf,
    /// The lock that says that the node lives.
    held: Mutex<Option<File>>,
}

impl Announcement {
    pub(super) fn new(member: Member, path: PathBuf, held: File) -> Self {
        Self { member, path, held: Mutex::new(Some(held)) }
    }

    /// The node as the others see it.
    #[must_use]
    pub fn member(&self) -> &Member {
        &self.member
    }

    /// Removes the record. Does what dropping does, for a process that exits and drops nothing: three system calls,
    /// from any thread, no waiting. Again: nothing.
    pub fn close_now(&self) {
        let Some(held) = self.held.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        // Somebody may have removed the zone's folder, and another node have its name since.
        let removed = match records::is_at(&held, &self.path) {
            Ok(true) => fs::remove_file(&self.path),
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = removed {
            // The lock is free from here on, so the next one who looks removes it.
            log::debug!("left {} behind: {error}", self.path.display());
        }
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        self.close_now();
    }
}
