//! The published test vectors of the suite, run through the resolver and the record keys that channels use.

use super::records::{OpeningKey, RECORD_HEADER, RECORD_TAG, SealingKey};
use super::suite::{SUITE, builder};

const VECTORS: &str = include_str!("../../tests/noise/vectors/xxpsk0.txt");

struct Vector<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Vector<'a> {
    fn text(&self, key: &str) -> Option<&'a str> {
        self.0.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    fn bytes(&self, key: &str) -> Option<Vec<u8>> {
        let digits = self.text(key)?.as_bytes();
        let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        Some(digits.chunks(2).map(byte).collect())
    }

    fn key(&self, key: &str) -> [u8; 32] {
        self.bytes(key).unwrap().try_into().unwrap()
    }
}

fn vectors() -> Vec<Vector<'static>> {
    VECTORS
        .split("\n\n")
        .filter(|block| block.starts_with("handshake="))
        .map(|block| Vector(block.lines().map(|l| l.split_once('=').unwrap()).collect()))
        .collect()
}

fn run(vector: &Vector<'_>) {
    assert_eq!(vector.text("handshake"), Some(SUITE));
    let access_key = vector.key("preshared_key");
    let prologue = vector.bytes("prologue").unwrap_or_default();
    let side = |private: &str, ephemeral: &str, initiator: bool| {
        let (private, ephemeral) = (vector.key(private), vector.key(ephemeral));
        let builder = builder(&private, &access_key, &prologue)
            .unwrap()
            .fixed_ephemeral_key_for_testing_only(&ephemeral);
        if initiator { builder.build_initiator().unwrap() } else { builder.build_responder().unwrap() }
    };
    let mut initiator = side("init_static", "gen_init_ephemeral", true);
    let mut responder = side("resp_static", "gen_resp_ephemeral", false);

    for message in 0..3 {
        let payload = vector.bytes(&format!("msg_{message}_payload")).unwrap();
        let expected = vector.bytes(&format!("msg_{message}_ciphertext")).unwrap();
        let (from, to) =
            if message == 1 { (&mut responder, &mut initiator) } else { (&mut initiator, &mut responder) };
        let (mut sent, mut received) = ([0; 256], [0; 256]);
        let length = from.write_message(&payload, &mut sent).unwrap();
        assert_eq!(sent[..length], expected[..], "message {message}");
        let length = to.read_message(&expected, &mut received).unwrap();
        assert_eq!(received[..length], payload[..], "message {message}");
    }

    let (to_responder, to_initiator) = initiator.dangerously_get_raw_split();
    assert_eq!(responder.dangerously_get_raw_split(), (to_responder, to_initiator));
    for (message, key) in [(3, to_responder), (4, to_initiator)] {
        let payload = vector.bytes(&format!("msg_{message}_payload")).unwrap();
        let expected = vector.bytes(&format!("msg_{message}_ciphertext")).unwrap();
        let mut record = vec![0; RECORD_HEADER + payload.len() + RECORD_TAG];
        record[RECORD_HEADER..][..payload.len()].copy_from_slice(&payload);
        SealingKey::new(&key).seal_in_place(&mut record).unwrap();
        assert_eq!(record[RECORD_HEADER..], expected[..], "message {message}");
        let opened = OpeningKey::new(&key).open_in_place(&mut record[RECORD_HEADER..]).unwrap().to_vec();
        assert_eq!(opened, payload, "message {message}");
    }
}

#[test]
fn the_published_vectors_come_out_byte_for_byte() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 4, "with and without payloads, with and without a prologue");
    vectors.iter().for_each(run);
}
