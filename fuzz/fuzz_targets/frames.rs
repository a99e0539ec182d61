//! Any plaintext of a record: it is read without harm, and what is read as a frame is written as the same bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use troupe_proto::{
    codec::{Body, Decoded, FRAME_MAX, Frame, age, decode, encode, encode_head, encoded_len},
    session::Opening,
    text::Text,
};

fuzz_target!(|record: &[u8]| {
    if record.len() > FRAME_MAX {
        return;
    }
    let mut opening = Opening::default();
    let mut rest = record;
    while let Ok((decoded, used)) = decode(rest) {
        let (bytes, tail) = rest.split_at(used);
        match decoded {
            Decoded::Whole(frame) => {
                let body_len = frame.body().map_or(0, |body| body.wire_len());
                let mut again = Vec::new();
                encode(&frame, &mut again);
                if !has_empty_extensions(&frame, bytes[1]) {
                    assert_eq!(again, bytes);
                    assert_eq!(encoded_len(&frame, body_len), used);
                }
                assert_eq!(decode(&again), Ok((Decoded::Whole(frame), again.len())));
                if let Some(Body::Text(text)) = frame.body() {
                    same_in_javascript(text);
                }
                let _ = opening.read(&frame, 7);
            }
            Decoded::Head { frame, pieces, head } => {
                assert_eq!(head, bytes);
                let mut again = Vec::new();
                encode_head(&frame, pieces, &mut again);
                if !has_empty_extensions(&frame, bytes[1]) {
                    assert_eq!(again, bytes);
                }
                // A body that came in pieces is checked as one that came whole.
                if let Ok(whole) = frame.with_body(tail) {
                    assert_eq!(whole.body().map(|body| body.wire_len()), Some(tail.len()));
                }
            }
            Decoded::Ignored { .. } => {}
        }
        let mut aged = bytes.to_vec();
        age(&mut aged, 1);
        assert!(decode(&aged).is_ok(), "waiting made a frame none");
        rest = tail;
    }
});

/// An extensions field of no length says the same as none, which is how it is written.
fn has_empty_extensions(frame: &Frame<'_>, flags: u8) -> bool {
    matches!(frame, Frame::Message(message) if message.extensions.is_empty()) && flags & 0x08 != 0
}

/// Text becomes a JavaScript string and the same bytes again.
fn same_in_javascript(text: Text<'_>) {
    let (mut units, mut before, mut after) = (Vec::new(), Vec::new(), Vec::new());
    text.write_utf16(&mut units);
    text.write_wtf8(&mut before);
    Text::Utf16(&units).write_wtf8(&mut after);
    assert_eq!(before, after);
    let _ = text.to_string_lossy();
}
