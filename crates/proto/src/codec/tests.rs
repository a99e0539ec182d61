//! Every frame survives the wire, and nothing else is taken for one.

use proptest::prelude::*;

use super::*;

const HANDLE: Handle = Handle { slot: 0x0102_0304, generation: 0x0506_0708 };
const CORRELATION: Correlation = Correlation { slot: 9, generation: u32::MAX };

fn resume(course: Course) -> Frame<'static> {
    Frame::Resume(Resume { course, incarnation: 1, known_incarnation: 2, session: 3, next_expected: 4 })
}

fn message(target: Target<'_>) -> Message<'_> {
    Message {
        request: None,
        control: false,
        remaining_ms: 250,
        sender: None,
        target,
        extensions: Extensions::NONE,
        body: Body::EMPTY,
    }
}

fn text(text: &str) -> Body<'_> {
    Body::Text(Text::from_utf8(text))
}

/// One of each kind and of each form that a flag changes.
fn frames() -> Vec<Frame<'static>> {
    let named = message(Target::Name("greeter-1"));
    let extensions = Extensions::from_wire(&[Extensions::TRACEPARENT, 2, b'0', b'0']).unwrap();
    vec![
        Frame::Message(Message { body: text("hello"), ..named }),
        Frame::Message(Message { request: Some(CORRELATION), sender: Some(HANDLE), ..named }),
        Frame::Message(Message { body: text("grüße \u{1f980}"), ..message(Target::Slot(HANDLE)) }),
        Frame::Message(Message { control: true, body: Body::Bytes(&[0, 255]), ..message(Target::Control) }),
        Frame::Message(Message { extensions, request: Some(CORRELATION), body: text("x"), ..named }),
        Frame::Reply(Reply { correlation: CORRELATION, body: text("done") }),
        Frame::Reply(Reply { correlation: CORRELATION, body: Body::Bytes(&[1, 2, 3]) }),
        Frame::Fail(Fail { correlation: CORRELATION, code: 4, maybe_executed: true, body: text("{}") }),
        Frame::Fail(Fail { correlation: CORRELATION, code: 4, maybe_executed: false, body: Body::EMPTY }),
        Frame::Cancel { correlation: CORRELATION, deadline: true },
        Frame::Cancel { correlation: CORRELATION, deadline: false },
        Frame::Stage { correlation: CORRELATION, stage: 2 },
        Frame::Where { name: "greeter" },
        Frame::Here { name: "greeter", at: Some(HANDLE) },
        Frame::Here { name: "greeter", at: None },
        Frame::Gone { handle: HANDLE },
        Frame::Bind { handle: HANDLE, name: "greeter" },
        Frame::Credit { kind: CreditKind::Grant, target: HANDLE, port: 1, messages: 64, bytes: 1 << 18 },
        Frame::Credit { kind: CreditKind::Ask, target: HANDLE, port: 1, messages: 64, bytes: 1 << 18 },
        Frame::Credit { kind: CreditKind::Return, target: HANDLE, port: 255, messages: 1, bytes: 1 },
        Frame::Empty,
        Frame::Fragment { id: 3, last: false, bytes: b"part" },
        Frame::Fragment { id: 3, last: true, bytes: b"end" },
        Frame::Hello(Hello {
            features: 1,
            deny_list: 2,
            max_message: 3,
            max_reassembly: 4,
            max_pieces: 5,
            message_window: 6,
            reply_window: 7,
            accept_code: true,
            extensions,
        }),
        resume(Course::Begins),
        resume(Course::GoesOn),
        resume(Course::Moves),
        Frame::Reset { reason: ResetReason::NothingKept },
        Frame::Ack { count: u64::MAX },
        Frame::Window { flow: Flow::Messages, offset: 1 },
        Frame::Window { flow: Flow::Replies, offset: u64::MAX },
        Frame::Ping { token: 1 },
        Frame::Pong(Pong { token: 1, turns: &[1, 0, 0, 0, 2, 0, 0, 0] }),
        Frame::Close { reason: CloseReason::NodeStops, last: 12 },
    ]
}

