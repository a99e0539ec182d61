//! The folder of records: one file for each live node, `NAME.node`.
//!
//! A record appears by a rename that replaces nothing, whole and already locked by its node, and stays locked until the
//! node ends. One whose lock is free is therefore of a dead node. It goes under the zone's lock, so that what is removed
//! is what was looked at, never the record of the next node of that name.

use std::{
    collections::HashSet,
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::Errno,
};
use troupe_proto::address::check_name;

use super::{
    AnnounceError, DiscoveryError, Holder, Member,
    lock::{self, ZoneLock},
    record::{Machine, READ_AT_MOST, Record},
    trust::{self, Kind},
};

const SUFFIX: &str = ".node";

/// How often a node tries to put its record in place. Each failure means that another process was in between, which
/// takes a start or a look at the very same moment.
const ATTEMPTS: u32 = 100;

/// The records of one zone.
#[derive(Debug)]
pub(super) struct Records {
    zone: PathBuf,
    /// The records of live nodes.
    nodes: PathBuf,
    /// Where a record is written before it is put in place; apart, so that nobody who watches is woken by it.
    drafts: PathBuf,
    pub(super) machine: Machine,
    /// What the last look passed over, so that each file is told of once.
    skipped: Mutex<HashSet<OsString>>,
}

/// What one file in the folder turned out to be.
enum Found {
    Live(Record),
    /// A live node's, or nobody's, but no member; and why, as the end of a sentence.
    Skipped(String),
    Gone,
}

impl Records {
    /// Makes the folders unless they are there.
    pub(super) fn open(zone: &Path) -> Result<Self, DiscoveryError> {
        let (nodes, drafts) = (zone.join("nodes"), zone.join("drafts"));
        trust::folder(&nodes)?;
        trust::folder(&drafts)?;
        let machine = Machine::here();
        Ok(Self { zone: zone.to_owned(), nodes, drafts, machine, skipped: Mutex::default() })
    }

    /// The folder to watch.
    pub(super) fn folder(&self) -> &Path {
        &self.nodes
    }

    /// The live members, sorted by name. Removes the records of dead nodes on the way.
    pub(super) fn scan(&self) -> Result<Vec<Member>, DiscoveryError> {
        let failed = || DiscoveryError::on("list", &*self.nodes);
        let mut members = Vec::new();
        let mut skipped = Vec::new();
        for entry in fs::read_dir(&self.nodes).map_err(failed())? {
            let file = entry.map_err(failed())?.file_name();
            match self.look(&file)? {
                Found::Live(record) => members.push(record.member),
                Found::Skipped(why) => skipped.push((file, why)),
                Found::Gone => {}
            }
        }
        self.warn(skipped);
        members.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(members)
    }

    /// Logs the files that the look before did not have to pass over.
    fn warn(&self, skipped: Vec<(OsString, String)>) {
        let mut known = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        for (file, why) in &skipped {
            if !known.contains(file) {
                log::warn!(target: "zone", "{} {why}; it is not counted as a member", self.nodes.join(file).display());
            }
        }
        *known = skipped.into_iter().map(|(file, _)| file).collect();
    }

    /// A failure of the system is one of the whole look: a member that could not be read must not seem to be dead.
    fn look(&self, file: &OsStr) -> Result<Found, DiscoveryError> {
        let Some(name) =
            file.to_str().and_then(|file| file.strip_suffix(SUFFIX)).filter(|name| check_name(name).is_ok())
        else {
            return Ok(Found::Skipped("is not named like a node's record".to_owned()));
        };
        let path = self.nodes.join(file);
        let mut opened = match open_record(&path) {
            Ok(Some(opened)) => opened,
            Ok(None) => return Ok(Found::Gone),
            Err(DiscoveryError::Untrusted(untrusted)) => {
                return Ok(Found::Skipped(format!("{}; {}", untrusted.fault, untrusted.mend)));
            }
            Err(error) => return Err(error),
        };
        if !lock::is_held(&opened).map_err(DiscoveryError::on("look at the lock of", &*path))? {
            // Whoever has the zone's lock just now may be removing this very record; if not, the next look will.
            if let Some(lock) = ZoneLock::attempt(&self.zone)? {
                remove_dead(&path, &opened, &lock)?;
            }
            return Ok(Found::Gone);
        }
        Ok(match read(&mut opened).map_err(DiscoveryError::on("read", &*path))? {
            Ok(record) if record.member.name != name => {
                Found::Skipped("is the record of another name".to_owned())
            }
            Ok(record) => match record.machine.foreign_to(&self.machine) {
                Some(why) => Found::Skipped(why.to_owned()),
                None => Found::Live(record),
            },
            Err(why) => Found::Skipped(why.to_owned()),
        })
    }

    /// Puts a record in place and returns it with the file that holds it: while that is open, the node lives.
    /// `zone` is for the error.
    pub(super) fn claim(&self, record: &Record, zone: &str) -> Result<(PathBuf, File), AnnounceError> {
        self.remove_old_drafts()?;
        let name = &record.member.name;
        let path = self.nodes.join(format!("{name}{SUFFIX}"));
        let mut last = io::Error::from(ErrorKind::AlreadyExists);
        for _ in 0..ATTEMPTS {
            let draft = self.drafts.join(format!("{:016x}", getrandom::u64().unwrap_or_default()));
            let file = match write_held(&draft, &record.encode()) {
                Ok(Some(file)) => file,
                Ok(None) => continue,
                Err(error) => {
                    let _ = fs::remove_file(&draft);
                    return Err(DiscoveryError::on("write", draft)(error).into());
                }
            };
            match publish(&draft, &path) {
                Ok(()) => return Ok((path, file)),
                Err(error) => last = error,
            }
            let _ = fs::remove_file(&draft);
            match last.kind() {
                ErrorKind::AlreadyExists => {
                    if let Some(holder) = self.make_room(&path)? {
                        return Err(AnnounceError::NameTaken {
                            name: name.clone(),
                            zone: zone.to_owned(),
                            holder,
                        });
                    }
                }
                // Somebody took the draft for one left behind, before it was locked.
                ErrorKind::NotFound => {}
                _ => break,
            }
        }
        Err(DiscoveryError::on("put in place", path)(last).into())
    }

