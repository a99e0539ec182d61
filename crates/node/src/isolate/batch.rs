//! What an isolate hands to its port at the next flush: records, the text that leaves the isolate, and a slab of the
//! bodies that do not.

use crate::port::record::{NIL, REF, STRIDE, outgoing, size_bits};

/// A buffer that has grown beyond this is given back after a flush.
const KEEP: usize = 1 << 20;

/// The records of the next flush.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) records: Vec<u32>,
    pub(super) text: Vec<u8>,
    /// Number of the next record, counted from the first that the isolate ever put.
    pub(super) next: u32,
    slab: Vec<Option<String>>,
    free: Vec<u32>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Puts a record; returns its number.
    pub(super) fn put(&mut self, record: [u32; STRIDE]) -> u32 {
        self.records.extend_from_slice(&record);
        let number = self.next;
        self.next = number.wrapping_add(1);
        number
    }

    /// Puts a record whose body stays in the isolate.
    pub(super) fn put_kept(&mut self, mut record: [u32; STRIDE], body: String) -> u32 {
        // The port counts two bytes a unit; a Rust string holds one byte a unit or more.
        record[0] |= REF | if record[0] == outgoing::FAILED { 0 } else { size_bits(body.len()) };
        record[4] = self.keep(body);
        self.put(record)
    }

    /// Puts a record whose body goes elsewhere.
    pub(super) fn put_text(&mut self, mut record: [u32; STRIDE], body: &str) -> u32 {
        record[4] = body.len() as u32;
        self.text.extend_from_slice(body.as_bytes());
        self.put(record)
    }

    fn keep(&mut self, body: String) -> u32 {
        if let Some(index) = self.free.pop() {
            self.slab[index as usize] = Some(body);
            return index;
        }
        self.slab.push(Some(body));
        (self.slab.len() - 1) as u32
    }

    /// Takes a body out of the slab; each index comes back exactly once.
    pub(super) fn take_kept(&mut self, index: u32) -> Option<String> {
        let body = self.slab.get_mut(index as usize)?.take()?;
        self.free.push(index);
        if self.free.len() == self.slab.len() && self.slab.capacity() > 4096 {
            // A flood is over: its memory goes back.
            (self.slab, self.free) = (Vec::new(), Vec::new());
        }
        Some(body)
    }

    /// Bodies that are in the port's keeping.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.slab.len() - self.free.len()
    }

    /// Takes what is to be flushed.
    pub(super) fn take(&mut self) -> (Vec<u32>, Vec<u8>) {
        (std::mem::take(&mut self.records), std::mem::take(&mut self.text))
    }

    /// Gives the buffers of a flush back for the next one.
    pub(super) fn recycle(&mut self, mut records: Vec<u32>, mut text: Vec<u8>) {
        if self.records.is_empty() && records.capacity() * 4 <= KEEP {
            records.clear();
            self.records = records;
        }
        if self.text.is_empty() && text.capacity() <= KEEP {
            text.clear();
            self.text = text;
        }
    }
}

/// A record from its first words; the rest is nothing.
pub(super) fn record(kind: u32, words: [u32; 3]) -> [u32; STRIDE] {
    [kind, words[0], words[1], words[2], NIL, 0, NIL, 0]
}