fn bytes_of(frame: &Frame<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(frame, &mut bytes);
    bytes
}

#[test]
fn every_frame_survives_the_wire() {
    for frame in frames() {
        let bytes = bytes_of(&frame);
        assert_eq!(decode(&bytes), Ok((Decoded::Whole(frame), bytes.len())), "{frame:?}");
        let body_len = frame.body().map_or(0, |body| body.wire_len());
        assert_eq!(encoded_len(&frame, body_len), bytes.len(), "{frame:?}");
        assert_eq!(bytes[0] & NUMBERED_BIT != 0, frame.is_numbered(), "{frame:?}");
    }
}

#[test]
fn frames_share_a_record() {
    let mut record = Vec::new();
    for frame in frames() {
        encode(&frame, &mut record);
    }
    let back: Vec<_> = Decoder::new(&record).map(Result::unwrap).collect();
    let sent: Vec<_> = frames().into_iter().map(Decoded::Whole).collect();
    assert_eq!(back, sent);
}

#[test]
fn a_frame_cut_anywhere_is_refused_or_shorter_but_never_more() {
    for frame in frames() {
        let bytes = bytes_of(&frame);
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end]).is_err(), "{frame:?} cut at {end}");
        }
    }
}

#[test]
fn a_body_in_pieces_is_its_head_and_its_fragments() {
    let frame =
        Frame::Message(Message { request: Some(CORRELATION), body: text("abc"), ..message(Target::Control) });
    let pieces = Pieces { id: 5, total: 3 };
    let mut bytes = Vec::new();
    encode_head(&frame, pieces, &mut bytes);
    let (Decoded::Head { frame: head, pieces: found, head: kept }, used) = decode(&bytes).unwrap() else {
        panic!("a head")
    };
    assert_eq!((found, kept, used), (pieces, &bytes[..], bytes.len()));
    assert_eq!(head.body(), Some(Body::EMPTY));
    assert_eq!(head.with_body(b"abc"), Ok(frame));
    assert_eq!(head.with_body(&[0xff]), Err(CodecError::BadText));
}

#[test]
fn unknown_kinds_say_whether_they_may_be_skipped() {
    let skipped = [0x3f | IGNORE_BIT, 0, 2, 0, 1, 2];
    assert_eq!(decode(&skipped), Ok((Decoded::Ignored { numbered: false }, 6)));
    let numbered = [0x3f | IGNORE_BIT | NUMBERED_BIT, 0, 0, 0];
    assert_eq!(decode(&numbered), Ok((Decoded::Ignored { numbered: true }, 4)));
    assert_eq!(decode(&[0x3f, 0, 0, 0]), Err(CodecError::UnknownKind(0x3f)));
    assert_eq!(decode(&[0x7f, 0, 0, 0]), Err(CodecError::UnknownKind(0x7f)));
}

#[test]
fn flags_without_meaning_are_refused() {
    for (index, frame) in frames().into_iter().enumerate() {
        let mut bytes = bytes_of(&frame);
        let meaningful = match frame {
            Frame::Message(_) => continue,
            Frame::Reply(_) => 0xc0,
            Frame::Fail(_) => 0xc1,
            _ => 0x01,
        };
        bytes[1] |= !meaningful;
        assert!(matches!(decode(&bytes), Err(CodecError::UnknownFlags { .. })), "frame {index}");
    }
    let mut bytes = bytes_of(&Frame::Message(message(Target::Control)));
    bytes[1] |= 0x30;
    assert!(matches!(decode(&bytes), Err(CodecError::UnknownFlags { .. })));
}

#[test]
fn names_are_held_to_their_alphabet_and_length() {
    let long = "a".repeat(NAME_MAX + 1);
    for name in ["", "a b", "node/worker", "ä", &long] {
        assert_eq!(decode(&bytes_of(&Frame::Where { name })), Err(CodecError::BadName), "{name:?}");
    }
}

