//! Every length that a peer states is taken up to its bound and refused one beyond, whatever else is there. Nothing is
//! allocated for one: a frame borrows from its record.

use troupe_proto::{
    codec::{
        Body, CodecError, Decoded, Extensions, FRAME_MAX, Fail, Frame, HEADER_LEN, Hello, Message, NAME_MAX,
        Pieces, Pong, Reply, Target, decode, encode_head,
    },
    session::Terms,
    text::Text,
};

use super::{CORRELATION, HANDLE, bytes_of};

fn whole(bytes: &[u8]) -> Result<usize, CodecError> {
    decode(bytes).map(|(_, used)| used)
}

fn message<'a>(target: Target<'a>, extensions: Extensions<'a>, body: Body<'a>) -> Frame<'a> {
    let (request, control, remaining_ms, sender) = (None, false, 0, None);
    Frame::Message(Message { request, control, remaining_ms, sender, target, extensions, body })
}

/// The frame, with another length in its header.
fn stating(mut bytes: Vec<u8>, length: usize) -> Vec<u8> {
    bytes[2..4].copy_from_slice(&(length as u16).to_le_bytes());
    bytes
}

#[test]
fn a_frame_fills_its_record_and_no_byte_more() {
    let longest = vec![7; FRAME_MAX - HEADER_LEN - 8];
    let bytes = bytes_of(&Frame::Reply(Reply { correlation: CORRELATION, body: Body::Bytes(&longest) }));
    assert_eq!(bytes.len(), FRAME_MAX);
    assert_eq!(whole(&bytes), Ok(FRAME_MAX));
    for length in [FRAME_MAX - HEADER_LEN + 1, usize::from(u16::MAX)] {
        assert_eq!(whole(&stating(bytes.clone(), length)), Err(CodecError::Truncated));
    }
}

#[test]
fn a_frame_that_states_a_length_and_brings_less_is_refused() {
    for length in [1, 8, 255, 256, 16_383, 65_535] {
        for kind in 0..=u8::MAX {
            let mut bytes = vec![kind, 0, 0, 0];
            bytes.resize(HEADER_LEN + length - 1, b'a');
            assert_eq!(whole(&stating(bytes, length)), Err(CodecError::Truncated), "kind {kind:#x}");
        }
    }
}

#[test]
fn a_frame_of_fixed_content_has_exactly_its_length() {
    let fixed = [
        Frame::Cancel { correlation: CORRELATION, deadline: true },
        Frame::Stage { correlation: CORRELATION, stage: 1 },
        Frame::Gone { handle: HANDLE },
        Frame::Empty,
        Frame::Ack { count: 1 },
        Frame::Ping { token: 1 },
    ];
    for frame in fixed {
        let exact = bytes_of(&frame);
        assert_eq!(whole(&exact), Ok(exact.len()));
        let content = exact.len() - HEADER_LEN;
        assert!(content == 0 || whole(&stating(exact.clone(), content - 1)).is_err(), "{frame:?} one short");
        let long = stating([&exact[..], &[0]].concat(), content + 1);
        assert!(whole(&long).is_err(), "{frame:?} one over");
    }
}

#[test]
fn a_name_has_1_to_128_bytes_wherever_it_stands() {
    let name_of = |length| "a".repeat(length);
    for (length, fits) in [(0, false), (1, true), (NAME_MAX, true), (NAME_MAX + 1, false), (255, false)] {
        let name = &name_of(length);
        let frames = [
            Frame::Where { name },
            Frame::Here { name, at: None },
            Frame::Here { name, at: Some(HANDLE) },
            Frame::Bind { handle: HANDLE, name },
            message(Target::Name(name), Extensions::NONE, Body::EMPTY),
        ];
        for frame in frames {
            let result = whole(&bytes_of(&frame));
            assert_eq!(result.is_ok(), fits, "{frame:?}");
            assert!(fits || result == Err(CodecError::BadName), "{frame:?}");
        }
    }
}

