//! Opens records and hands their frames over, borrowed from one big buffer.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use troupe_proto::{
    codec::{CloseReason, CodecError, Decoded, Decoder, Frame, Pieces, cost_of, decode},
    noise::{OpeningKey, RECORD_HEADER, RECORD_MAX, RecordError, record_length},
    session::{AckUrgency, Received, SessionError, Terms},
};

use super::{Link, LinkEvents, assembly::Assembly, is_message};

/// Read at a time: a dozen large records. Pages that were never used cost nothing, and a link that carries little uses
/// the first few.
const BUFFER_BYTES: usize = 256 * 1024;

/// The reading half of a channel.
#[derive(Debug)]
pub(super) struct Reader {
    key: OpeningKey,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Number of the channel.
    channel: u64,
}

/// What this process owns of a session, whatever channel it came over.
#[derive(Debug)]
pub(super) struct Receiving {
    /// Number of the one channel that may be read.
    channel: u64,
    received: Received,
    assembly: Assembly,
    /// Messages and answers so far.
    messages: u64,
}

/// Why reading ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReadEnd {
    /// An authenticated CLOSE, and nothing is missing before it.
    #[error("it closed the channel")]
    Closed(CloseReason),
    /// A record does not open: somebody between the two nodes changed it, or its key is used up.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Another channel has taken the place of this one.
    #[error("another channel has taken its place")]
    Superseded,
    /// The frames are against the rules.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl From<CodecError> for ReadEnd {
    fn from(error: CodecError) -> Self {
        Self::Session(error.into())
    }
}

impl Reader {
    /// Of channel 0.
    pub(super) fn new(key: OpeningKey, leftover: &[u8]) -> Self {
        let buffer = vec![0; BUFFER_BYTES.max(leftover.len())];
        let mut reader = Self { key, buffer, start: 0, end: 0, channel: 0 };
        reader.take_in(leftover);
        reader
    }

    /// Reads that channel from now on, of which `leftover` was read behind the frames that opened it.
    pub(super) fn attach(&mut self, channel: u64, key: OpeningKey, leftover: &[u8]) {
        (self.channel, self.key) = (channel, key);
        self.take_in(leftover);
    }

    fn take_in(&mut self, leftover: &[u8]) {
        if self.buffer.len() < leftover.len() {
            self.buffer.resize(leftover.len(), 0);
        }
        self.buffer[..leftover.len()].copy_from_slice(leftover);
        (self.start, self.end) = (0, leftover.len());
    }

    /// Where the next bytes go: room for a record at least.
    pub(super) fn space(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.buffer.len() - self.end < RECORD_HEADER + RECORD_MAX {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        &mut self.buffer[self.end..]
    }

    /// `count` bytes were read into [`Reader::space`]: hands over the frames of all whole records.
    pub(super) fn advance(
        &mut self,
        count: usize,
        link: &Arc<Link>,
        events: &dyn LinkEvents,
    ) -> Result<(), ReadEnd> {
        self.end += count;
        link.bytes_in.fetch_add(count as u64, Ordering::Relaxed);
        let mut receiving = link.receiving();
        if receiving.channel != self.channel {
            return Err(ReadEnd::Superseded);
        }
        let result = self.records(&mut receiving, link, events);
        link.set_owned(receiving.received.owned());
        result
    }

    fn records(
        &mut self,
        receiving: &mut Receiving,
        link: &Arc<Link>,
        events: &dyn LinkEvents,
    ) -> Result<(), ReadEnd> {
        while let Some(header) = self.buffer[self.start..self.end].first_chunk::<RECORD_HEADER>() {
            let length = record_length(*header)?;
            let begin = self.start + RECORD_HEADER;
            if self.end - begin < length {
                break;
            }
            let plaintext = self.key.open_in_place(&mut self.buffer[begin..begin + length])?;
            self.start = begin + length;
            for decoded in Decoder::new(plaintext) {
                receiving.take(decoded?, link, events)?;
            }
        }
        Ok(())
    }
}

impl Receiving {
    pub(super) fn new(own: &Terms) -> Self {
        Self { channel: 0, received: Received::new(own), assembly: Assembly::new(own), messages: 0 }
    }

    /// Ends the reading of the channel at hand: what was not owned by now will come again. Answers how many frames are,
    /// and the number of the next channel.
    pub(super) fn detach(&mut self) -> (u64, u64) {
        self.channel += 1;
        for (flow, cost) in self.assembly.start_over() {
            self.received.take_back(flow, cost);
        }
        (self.received.owned(), self.channel)
    }

    /// Messages and answers so far.
    pub(super) fn messages(&self) -> u64 {
        self.messages
    }

    /// Number of the channel that may be read.
    pub(super) fn channel(&self) -> u64 {
        self.channel
    }

    /// Bodies of which only some pieces have come.
    pub(super) fn partial(&self) -> usize {
        self.assembly.len()
    }

    /// When an ACK is due, given what the peer knows.
    pub(super) fn ack_urgency(&mut self, acknowledged: u64, now: Instant) -> AckUrgency {
        self.received.ack_urgency(acknowledged, now)
    }

    fn take(
        &mut self,
        decoded: Decoded<'_>,
        link: &Arc<Link>,
        events: &dyn LinkEvents,
    ) -> Result<(), ReadEnd> {
        match decoded {
            Decoded::Whole(Frame::Fragment { id, last, bytes }) => {
                if let Some(part) = self.assembly.add(id, last, bytes)? {
                    let Decoded::Head { frame, .. } = decode(&part.head)?.0 else {
                        return Err(SessionError::OutOfPlace("the head of a body is none").into());
                    };
                    // The text is checked here, so that nobody else has to.
                    frame.with_body(&part.body)?;
                    self.messages += u64::from(is_message(&frame));
                    events.frame_in_pieces(link, frame, part.body);
                    self.received.own();
                }
            }
            Decoded::Whole(frame) if frame.is_numbered() => {
                if let Some((flow, cost)) = frame.cost() {
                    self.received.admit(flow, cost, || link.announced(flow))?;
                }
                self.messages += u64::from(is_message(&frame));
                if frame != Frame::Empty {
                    events.frame(link, frame);
                }
                self.received.own();
            }
            Decoded::Whole(frame) => self.session_frame(&frame, link)?,
            Decoded::Head { frame, pieces, head } => self.head(&frame, pieces, head, link)?,
            Decoded::Ignored { numbered: true } => self.received.own(),
            Decoded::Ignored { numbered: false } => {}
        }
        Ok(())
    }

    fn head(&mut self, frame: &Frame<'_>, pieces: Pieces, head: &[u8], link: &Link) -> Result<(), ReadEnd> {
        let cost = frame.flow().map(|flow| (flow, cost_of(pieces.total as usize)));
        if let Some((flow, cost)) = cost {
            self.received.admit(flow, cost, || link.announced(flow))?;
        }
        Ok(self.assembly.begin(pieces, head, cost)?)
    }

    fn session_frame(&mut self, frame: &Frame<'_>, link: &Link) -> Result<(), ReadEnd> {
        match frame {
            Frame::Ack { count } => link.on_ack(*count)?,
            Frame::Window { flow, offset } => link.on_window(*flow, *offset)?,
            Frame::Ping { token } => link.on_ping(*token, self.received.owned()),
            Frame::Pong(pong) => link.on_pong(pong.token),
            Frame::Close { reason, last } => {
                self.received.on_close(*last)?;
                return Err(ReadEnd::Closed(*reason));
            }
            _ => return Err(SessionError::OutOfPlace("it sent a frame that only begins a session").into()),
        }
        Ok(())
    }
}
