//! Takes a stream of bytes apart into lines, each bounded, and keeps within a rate. No clock and no stream: bytes and
//! moments come in, texts go out.

use std::fmt::Write;
use std::time::{Duration, Instant};

/// A line's text is no longer, with what is said about the rest.
pub const LONGEST_LINE: usize = 64 * 1024;

/// Room for the words about what was cut.
const NOTE: usize = 64;

/// The line that is being read. Its beginning is kept; of what is beyond the bound only the length.
#[derive(Debug, Default)]
pub struct Splitter {
    begun: Vec<u8>,
    beyond: u64,
}

impl Splitter {
    /// Takes in what was read; `each` gets the text of every line that ends in it.
    pub fn push(&mut self, mut bytes: &[u8], mut each: impl FnMut(String)) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.keep(&bytes[..end]);
            each(self.take());
            bytes = &bytes[end + 1..];
        }
        self.keep(bytes);
    }

    /// The line that nothing ended, at the end of the stream.
    pub fn finish(&mut self) -> Option<String> {
        (!self.begun.is_empty()).then(|| self.take())
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LONGEST_LINE - self.begun.len();
        let (kept, beyond) = bytes.split_at(room.min(bytes.len()));
        self.begun.extend_from_slice(kept);
        self.beyond += beyond.len() as u64;
    }

    fn take(&mut self) -> String {
        let beyond = std::mem::take(&mut self.beyond);
        let line = self.begun.strip_suffix(b"\r").filter(|_| beyond == 0).unwrap_or(&self.begun);
        let text = text_of(line, beyond);
        self.begun.clear();
        text
    }
}

/// The text of a line: what is no UTF-8 becomes U+FFFD; what is too long is cut, and the text says by how much.
fn text_of(line: &[u8], beyond: u64) -> String {
    if let (0, Ok(text)) = (beyond, std::str::from_utf8(line)) {
        return text.to_owned();
    }
    let mut text = String::new();
    let mut taken = 0;
    // Each byte that is replaced takes three: the bound is one of the text.
    'all: for chunk in line.utf8_chunks() {
        for character in chunk.valid().chars() {
            if text.len() + character.len_utf8() > LONGEST_LINE - NOTE {
                break 'all;
            }
            text.push(character);
            taken += character.len_utf8();
        }
        if !chunk.invalid().is_empty() {
            if text.len() + char::REPLACEMENT_CHARACTER.len_utf8() > LONGEST_LINE - NOTE {
                break;
            }
            text.push(char::REPLACEMENT_CHARACTER);
            taken += chunk.invalid().len();
        }
    }
    let cut = beyond + (line.len() - taken) as u64;
    if cut > 0 {
        // Writing to a string does not fail.
        let _ = write!(text, " … (cut here, {cut} more bytes)");
    }
    text
}

/// What one stream may add to the history at once: half of what the history keeps in memory, so that one container
/// that shouts does not push out what all others said.
const BURST: u64 = 4 * 1024 * 1024;

/// … and in the long run, bytes a second.
const RATE: u64 = 1024 * 1024;

/// What a short line takes besides its text.
const EACH: usize = 256;

/// Lets through as much as the history can take of one stream, and counts the rest.
#[derive(Debug)]
pub struct Rate {
    /// Bytes that may still come now.
    left: u64,
    seen: Instant,
    lines: u64,
    bytes: u64,
}

impl Rate {
    /// Of a stream that begins now.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { left: BURST, seen: now, lines: 0, bytes: 0 }
    }

    /// Whether a line may come now; if not, it is counted.
    pub fn admits(&mut self, text: &str, now: Instant) -> bool {
        // In whole milliseconds, of which none is lost.
        let passed = now.saturating_duration_since(self.seen).as_millis() as u64;
        self.seen += Duration::from_millis(passed);
        self.left = self.left.saturating_add(passed.saturating_mul(RATE) / 1000).min(BURST);
        let cost = (text.len() + EACH) as u64;
        // After a gap the next lines come in one piece, so that gaps are few.
        let needed = if self.lines > 0 { RATE } else { cost };
        if self.left < needed {
            self.lines += 1;
            self.bytes += text.len() as u64 + 1;
            return false;
        }
        self.left -= cost;
        true
    }

    /// Whether lines were dropped that nobody has been told of.
    #[must_use]
    pub fn has_dropped(&self) -> bool {
        self.lines > 0
    }

    /// The words about what was dropped since the last time; from here on the count begins anew.
    pub fn dropped(&mut self) -> Option<String> {
        let (lines, bytes) = (std::mem::take(&mut self.lines), std::mem::take(&mut self.bytes));
        let rate = RATE / 1024 / 1024;
        (lines > 0).then(|| {
            format!(
                "{lines} lines ({bytes} bytes) were dropped here: they came faster than {rate} MiB a second"
            )
        })
    }
}

