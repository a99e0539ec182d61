//! A frame of any kind with any content is read as it was written; of a part of it nothing is read.

use proptest::prelude::*;
use troupe_proto::{
    codec::{
        Body, CloseReason, Correlation, Course, CreditKind, Decoded, Decoder, Extensions, Fail, Flow, Frame,
        Handle, Hello, Message, NUMBERED_BIT, Pieces, Pong, Reply, ResetReason, Resume, Target, decode,
        encode_head, encoded_len,
    },
    text::Text,
};

use super::bytes_of;

/// What a frame is filled with.
#[derive(Debug, Clone)]
struct Content {
    kind: usize,
    choice: usize,
    flags: [bool; 4],
    bytes: [u8; 2],
    words: [u32; 7],
    longs: [u64; 4],
    name: String,
    body: Vec<u8>,
    units: Vec<u16>,
    turns: Vec<u8>,
    extensions: Vec<u8>,
}

/// Kinds of frames; `frame` makes one of each.
const KINDS: usize = 20;

fn content() -> impl Strategy<Value = Content> {
    let field = (any::<u8>(), prop::collection::vec(any::<u8>(), 0..60));
    let extensions = prop::collection::vec(field, 0..5).prop_map(|fields| {
        let with_length = |(kind, value): (u8, Vec<u8>)| [&[kind, value.len() as u8][..], &value].concat();
        fields.into_iter().flat_map(with_length).collect()
    });
    // Surrogates, alone and in pairs, beside what is anything.
    let unit = prop_oneof![any::<u16>(), 0xd7f0_u16..0xe010, 0_u16..128];
    let texts = (
        "[A-Za-z0-9_-]{1,128}",
        prop::collection::vec(any::<u8>(), 1..200),
        prop::collection::vec(unit, 0..80),
        prop::collection::vec(any::<[u8; 4]>(), 0..65).prop_map(|turns| turns.concat()),
        extensions,
    );
    let numbers = (
        0..KINDS,
        any::<usize>(),
        any::<[bool; 4]>(),
        any::<[u8; 2]>(),
        any::<[u32; 7]>(),
        any::<[u64; 4]>(),
    );
    (numbers, texts).prop_map(
        |((kind, choice, flags, bytes, words, longs), (name, body, units, turns, extensions))| Content {
            kind,
            choice,
            flags,
            bytes,
            words,
            longs,
            name,
            body,
            units,
            turns,
            extensions,
        },
    )
}

/// The frame of a kind that holds this content.
fn frame(content: &Content) -> Frame<'_> {
    let Content { choice, flags, bytes, words, longs, name, .. } = content;
    let [one, two, three, four] = *flags;
    let correlation = Correlation { slot: words[0], generation: words[1] };
    let handle = Handle { slot: words[2], generation: words[3] };
    let extensions = Extensions::from_wire(&content.extensions).unwrap();
    let body = match choice % 2 {
        0 => Body::Text(Text::Utf16(&content.units)),
        _ => Body::Bytes(&content.body),
    };
    match content.kind {
        0 => Frame::Message(Message {
            request: one.then_some(correlation),
            // Only what goes to the control service may be exempt from windows.
            control: two && choice % 3 == 2,
            remaining_ms: words[4],
            sender: three.then_some(Handle { slot: words[5], generation: words[6] }),
            target: [Target::Slot(handle), Target::Name(name), Target::Control][choice % 3],
            extensions,
            body,
        }),
        1 => Frame::Reply(Reply { correlation, body }),
        2 => Frame::Fail(Fail { correlation, code: bytes[0], maybe_executed: one, body }),
        3 => Frame::Cancel { correlation, deadline: one },
        4 => Frame::Stage { correlation, stage: bytes[0] },
        5 => Frame::Where { name },
        6 => Frame::Here { name, at: one.then_some(handle) },
        7 => Frame::Gone { handle },
        8 => Frame::Bind { handle, name },
        9 => Frame::Credit {
            kind: [CreditKind::Grant, CreditKind::Ask, CreditKind::Return][choice % 3],
            target: handle,
            port: bytes[1],
            messages: words[4],
            bytes: words[5],
        },
        10 => Frame::Empty,
        11 => Frame::Fragment { id: words[4], last: four, bytes: &content.body },
        12 => Frame::Hello(Hello {
            features: longs[0],
            deny_list: longs[1],
            max_message: words[0],
            max_reassembly: words[1],
            max_pieces: u16::from_le_bytes(*bytes),
            message_window: words[2],
            reply_window: words[3],
            accept_code: one,
            extensions,
        }),
        13 => Frame::Resume(Resume {
            course: [Course::Begins, Course::GoesOn, Course::Moves][choice % 3],
            incarnation: longs[0],
            known_incarnation: longs[1],
            session: longs[2],
            next_expected: longs[3],
        }),
        14 => {
            let reasons = [ResetReason::NothingKept, ResetReason::NewIncarnation, ResetReason::Expired];
            Frame::Reset { reason: reasons[choice % 3] }
        }
        15 => Frame::Ack { count: longs[0] },
        16 => Frame::Window { flow: Flow::ALL[choice % 2], offset: longs[0] },
        17 => Frame::Ping { token: longs[0] },
        18 => Frame::Pong(Pong { token: longs[0], turns: &content.turns }),
        _ => {
            let reasons = [
                CloseReason::NodeStops,
                CloseReason::Duplicate,
                CloseReason::Expired,
                CloseReason::Violation,
                CloseReason::Denied,
                CloseReason::Replaced,
            ];
            Frame::Close { reason: reasons[choice % 6], last: longs[0] }
        }
    }
}

