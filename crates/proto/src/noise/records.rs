//! Records: sealed pieces of a channel after its handshake, one key and one counter per direction.
//!
//! A record is `u16 big-endian length ‖ ciphertext`; the ciphertext is the plaintext and a tag of 16 bytes, sealed with
//! ChaCha20-Poly1305 under a nonce of four zero bytes and the record's number, little-endian, counted from 0. The number
//! is not sent: a record that is missing, repeated, out of order or from the other direction does not open.

use std::fmt;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

/// Bytes of the length in front of a ciphertext.
pub const RECORD_HEADER: usize = 2;
/// Bytes of the tag at the end of a ciphertext.
pub const RECORD_TAG: usize = 16;
/// The longest ciphertext, its tag included.
pub const RECORD_MAX: usize = 16 * 1024;
/// The most plaintext in one record.
pub const RECORD_PLAINTEXT_MAX: usize = RECORD_MAX - RECORD_TAG;
/// How many records one key seals or opens; then the channel needs a new handshake. Far below what the cipher allows.
pub const RECORDS_PER_KEY: u64 = 1 << 32;

/// Why a record was not sealed or opened. The key's counter did not move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Too short to hold a tag, or longer than [`RECORD_MAX`]. From the other side: it breaks the protocol, close.
    #[error("a record has {length} bytes; {RECORD_TAG} to {RECORD_MAX} are allowed")]
    Length {
        /// Bytes of ciphertext, as the record's own length states or as handed in.
        length: usize,
    },
    /// The ciphertext is not the next one the other side sealed: changed, repeated, missing or out of order. Close.
    #[error("a record does not open: it was changed, repeated, dropped or reordered on the way")]
    Broken,
    /// [`RECORDS_PER_KEY`] were used; a new handshake is due.
    #[error("the key has sealed or opened 2^32 records; the channel needs a new handshake")]
    Exhausted,
}

/// The length of the ciphertext that follows these two bytes, checked, so that no more than a record is ever buffered.
pub fn record_length(header: [u8; RECORD_HEADER]) -> Result<usize, RecordError> {
    check_length(usize::from(u16::from_be_bytes(header)))
}

fn check_length(length: usize) -> Result<usize, RecordError> {
    if (RECORD_TAG..=RECORD_MAX).contains(&length) { Ok(length) } else { Err(RecordError::Length { length }) }
}

/// A key of one direction with the number of the next record.
struct Key {
    cipher: LessSafeKey,
    next: u64,
    /// How many it seals or opens.
    most: u64,
}

impl Key {
    fn new(bytes: &[u8; 32]) -> Self {
        #[expect(
            clippy::expect_used,
            reason = "only the length of the key is checked, and it is right by its type"
        )]
        let key = UnboundKey::new(&CHACHA20_POLY1305, bytes).expect("a key of 32 bytes");
        Self { cipher: LessSafeKey::new(key), next: 0, most: RECORDS_PER_KEY }
    }

    fn nonce(&self) -> Result<Nonce, RecordError> {
        if self.next >= self.most {
            return Err(RecordError::Exhausted);
        }
        let mut bytes = [0; 12];
        bytes[4..].copy_from_slice(&self.next.to_le_bytes());
        Ok(Nonce::assume_unique_for_key(bytes))
    }
}

/// Seals the records of one direction. The order of sealing must be the order of writing.
pub struct SealingKey(Key);

impl SealingKey {
    pub(super) fn new(bytes: &[u8; 32]) -> Self {
        Self(Key::new(bytes))
    }

    /// Seals so many records in all, if that is less than [`RECORDS_PER_KEY`].
    pub fn limit(&mut self, records: u64) {
        self.0.most = records.min(RECORDS_PER_KEY);
    }

    /// Whether so much of the key is used up, fifteen parts of sixteen, that another handshake is due. At a million records
    /// a second, more than a link carries, the rest lasts for four minutes: far longer than that takes.
    #[must_use]
    pub fn is_nearly_used_up(&self) -> bool {
        self.0.next >= self.0.most - self.0.most / 16
    }

