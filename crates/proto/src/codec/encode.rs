//! Frames to bytes.

use super::kind::{self, HEADER_LEN};
use super::{
    Body, CloseReason, Correlation, Course, CreditKind, Flow, Frame, Handle, Hello, Message, Pieces, Resume,
    Target,
};

/// Appends one whole frame. The caller keeps it within [`super::FRAME_MAX`]: only a body can be longer, see [`encode_head`].
pub fn encode(frame: &Frame<'_>, out: &mut Vec<u8>) {
    write(frame, None, out);
}

/// Appends the head of a frame whose body follows in [`Frame::Fragment`]s. The frame's own body is left out.
pub fn encode_head(frame: &Frame<'_>, pieces: Pieces, out: &mut Vec<u8>) {
    write(frame, Some(pieces), out);
}

/// Takes time spent waiting off the remaining time of an encoded frame, if it is a message with a limit.
pub fn age(encoded: &mut [u8], waited_ms: u32) {
    let [frame_kind, flags, ..] = *encoded else { return };
    if frame_kind != kind::MSG {
        return;
    }
    let at = HEADER_LEN + if flags & kind::MSG_REQUEST == 0 { 0 } else { 8 };
    if let Some(field) = encoded.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<4>()) {
        let remaining = u32::from_le_bytes(*field);
        if remaining != u32::MAX {
            *field = remaining.saturating_sub(waited_ms).to_le_bytes();
        }
    }
}

/// [`age`] for a row of whole frames, as they stand in a record.
pub fn age_all(mut frames: &mut [u8], waited_ms: u32) {
    while let Some(header) = frames.first_chunk::<HEADER_LEN>() {
        let len = HEADER_LEN + usize::from(u16::from_le_bytes([header[2], header[3]]));
        let Some((frame, rest)) = frames.split_at_mut_checked(len) else { return };
        age(frame, waited_ms);
        frames = rest;
    }
}

/// Bytes of the frame on the wire, header included, if its body is `body_len` bytes long there.
#[must_use]
pub fn encoded_len(frame: &Frame<'_>, body_len: usize) -> usize {
    let content = match frame {
        Frame::Message(message) => {
            let target = match message.target {
                Target::Slot(_) => 8,
                Target::Name(name) => 1 + name.len(),
                Target::Control => 0,
            };
            let extensions = message.extensions.as_bytes().len();
            8 * usize::from(message.request.is_some())
                + 4
                + 8 * usize::from(message.sender.is_some())
                + target
                + if extensions == 0 { 0 } else { 2 + extensions }
        }
        Frame::Reply(_)
        | Frame::Cancel { .. }
        | Frame::Gone { .. }
        | Frame::Ack { .. }
        | Frame::Window { .. }
        | Frame::Ping { .. } => 8,
        Frame::Fail(_) | Frame::Stage { .. } | Frame::Close { .. } => 9,
        Frame::Where { name } => name.len(),
        Frame::Here { name, at } => name.len() + 8 * usize::from(at.is_some()),
        Frame::Bind { name, .. } => 8 + name.len(),
        Frame::Credit { .. } => 18,
        Frame::Empty => 0,
        Frame::Fragment { bytes, .. } => 4 + bytes.len(),
        Frame::Hello(hello) => 34 + hello.extensions.as_bytes().len(),
        Frame::Resume(_) => 32,
        Frame::Reset { .. } => 1,
        Frame::Pong(pong) => 8 + pong.turns.len(),
    };
    HEADER_LEN + content + body_len
}

fn write(frame: &Frame<'_>, pieces: Option<Pieces>, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER_LEN]);
    let (kind, flags) = content(frame, pieces, out);
    let len = (out.len() - start - HEADER_LEN) as u16;
    let [low, high] = len.to_le_bytes();
    out[start..start + HEADER_LEN].copy_from_slice(&[kind, flags, low, high]);
}

/// Writes what follows the header; answers kind and flags.
fn content(frame: &Frame<'_>, pieces: Option<Pieces>, out: &mut Vec<u8>) -> (u8, u8) {
    match frame {
        Frame::Message(message) => (kind::MSG, message_content(message, pieces, out)),
        Frame::Reply(reply) => {
            correlation(reply.correlation, out);
            (kind::REPLY, body(reply.body, pieces, out))
        }
        Frame::Fail(fail) => {
            correlation(fail.correlation, out);
            out.push(fail.code);
            let executed = if fail.maybe_executed { kind::FAIL_MAYBE_EXECUTED } else { 0 };
            (kind::FAIL, executed | body(fail.body, pieces, out))
        }
        Frame::Cancel { correlation: request, deadline } => {
            correlation(*request, out);
            (kind::CANCEL, if *deadline { kind::CANCEL_DEADLINE } else { 0 })
        }
        Frame::Stage { correlation: request, stage } => {
            correlation(*request, out);
            out.push(*stage);
            (kind::STAGE, 0)
        }
        Frame::Where { name } => {
            out.extend_from_slice(name.as_bytes());
            (kind::WHERE, 0)
        }
        Frame::Here { name, at } => {
            if let Some(at) = at {
                handle(*at, out);
            }
            out.extend_from_slice(name.as_bytes());
            (kind::HERE, if at.is_some() { kind::HERE_PRESENT } else { 0 })
        }
        Frame::Gone { handle: gone } => {
            handle(*gone, out);
            (kind::GONE, 0)
        }
        Frame::Bind { handle: bound, name } => {
            handle(*bound, out);
            out.extend_from_slice(name.as_bytes());
            (kind::BIND, 0)
        }
        Frame::Credit { kind: what, target, port, messages, bytes } => {
            handle(*target, out);
            out.push(match what {
                CreditKind::Grant => 0,
                CreditKind::Ask => 1,
                CreditKind::Return => 2,
            });
            out.push(*port);
            out.extend_from_slice(&messages.to_le_bytes());
            out.extend_from_slice(&bytes.to_le_bytes());
            (kind::CREDIT, 0)
        }
        Frame::Empty => (kind::EMPTY, 0),
        Frame::Fragment { id, last, bytes } => {
            out.extend_from_slice(&id.to_le_bytes());
            out.extend_from_slice(bytes);
            (kind::FRAG, if *last { kind::FRAG_LAST } else { 0 })
        }
        _ => session_content(frame, out),
    }
}