/// How long after the last read the words about dropped lines come, if no other line does.
pub const QUIET: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let (mut splitter, mut lines) = (Splitter::default(), Vec::new());
        for piece in pieces {
            splitter.push(piece, |line| lines.push(line));
        }
        lines.extend(splitter.finish());
        lines
    }

    #[test]
    fn lines_are_the_same_however_the_bytes_come() {
        let text = "one\r\n\nthree, gr\u{fc}n\nfour".as_bytes();
        let expected = ["one", "", "three, gr\u{fc}n", "four"];
        assert_eq!(lines(&[text]), expected);
        let single: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(lines(&single), expected);
    }

    #[test]
    fn a_line_of_a_megabyte_is_cut_and_says_by_how_much() {
        let long = vec![b'x'; 1_000_000];
        let found = lines(&[&long, b"\nnext\n"]);
        let kept = LONGEST_LINE - NOTE;
        let expected = format!("{} … (cut here, {} more bytes)", "x".repeat(kept), 1_000_000 - kept);
        assert!(found[0] == expected, "{}", &found[0][kept - 5..]);
        assert!(found[0].len() <= LONGEST_LINE);
        assert_eq!(found[1], "next");
    }

    #[test]
    fn a_line_of_just_the_bound_is_whole() {
        let long = "y".repeat(LONGEST_LINE);
        assert!(lines(&[long.as_bytes(), b"\n"]) == [long]);
    }

    #[test]
    fn a_cut_falls_between_characters() {
        let long = "\u{20ac}".repeat(400_000);
        let found = lines(&[long.as_bytes()]);
        let kept = found[0].chars().filter(|c| *c == '\u{20ac}').count();
        assert!(found[0].ends_with(&format!(" … (cut here, {} more bytes)", (400_000 - kept) * 3)));
        assert!(!found[0].contains(char::REPLACEMENT_CHARACTER));
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced_within_the_bound() {
        assert_eq!(lines(&[b"a\xff\xfeb\xe2\x82\n"]), ["a\u{fffd}\u{fffd}b\u{fffd}"]);
        let found = lines(&[&vec![0xff; 60_000], b"\n"]);
        assert!(found[0].len() <= LONGEST_LINE, "{}", found[0].len());
        let kept = found[0].matches(char::REPLACEMENT_CHARACTER).count();
        assert!(found[0].ends_with(&format!("(cut here, {} more bytes)", 60_000 - kept)));
    }

    #[test]
    fn a_stream_without_line_ends_takes_no_more_memory_than_a_line() {
        let mut splitter = Splitter::default();
        for _ in 0..1000 {
            splitter.push(&[b'z'; 4096], |_| unreachable!());
        }
        assert!(splitter.begun.capacity() <= 2 * LONGEST_LINE, "{}", splitter.begun.capacity());
        assert!(splitter.finish().is_some_and(|line| line.len() <= LONGEST_LINE));
    }

    #[test]
    fn what_comes_too_fast_is_dropped_and_counted_and_what_comes_later_is_kept() {
        let now = Instant::now();
        let mut rate = Rate::new(now);
        let line = "x".repeat(1024 - EACH);
        let admitted = (0..100_000).filter(|_| rate.admits(&line, now)).count();
        assert_eq!(admitted, 4096, "the burst");
        let dropped = 100_000 - 4096;
        assert!(!rate.admits(&line, now + Duration::from_millis(999)));
        assert!(rate.admits(&line, now + Duration::from_secs(2)), "the pause has given it room again");
        let said = rate.dropped().unwrap_or_default();
        let bytes = (dropped + 1) * (line.len() + 1);
        assert!(
            said.starts_with(&format!("{} lines ({bytes} bytes) were dropped here", dropped + 1)),
            "{said}"
        );
        assert_eq!(rate.dropped(), None);
    }
}
