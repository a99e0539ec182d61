//! Frames laid out where they will be sealed: `[2 bytes][plaintext][16 bytes]`, one record behind the other.

use troupe_proto::{
    codec::{self, FRAME_MAX, Frame},
    noise::{RECORD_HEADER, RECORD_TAG},
};

/// A row of records, the last of which may still take frames.
#[derive(Debug, Default)]
pub(crate) struct Records {
    buffer: Vec<u8>,
    /// Where each finished record ends; the next begins there.
    ends: Vec<usize>,
    /// Where the record begins that still takes frames.
    open: Option<usize>,
}

impl Records {
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_none() && self.ends.is_empty()
    }

    /// Bytes, as they will be written.
    pub(crate) fn len(&self) -> usize {
        self.buffer.len()
    }

    pub(crate) fn clear(&mut self) {
        self.buffer.clear();
        self.ends.clear();
        self.open = None;
    }

    /// Room for frames in the last record: 0 when a new one would have to begin.
    pub(crate) fn room(&self) -> usize {
        self.open.map_or(0, |start| FRAME_MAX - (self.buffer.len() - start - RECORD_HEADER))
    }

    /// Adds a frame that is `len` bytes long on the wire, at most [`FRAME_MAX`].
    pub(crate) fn push(&mut self, frame: &Frame<'_>, len: usize) {
        codec::encode(frame, self.reserve(len));
    }

    /// Adds frames that are encoded already, at most [`FRAME_MAX`] bytes; answers with their copy.
    pub(crate) fn append(&mut self, frames: &[u8]) -> &mut [u8] {
        let buffer = self.reserve(frames.len());
        let start = buffer.len();
        buffer.extend_from_slice(frames);
        &mut buffer[start..]
    }

    /// The buffer, with a record open that has room for `len` bytes.
    fn reserve(&mut self, len: usize) -> &mut Vec<u8> {
        debug_assert!(len <= FRAME_MAX, "{len} bytes fit no record");
        if self.open.is_some() && self.room() < len {
            self.finish();
        }
        if self.open.is_none() {
            self.open = Some(self.buffer.len());
            self.buffer.extend_from_slice(&[0; RECORD_HEADER]);
        }
        &mut self.buffer
    }

    /// Ends the record that still takes frames.
    pub(crate) fn finish(&mut self) {
        if self.open.take().is_some() {
            self.buffer.extend_from_slice(&[0; RECORD_TAG]);
            self.ends.push(self.buffer.len());
        }
    }

    /// The buffer and the ends of its records, all of which are finished.
    pub(crate) fn parts(&mut self) -> (&mut [u8], &[usize]) {
        (&mut self.buffer, &self.ends)
    }
}
