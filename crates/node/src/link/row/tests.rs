//! What the peer does not own is kept, and nothing else.

use troupe_proto::{
    codec::{Body, Correlation, Extensions, Handle, Message, Target, encoded_len},
    text::Text,
};

use super::*;

fn message(slot: u32, remaining_ms: u32, body: &str) -> Frame<'_> {
    Frame::Message(Message {
        request: Some(Correlation { slot, generation: 1 }),
        control: false,
        remaining_ms,
        sender: None,
        target: Target::Slot(Handle { slot: 2, generation: 1 }),
        extensions: Extensions::NONE,
        body: Body::Text(Text::from_utf8(body)),
    })
}

fn push(row: &mut Row, frame: &Frame<'_>, now_ms: u32) {
    let len = encoded_len(frame, frame.body().map_or(0, |body| body.wire_len()));
    row.push(frame, len, now_ms);
}

/// What is handed over: the requests by their numbers, with the time that remains; 0 and nothing for an empty frame.
fn handed_over(row: &mut Row, now_ms: u32) -> Vec<(u32, u32)> {
    let mut out = Records::default();
    assert!(row.write_again(&mut out, usize::MAX, now_ms));
    row.write(&mut out, usize::MAX, now_ms);
    out.finish();
    let (buffer, ends) = out.parts();
    let mut start = 0;
    let mut all = Vec::new();
    for end in ends {
        // Two bytes of length, sixteen of the tag.
        for decoded in Decoder::new(&buffer[start + 2..end - 16]) {
            match decoded.unwrap() {
                Decoded::Whole(Frame::Message(message)) => {
                    all.push((message.request.unwrap().slot, message.remaining_ms));
                }
                Decoded::Whole(Frame::Empty) => all.push((0, 0)),
                other => panic!("{other:?}"),
            }
        }
        start = *end;
    }
    all
}

fn go_on(row: &mut Row, next_expected: u64, now_ms: u32) -> usize {
    let mut expired = 0;
    row.go_on(next_expected, now_ms, |_, _| expired += 1, drop);
    expired
}

#[test]
fn what_is_not_owned_is_handed_over_again_in_order_and_as_often_as_it_takes() {
    let mut row = Row::default();
    for slot in 1..=4 {
        push(&mut row, &message(slot, u32::MAX, "body"), 0);
    }
    let numbers = |all: Vec<(u32, u32)>| all.into_iter().map(|(slot, _)| slot).collect::<Vec<_>>();
    assert_eq!(numbers(handed_over(&mut row, 0)), [1, 2, 3, 4]);
    push(&mut row, &message(5, u32::MAX, "new"), 0);
    go_on(&mut row, 0, 0);
    assert_eq!(numbers(handed_over(&mut row, 0)), [1, 2, 3, 4, 5]);
    // Owned in part, in the middle of a record.
    go_on(&mut row, 2, 0);
    assert_eq!(numbers(handed_over(&mut row, 0)), [3, 4, 5]);
    row.release(4, drop);
    go_on(&mut row, 4, 0);
    assert_eq!(numbers(handed_over(&mut row, 0)), [5]);
    assert!(handed_over(&mut row, 0).is_empty(), "once a channel");
    row.release(5, drop);
    assert_eq!(row.bytes(), 0);
}

#[test]
fn time_that_passed_is_taken_off_at_every_handing_over() {
    let mut row = Row::default();
    push(&mut row, &message(1, 1000, ""), 10);
    push(&mut row, &message(2, 1000, ""), 30);
    push(&mut row, &message(3, u32::MAX, ""), 30);
    assert_eq!(handed_over(&mut row, 40), [(1, 970), (2, 990), (3, u32::MAX)]);
    go_on(&mut row, 0, 100);
    assert_eq!(handed_over(&mut row, 110), [(1, 900), (2, 920), (3, u32::MAX)]);
}

#[test]
fn what_expired_leaves_an_empty_frame_with_its_number() {
    let mut row = Row::default();
    for (slot, remaining_ms) in [(1, 5000), (2, 100), (3, 5000), (4, 100)] {
        push(&mut row, &message(slot, remaining_ms, "body"), 0);
    }
    handed_over(&mut row, 0);
    let before = row.bytes();
    assert_eq!(go_on(&mut row, 1, 100), 2);
    assert_eq!(handed_over(&mut row, 100), [(0, 0), (3, 4900), (0, 0)]);
    assert!(row.bytes() < before / 2);
    // They count as any other.
    go_on(&mut row, 3, 100);
    assert_eq!(handed_over(&mut row, 100), [(0, 0)]);
}

#[test]
fn a_row_that_is_owned_holds_no_memory_but_a_little_to_spare() {
    let mut row = Row::default();
    let body = "x".repeat(10_000);
    for round in 1..=1000_u64 {
        for slot in 0..20 {
            push(&mut row, &message(slot, u32::MAX, &body), round as u32);
        }
        handed_over(&mut row, round as u32);
        // The peer is always a few frames behind.
        row.release(round * 20 - 3, drop);
        assert!(row.segments.len() <= 2, "{}", row.segments.len());
    }
    row.release(20_000, drop);
    assert_eq!((row.bytes(), row.segments.len()), (0, 0));
    assert!(row.spare.len() <= SPARE_SEGMENTS);
    assert!(row.kept.is_empty() && row.ready.is_empty());
}