#[test]
fn a_name_has_its_characters_and_no_others_wherever_it_stands() {
    for byte in 0..=u8::MAX {
        let fits = byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let frames = [
            Frame::Where { name: "abc" },
            Frame::Here { name: "abc", at: None },
            Frame::Bind { handle: HANDLE, name: "abc" },
            message(Target::Name("abc"), Extensions::NONE, Body::EMPTY),
        ];
        for frame in frames {
            let mut bytes = bytes_of(&frame);
            *bytes.last_mut().unwrap() = byte;
            let expected = if fits { Ok(bytes.len()) } else { Err(CodecError::BadName) };
            assert_eq!(whole(&bytes), expected, "{byte:#x} in {frame:?}");
        }
    }
}

#[test]
fn a_name_inside_a_message_ends_where_the_message_does() {
    let bytes = bytes_of(&message(Target::Name("abc"), Extensions::NONE, Body::EMPTY));
    let at = HEADER_LEN + 4;
    assert_eq!(bytes[at], 3);
    for (stated, expected) in
        [(3, Ok(bytes.len())), (4, Err(CodecError::Truncated)), (0, Err(CodecError::BadName))]
    {
        let mut bytes = bytes.clone();
        bytes[at] = stated;
        assert_eq!(whole(&bytes), expected, "{stated}");
    }
}

/// So many bytes of extensions, in fields as long as they can be.
fn extensions(length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < length {
        let value = (length - bytes.len() - 2).min(255);
        // No rest that is too short for a field.
        let value = if length - bytes.len() - 2 - value == 1 { value - 1 } else { value };
        bytes.extend_from_slice(&[1, value as u8]);
        bytes.resize(bytes.len() + value, b'x');
    }
    bytes
}

#[test]
fn extensions_have_up_to_512_bytes() {
    for (length, fits) in [(2, true), (512, true), (513, false), (5000, false)] {
        let fields = extensions(length);
        assert_eq!(fields.len(), length);
        assert_eq!(Extensions::from_wire(&fields).is_ok(), fits, "{length}");
        // In a HELLO they fill the rest.
        let bytes = [&bytes_of(&Terms::default().hello())[..], &fields].concat();
        let content = bytes.len() - HEADER_LEN;
        assert_eq!(whole(&stating(bytes, content)).is_ok(), fits, "{length} in HELLO");
        // In a message they say how long they are.
        let one = Extensions::from_wire(&[1, 0]).unwrap();
        let bytes = bytes_of(&message(Target::Control, one, Body::EMPTY));
        let (head, _) = bytes.split_at(HEADER_LEN + 4);
        let bytes = [head, &(length as u16).to_le_bytes(), &fields].concat();
        let content = bytes.len() - HEADER_LEN;
        assert_eq!(whole(&stating(bytes, content)).is_ok(), fits, "{length} in a message");
    }
}

#[test]
fn a_field_of_the_extensions_ends_where_they_do() {
    assert!(Extensions::from_wire(&[1, 3, b'a', b'b', b'c']).is_ok());
    for cut in [&[1][..], &[1, 3, b'a', b'b'], &[1, 255], &[1, 0, 2], &[1, 1, b'a', 2, 1]] {
        assert!(Extensions::from_wire(cut).is_err(), "{cut:?}");
    }
    let one = Extensions::from_wire(&[1, 1, b'a']).unwrap();
    let bytes = bytes_of(&message(Target::Control, one, Body::EMPTY));
    let at = HEADER_LEN + 4;
    for (stated, fits) in [(3, true), (2, false), (4, false), (u16::MAX, false)] {
        let mut bytes = bytes.clone();
        bytes[at..at + 2].copy_from_slice(&stated.to_le_bytes());
        assert_eq!(whole(&bytes).is_ok(), fits, "{stated}");
    }
}

