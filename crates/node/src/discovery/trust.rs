//! Which files and folders may hold a zone's keys: the user's own, closed to everybody else, on a local disk, and in a
//! place where nobody else can put others instead of them.
//!
//! Same user means same authority, so these checks are the whole border of a zone on one machine.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    fs::{self, DirBuilder, Metadata},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Component, Path, PathBuf},
};

use super::{DiscoveryError, error::MAKE, network};

/// How many symbolic links may lie above `TROUPE_HOME`: what Linux itself follows in one path.
const LINKS: u32 = 40;

/// A path that can't be trusted with the zone's keys, and the command that mends it.
#[derive(Debug, thiserror::Error)]
#[error("{} {fault}; {mend}", path.display())]
pub struct Untrusted {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: Fault,
    /// What to do about it: a command of the shell where one does it.
    pub mend: String,
}

/// What is wrong with a file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is a symbolic link.
    SymbolicLink,
    /// It should be a folder.
    NotAFolder,
    /// It should be a plain file.
    NotAFile,
    /// It belongs to somebody else: who it is, and who was expected.
    Owner {
        /// Number of the user it belongs to.
        owner: u32,
        /// Number of the user of this process.
        user: u32,
    },
    /// Its permissions are not those of a private folder or file.
    Mode {
        /// The permissions it has.
        mode: u32,
        /// The permissions it must have.
        wanted: u32,
    },
    /// It is above `TROUPE_HOME`, and others may rename what is in it.
    WritableByOthers {
        /// The permissions it has.
        mode: u32,
    },
    /// It is on a file system of this kind, whose locks say nothing about processes elsewhere.
    Network(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SymbolicLink => f.write_str("is a symbolic link"),
            Self::NotAFolder => f.write_str("is not a folder"),
            Self::NotAFile => f.write_str("is not a plain file"),
            Self::Owner { owner, user } => {
                write!(f, "belongs to user {owner}, and this process runs as user {user}")
            }
            Self::Mode { mode, wanted } => {
                write!(f, "has mode {mode:04o} where only {wanted:04o} keeps others out")
            }
            Self::WritableByOthers { mode } => {
                write!(f, "can be written to by others (mode {mode:04o}), who could replace what is in it")
            }
            Self::Network(kind) => write!(f, "is on a network file system ({kind})"),
        }
    }
}

/// What a path below `TROUPE_HOME` has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    File,
}

/// Looks at a path of the zone without following it. The system's error of kind `NotFound` when nothing is there.
pub(super) fn check(path: &Path, kind: Kind) -> Result<Metadata, DiscoveryError> {
    let found = fs::symlink_metadata(path).map_err(DiscoveryError::on("look at", path))?;
    match own_fault(&Facts::of(&found), kind, user()) {
        Some(fault) => Err(refuse(path, fault)),
        None => Ok(found),
    }
}

/// Makes a folder of the zone unless it is there, and checks it.
pub(super) fn folder(path: &Path) -> Result<(), DiscoveryError> {
    make(path)?;
    check(path, Kind::Folder)?;
    local(path)
}

/// Makes `TROUPE_HOME` unless it is there, checks it and all that is above it, and returns it without links.
pub(super) fn home(asked: &Path) -> Result<PathBuf, DiscoveryError> {
    let asked = std::path::absolute(asked).map_err(DiscoveryError::on("find", asked))?;
    let home = loop {
        match walk(&asked, user())? {
            Walk::There(home) => break home,
            Walk::Missing(path) => make(&path)?,
        }
    };
    check(&home, Kind::Folder)?;
    local(&home)?;
    Ok(home)
}

/// A path as one word of a shell command.
pub(super) fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn make(folder: &Path) -> Result<(), DiscoveryError> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(DiscoveryError::on(MAKE, folder)(error))
        }
        _ => Ok(()),
    }
}

enum Walk {
    There(PathBuf),
    /// The first folder that is not there.
    Missing(PathBuf),
}

/// Goes down an absolute path as the kernel would, checking each folder and link above its end.
fn walk(path: &Path, user: u32) -> Result<Walk, DiscoveryError> {
    let mut at = PathBuf::from("/");
    let mut rest = reversed(path);
    let mut links = 0;
    check_above(&at, user)?;
    while let Some(name) = rest.pop() {
        if name == ".." {
            at.pop();
            continue;
        }
        let next = at.join(name);
        let found = match fs::symlink_metadata(&next) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Walk::Missing(next)),
            Err(error) => return Err(DiscoveryError::on("look at", next)(error)),
        };
        if rest.is_empty() {
            if found.is_symlink() {
                return Err(refuse_linked_home(&next));
            }
            return Ok(Walk::There(next));
        }
        if found.is_symlink() {
            links += 1;
            let target = if links > LINKS {
                Err(io::Error::from(rustix::io::Errno::LOOP))
            } else {
                fs::read_link(&next)
            };
            let target = target.map_err(DiscoveryError::on("follow", &*next))?;
            // A link's mode means nothing; who owns it may turn it elsewhere.
            if let Some(fault) = owner_above_fault(found.uid(), user) {
                return Err(refuse(&next, fault));
            }
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            rest.extend(reversed(&target));
            continue;
        }
        check_above(&next, user)?;
        at = next;
    }
    Ok(Walk::There(at))
}

/// The names in a path, last first, without `.` and the root.
fn reversed(path: &Path) -> Vec<OsString> {
    path.components()
        .rev()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| OsStr::to_owned(part.as_os_str()))
        .collect()
}

fn check_above(path: &Path, user: u32) -> Result<(), DiscoveryError> {
    let found = fs::symlink_metadata(path).map_err(DiscoveryError::on("look at", path))?;
    above_fault(&Facts::of(&found), user).map_or(Ok(()), |fault| Err(refuse(path, fault)))
}

