//! Locks on the zone's files: `flock`, which the kernel frees when the last descriptor of an opening is closed, so also
//! when a process is killed.
//!
//! A node holds its record exclusively, and nobody else ever locks a record so: whoever wants to know whether it lives
//! tries a shared lock, and any number may try at once without taking each other for the node.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::{FlockOperation, OFlags, flock},
    io::Errno,
};

use super::{
    DiscoveryError,
    trust::{self, Kind},
};

/// How long anyone waits for the zone's lock. It is held for milliseconds: while a file is made or removed.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How the zone's files are opened: no link is followed, and a named pipe is not waited for.
pub(super) fn flags() -> i32 {
    (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed()
}

/// Opens a file of the zone for reading.
pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(flags()).open(path)
}

/// Takes the node's own lock on its record. False when somebody is just looking at it.
pub(super) fn hold(record: &File) -> io::Result<bool> {
    attempt(record, FlockOperation::NonBlockingLockExclusive)
}

/// Whether a live node holds this record. The look itself lasts until `record` is dropped.
pub(super) fn is_held(record: &File) -> io::Result<bool> {
    attempt(record, FlockOperation::NonBlockingLockShared).map(|taken| !taken)
}

fn attempt(file: &File, operation: FlockOperation) -> io::Result<bool> {
    loop {
        match flock(file, operation) {
            Ok(()) => return Ok(true),
            Err(Errno::WOULDBLOCK) => return Ok(false),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The lock on a zone's folder: whoever makes its keys or removes a dead node's record has it. Dropping frees it.
#[derive(Debug)]
pub(super) struct ZoneLock {
    _file: File,
}

impl ZoneLock {
    /// Waits for it, at most [`PATIENCE`].
    pub(super) fn wait(zone: &Path) -> Result<Self, DiscoveryError> {
        Self::wait_at_most(zone, PATIENCE)
    }

    fn wait_at_most(zone: &Path, patience: Duration) -> Result<Self, DiscoveryError> {
        let begin = Instant::now();
        loop {
            if let Some(lock) = Self::attempt(zone)? {
                return Ok(lock);
            }
            if begin.elapsed() > patience {
                return Err(DiscoveryError::Busy { path: path(zone) });
            }
            // A blocking flock knows no limit, and one suspended process would keep every other from starting.
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// None when another process has it.
    pub(super) fn attempt(zone: &Path) -> Result<Option<Self>, DiscoveryError> {
        let path = path(zone);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600).custom_flags(flags());
        let opened = options.open(&path);
        // The check comes first: it says what to do about a link, where opening only fails.
        trust::check(&path, Kind::File)?;
        let file = opened.map_err(DiscoveryError::on("open", &*path))?;
        let taken = attempt(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(DiscoveryError::on("lock", path))?;
        Ok(taken.then_some(Self { _file: file }))
    }
}

fn path(zone: &Path) -> PathBuf {
    zone.join("zone.lock")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_lock_that_another_keeps_is_waited_for_and_then_named() {
        let name = format!("troupe-lock-{:016x}", getrandom::u64().unwrap_or_default());
        let zone = std::env::temp_dir().join(name);
        assert!(trust::folder(&zone).is_ok());
        let kept = ZoneLock::wait(&zone);
        assert!(kept.is_ok());
        let refused = ZoneLock::wait_at_most(&zone, Duration::ZERO);
        assert!(
            matches!(&refused, Err(DiscoveryError::Busy { path }) if path.starts_with(&zone)),
            "{refused:?}"
        );
        thread::scope(|scope| {
            let waits = scope.spawn(|| ZoneLock::wait(&zone).is_ok());
            drop(kept);
            assert!(waits.join().is_ok_and(|taken| taken));
        });
        let _ = fs::remove_dir_all(zone);
    }

    #[test]
    fn a_link_in_place_of_a_file_is_not_followed_even_when_it_comes_after_the_look() {
        let name = format!("troupe-link-{:016x}", getrandom::u64().unwrap_or_default());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        let (file, link) = (folder.join("file"), folder.join("link"));
        fs::write(&file, b"of somebody else").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(open(&file).is_ok());
        assert!(open(&link).is_err());
        let _ = fs::remove_dir_all(folder);
    }

    #[test]
    fn a_pipe_in_place_of_a_file_keeps_nobody_waiting_for_its_other_end() {
        let name = format!("troupe-pipe-{:016x}", getrandom::u64().unwrap_or_default());
        let pipe = std::env::temp_dir().join(name);
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.is_ok_and(|status| status.success()));
        assert!(open(&pipe).is_ok(), "what it is, the look before told");
        let _ = fs::remove_file(pipe);
    }
}
