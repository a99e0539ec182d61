//! Bytes to frames: strict, bounded, without allocation.

use super::kind::{self, HEADER_LEN, IGNORE_BIT, NUMBERED_BIT};
use super::{
    Body, CloseReason, CodecError, Correlation, Course, CreditKind, Extensions, Fail, Flow, Frame, Handle,
    Hello, Message, NAME_MAX, Pieces, Pong, Reply, ResetReason, Resume, Target,
};
use crate::text::Text;

/// Most isolates a PONG tells of.
const PONG_TURNS_MAX: usize = 64;

/// What one frame of a record turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// A whole frame.
    Whole(Frame<'a>),
    /// The head of a frame, with an empty body: the body follows in pieces. `head` is the frame's
    /// bytes, to be kept and decoded again when the body is complete.
    Head {
        /// The frame without its body.
        frame: Frame<'a>,
        /// Where the pieces belong.
        pieces: Pieces,
        /// The frame's bytes, header included.
        head: &'a [u8],
    },
    /// A kind of a later version that may be skipped.
    Ignored {
        /// Whether it counts in the numbers of the session.
        numbered: bool,
    },
}

/// Walks over the frames of one record. Ends after the first error.
#[derive(Debug)]
pub struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// The frames of a record's plaintext.
    #[must_use]
    pub fn new(record: &'a [u8]) -> Self {
        Self { rest: record }
    }
}

impl<'a> Iterator for Decoder<'a> {
    type Item = Result<Decoded<'a>, CodecError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match decode(self.rest) {
            Ok((decoded, used)) => {
                self.rest = &self.rest[used..];
                Some(Ok(decoded))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}

/// The first frame of `bytes`, and how many bytes it took.
pub fn decode(bytes: &[u8]) -> Result<(Decoded<'_>, usize), CodecError> {
    let [frame_kind, flags, low, high, rest @ ..] = bytes else { return Err(CodecError::Truncated) };
    let len = usize::from(u16::from_le_bytes([*low, *high]));
    let content = rest.get(..len).ok_or(CodecError::Truncated)?;
    let end = HEADER_LEN + len;
    let mut reader = Reader { rest: content };
    let whole = |frame| Ok((Decoded::Whole(frame), end));
    // Most frequent first.
    match *frame_kind {
        kind::MSG => message(*flags, reader).map(|read| (cuttable(read, &bytes[..end]), end)),
        kind::REPLY => reply(*flags, reader).map(|read| (cuttable(read, &bytes[..end]), end)),
        kind::FAIL => fail(*flags, reader).map(|read| (cuttable(read, &bytes[..end]), end)),
        kind::FRAG => {
            check_flags(kind::FRAG, *flags, kind::FRAG_LAST)?;
            let id = reader.u32()?;
            if reader.rest.is_empty() {
                return Err(CodecError::Malformed("a piece of a body is empty"));
            }
            whole(Frame::Fragment { id, last: flags & kind::FRAG_LAST != 0, bytes: reader.rest })
        }
        frame_kind if frame_kind & NUMBERED_BIT != 0 && frame_kind & IGNORE_BIT == 0 => {
            whole(numbered(frame_kind, *flags, reader)?)
        }
        frame_kind if frame_kind & IGNORE_BIT != 0 => {
            Ok((Decoded::Ignored { numbered: frame_kind & NUMBERED_BIT != 0 }, end))
        }
        frame_kind => whole(session(frame_kind, *flags, reader)?),
    }
}

fn cuttable<'a>((frame, pieces): (Frame<'a>, Option<Pieces>), head: &'a [u8]) -> Decoded<'a> {
    match pieces {
        Some(pieces) => Decoded::Head { frame, pieces, head },
        None => Decoded::Whole(frame),
    }
}