#[test]
fn text_that_is_none_is_refused_and_bytes_are_not() {
    let frame = |body| Frame::Reply(Reply { correlation: CORRELATION, body });
    assert_eq!(decode(&bytes_of(&frame(Body::Text(Text::Wtf8(&[0xff]))))), Err(CodecError::BadText));
    assert!(decode(&bytes_of(&frame(Body::Bytes(&[0xff])))).is_ok());
}

#[test]
fn waiting_is_taken_off_the_remaining_time() {
    for request in [None, Some(CORRELATION)] {
        for (before, after) in [(250, 150), (99, 0), (u32::MAX, u32::MAX)] {
            let frame =
                |remaining_ms| Frame::Message(Message { request, remaining_ms, ..message(Target::Control) });
            let mut bytes = bytes_of(&frame(before));
            age(&mut bytes, 100);
            assert_eq!(decode(&bytes).unwrap().0, Decoded::Whole(frame(after)));
        }
    }
    for frame in frames() {
        if !matches!(frame, Frame::Message(_)) {
            let mut bytes = bytes_of(&frame);
            age(&mut bytes, 100);
            assert_eq!(bytes, bytes_of(&frame));
        }
    }
}

#[test]
fn costs_count_the_body_and_the_frame() {
    let reply = Frame::Reply(Reply { correlation: CORRELATION, body: text("abc") });
    assert_eq!(reply.cost(), Some((Flow::Replies, 3 + FLOW_OVERHEAD)));
    let sent = message(Target::Name("a"));
    assert_eq!(Frame::Message(sent).cost(), Some((Flow::Messages, FLOW_OVERHEAD)));
    assert_eq!(Frame::Message(Message { control: true, ..sent }).cost(), None);
    assert_eq!(Frame::Where { name: "a" }.cost(), None);
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic_or_loop(bytes: Vec<u8>) {
        for decoded in Decoder::new(&bytes) {
            if decoded.is_err() { break; }
        }
    }

    #[test]
    fn what_decodes_encodes_to_the_same_bytes(kind in 0u8..0x50, flags: u8, content in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut bytes = vec![kind, flags, content.len() as u8, 0];
        bytes.extend(content);
        if let Ok((Decoded::Whole(frame), used)) = decode(&bytes) {
            prop_assert_eq!(used, bytes.len());
            let mut again = bytes_of(&frame);
            // An extensions field of no length says the same as none.
            if let Frame::Message(message) = frame && message.extensions.is_empty() && flags & 8 != 0 { again.clear(); }
            prop_assert!(again.is_empty() || again == bytes, "{:x?} {:x?}", bytes, again);
        }
    }
}

#[test]
fn time_spent_waiting_is_taken_off_every_message_of_a_record() {
    let frames = [
        Frame::Message(Message { request: Some(CORRELATION), ..message(Target::Slot(HANDLE)) }),
        Frame::Cancel { correlation: CORRELATION, deadline: true },
        Frame::Message(Message { remaining_ms: u32::MAX, ..message(Target::Name("greeter")) }),
    ];
    let mut record = Vec::new();
    for frame in &frames {
        encode(frame, &mut record);
    }
    age_all(&mut record, 100);
    let aged: Vec<_> = Decoder::new(&record).map(Result::unwrap).collect();
    let Decoded::Whole(Frame::Message(first)) = aged[0] else { panic!("a message") };
    assert_eq!(first.remaining_ms, 150);
    assert_eq!(aged[1..], [Decoded::Whole(frames[1]), Decoded::Whole(frames[2])]);
    // Cut short, it is left as it is.
    let before = record.clone();
    age_all(&mut record[..7], 100);
    assert_eq!(record, before);
}

#[test]
fn only_a_request_expires_and_only_when_its_time_is_up() {
    let request = Message { request: Some(CORRELATION), ..message(Target::Slot(HANDLE)) };
    assert!(!Frame::Message(request).is_expired(249));
    assert!(Frame::Message(request).is_expired(250));
    assert!(!Frame::Message(Message { remaining_ms: u32::MAX, ..request }).is_expired(u32::MAX));
    assert!(!Frame::Message(Message { remaining_ms: 0, ..message(Target::Slot(HANDLE)) }).is_expired(1));
    assert!(!Frame::Empty.is_expired(1));
}
