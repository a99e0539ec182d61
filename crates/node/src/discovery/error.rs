//! What can go wrong with a zone's directory: one enum for each operation, and what they share.

use std::{fmt, io, net::SocketAddr, path::PathBuf};

use troupe_proto::{address::NameError, noise::RandomError};

use super::{lock::PATIENCE, trust::Untrusted};

/// Why a zone's directory could not be opened. Nothing was announced; keys that were made stay.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The zone's name is not one.
    #[error("{name:?} is no name for a zone: {reason}")]
    BadName {
        /// The name given.
        name: String,
        /// What is wrong with it.
        reason: NameError,
    },
    /// Neither `TROUPE_HOME` nor the user's home folder is known.
    #[error(
        "there is no folder for the zone's files: HOME is not set; set TROUPE_HOME to a folder of your own"
    )]
    NoHome,
    /// A key file is there but is not what this version writes, or one of the two is gone.
    #[error(
        "{} {what}; stop the zone's nodes, then begin the zone anew, with new keys: rm -r {}",
        path.display(),
        super::trust::quoted(zone)
    )]
    Damaged {
        /// The key file.
        path: PathBuf,
        /// The zone's folder.
        zone: PathBuf,
        /// What is wrong with it, as the end of a sentence.
        what: &'static str,
    },
    /// The operating system has no random numbers.
    #[error("can't make the zone's keys: {0}")]
    Random(#[from] RandomError),
    /// The zone's files can't be used.
    #[error(transparent)]
    Files(#[from] DiscoveryError),
}

/// Why a node could not be announced. No record of it is left.
#[derive(Debug, thiserror::Error)]
pub enum AnnounceError {
    /// The node's name is not one.
    #[error("{name:?} is no name for a node: {reason}")]
    BadName {
        /// The name given.
        name: String,
        /// What is wrong with it.
        reason: NameError,
    },
    /// A live node of the zone has this name.
    #[error(
        "the node name {name:?} is taken in zone {zone:?} by {holder}; stop that node, or choose another name"
    )]
    NameTaken {
        /// The name asked for.
        name: String,
        /// The zone.
        zone: String,
        /// Who has it.
        holder: Holder,
    },
    /// The zone's files can't be used.
    #[error(transparent)]
    Files(#[from] DiscoveryError),
}

/// The node that holds a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// What its record says.
    Node {
        /// Its process, by the number that it has in its own container.
        process: u32,
        /// Where it listens.
        address: SocketAddr,
    },
    /// Its process lives, but its record is of another version or not readable.
    Unknown,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node { process, address } => {
                write!(f, "process {process}, which listens on {address}")
            }
            Self::Unknown => f.write_str("a process whose record this version can't read"),
        }
    }
}

/// Why the zone's files can't be used, or its members not be told.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// A file or folder that others could read, change or replace, or that is on a network.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// Another process keeps the zone's lock.
    #[error(
        "{} has been locked by another process for {} s, as by one that was suspended while it used the zone; \
         let that process go on, or end it",
        path.display(),
        PATIENCE.as_secs()
    )]
    Busy {
        /// The lock file.
        path: PathBuf,
    },
    /// The operating system refused. Whether it is worth another try is for `source` to say.
    #[error("can't {action} {}: {source}{}", path.display(), advice(action, source))]
    System {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// What to do about what the operating system said, as the end of a sentence; empty where nobody can know.
fn advice(action: &str, source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => WRITABLE,
        io::ErrorKind::NotFound if action == MAKE => WRITABLE,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; make room there, or set TROUPE_HOME to a folder on another disk"
        }
        _ => "",
    }
}

const WRITABLE: &str = "; set TROUPE_HOME to a folder that this user may write to";

/// What is tried when a folder is not there.
pub(super) const MAKE: &str = "make the folder";

impl DiscoveryError {
    /// Whether it says that nothing is there.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::System { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// For `map_err`: adds what was tried, and on what, to what the operating system said.
    pub(super) fn on<E: Into<io::Error>>(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(E) -> Self {
        let path = path.into();
        move |source| Self::System { action, path, source: source.into() }
    }
}
