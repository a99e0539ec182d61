//! The history on disk: JSON lines in files of a bounded size, of which the oldest go. Blocks; one thread writes.

use crate::line::Line;
use rustix::fs::OFlags;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Files kept.
pub const MOST_FILES: u64 = 8;

/// Bytes of a file after which the next one is begun.
pub const FULL: u64 = 8 * 1024 * 1024;

/// The files of one zone, `history-NUMBER.jsonl`, the highest number the newest.
#[derive(Debug)]
pub struct Files {
    folder: PathBuf,
    newest: u64,
    open: Option<(File, u64)>,
    full: u64,
}

impl Files {
    /// In a folder, which is made when it is not there (0700). What is in it stays and is gone on with.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let newest = numbers(folder)?.last().copied().unwrap_or(1);
        Ok(Self { folder: folder.to_owned(), newest, open: None, full: FULL })
    }

    /// Where they are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("history-{number:06}.jsonl"))
    }

    /// Appends whole lines. On an error nothing of them is in the file.
    pub fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.open.as_ref().is_some_and(|(_, length)| *length >= self.full) {
            self.rotate()?;
        }
        if self.open.is_none() {
            self.open = Some(open(&self.path(self.newest))?);
        }
        let Some((file, length)) = &mut self.open else { return Ok(()) };
        match file.write_all(lines) {
            Ok(()) => {
                *length += lines.len() as u64;
                Ok(())
            }
            Err(error) => {
                // What was written of it would be the beginning of the next line. If that fails too, the file is opened
                // anew, and its last line taken for what it is.
                let whole = *length;
                if file.set_len(whole).and_then(|()| file.seek(SeekFrom::Start(whole))).is_err() {
                    self.open = None;
                }
                Err(error)
            }
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        let next = open(&self.path(self.newest + 1))?;
        self.newest += 1;
        self.open = Some(next);
        for number in numbers(&self.folder)? {
            if number + MOST_FILES <= self.newest {
                fs::remove_file(self.path(number))?;
            }
        }
        Ok(())
    }

    /// The newest lines of the files, at most about so many bytes, oldest first. What can't be read is left out.
    pub fn tail(&self, bytes: u64) -> io::Result<Vec<Line>> {
        let mut left = bytes;
        let mut pieces = Vec::new();
        for number in numbers(&self.folder)?.into_iter().rev() {
            let mut file = read(&self.path(number))?;
            let length = file.metadata()?.len();
            let from = length.saturating_sub(left);
            let mut piece = Vec::new();
            file.seek(SeekFrom::Start(from))?;
            file.take(left).read_to_end(&mut piece)?;
            pieces.push(piece);
            left -= length.min(left);
            if left == 0 {
                break;
            }
        }
        let lines = pieces.iter().rev().flat_map(|piece| piece.split(|byte| *byte == b'\n'));
        Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
    }
}

/// Nobody else's link is followed.
const FLAGS: OFlags = OFlags::NOFOLLOW;

fn read(path: &Path) -> io::Result<File> {
    // What is there may be no file: it is not waited for.
    OpenOptions::new().read(true).custom_flags((FLAGS | OFlags::NONBLOCK).bits().cast_signed()).open(path)
}

/// Opens a file to go on with it, and its length. A line that was cut by the end of its writer is ended.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let mut options = OpenOptions::new();
    let mut file = options
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(FLAGS.bits().cast_signed())
        .open(path)?;
    let mut length = file.metadata()?.len();
    if length > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
            length += 1;
        }
    }
    Ok((file, length))
}

/// The numbers of the files that are there, ascending.
fn numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("history-")?.strip_suffix(".jsonl"));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Level;
    use std::os::unix::fs::PermissionsExt;

    /// A folder that goes with its test.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let name = format!("troupe-history-{:016x}", getrandom::u64().unwrap());
            Self(std::env::temp_dir().join(name))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn json(message: &str) -> Vec<u8> {
        let line = Line::now("runner", Level::Info, "stdout", message.to_owned());
        let mut json = serde_json::to_vec(&line).unwrap();
        json.push(b'\n');
        json
    }

    fn messages(files: &Files, bytes: u64) -> Vec<String> {
        files.tail(bytes).unwrap().into_iter().map(|line| line.message).collect()
    }

    #[test]
    fn eight_files_are_kept_and_nobody_else_can_read_them() {
        let folder = Folder::new();
        let mut files = Files::open(&folder.0).unwrap();
        files.full = json("0").len() as u64 * 10;
        for n in 0..105 {
            files.append(&json(&(n % 10).to_string())).unwrap();
        }
        assert_eq!(numbers(&folder.0).unwrap(), [4, 5, 6, 7, 8, 9, 10, 11]);
        assert_eq!(fs::metadata(files.path(11)).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&folder.0).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(messages(&files, u64::MAX).len(), 75, "seven full ones and one with five lines");
    }

    #[test]
    fn the_next_supervisor_goes_on_where_the_last_one_stopped_even_in_the_middle_of_a_line() {
        let folder = Folder::new();
        let mut files = Files::open(&folder.0).unwrap();
        files.append(&[json("one"), json("two")].concat()).unwrap();
        files.append(&json("three")[..20]).unwrap();
        let mut files = Files::open(&folder.0).unwrap();
        assert_eq!(messages(&files, u64::MAX), ["one", "two"]);
        files.append(&json("four")).unwrap();
        assert_eq!(messages(&files, u64::MAX), ["one", "two", "four"]);
        assert_eq!(messages(&files, json("four").len() as u64 + 10), ["four"], "the newest come first");
    }
}