/// What the rules look at.
struct Facts {
    owner: u32,
    mode: u32,
    folder: bool,
    file: bool,
    link: bool,
}

impl Facts {
    fn of(found: &Metadata) -> Self {
        Self {
            owner: found.uid(),
            mode: found.mode() & 0o7777,
            folder: found.is_dir(),
            file: found.is_file(),
            link: found.is_symlink(),
        }
    }
}

/// The rule for `TROUPE_HOME` and all below it.
fn own_fault(facts: &Facts, kind: Kind, user: u32) -> Option<Fault> {
    let wanted = match kind {
        Kind::Folder => 0o700,
        Kind::File => 0o600,
    };
    if facts.link {
        Some(Fault::SymbolicLink)
    } else if kind == Kind::Folder && !facts.folder {
        Some(Fault::NotAFolder)
    } else if kind == Kind::File && !facts.file {
        Some(Fault::NotAFile)
    } else if facts.owner != user {
        Some(Fault::Owner { owner: facts.owner, user })
    } else if facts.mode & 0o777 != wanted {
        Some(Fault::Mode { mode: facts.mode, wanted })
    } else {
        None
    }
}

/// The rule for what is above: nobody but root and the user may put another folder in the place of the next one.
fn above_fault(facts: &Facts, user: u32) -> Option<Fault> {
    let sticky = facts.mode & 0o1000 != 0;
    if !facts.folder {
        Some(Fault::NotAFolder)
    } else if facts.mode & 0o022 != 0 && !sticky {
        Some(Fault::WritableByOthers { mode: facts.mode })
    } else {
        owner_above_fault(facts.owner, user)
    }
}

fn owner_above_fault(owner: u32, user: u32) -> Option<Fault> {
    (owner != user && owner != 0).then_some(Fault::Owner { owner, user })
}

fn refuse(path: &Path, fault: Fault) -> DiscoveryError {
    let name = quoted(path);
    let mend = match fault {
        Fault::SymbolicLink => format!("remove it: rm {name}"),
        Fault::NotAFolder | Fault::NotAFile => format!("put it elsewhere: mv {name} {name}.old"),
        Fault::Owner { user, .. } => format!(
            "set TROUPE_HOME to a folder of your own, or, if this one is to be yours: sudo chown {user} {name}"
        ),
        // One for everybody, as /tmp is: closed, it would be in the way of all others.
        Fault::Mode { mode, .. } if mode & 0o1000 != 0 => {
            format!("set TROUPE_HOME to a folder of your own, such as {name}/troupe")
        }
        Fault::Mode { wanted, .. } => format!("close it: chmod {wanted:o} {name}"),
        Fault::WritableByOthers { .. } => format!("close it: chmod go-w {name}"),
        Fault::Network(_) => {
            "choose a folder on a local disk: export TROUPE_HOME=/path/to/a/folder".to_owned()
        }
    };
    Untrusted { path: path.to_owned(), fault, mend }.into()
}

fn refuse_linked_home(path: &Path) -> DiscoveryError {
    let target = fs::canonicalize(path).unwrap_or_else(|_| PathBuf::from("/path/to/a/folder"));
    let mend = format!("name the folder itself: export TROUPE_HOME={}", quoted(&target));
    Untrusted { path: path.to_owned(), fault: Fault::SymbolicLink, mend }.into()
}

fn local(path: &Path) -> Result<(), DiscoveryError> {
    let kind = network::kind_of(path).map_err(DiscoveryError::on("look at the file system of", path))?;
    kind.map_or(Ok(()), |kind| Err(refuse(path, Fault::Network(kind))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: u32 = 1000;

    fn folder_of(owner: u32, mode: u32) -> Facts {
        Facts { owner, mode, folder: true, file: false, link: false }
    }

    #[test]
    fn a_folder_above_may_be_roots_or_the_users_and_closed_or_sticky() {
        assert_eq!(above_fault(&folder_of(0, 0o755), ME), None);
        assert_eq!(above_fault(&folder_of(ME, 0o750), ME), None);
        assert_eq!(above_fault(&folder_of(0, 0o1777), ME), None);
    }

    #[test]
    fn a_folder_above_that_others_could_change_is_refused() {
        let others = [folder_of(0, 0o757), folder_of(ME, 0o775)];
        for facts in others {
            assert_eq!(above_fault(&facts, ME), Some(Fault::WritableByOthers { mode: facts.mode }));
        }
        let owner = Some(Fault::Owner { owner: 7, user: ME });
        assert_eq!(above_fault(&folder_of(7, 0o755), ME), owner);
        assert_eq!(above_fault(&folder_of(7, 0o1777), ME), owner);
    }

    #[test]
    fn the_zones_own_folders_belong_to_the_user_alone_even_where_root_would_do() {
        assert_eq!(own_fault(&folder_of(ME, 0o700), Kind::Folder, ME), None);
        assert_eq!(own_fault(&folder_of(ME, 0o2700), Kind::Folder, ME), None);
        let fault = own_fault(&folder_of(0, 0o700), Kind::Folder, ME);
        assert_eq!(fault, Some(Fault::Owner { owner: 0, user: ME }));
        let fault = own_fault(&folder_of(ME, 0o750), Kind::Folder, ME);
        assert_eq!(fault, Some(Fault::Mode { mode: 0o750, wanted: 0o700 }));
    }

    #[test]
    fn a_path_in_a_command_is_one_word_whatever_is_in_it() {
        assert_eq!(quoted(Path::new("/a b/it's")), r"'/a b/it'\''s'");
    }
}