#[test]
fn a_pong_tells_of_64_isolates_at_most_and_of_whole_times() {
    for (length, fits) in
        [(0, true), (4, true), (256, true), (1, false), (3, false), (255, false), (260, false)]
    {
        let turns = vec![0; length];
        let result = whole(&bytes_of(&Frame::Pong(Pong { token: 1, turns: &turns })));
        assert_eq!(result.is_ok(), fits, "{length}");
    }
}

#[test]
fn a_body_in_pieces_has_a_length_and_nothing_of_itself_in_its_head() {
    let fail = Fail { correlation: CORRELATION, code: 1, maybe_executed: false, body: Body::EMPTY };
    let reply = Reply { correlation: CORRELATION, body: Body::Bytes(&[]) };
    let frames =
        [message(Target::Control, Extensions::NONE, Body::EMPTY), Frame::Reply(reply), Frame::Fail(fail)];
    for frame in frames {
        for (total, fits) in [(0, false), (1, true), (u32::MAX, true)] {
            let mut bytes = Vec::new();
            encode_head(&frame, Pieces { id: 1, total }, &mut bytes);
            assert_eq!(whole(&bytes).is_ok(), fits, "{frame:?} of {total}");
            let content = bytes.len() - HEADER_LEN;
            assert!(whole(&stating([&bytes[..], b"x"].concat(), content + 1)).is_err(), "{frame:?}");
            // As many bytes as are there, whatever was announced.
            if let Ok((Decoded::Head { frame, .. }, _)) = decode(&bytes) {
                assert_eq!(frame.body().map(|body| body.wire_len()), Some(0));
            }
        }
    }
}

#[test]
fn a_piece_holds_a_byte_at_least() {
    let piece = |bytes| bytes_of(&Frame::Fragment { id: 1, last: true, bytes });
    assert!(whole(&piece(b"x")).is_ok());
    assert!(whole(&piece(b"")).is_err());
}

#[test]
fn a_hello_has_all_its_fields() {
    let hello = Hello {
        features: 0,
        deny_list: 0,
        max_message: 1,
        max_reassembly: 1,
        max_pieces: 1,
        message_window: 1,
        reply_window: 1,
        accept_code: false,
        extensions: Extensions::NONE,
    };
    let bytes = bytes_of(&Frame::Hello(hello));
    assert_eq!(bytes.len(), HEADER_LEN + 34);
    for length in 0..34 {
        assert_eq!(whole(&stating(bytes.clone(), length)), Err(CodecError::Truncated), "{length}");
    }
}

#[test]
fn numbers_of_closed_sets_are_taken_from_the_sets() {
    let close = |reason| whole(&[&[0x08, 0, 9, 0, reason][..], &[0; 8]].concat());
    let reset = |reason| whole(&[0x03, 0, 1, 0, reason]);
    let credit = |kind| whole(&[&[0x4a, 0, 18, 0][..], &[0; 8], &[kind], &[0; 9]].concat());
    for number in 0..=u8::MAX {
        assert_eq!(close(number).is_ok(), (1..=6).contains(&number), "CLOSE {number}");
        assert_eq!(reset(number).is_ok(), (1..=3).contains(&number), "RESET {number}");
        assert_eq!(credit(number).is_ok(), number <= 2, "CREDIT {number}");
    }
}

#[test]
fn text_is_held_to_its_form_whole_or_in_pieces() {
    let frame = |body| Frame::Reply(Reply { correlation: CORRELATION, body });
    let high_then_low = [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80];
    for wrong in [&[0x80][..], &[0xc0, 0x80], &[0xed, 0xa0], &[0xf8], &high_then_low] {
        assert_eq!(whole(&bytes_of(&frame(Body::Text(Text::Wtf8(wrong))))), Err(CodecError::BadText));
        assert_eq!(frame(Body::EMPTY).with_body(wrong), Err(CodecError::BadText));
        assert!(whole(&bytes_of(&frame(Body::Bytes(wrong)))).is_ok());
    }
}
