//! Records edited on their way: a reader gets what was sealed, each once and in order, or nothing; and whatever it was
//! given, it still reads the next honest one.

#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use troupe_fuzz::{NOW, edited, pair};
use troupe_proto::noise::{
    Established, Handshake, OpeningKey, RECORD_HEADER, RECORD_PLAINTEXT_MAX, RECORD_TAG, SealingKey,
    record_length,
};

thread_local! {
    /// One channel for all inputs: a handshake for each would take nearly all of the time. What an input leaves unread
    /// it reads before it ends, so that the next finds both sides in step.
    static CHANNEL: RefCell<(Established, Established)> = RefCell::new(channel());
}

fn channel() -> (Established, Established) {
    let mut initiator = Handshake::initiate(&pair().0, None, NOW).expect("an initiator");
    let mut responder = Handshake::respond(&pair().1, NOW).expect("a responder");
    responder.read(&initiator.take_output()).expect("message 1");
    initiator.read(&responder.take_output()).expect("message 2");
    responder.read(&initiator.take_output()).expect("message 3");
    (initiator.finish().expect("keys"), responder.finish().expect("keys"))
}

fuzz_target!(|input: &[u8]| {
    CHANNEL.with_borrow_mut(|(a, b)| {
        let mut rest = input;
        let mut earlier = Vec::new();
        while let [how, low, high, count, tail @ ..] = rest {
            let length = usize::from(u16::from_le_bytes([*low, *high])) % (RECORD_PLAINTEXT_MAX + 1);
            let (script, tail) = tail.split_at(tail.len().min(usize::from(count % 16) * 5));
            rest = tail;
            let honest = seal(&mut a.send, length, *how);
            let stream = match how % 4 {
                0 | 1 => edited(&honest, script),
                2 => edited(&earlier, script),
                // From the reader itself.
                _ => edited(&seal(&mut b.send, length, *how), script),
            };
            let opened = open(&mut b.receive, &stream);
            if stream.starts_with(&honest) {
                assert_eq!(opened.as_deref(), Some(&vec![*how; length][..]));
            } else {
                assert_eq!(opened, None, "a record was opened that is not the next one");
                assert_eq!(open(&mut b.receive, &honest), Some(vec![*how; length]), "out of step");
            }
            earlier = honest;
        }
    });
});

fn seal(key: &mut SealingKey, length: usize, byte: u8) -> Vec<u8> {
    let mut record = vec![byte; RECORD_HEADER + length + RECORD_TAG];
    key.seal_in_place(&mut record).expect("a length that fits");
    record
}

/// As a reader of a stream does it: takes as many bytes as the header says.
fn open(key: &mut OpeningKey, stream: &[u8]) -> Option<Vec<u8>> {
    let (header, rest) = stream.split_first_chunk::<RECORD_HEADER>()?;
    let mut ciphertext = rest.get(..record_length(*header).ok()?)?.to_vec();
    key.open_in_place(&mut ciphertext).ok().map(|plaintext| plaintext.to_vec())
}
