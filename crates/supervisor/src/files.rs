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
        path_in(&self.folder, number)
    }

    /// Appends whole lines; returns where the first of them is. On an error nothing of them is in the file.
    pub fn append(&mut self, lines: &[u8]) -> io::Result<Place> {
        if self.open.as_ref().is_some_and(|(_, length)| *length >= self.full) {
            self.rotate()?;
        }
        if self.open.is_none() {
            self.open = Some(open(&self.path(self.newest))?);
        }
        let Some((file, length)) = &mut self.open else { return Err(io::ErrorKind::NotFound.into()) };
        match file.write_all(lines) {
            Ok(()) => {
                let place = Place { file: self.newest, offset: *length };
                *length += lines.len() as u64;
                Ok(place)
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

    /// Where the next line goes.
    pub fn end(&self) -> io::Result<Place> {
        let length = match &self.open {
            Some((_, length)) => *length,
            None => length(&self.path(self.newest))?,
        };
        Ok(Place { file: self.newest, offset: length })
    }

    /// The newest lines of the files with their places, at most so many bytes of them, oldest first. What can't be read is
    /// left out.
    pub fn tail(&self, bytes: u64) -> io::Result<Vec<(Place, Line)>> {
        let mut lines = Vec::new();
        let mut back = Backwards::new(&self.folder, self.end()?);
        let mut left = bytes;
        while let Some((place, line)) = back.line()? {
            let Some(rest) = left.checked_sub(line.len() as u64 + 1) else { break };
            left = rest;
            lines.extend(serde_json::from_slice(&line).ok().map(|line| (place, line)));
        }
        lines.reverse();
        Ok(lines)
    }
}

/// Where a line is in the files of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The number of its file.
    pub file: u64,
    /// Its first byte there.
    pub offset: u64,
}

/// Bytes read at once on the way back: what a reader of a few lines costs.
const PIECE: u64 = 64 * 1024;

/// Reads the lines of a history from a place back to the oldest. Another may append, and begin new files, meanwhile.
#[derive(Debug)]
pub struct Backwards {
    folder: PathBuf,
    file: Option<File>,
    place: Place,
    /// What has been read of the file and not been handed out: it ends at `place`.
    piece: Vec<u8>,
    /// Bytes read so far.
    pub read: u64,
}

impl Backwards {
    /// Begins in front of a place.
    #[must_use]
    pub fn new(folder: &Path, place: Place) -> Self {
        Self { folder: folder.to_owned(), file: None, place, piece: Vec::new(), read: 0 }
    }

    /// Where the line begins that was handed out last: in front of it is what has not been.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// The line in front, with its place; `None`: there is none. It may be none in the history's form.
    pub fn line(&mut self) -> io::Result<Option<(Place, Vec<u8>)>> {
        while self.place.offset == 0 {
            let older = numbers(&self.folder)?.into_iter().rfind(|number| *number < self.place.file);
            let Some(file) = older else { return Ok(None) };
            let opened = read(&path_in(&self.folder, file))?;
            self.place = Place { file, offset: opened.metadata()?.len() };
            self.file = Some(opened);
            self.piece.clear();
        }
        let mut file = match self.file.take() {
            Some(file) => file,
            None => match read(&path_in(&self.folder, self.place.file)) {
                // It was the oldest, and has gone meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                opened => opened?,
            },
        };
        loop {
            let text = self.piece.strip_suffix(b"\n").unwrap_or(&self.piece);
            let begun = text.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
            let from = self.place.offset - self.piece.len() as u64;
            // The beginning of the piece is that of a line only in front of everything.
            if let Some(at) = begun.or((from == 0).then_some(0)) {
                let line = text[at..].to_owned();
                self.piece.truncate(at);
                self.place.offset = from + at as u64;
                self.file = Some(file);
                return Ok(Some((self.place, line)));
            }
            let more = PIECE.min(from);
            let mut piece = Vec::new();
            file.seek(SeekFrom::Start(from - more))?;
            Read::by_ref(&mut file).take(more).read_to_end(&mut piece)?;
            if piece.len() as u64 != more {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file has become shorter"));
            }
            self.read += more;
            piece.append(&mut self.piece);
            self.piece = piece;
        }
    }
}

fn path_in(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("history-{number:06}.jsonl"))
}

/// The length of a file; 0 when it is not there.
fn length(path: &Path) -> io::Result<u64> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        found => Ok(found?.len()),
    }
}

/// Nobody else's link is followed.
pub(crate) const FLAGS: OFlags = OFlags::NOFOLLOW;

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
        files.tail(bytes).unwrap().into_iter().map(|(_, line)| line.message).collect()
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

    /// The messages in front of a place, newest first, at most so many.
    fn back(back: &mut Backwards, most: usize) -> Vec<String> {
        let lines = std::iter::from_fn(|| back.line().unwrap());
        let message = |(_, line): (Place, Vec<u8>)| serde_json::from_slice::<Line>(&line).unwrap().message;
        lines.take(most).map(message).collect()
    }

    #[test]
    fn the_newest_lines_of_a_long_history_are_read_without_the_rest() {
        let folder = Folder::new();
        let mut files = Files::open(&folder.0).unwrap();
        let lines: Vec<u8> = (0..1000).flat_map(|_| json(&"x".repeat(900))).collect();
        for _ in 0..20 {
            files.append(&lines).unwrap();
        }
        for message in ["one", "two"] {
            files.append(&json(message)).unwrap();
        }
        let mut newest = Backwards::new(&folder.0, files.end().unwrap());
        assert_eq!(back(&mut newest, 2), ["two", "one"]);
        assert_eq!(newest.read, PIECE, "of {} bytes", 20 * lines.len());
        assert_eq!(back(&mut newest, usize::MAX).len(), 20_000);
    }

    #[test]
    fn a_reader_on_its_way_back_is_not_disturbed_by_new_files_and_ends_where_old_ones_have_gone() {
        let folder = Folder::new();
        let mut files = Files::open(&folder.0).unwrap();
        files.full = json("0").len() as u64 * 3;
        for n in 0..9 {
            files.append(&json(&n.to_string())).unwrap();
        }
        let mut reader = Backwards::new(&folder.0, files.end().unwrap());
        assert_eq!(back(&mut reader, 2), ["8", "7"]);
        let mut resumed = Backwards::new(&folder.0, reader.place());
        // Two of the three files go meanwhile.
        for n in 0..21 {
            files.append(&json(&(n % 10).to_string())).unwrap();
        }
        assert_eq!(numbers(&folder.0).unwrap()[0], 3);
        assert_eq!(back(&mut reader, usize::MAX), ["6"]);
        assert_eq!(back(&mut resumed, usize::MAX), ["6"]);
    }

    #[test]
    fn a_line_longer_than_what_is_read_at_once_is_whole() {
        let folder = Folder::new();
        let mut files = Files::open(&folder.0).unwrap();
        let long = "y".repeat(3 * PIECE as usize + 7);
        for message in ["one", &long, "two"] {
            files.append(&json(message)).unwrap();
        }
        let mut reader = Backwards::new(&folder.0, files.end().unwrap());
        assert!(back(&mut reader, 9) == ["two", &long, "one"]);
    }
}