/// The UTF-16 of a text body, or the bytes of another.
fn said(body: Option<Body<'_>>) -> Option<Result<Vec<u16>, Vec<u8>>> {
    body.map(|body| match body {
        Body::Text(text) => {
            let mut units = Vec::new();
            text.write_utf16(&mut units);
            Ok(units)
        }
        Body::Bytes(bytes) => Err(bytes.to_vec()),
    })
}

/// The frame with its text in the form of the wire, for comparing.
fn on_the_wire<'a>(frame: Frame<'a>, body: &'a [u8]) -> Frame<'a> {
    if frame.body().is_some() { frame.with_body(body).unwrap() } else { frame }
}

fn body_bytes(frame: &Frame<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(body) = frame.body() {
        body.write(&mut bytes);
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_frame_of_any_kind_is_read_as_it_was_written(content in content()) {
        let frame = frame(&content);
        let bytes = bytes_of(&frame);
        let body = body_bytes(&frame);
        prop_assert_eq!(bytes.len(), encoded_len(&frame, body.len()));
        let (decoded, used) = decode(&bytes).unwrap();
        prop_assert_eq!(used, bytes.len());
        let Decoded::Whole(read) = decoded else { panic!("{decoded:?}") };
        prop_assert_eq!(said(read.body()), said(frame.body()));
        prop_assert_eq!(read, on_the_wire(frame, &body));
        prop_assert_eq!(read.cost(), frame.cost());
        prop_assert_eq!(read.is_numbered(), bytes[0] & NUMBERED_BIT != 0);
        prop_assert_eq!(bytes_of(&read), bytes);
    }

    #[test]
    fn of_a_frame_cut_anywhere_nothing_is_read(content in content()) {
        let bytes = bytes_of(&frame(&content));
        for cut in 0..bytes.len() {
            prop_assert!(decode(&bytes[..cut]).is_err(), "cut at {}", cut);
        }
    }

    #[test]
    fn frames_behind_each_other_are_read_in_their_order(contents in prop::collection::vec(content(), 0..8)) {
        let frames: Vec<_> = contents.iter().map(frame).collect();
        let bodies: Vec<_> = frames.iter().map(body_bytes).collect();
        let record = frames.iter().flat_map(bytes_of).collect::<Vec<u8>>();
        let read: Result<Vec<_>, _> = Decoder::new(&record).collect();
        let expected = frames.into_iter().zip(&bodies).map(|(frame, body)| Decoded::Whole(on_the_wire(frame, body)));
        prop_assert_eq!(read.unwrap(), expected.collect::<Vec<_>>());
    }

    #[test]
    fn a_body_in_pieces_becomes_the_frame_it_was_cut_from(content in content(), id: u32) {
        let content = Content { kind: content.kind % 3, ..content };
        let frame = frame(&content);
        let body = body_bytes(&frame);
        prop_assume!(!body.is_empty());
        let pieces = Pieces { id, total: body.len() as u32 };
        let mut bytes = Vec::new();
        encode_head(&frame, pieces, &mut bytes);
        let (Decoded::Head { frame: head, pieces: found, head: kept }, used) = decode(&bytes).unwrap() else {
            panic!("a head")
        };
        prop_assert_eq!((found, kept, used), (pieces, &bytes[..], bytes.len()));
        prop_assert_eq!(head.with_body(&body).unwrap(), on_the_wire(frame, &body));
        for cut in 0..bytes.len() {
            prop_assert!(decode(&bytes[..cut]).is_err(), "cut at {}", cut);
        }
    }
}