    /// Removes the record of a dead node, or says who lives there.
    fn make_room(&self, path: &Path) -> Result<Option<Holder>, DiscoveryError> {
        let Some(mut opened) = open_record(path)? else {
            return Ok(None);
        };
        if lock::is_held(&opened).map_err(DiscoveryError::on("look at the lock of", path))? {
            let record = read(&mut opened).map_err(DiscoveryError::on("read", path))?;
            return Ok(Some(record.map_or(Holder::Unknown, |record| Holder::Node {
                process: record.process,
                address: record.member.address,
            })));
        }
        remove_dead(path, &opened, &ZoneLock::wait(&self.zone)?)?;
        Ok(None)
    }

    /// Removes what processes left behind that were killed while they announced themselves.
    fn remove_old_drafts(&self) -> Result<(), DiscoveryError> {
        for entry in fs::read_dir(&self.drafts).map_err(DiscoveryError::on("list", &*self.drafts))? {
            let path = entry.map_err(DiscoveryError::on("list", &*self.drafts))?.path();
            // What can't be opened or removed stays: it harms nobody.
            if let Ok(Some(draft)) = open_record(&path)
                && !lock::is_held(&draft).unwrap_or(true)
            {
                let _ = fs::remove_file(&path);
            }
        }
        Ok(())
    }
}

/// None when there is no such record.
fn open_record(path: &Path) -> Result<Option<File>, DiscoveryError> {
    let opened = trust::check(path, Kind::File)
        .and_then(|_| lock::open(path).map_err(DiscoveryError::on("open", path)));
    match opened {
        Ok(opened) => Ok(Some(opened)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes the record at `path` if it still is the file that was found dead.
fn remove_dead(path: &Path, dead: &File, _lock: &ZoneLock) -> Result<(), DiscoveryError> {
    let failed = || DiscoveryError::on("remove the record of a dead node", path);
    if is_at(dead, path).map_err(failed())? {
        fs::remove_file(path).map_err(failed())?;
        log::debug!(target: "zone", "removed {}, the record of a dead node", path.display());
    }
    Ok(())
}

/// Whether the open file is the one at the path.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let file = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(there) => Ok(there.ino() == file.ino() && there.dev() == file.dev()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes the record of this process' own node, and lets go of its lock.
#[expect(clippy::needless_pass_by_value, reason = "the lock goes with the file")]
pub(super) fn remove_own(held: File, path: &Path) {
    // Somebody may have removed the zone's folder, and another node have its name since.
    let removed = match is_at(&held, path) {
        Ok(true) => fs::remove_file(path),
        Ok(false) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = removed {
        // The lock is free from here on, so the next one who looks removes it.
        log::debug!(target: "zone", "left {} behind: {error}", path.display());
    }
}

fn read(file: &mut File) -> io::Result<Result<Record, &'static str>> {
    let mut bytes = Vec::with_capacity(256);
    file.take(READ_AT_MOST).read_to_end(&mut bytes)?;
    Ok(Record::decode(&bytes))
}

/// None when somebody was looking at the draft before its lock was taken.
fn write_held(draft: &Path, bytes: &[u8]) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    // Open for writing until the node ends: that the kernel closes such a file is an event to those who watch.
    options.write(true).create_new(true).mode(0o600).custom_flags(lock::flags());
    let mut file = match options.open(draft) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(None),
        opened => opened?,
    };
    if !lock::hold(&file)? {
        return Ok(None);
    }
    file.write_all(bytes)?;
    Ok(Some(file))
}

/// Moves a draft to its place unless something is there.
fn publish(draft: &Path, path: &Path) -> io::Result<()> {
    match renameat_with(CWD, draft, CWD, path, RenameFlags::NOREPLACE) {
        // A file system without such a rename.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => publish_by_link(draft, path),
        renamed => Ok(renamed?),
    }
}

/// As `publish`; but who watches is not told when the node dies, and sees it only at the next look.
fn publish_by_link(draft: &Path, path: &Path) -> io::Result<()> {
    fs::hard_link(draft, path)?;
    fs::remove_file(draft)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_the_place_of_a_dead_nodes_record_meanwhile_stays() {
        let name = format!("troupe-records-{:016x}", getrandom::u64().unwrap_or_default());
        let zone = std::env::temp_dir().join(name);
        trust::folder(&zone).unwrap();
        let path = zone.join("node.node");
        fs::write(&path, b"of the dead").unwrap();
        let dead = File::open(&path).unwrap();
        fs::write(zone.join("next"), b"of the next").unwrap();
        fs::rename(zone.join("next"), &path).unwrap();
        let lock = ZoneLock::wait(&zone).unwrap();
        remove_dead(&path, &dead, &lock).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"of the next");
        remove_dead(&path, &File::open(&path).unwrap(), &lock).unwrap();
        assert!(!path.exists());
        let _ = fs::remove_dir_all(zone);
    }
}
