//! The trace that a message belongs to, in the form of W3C Trace Context, version 00.

use super::Extensions;
use std::fmt;

/// Characters of a `traceparent`.
const LENGTH: usize = 55;
/// Type and length in front of the text, as in [`Extensions`].
const HEAD: usize = 2;

/// A checked `traceparent`: `00-<trace: 32 hex digits>-<parent: 16>-<flags: 2>`, digits in lower case, neither number zero.
///
/// It is kept as the wire carries it, so that a message which is passed on copies 57 bytes and formats nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Traceparent([u8; HEAD + LENGTH]);

impl Traceparent {
    /// Bytes of its text.
    pub const LENGTH: usize = LENGTH;

    /// A text of version 00. `None` for anything else: it is ignored, as if the message belonged to no trace.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text: &[u8; LENGTH] = text.try_into().ok()?;
        let is_valid = text.starts_with(b"00-")
            && is_number(&text[3..35])
            && text[35] == b'-'
            && is_number(&text[36..52])
            && text[52] == b'-'
            && text[53..].iter().copied().all(is_digit);
        is_valid.then(|| Self::of(text))
    }

    /// The value of a header, which may be of a later version: then what version 00 knows of it is taken over.
    #[must_use]
    pub fn from_header(value: &[u8]) -> Option<Self> {
        let (known, more) = value.split_at_checked(LENGTH)?;
        if known.starts_with(b"00") {
            return Self::parse(value);
        }
        let is_later = known[..2].iter().copied().all(is_digit) && !known.starts_with(b"ff");
        if !is_later || !(more.is_empty() || more.starts_with(b"-")) {
            return None;
        }
        let mut text: [u8; LENGTH] = known.try_into().ok()?;
        text[..2].copy_from_slice(b"00");
        let mut parsed = Self::parse(&text)?;
        // Of its flags only the one that says "sampled" is known to mean the same.
        let flags = &mut parsed.0[HEAD + 53..];
        let is_sampled = (char::from(flags[1]).to_digit(16)?) & 1;
        flags.copy_from_slice(if is_sampled == 1 { b"01" } else { b"00" });
        Some(parsed)
    }

    fn of(text: &[u8; LENGTH]) -> Self {
        let mut field = [0; HEAD + LENGTH];
        field[..HEAD].copy_from_slice(&[Extensions::TRACEPARENT, LENGTH as u8]);
        field[HEAD..].copy_from_slice(text);
        Self(field)
    }

    /// Its text, ASCII.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0[HEAD..]
    }

    /// The extension that carries it.
    #[must_use]
    pub fn extensions(&self) -> Extensions<'_> {
        Extensions(&self.0)
    }
}

impl fmt::Debug for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.as_bytes()))
    }
}

impl Extensions<'_> {
    /// The trace of the message. `None`: it has none, or one that is not well formed.
    #[must_use]
    pub fn traceparent(&self) -> Option<Traceparent> {
        let (_, text) = self.iter().find(|(kind, _)| *kind == Self::TRACEPARENT)?;
        Traceparent::parse(text)
    }
}

fn is_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// Whether it is a number in lower case that is not zero: zero is what "none" looks like.
fn is_number(digits: &[u8]) -> bool {
    digits.iter().copied().all(is_digit) && digits.iter().any(|digit| *digit != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn replaced(at: usize, with: &str) -> String {
        let mut text = VALID.to_owned();
        text.replace_range(at..at + with.len(), with);
        text
    }

    fn parsed(text: &str) -> Option<Traceparent> {
        let parsed = Traceparent::parse(text.as_bytes());
        assert_eq!(parsed, Traceparent::from_header(text.as_bytes()), "{text}");
        if let Some(parsed) = parsed {
            assert_eq!(parsed.as_bytes(), text.as_bytes());
            assert_eq!(parsed.extensions().traceparent(), Some(parsed));
        }
        parsed
    }

    #[test]
    fn a_traceparent_of_version_00_is_taken_as_it_is() {
        assert!(parsed(VALID).is_some());
        assert!(parsed(&replaced(53, "00")).is_some());
        assert!(parsed(&replaced(53, "ff")).is_some());
    }

    #[test]
    fn anything_else_is_no_traceparent() {
        let (no_trace, no_parent) = (replaced(3, &"0".repeat(32)), replaced(36, &"0".repeat(16)));
        let upper_case = replaced(3, "4BF9");
        let (longer, shorter) = (format!("{VALID}-00"), &VALID[..54]);
        let spaced = format!("{} ", &VALID[..54]);
        for text in [
            &no_trace,
            &no_parent,
            &upper_case,
            &longer,
            shorter,
            &spaced,
            "",
            "00",
            &replaced(2, "_"),
            &replaced(35, "_"),
            &replaced(52, "_"),
            &replaced(10, "g"),
            &replaced(40, "g"),
            &replaced(53, "0g"),
            &replaced(0, "ff"),
        ] {
            assert_eq!(parsed(text), None, "{text:?}");
        }
        let not_ascii: Vec<u8> = VALID.bytes().map(|byte| if byte == b'f' { 0xff } else { byte }).collect();
        assert_eq!(Traceparent::parse(&not_ascii), None);
    }

    #[test]
    fn of_a_later_version_what_version_00_knows_is_taken_over() {
        let later = |flags: &str, more: &str| format!("cc{}{flags}{more}", &VALID[2..53]);
        let taken = |text: String| Traceparent::from_header(text.as_bytes());
        assert_eq!(taken(later("01", "")), Traceparent::parse(VALID.as_bytes()));
        assert_eq!(taken(later("ff", "-what the future brings")), Traceparent::parse(VALID.as_bytes()));
        assert_eq!(taken(later("fe", "")), Traceparent::parse(replaced(53, "00").as_bytes()));
        assert_eq!(taken(later("01", ".what the future brings")), None);
        assert_eq!(taken(later("0", "")), None);
        assert_eq!(
            Traceparent::parse(later("01", "").as_bytes()),
            None,
            "on the wire there is only version 00"
        );
    }

    #[test]
    fn of_two_the_first_counts_and_fields_of_other_types_are_passed_over() {
        let trace = Traceparent::parse(VALID.as_bytes()).unwrap();
        let other = Traceparent::parse(replaced(3, "ffff").as_bytes()).unwrap();
        let mut bytes = vec![200, 3, 1, 55, 0];
        assert_eq!(Extensions::from_wire(&bytes).unwrap().traceparent(), None);
        bytes.extend_from_slice(trace.extensions().as_bytes());
        bytes.extend_from_slice(other.extensions().as_bytes());
        assert_eq!(Extensions::from_wire(&bytes).unwrap().traceparent(), Some(trace));
        let malformed = [Extensions::TRACEPARENT, 2, b'0', b'0'];
        assert_eq!(Extensions::from_wire(&malformed).unwrap().traceparent(), None);
    }
}