/// The frames that are not numbered, except FRAG.
fn session_content(frame: &Frame<'_>, out: &mut Vec<u8>) -> (u8, u8) {
    match frame {
        Frame::Hello(hello) => hello_content(hello, out),
        Frame::Resume(Resume { course, incarnation, known_incarnation, session, next_expected }) => {
            for number in [incarnation, known_incarnation, session, next_expected] {
                out.extend_from_slice(&number.to_le_bytes());
            }
            let flags = match course {
                Course::Begins => 0,
                Course::GoesOn => kind::RESUME_GOES_ON,
                Course::Moves => kind::RESUME_MOVES,
            };
            (kind::RESUME, flags)
        }
        Frame::Reset { reason } => {
            out.push(*reason as u8);
            (kind::RESET, 0)
        }
        Frame::Ack { count } => {
            out.extend_from_slice(&count.to_le_bytes());
            (kind::ACK, 0)
        }
        Frame::Window { flow, offset } => {
            out.extend_from_slice(&offset.to_le_bytes());
            let flags = match flow {
                Flow::Messages => 0,
                Flow::Replies => kind::WINDOW_REPLIES,
            };
            (kind::WINDOW, flags)
        }
        Frame::Ping { token } => {
            out.extend_from_slice(&token.to_le_bytes());
            (kind::PING, 0)
        }
        Frame::Pong(pong) => {
            out.extend_from_slice(&pong.token.to_le_bytes());
            out.extend_from_slice(pong.turns);
            (kind::PONG, 0)
        }
        Frame::Close { reason, last } => close_content(*reason, *last, out),
        // `content` has dealt with every other kind.
        _ => (kind::EMPTY, 0),
    }
}

fn hello_content(hello: &Hello<'_>, out: &mut Vec<u8>) -> (u8, u8) {
    out.extend_from_slice(&hello.features.to_le_bytes());
    out.extend_from_slice(&hello.deny_list.to_le_bytes());
    for number in [hello.max_message, hello.max_reassembly, hello.message_window, hello.reply_window] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&hello.max_pieces.to_le_bytes());
    out.extend_from_slice(hello.extensions.as_bytes());
    (kind::HELLO, if hello.accept_code { kind::HELLO_ACCEPT_CODE } else { 0 })
}

fn close_content(reason: CloseReason, last: u64, out: &mut Vec<u8>) -> (u8, u8) {
    out.push(reason as u8);
    out.extend_from_slice(&last.to_le_bytes());
    (kind::CLOSE, 0)
}

fn message_content(message: &Message<'_>, pieces: Option<Pieces>, out: &mut Vec<u8>) -> u8 {
    let mut flags = if message.control { kind::MSG_CONTROL } else { 0 };
    if let Some(request) = message.request {
        flags |= kind::MSG_REQUEST;
        correlation(request, out);
    }
    out.extend_from_slice(&message.remaining_ms.to_le_bytes());
    if let Some(sender) = message.sender {
        flags |= kind::MSG_SENDER;
        handle(sender, out);
    }
    match message.target {
        Target::Slot(target) => handle(target, out),
        Target::Name(name) => {
            flags |= kind::MSG_TO_NAME;
            out.push(name.len() as u8);
            out.extend_from_slice(name.as_bytes());
        }
        Target::Control => flags |= kind::MSG_TO_CONTROL,
    }
    if !message.extensions.is_empty() {
        flags |= kind::MSG_EXTENSIONS;
        let bytes = message.extensions.as_bytes();
        out.extend_from_slice(&(bytes.len() as u16).to_le_bytes());
        out.extend_from_slice(bytes);
    }
    flags | body(message.body, pieces, out)
}

/// Writes the body, or where its pieces are to be put together; answers its flags.
fn body(body: Body<'_>, pieces: Option<Pieces>, out: &mut Vec<u8>) -> u8 {
    let form = match body {
        Body::Text(_) => 0,
        Body::Bytes(_) => kind::BYTES,
    };
    if let Some(Pieces { id, total }) = pieces {
        out.extend_from_slice(&id.to_le_bytes());
        out.extend_from_slice(&total.to_le_bytes());
        form | kind::PIECES
    } else {
        body.write(out);
        form
    }
}

fn correlation(value: Correlation, out: &mut Vec<u8>) {
    pair(value.slot, value.generation, out);
}

fn handle(value: Handle, out: &mut Vec<u8>) {
    pair(value.slot, value.generation, out);
}

fn pair(slot: u32, generation: u32, out: &mut Vec<u8>) {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&slot.to_le_bytes());
    bytes[4..].copy_from_slice(&generation.to_le_bytes());
    out.extend_from_slice(&bytes);
}
