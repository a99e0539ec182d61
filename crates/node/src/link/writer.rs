//! Seals what the queue hands over and writes it. Behind a lock of its own: the order of sealing is the order of writing.

use std::{io, sync::Arc};

use troupe_proto::noise::{RecordError, SealingKey};

use super::records::Records;
use crate::transport::Socket;

/// Sealed at a time, so that the first bytes are on their way while the rest is sealed.
const SEAL_BYTES: usize = 64 * 1024;

/// The writing half of a channel.
#[derive(Debug)]
pub(super) struct Writer {
    key: SealingKey,
    out: Records,
    /// Records sealed, and where the last of them ends.
    sealed_records: usize,
    sealed: usize,
    written: usize,
    finished: bool,
}

/// How far [`Writer::pump`] came.
#[derive(Debug)]
pub(super) enum Pumped {
    /// Nothing is left.
    Done,
    /// The socket is full.
    Blocked,
    /// The caller's share is used up; there is more.
    Budget,
    /// The channel can't be written any more.
    Failed(String),
}

impl Writer {
    pub(super) fn new(key: SealingKey) -> Self {
        Self { key, out: Records::default(), sealed_records: 0, sealed: 0, written: 0, finished: false }
    }

    /// Bytes taken from the queue and not yet in the socket.
    pub(super) fn pending(&self) -> usize {
        self.out.len() - self.written
    }

    /// Seals and writes until about `budget` bytes are sealed. `take` exchanges the written records for the queue's next
    /// ones and says whether there are any.
    pub(super) fn pump(
        &mut self,
        socket: &Arc<dyn Socket>,
        budget: usize,
        mut take: impl FnMut(&mut Records) -> bool,
    ) -> Pumped {
        let mut used = 0;
        loop {
            while self.written < self.sealed {
                let (buffer, _) = self.out.parts();
                match socket.try_write(&buffer[self.written..self.sealed]) {
                    Ok(written) => self.written += written,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Pumped::Blocked,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Pumped::Failed(error.to_string()),
                }
            }
            if used >= budget {
                return Pumped::Budget;
            }
            if self.sealed == self.out.len() {
                self.out.clear();
                (self.sealed_records, self.sealed, self.written) = (0, 0, 0);
                if !take(&mut self.out) {
                    return Pumped::Done;
                }
            }
            match self.seal() {
                Ok(sealed) => used += sealed,
                Err(error) => return Pumped::Failed(error.to_string()),
            }
        }
    }

    /// Tells the peer that nothing follows, once.
    pub(super) fn finish(&mut self, socket: &Arc<dyn Socket>) {
        if !self.finished {
            self.finished = true;
            socket.finish();
        }
    }

    fn seal(&mut self) -> Result<usize, RecordError> {
        let before = self.sealed;
        let (buffer, ends) = self.out.parts();
        for end in &ends[self.sealed_records..] {
            self.key.seal_in_place(&mut buffer[self.sealed..*end])?;
            self.sealed = *end;
            self.sealed_records += 1;
            if self.sealed - before >= SEAL_BYTES {
                break;
            }
        }
        Ok(self.sealed - before)
    }
}
