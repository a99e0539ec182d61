//! Message text, as it crosses between JavaScript, Rust and the wire.
//!
//! JavaScript strings are UTF-16 and may hold lone surrogates; the wire carries WTF-8, which is
//! UTF-8 that also admits a lone surrogate as three bytes (<https://simonsapin.github.io/wtf-8/>).
//! A string therefore arrives exactly as it was sent.

/// Borrowed message text in whichever form it is at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text<'a> {
    /// Bytes below 128 only: the same in every encoding.
    Ascii(&'a [u8]),
    /// UTF-16 code units of a JavaScript string, lone surrogates included.
    Utf16(&'a [u16]),
    /// The form of the wire. Not checked; [`Text::from_wire`] does.
    Wtf8(&'a [u8]),
}

impl<'a> Text<'a> {
    /// The empty text.
    pub const EMPTY: Text<'static> = Text::Ascii(&[]);

    /// Text of a Rust string.
    #[must_use]
    pub fn from_utf8(text: &'a str) -> Self {
        Self::from_checked(text.as_bytes())
    }

    /// Text from bytes of a peer. `None` when they are not well-formed WTF-8.
    #[must_use]
    pub fn from_wire(bytes: &'a [u8]) -> Option<Self> {
        if bytes.is_ascii() {
            Some(Text::Ascii(bytes))
        } else if is_wtf8(bytes) {
            Some(Text::Wtf8(bytes))
        } else {
            None
        }
    }

    /// Text from bytes that are known to be well formed.
    #[must_use]
    pub fn from_checked(bytes: &'a [u8]) -> Self {
        if bytes.is_ascii() { Text::Ascii(bytes) } else { Text::Wtf8(bytes) }
    }

    /// Length on the wire, in bytes. A lone surrogate counts three.
    #[must_use]
    pub fn wtf8_len(&self) -> usize {
        match self {
            Text::Ascii(bytes) | Text::Wtf8(bytes) => bytes.len(),
            Text::Utf16(units) => {
                char::decode_utf16(units.iter().copied()).map(|unit| unit.map_or(3, char::len_utf8)).sum()
            }
        }
    }

    /// Appends the form of the wire.
    pub fn write_wtf8(&self, out: &mut Vec<u8>) {
        match self {
            Text::Ascii(bytes) | Text::Wtf8(bytes) => out.extend_from_slice(bytes),
            Text::Utf16(units) => {
                out.reserve(units.len());
                for unit in char::decode_utf16(units.iter().copied()) {
                    match unit {
                        Ok(character) => {
                            let mut buffer = [0; 4];
                            out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
                        }
                        Err(lone) => {
                            let unit = lone.unpaired_surrogate();
                            out.extend_from_slice(&[
                                0xe0 | (unit >> 12) as u8,
                                0x80 | (unit >> 6 & 0x3f) as u8,
                                0x80 | (unit & 0x3f) as u8,
                            ]);
                        }
                    }
                }
            }
        }
    }

    /// Replaces `out` with the UTF-16 code units of the text.
    pub fn write_utf16(&self, out: &mut Vec<u16>) {
        out.clear();
        match self {
            Text::Ascii(bytes) => out.extend(bytes.iter().map(|byte| u16::from(*byte))),
            Text::Utf16(units) => out.extend_from_slice(units),
            Text::Wtf8(bytes) => decode_wtf8(bytes, out),
        }
    }

    /// A Rust string; lone surrogates become U+FFFD.
    #[must_use]
    pub fn to_string_lossy(&self) -> String {
        match self {
            Text::Ascii(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Text::Utf16(units) => String::from_utf16_lossy(units),
            Text::Wtf8(bytes) => {
                if let Ok(text) = std::str::from_utf8(bytes) {
                    return text.to_owned();
                }
                let mut units = Vec::with_capacity(bytes.len());
                decode_wtf8(bytes, &mut units);
                String::from_utf16_lossy(&units)
            }
        }
    }

    /// Whether there is no text at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Text::Ascii(bytes) | Text::Wtf8(bytes) => bytes.is_empty(),
            Text::Utf16(units) => units.is_empty(),
        }
    }
}

/// Well-formed WTF-8: UTF-8, or with surrogates that are never a high one followed by a low one.
fn is_wtf8(mut bytes: &[u8]) -> bool {
    let mut after_high = false;
    loop {
        match std::str::from_utf8(bytes) {
            Ok(_) => return true,
            Err(error) => {
                let (valid, rest) = bytes.split_at(error.valid_up_to());
                let [0xed, second @ 0xa0..=0xbf, 0x80..=0xbf, tail @ ..] = rest else {
                    return false;
                };
                let low = *second >= 0xb0;
                if low && after_high && valid.is_empty() {
                    return false;
                }
                after_high = !low;
                bytes = tail;
            }
        }
    }
}

fn decode_wtf8(bytes: &[u8], out: &mut Vec<u16>) {
    for chunk in bytes.utf8_chunks() {
        out.extend(chunk.valid().encode_utf16());
        // What the standard decoder calls invalid is, in checked text, one byte of a surrogate at a time.
        match chunk.invalid() {
            [0xed] => out.push(0xd000),
            [byte @ 0x80..=0xbf] => {
                if let Some(unit) = out.last_mut() {
                    // The second byte (0xa0..=0xbf) carries bits 6 to 11, the third bits 0 to 5.
                    if *unit == 0xd000 {
                        *unit |= u16::from(*byte & 0x3f) << 6;
                    } else {
                        *unit |= u16::from(*byte & 0x3f);
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wire(units: &[u16]) -> Vec<u8> {
        let mut out = Vec::new();
        Text::Utf16(units).write_wtf8(&mut out);
        out
    }

    #[test]
    fn a_surrogate_pair_in_two_halves_is_refused() {
        let mut bytes = wire(&[0xd83d]);
        bytes.extend(wire(&[0xde00]));
        assert_eq!(Text::from_wire(&bytes), None);
    }

    #[test]
    fn broken_bytes_are_refused() {
        for bytes in [&[0x80][..], &[0xc0, 0x80], &[0xed, 0xa0], &[0xf8, 0, 0, 0], &[0xed, 0xa0, 0x41]] {
            assert_eq!(Text::from_wire(bytes), None, "{bytes:x?}");
        }
    }

    proptest! {
        #[test]
        fn any_string_of_javascript_survives_the_wire(units: Vec<u16>) {
            let bytes = wire(&units);
            prop_assert_eq!(bytes.len(), Text::Utf16(&units).wtf8_len());
            let mut back = Vec::new();
            let text = Text::from_wire(&bytes);
            prop_assert!(text.is_some());
            if let Some(text) = text { text.write_utf16(&mut back); }
            prop_assert_eq!(back, units);
        }

        #[test]
        fn surrogates_survive_in_every_neighbourhood(units in prop::collection::vec(prop_oneof![0xd7f0u16..0xe010, 0u16..256], 0..40)) {
            let bytes = wire(&units);
            let mut back = Vec::new();
            let text = Text::from_wire(&bytes);
            prop_assert!(text.is_some());
            if let Some(text) = text { text.write_utf16(&mut back); }
            prop_assert_eq!(back, units);
        }
    }
}
