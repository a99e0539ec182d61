//! A handshake that was touched on the way is never accepted by the side that reads it.

use proptest::prelude::*;

use super::common::{NOW, Zone};
use troupe_proto::noise::{Established, HEADER, Handshake, Membership, RecordError};

/// Three messages of one handshake, each read by a side that has seen the ones before unchanged.
struct Recording {
    a: Membership,
    b: Membership,
}

impl Recording {
    fn new() -> Self {
        let zone = Zone::new();
        let (a, b) = (zone.member("a"), zone.member("b"));
        Self { a, b }
    }

    /// The reader of `message`, waiting for it, and the message.
    fn reader(&self, message: u8) -> (Handshake, Vec<u8>) {
        let mut initiator = Handshake::initiate(&self.a, None, NOW).unwrap();
        let mut responder = Handshake::respond(&self.b, NOW).unwrap();
        let first = initiator.take_output();
        if message == 1 {
            return (responder, first);
        }
        responder.read(&first).unwrap();
        let second = responder.take_output();
        if message == 2 {
            return (initiator, second);
        }
        initiator.read(&second).unwrap();
        (responder, initiator.take_output())
    }
}

/// The reader neither accepts the bytes nor answers them. It may wait for more.
fn not_accepted(mut reader: Handshake, bytes: &[u8]) {
    let _ = reader.read(bytes);
    assert!(reader.take_output().is_empty());
    assert!(!reader.is_done());
    assert!(reader.finish().is_err());
}

#[test]
fn untouched_it_is_accepted() {
    let recording = Recording::new();
    for message in 1..=3 {
        let (mut reader, bytes) = recording.reader(message);
        assert_eq!(reader.read(&bytes), Ok(bytes.len()));
        assert_eq!(reader.take_output().is_empty(), message == 3);
    }
}

/// Two bits of each byte: one that differs from position to position, and the highest. Of the last byte of a key that one
/// says nothing to X25519, so only the hash of the handshake notices it.
fn every_position(message: u8) {
    let recording = Recording::new();
    let length = recording.reader(message).1.len();
    for at in 0..length {
        for bit in [at % 7, 7] {
            let (reader, mut bytes) = recording.reader(message);
            bytes[at] ^= 1 << bit;
            not_accepted(reader, &bytes);
        }
    }
}

#[test]
fn a_changed_byte_anywhere_in_message_1_is_not_accepted() {
    every_position(1);
}

#[test]
fn a_changed_byte_anywhere_in_message_2_is_not_accepted() {
    every_position(2);
}

#[test]
fn a_changed_byte_anywhere_in_message_3_is_not_accepted() {
    every_position(3);
}

#[test]
fn a_message_cut_anywhere_is_not_accepted() {
    let recording = Recording::new();
    for message in 1..=3 {
        let length = recording.reader(message).1.len();
        for cut in 0..length {
            let (reader, bytes) = recording.reader(message);
            not_accepted(reader, &bytes[..cut]);
        }
        // Cut, with a length that agrees.
        let at = if message == 1 { HEADER.len() } else { 0 };
        for cut in at + 2..length {
            let (reader, mut bytes) = recording.reader(message);
            bytes.truncate(cut);
            let stated = (cut - at - 2) as u16;
            bytes[at..at + 2].copy_from_slice(&stated.to_be_bytes());
            not_accepted(reader, &bytes);
        }
    }
}

#[test]
fn a_message_lengthened_anywhere_is_not_accepted() {
    let recording = Recording::new();
    for message in 1..=3 {
        let at = if message == 1 { HEADER.len() } else { 0 };
        let length = recording.reader(message).1.len();
        for place in at + 2..=length {
            let (reader, mut bytes) = recording.reader(message);
            bytes.insert(place, 0);
            let stated = (bytes.len() - at - 2) as u16;
            bytes[at..at + 2].copy_from_slice(&stated.to_be_bytes());
            not_accepted(reader, &bytes);
        }
    }
}

#[test]
fn a_message_that_comes_twice_is_taken_once() {
    let recording = Recording::new();
    // What the responder awaits next is another message: the first one again ends the handshake.
    let (responder, first) = recording.reader(1);
    not_accepted(responder, &[&first[..], &first[HEADER.len()..]].concat());

    // Nothing else is awaited by the initiator: what follows is left for the channel, where it is no record.
    let (mut initiator, second) = recording.reader(2);
    assert_eq!(initiator.read(&[&second[..], &second].concat()), Ok(second.len()));
    assert!(!initiator.take_output().is_empty());
    assert_no_record(initiator.finish().unwrap(), &second);

    let (mut responder, third) = recording.reader(3);
    assert_eq!(responder.read(&[&third[..], &third].concat()), Ok(third.len()));
    assert_no_record(responder.finish().unwrap(), &third);
}

/// The bytes of a handshake message do not open as a record, framed by their length as a record is.
fn assert_no_record(mut channel: Established, message: &[u8]) {
    let opened = channel.receive.open_in_place(&mut message[2..].to_vec()).map(|_| ());
    assert_eq!(opened, Err(RecordError::Broken));
    assert!(!channel.receive.is_confirmed());
}

#[test]
fn a_message_of_another_handshake_is_not_accepted() {
    let recording = Recording::new();
    for message in 2..=3 {
        let (_, earlier) = recording.reader(message);
        let (reader, _) = recording.reader(message);
        not_accepted(reader, &earlier);
    }
}

#[test]
fn a_message_in_the_place_of_another_is_not_accepted() {
    let recording = Recording::new();
    let first = recording.reader(1).1[HEADER.len()..].to_vec();
    let second = recording.reader(2).1;
    let third = recording.reader(3).1;
    for (message, wrong) in [(2, &first), (2, &third), (3, &first), (3, &second), (1, &second)] {
        not_accepted(recording.reader(message).0, wrong);
    }
}

#[test]
fn what_a_side_sent_is_not_accepted_when_it_comes_back() {
    let recording = Recording::new();
    let mut initiator = Handshake::initiate(&recording.a, None, NOW).unwrap();
    let sent = initiator.take_output();
    not_accepted(initiator, &sent[HEADER.len()..]);

    let mut responder = Handshake::respond(&recording.b, NOW).unwrap();
    responder.read(&sent).unwrap();
    let second = responder.take_output();
    not_accepted(responder, &second);

    let (mut initiator, second) = recording.reader(2);
    initiator.read(&second).unwrap();
    let third = initiator.take_output();
    assert_no_record(initiator.finish().unwrap(), &third);
}

#[test]
fn an_answer_not_yet_taken_is_withdrawn_when_what_follows_is_broken() {
    let recording = Recording::new();
    let (mut responder, mut bytes) = recording.reader(1);
    bytes.extend_from_slice(&[0, 0]);
    assert!(responder.read(&bytes).is_err());
    assert!(responder.take_output().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_arrives_is_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..600), framed in any::<bool>()) {
        let recording = Recording::new();
        let mut bytes = bytes;
        if framed && bytes.len() >= 2 {
            let length = (bytes.len() - 2) as u16;
            bytes[..2].copy_from_slice(&length.to_be_bytes());
        }
        not_accepted(Handshake::respond(&recording.b, NOW).unwrap(), &bytes);
        not_accepted(Handshake::respond(&recording.b, NOW).unwrap(), &[&HEADER[..], &bytes].concat());
        not_accepted(recording.reader(2).0, &bytes);
        not_accepted(recording.reader(3).0, &bytes);
    }
}
