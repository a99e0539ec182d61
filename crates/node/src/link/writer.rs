//! Seals what the queue hands over and writes it. Behind a lock of its own: the order of sealing is the order of writing.
//! While a link has no channel nothing is taken from its queue.

use std::{io, sync::Arc};

use troupe_proto::{
    codec::{CloseReason, Frame, encoded_len},
    noise::{RecordError, SealingKey},
};

use super::records::Records;
use crate::transport::Socket;

/// Sealed at a time, so that the first bytes are on their way while the rest is sealed.
const SEAL_BYTES: usize = 64 * 1024;

/// The writing half of a link's channel.
#[derive(Debug, Default)]
pub(super) struct Writer {
    channel: Option<Sending>,
    out: Records,
    /// Records sealed, and where the last of them ends.
    sealed_records: usize,
    sealed: usize,
    written: usize,
    /// Bytes written so far, to whatever channel.
    total: u64,
}

#[derive(Debug)]
struct Sending {
    socket: Arc<dyn Socket>,
    key: SealingKey,
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
    /// Writes to this channel from now on, first a record of these frames. What the last one did not take is dropped: it
    /// is still in the queue.
    pub(super) fn attach(&mut self, socket: Arc<dyn Socket>, key: SealingKey, opening: &[Frame<'_>]) {
        self.detach();
        self.channel = Some(Sending { socket, key, finished: false });
        for frame in opening {
            self.out.push(frame, encoded_len(frame, 0));
        }
        self.out.finish();
    }

    /// As [`Writer::attach`], but the last channel stands: what it took goes there still, and CLOSE behind it. Answers
    /// what is to be written there; `None` when there is no last channel, as another thread has ended the link: then this
    /// one is not taken either. `last`: numbered frames so far.
    pub(super) fn move_to(
        &mut self,
        socket: Arc<dyn Socket>,
        key: SealingKey,
        opening: &[Frame<'_>],
        last: u64,
    ) -> Result<Option<Vec<u8>>, RecordError> {
        if self.channel.is_none() {
            return Ok(None);
        }
        let close = Frame::Close { reason: CloseReason::Replaced, last };
        self.out.push(&close, encoded_len(&close, 0));
        self.out.finish();
        while self.sealed < self.out.len() {
            self.seal()?;
        }
        let (buffer, _) = self.out.parts();
        let rest = buffer[self.written..].to_vec();
        // Its connection stays.
        self.channel = None;
        self.attach(socket, key, opening);
        Ok(Some(rest))
    }

    /// Has no channel any more, and ends the connection.
    pub(super) fn detach(&mut self) {
        if let Some(sending) = self.channel.take() {
            sending.socket.shut_down();
        }
        self.out.clear();
        (self.sealed_records, self.sealed, self.written) = (0, 0, 0);
    }

    /// Seals and writes until about `budget` bytes are sealed. `take` fills empty records with what comes next and says
    /// whether there is anything.
    pub(super) fn pump(&mut self, budget: usize, mut take: impl FnMut(&mut Records) -> bool) -> Pumped {
        let mut used = 0;
        loop {
            let Some(sending) = &self.channel else { return Pumped::Done };
            while self.written < self.sealed {
                let (buffer, _) = self.out.parts();
                match sending.socket.try_write(&buffer[self.written..self.sealed]) {
                    Ok(written) => {
                        self.written += written;
                        self.total += written as u64;
                    }
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

    /// Bytes written so far.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Tells the peer that nothing follows, once.
    pub(super) fn finish(&mut self) {
        if let Some(sending) = &mut self.channel
            && !std::mem::replace(&mut sending.finished, true)
        {
            sending.socket.finish();
        }
    }

    fn seal(&mut self) -> Result<usize, RecordError> {
        let before = self.sealed;
        let Some(sending) = &mut self.channel else { return Ok(0) };
        let (buffer, ends) = self.out.parts();
        for end in &ends[self.sealed_records..] {
            sending.key.seal_in_place(&mut buffer[self.sealed..*end])?;
            self.sealed = *end;
            self.sealed_records += 1;
            if self.sealed - before >= SEAL_BYTES {
                break;
            }
        }
        Ok(self.sealed - before)
    }
}
