//! Opens records and hands their frames over, borrowed from one big buffer.

use std::{sync::Arc, time::Instant};

use troupe_proto::{
    codec::{CloseReason, CodecError, Decoded, Decoder, Frame, Pieces, cost_of, decode},
    noise::{OpeningKey, RECORD_HEADER, RECORD_MAX, RecordError, record_length},
    session::{AckUrgency, Received, SessionError, Terms},
};

use super::{Link, LinkEvents, assembly::Assembly};

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
    state: State,
}

/// What the frames change.
#[derive(Debug)]
struct State {
    received: Received,
    assembly: Assembly,
}

/// Why reading ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReadEnd {
    /// An authenticated CLOSE, and nothing is missing before it.
    #[error("it closed the channel")]
    Closed(CloseReason),
    /// A record does not open.
    #[error(transparent)]
    Record(#[from] RecordError),
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
    /// `leftover` was read behind the frames that opened the channel.
    pub(super) fn new(key: OpeningKey, own: &Terms, leftover: &[u8]) -> Self {
        let mut buffer = vec![0; BUFFER_BYTES.max(leftover.len())];
        buffer[..leftover.len()].copy_from_slice(leftover);
        let state = State { received: Received::new(own), assembly: Assembly::new(own) };
        Self { key, buffer, start: 0, end: leftover.len(), state }
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
        let result = self.records(link, events);
        link.set_owned(self.state.received.owned());
        result
    }

    fn records(&mut self, link: &Arc<Link>, events: &dyn LinkEvents) -> Result<(), ReadEnd> {
        while let Some(header) = self.buffer[self.start..self.end].first_chunk::<RECORD_HEADER>() {
            let length = record_length(*header)?;
            let begin = self.start + RECORD_HEADER;
            if self.end - begin < length {
                break;
            }
            let plaintext = self.key.open_in_place(&mut self.buffer[begin..begin + length])?;
            self.start = begin + length;
            for decoded in Decoder::new(plaintext) {
                self.state.take(decoded?, link, events)?;
            }
        }
        Ok(())
    }

    /// When an ACK is due, given what the peer knows.
    pub(super) fn ack_urgency(&mut self, acknowledged: u64) -> AckUrgency {
        if self.state.received.owned() == acknowledged {
            return AckUrgency::Nothing;
        }
        self.state.received.ack_urgency(acknowledged, Instant::now())
    }
}

impl State {
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
                    events.frame_in_pieces(link, frame, part.body);
                    self.received.own();
                }
            }
            Decoded::Whole(frame) if frame.is_numbered() => {
                if let Some((flow, cost)) = frame.cost() {
                    self.received.admit(flow, cost, || link.announced(flow))?;
                }
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
        if let Some(flow) = frame.flow() {
            self.received.admit(flow, cost_of(pieces.total as usize), || link.announced(flow))?;
        }
        Ok(self.assembly.begin(pieces, head)?)
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