    /// Seals `[2 bytes][plaintext][16 bytes]` where it stands: the length goes into the first two bytes, the tag into
    /// the last 16. On an error the record must not be sent.
    pub fn seal_in_place(&mut self, record: &mut [u8]) -> Result<(), RecordError> {
        let length = check_length(record.len().saturating_sub(RECORD_HEADER))?;
        let nonce = self.0.nonce()?;
        let (header, ciphertext) = record.split_at_mut(RECORD_HEADER);
        let (plaintext, tag) = ciphertext.split_at_mut(length - RECORD_TAG);
        let sealed = self
            .0
            .cipher
            .seal_in_place_separate_tag(nonce, Aad::empty(), plaintext)
            .map_err(|_| RecordError::Broken)?;
        self.0.next += 1;
        header.copy_from_slice(&(length as u16).to_be_bytes());
        tag.copy_from_slice(sealed.as_ref());
        Ok(())
    }

    /// Records sealed so far, which is the number of the next one.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.0.next
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey(next {})", self.0.next)
    }
}

/// Opens the records of one direction, in the order they were sealed.
pub struct OpeningKey(Key);

impl OpeningKey {
    pub(super) fn new(bytes: &[u8; 32]) -> Self {
        Self(Key::new(bytes))
    }

    /// Opens a ciphertext (without its two bytes of length) where it stands and gives the plaintext at its start.
    ///
    /// The counter moves only when it opened, so that nothing an outsider sends can put the two sides out of step. On an
    /// error the contents of `ciphertext` are undefined and the channel must be closed.
    pub fn open_in_place<'a>(&mut self, ciphertext: &'a mut [u8]) -> Result<&'a mut [u8], RecordError> {
        check_length(ciphertext.len())?;
        let nonce = self.0.nonce()?;
        let plaintext =
            self.0.cipher.open_in_place(nonce, Aad::empty(), ciphertext).map_err(|_| RecordError::Broken)?;
        self.0.next += 1;
        Ok(plaintext)
    }

    /// Records opened so far.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.0.next
    }

    /// Whether a record has opened: from then on it is proven that the other side finished the handshake too and holds
    /// the same keys. Before that, nothing it may have sent is acted on.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.0.next > 0
    }
}

impl fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpeningKey(next {})", self.0.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_ends_after_its_last_record() {
        let mut seal = SealingKey::new(&[7; 32]);
        let mut open = OpeningKey::new(&[7; 32]);
        seal.0.next = RECORDS_PER_KEY - 1;
        open.0.next = RECORDS_PER_KEY - 1;

        let mut record = [0; RECORD_HEADER + 4 + RECORD_TAG];
        seal.seal_in_place(&mut record).unwrap();
        let mut spare = record;
        assert_eq!(open.open_in_place(&mut record[2..]).unwrap().len(), 4);

        assert_eq!(seal.seal_in_place(&mut spare), Err(RecordError::Exhausted));
        assert_eq!(open.open_in_place(&mut spare[2..]), Err(RecordError::Exhausted));
        assert_eq!(seal.records(), RECORDS_PER_KEY);
    }

    #[test]
    fn a_key_tells_in_good_time_that_it_ends() {
        for most in [RECORDS_PER_KEY, 1600] {
            let mut seal = SealingKey::new(&[7; 32]);
            seal.limit(most);
            assert!(!seal.is_nearly_used_up());
            seal.0.next = most / 16 * 15 - 1;
            assert!(!seal.is_nearly_used_up());
            seal.seal_in_place(&mut [0; RECORD_HEADER + RECORD_TAG]).unwrap();
            assert!(seal.is_nearly_used_up());
            seal.0.next = most;
            assert_eq!(seal.seal_in_place(&mut [0; RECORD_HEADER + RECORD_TAG]), Err(RecordError::Exhausted));
        }
        let mut seal = SealingKey::new(&[7; 32]);
        seal.limit(u64::MAX);
        seal.0.next = RECORDS_PER_KEY;
        assert_eq!(seal.seal_in_place(&mut [0; RECORD_HEADER + RECORD_TAG]), Err(RecordError::Exhausted));
    }

    #[test]
    fn the_nonce_is_four_zero_bytes_and_the_number() {
        let mut seal = SealingKey::new(&[7; 32]);
        seal.0.next = 0x0102_0304;
        let mut record = *b"..troupe................";
        seal.seal_in_place(&mut record).unwrap();

        let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &[7; 32]).unwrap());
        let nonce = [0, 0, 0, 0, 4, 3, 2, 1, 0, 0, 0, 0];
        let mut expected = *b"troupe";
        let tag = key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut expected)
            .unwrap();
        assert_eq!(record[..2], [0, 22]);
        assert_eq!(record[2..8], expected);
        assert_eq!(record[8..], *tag.as_ref());
    }
}