fn message(flags: u8, mut reader: Reader<'_>) -> Result<(Frame<'_>, Option<Pieces>), CodecError> {
    let request = if flags & kind::MSG_REQUEST != 0 { Some(reader.correlation()?) } else { None };
    let remaining_ms = reader.u32()?;
    let sender = if flags & kind::MSG_SENDER != 0 { Some(reader.handle()?) } else { None };
    let target = match flags & kind::MSG_TARGET {
        0 => Target::Slot(reader.handle()?),
        kind::MSG_TO_NAME => {
            let len = usize::from(reader.u8()?);
            Target::Name(name(reader.take(len)?)?)
        }
        kind::MSG_TO_CONTROL => Target::Control,
        _ => return Err(CodecError::UnknownFlags { kind: kind::MSG, flags }),
    };
    let extensions = if flags & kind::MSG_EXTENSIONS != 0 {
        let len = usize::from(reader.u16()?);
        Extensions::from_wire(reader.take(len)?)?
    } else {
        Extensions::NONE
    };
    let (body, pieces) = reader.body(flags)?;
    let control = flags & kind::MSG_CONTROL != 0;
    if control && target != Target::Control {
        // It would pass the window, and its cost would be handed back all the same.
        return Err(CodecError::Malformed("a message to a worker claims to be exempt from the window"));
    }
    Ok((Frame::Message(Message { request, control, remaining_ms, sender, target, extensions, body }), pieces))
}

fn reply(flags: u8, mut reader: Reader<'_>) -> Result<(Frame<'_>, Option<Pieces>), CodecError> {
    check_flags(kind::REPLY, flags, kind::BYTES | kind::PIECES)?;
    let correlation = reader.correlation()?;
    let (body, pieces) = reader.body(flags)?;
    Ok((Frame::Reply(Reply { correlation, body }), pieces))
}

fn fail(flags: u8, mut reader: Reader<'_>) -> Result<(Frame<'_>, Option<Pieces>), CodecError> {
    check_flags(kind::FAIL, flags, kind::BYTES | kind::PIECES | kind::FAIL_MAYBE_EXECUTED)?;
    let correlation = reader.correlation()?;
    let code = reader.u8()?;
    let (body, pieces) = reader.body(flags)?;
    let maybe_executed = flags & kind::FAIL_MAYBE_EXECUTED != 0;
    Ok((Frame::Fail(Fail { correlation, code, maybe_executed, body }), pieces))
}

