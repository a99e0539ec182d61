//! What the supervisor says of itself and of its containers, as text for people: `supervisor.log`. It is the supervisor's
//! standard error as well, so that what ends it is in there even when it could tell nobody. Blocks; one thread writes.

use crate::files::FLAGS;
use crate::line::Line;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// Bytes of the file after which the next one is begun; the one before is kept as `supervisor.log.1`.
const FULL: u64 = 1024 * 1024;

/// The log of the supervisor of one zone.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    length: u64,
    full: u64,
    is_stderr: bool,
}

impl Journal {
    /// In the folder of the history, which is there. What is in the file stays and is gone on with.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join("supervisor.log");
        let (file, length) = open(&path)?;
        Ok(Self { path, file, length, full: FULL, is_stderr: false })
    }

    /// From here on what the process writes to standard error goes into it.
    pub fn become_stderr(&mut self) -> io::Result<()> {
        rustix::stdio::dup2_stderr(&self.file)?;
        self.is_stderr = true;
        Ok(())
    }

    /// Appends a line of the history.
    pub fn write(&mut self, line: &Line) -> io::Result<()> {
        if self.length >= self.full {
            self.rotate()?;
        }
        let time = humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(line.time));
        let Line { node, name, message, .. } = line;
        let level = line.level.name();
        // What it says of containers needs no name.
        let part = if name == "supervisor" { String::new() } else { format!("{name}: ") };
        // More lines of a message are set off, so that each line that begins with a time is one of the log.
        let text = format!("{time} {level:5} {node} {part}{}\n", message.replace('\n', "\n  "));
        self.file.write_all(text.as_bytes())?;
        self.length += text.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        fs::rename(&self.path, self.path.with_extension("log.1"))?;
        (self.file, self.length) = open(&self.path)?;
        if self.is_stderr {
            self.become_stderr()?;
        }
        Ok(())
    }
}

/// Opens the file to append to it, and its length.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let flags = FLAGS.bits().cast_signed();
    let file = OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(flags).open(path)?;
    let length = file.metadata()?.len();
    Ok((file, length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Level;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_said_can_be_read_by_its_user_with_the_time_and_one_older_file_is_kept() {
        let folder = std::env::temp_dir().join(format!("troupe-journal-{:016x}", getrandom::u64().unwrap()));
        fs::create_dir(&folder).unwrap();
        let mut journal = Journal::open(&folder).unwrap();
        journal.full = 100;
        let line = |message: &str| {
            let mut line = Line::now("api", Level::Warn, "supervisor", message.to_owned());
            line.time = 1_795_653_296_123;
            line
        };
        journal.write(&line("first\nand more")).unwrap();
        let path = folder.join("supervisor.log");
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "2026-11-26T00:34:56.123Z warn  api first\n  and more\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        // The next supervisor goes on with it.
        let mut journal = Journal::open(&folder).unwrap();
        journal.full = 100;
        for message in ["second", "third", "fourth", "fifth"] {
            journal.write(&line(message)).unwrap();
        }
        let said = |name: &str| {
            let text = fs::read_to_string(folder.join(name)).unwrap();
            text.lines().filter_map(|line| line.split("api ").nth(1)).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(said("supervisor.log.1"), ["first", "second", "third"]);
        assert_eq!(said("supervisor.log"), ["fourth", "fifth"]);
        fs::remove_dir_all(folder).unwrap();
    }
}