/// The numbered frames without a body.
fn numbered(frame_kind: u8, flags: u8, mut reader: Reader<'_>) -> Result<Frame<'_>, CodecError> {
    let allowed = match frame_kind {
        kind::CANCEL => kind::CANCEL_DEADLINE,
        kind::HERE => kind::HERE_PRESENT,
        _ => 0,
    };
    let frame = match frame_kind {
        kind::CANCEL => {
            Frame::Cancel { correlation: reader.correlation()?, deadline: flags & kind::CANCEL_DEADLINE != 0 }
        }
        kind::STAGE => Frame::Stage { correlation: reader.correlation()?, stage: reader.u8()? },
        kind::WHERE => Frame::Where { name: name(reader.all())? },
        kind::HERE => {
            let at = if flags & kind::HERE_PRESENT != 0 { Some(reader.handle()?) } else { None };
            Frame::Here { name: name(reader.all())?, at }
        }
        kind::GONE => Frame::Gone { handle: reader.handle()? },
        kind::BIND => Frame::Bind { handle: reader.handle()?, name: name(reader.all())? },
        kind::CREDIT => Frame::Credit {
            target: reader.handle()?,
            kind: match reader.u8()? {
                0 => CreditKind::Grant,
                1 => CreditKind::Ask,
                2 => CreditKind::Return,
                _ => return Err(CodecError::Malformed("a CREDIT frame is of no known kind")),
            },
            port: reader.u8()?,
            messages: reader.u32()?,
            bytes: reader.u32()?,
        },
        kind::EMPTY => Frame::Empty,
        _ => return Err(CodecError::UnknownKind(frame_kind)),
    };
    check_flags(frame_kind, flags, allowed)?;
    reader.end()?;
    Ok(frame)
}

/// The frames of the session itself.
fn session(frame_kind: u8, flags: u8, mut reader: Reader<'_>) -> Result<Frame<'_>, CodecError> {
    let allowed = match frame_kind {
        kind::HELLO => kind::HELLO_ACCEPT_CODE,
        kind::WINDOW => kind::WINDOW_REPLIES,
        kind::RESUME => kind::RESUME_GOES_ON | kind::RESUME_MOVES,
        _ => 0,
    };
    let frame = match frame_kind {
        kind::ACK => Frame::Ack { count: reader.u64()? },
        kind::WINDOW => {
            let flow = if flags & kind::WINDOW_REPLIES != 0 { Flow::Replies } else { Flow::Messages };
            Frame::Window { flow, offset: reader.u64()? }
        }
        kind::PING => Frame::Ping { token: reader.u64()? },
        kind::PONG => {
            let token = reader.u64()?;
            let turns = reader.all();
            if !turns.len().is_multiple_of(4) || turns.len() > PONG_TURNS_MAX * 4 {
                return Err(CodecError::Malformed("a PONG frame does not hold at most 64 whole times"));
            }
            Frame::Pong(Pong { token, turns })
        }
        kind::HELLO => Frame::Hello(Hello {
            features: reader.u64()?,
            deny_list: reader.u64()?,
            max_message: reader.u32()?,
            max_reassembly: reader.u32()?,
            message_window: reader.u32()?,
            reply_window: reader.u32()?,
            max_pieces: reader.u16()?,
            accept_code: flags & kind::HELLO_ACCEPT_CODE != 0,
            extensions: Extensions::from_wire(reader.all())?,
        }),
        kind::RESUME => Frame::Resume(Resume {
            course: match flags {
                kind::RESUME_GOES_ON => Course::GoesOn,
                kind::RESUME_MOVES => Course::Moves,
                // Both at once is refused as the rest of unknown flags is.
                0 => Course::Begins,
                _ => return Err(CodecError::UnknownFlags { kind: kind::RESUME, flags }),
            },
            incarnation: reader.u64()?,
            known_incarnation: reader.u64()?,
            session: reader.u64()?,
            next_expected: reader.u64()?,
        }),
        kind::RESET => Frame::Reset {
            reason: match reader.u8()? {
                1 => ResetReason::NothingKept,
                2 => ResetReason::NewIncarnation,
                3 => ResetReason::Expired,
                _ => return Err(CodecError::Malformed("a RESET frame gives no known reason")),
            },
        },
        kind::CLOSE => Frame::Close { reason: close_reason(reader.u8()?)?, last: reader.u64()? },
        _ => return Err(CodecError::UnknownKind(frame_kind)),
    };
    check_flags(frame_kind, flags, allowed)?;
    reader.end()?;
    Ok(frame)
}

fn close_reason(byte: u8) -> Result<CloseReason, CodecError> {
    Ok(match byte {
        1 => CloseReason::NodeStops,
        2 => CloseReason::Duplicate,
        3 => CloseReason::Expired,
        4 => CloseReason::Violation,
        5 => CloseReason::Denied,
        6 => CloseReason::Replaced,
        _ => return Err(CodecError::Malformed("a CLOSE frame gives no known reason")),
    })
}

fn check_flags(frame_kind: u8, flags: u8, allowed: u8) -> Result<(), CodecError> {
    if flags & !allowed == 0 { Ok(()) } else { Err(CodecError::UnknownFlags { kind: frame_kind, flags }) }
}

fn name(bytes: &[u8]) -> Result<&str, CodecError> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if bytes.is_empty() || bytes.len() > NAME_MAX || !bytes.iter().all(plain) {
        return Err(CodecError::BadName);
    }
    std::str::from_utf8(bytes).map_err(|_| CodecError::BadName)
}

/// Takes values off the front of a frame's content.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], CodecError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn all(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    fn end(&self) -> Result<(), CodecError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(CodecError::Malformed("a frame is longer than its content"))
        }
    }

    fn u8(&mut self) -> Result<u8, CodecError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Result<u16, CodecError> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, CodecError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, CodecError> {
        self.array().map(u64::from_le_bytes)
    }

    fn correlation(&mut self) -> Result<Correlation, CodecError> {
        Ok(Correlation { slot: self.u32()?, generation: self.u32()? })
    }

    fn handle(&mut self) -> Result<Handle, CodecError> {
        Ok(Handle { slot: self.u32()?, generation: self.u32()? })
    }

    /// The body that fills the rest of the frame, or where its pieces belong.
    fn body(mut self, flags: u8) -> Result<(Body<'a>, Option<Pieces>), CodecError> {
        let pieces = if flags & kind::PIECES == 0 {
            None
        } else {
            let pieces = Pieces { id: self.u32()?, total: self.u32()? };
            self.end()?;
            if pieces.total == 0 {
                return Err(CodecError::Malformed("a body in pieces is empty"));
            }
            Some(pieces)
        };
        let body = if flags & kind::BYTES == 0 {
            Body::Text(Text::from_wire(self.rest).ok_or(CodecError::BadText)?)
        } else {
            Body::Bytes(self.rest)
        };
        Ok((body, pieces))
    }
}
