//! What arrives on a channel is what was sent, each record once and in order, or nothing.

use super::common::{Zone, establish};
use troupe_proto::noise::{
    Established, OpeningKey, RECORD_HEADER, RECORD_MAX, RECORD_PLAINTEXT_MAX, RECORD_TAG, RecordError,
    SealingKey, record_length,
};

fn channel() -> (Established, Established) {
    let zone = Zone::new();
    establish(&zone.member("a"), &zone.member("b"))
}

fn seal(key: &mut SealingKey, plaintext: &[u8]) -> Vec<u8> {
    let mut record = vec![0; RECORD_HEADER + plaintext.len() + RECORD_TAG];
    record[RECORD_HEADER..][..plaintext.len()].copy_from_slice(plaintext);
    key.seal_in_place(&mut record).unwrap();
    record
}

fn open(key: &mut OpeningKey, record: &[u8]) -> Result<Vec<u8>, RecordError> {
    let (header, ciphertext) = record.split_first_chunk::<RECORD_HEADER>().unwrap();
    assert_eq!(record_length(*header)?, ciphertext.len());
    key.open_in_place(&mut ciphertext.to_vec()).map(|plaintext| plaintext.to_vec())
}

#[test]
fn records_pass_both_ways_up_to_the_largest() {
    let (mut a, mut b) = channel();
    for length in [0, 1, 1000, RECORD_PLAINTEXT_MAX] {
        let plaintext = vec![length as u8; length];
        let record = seal(&mut a.send, &plaintext);
        assert_eq!(open(&mut b.receive, &record), Ok(plaintext.clone()));
        let record = seal(&mut b.send, &plaintext);
        assert_eq!(open(&mut a.receive, &record), Ok(plaintext));
    }
    assert_eq!((a.send.records(), b.receive.records()), (4, 4));
}

#[test]
fn a_channel_is_confirmed_by_its_first_record_and_nothing_else() {
    let (mut a, mut b) = channel();
    assert!(!a.receive.is_confirmed() && !b.receive.is_confirmed());
    let record = seal(&mut a.send, b"");
    assert!(!a.receive.is_confirmed());
    assert!(b.receive.open_in_place(&mut [0; 16]).is_err());
    assert!(!b.receive.is_confirmed());
    open(&mut b.receive, &record).unwrap();
    assert!(b.receive.is_confirmed());
}

#[test]
fn a_record_of_an_impossible_length_is_neither_sealed_nor_opened() {
    let (mut a, mut b) = channel();
    for length in [0, 1, RECORD_TAG - 1, RECORD_MAX + 1, 65535] {
        let wrong = Err(RecordError::Length { length });
        assert_eq!(record_length((length as u16).to_be_bytes()), wrong);
        let opened = b.receive.open_in_place(&mut vec![0; length]).map(|_| 0);
        assert_eq!(opened, wrong);
        let sealed = a.send.seal_in_place(&mut vec![0; RECORD_HEADER + length]);
        assert_eq!(sealed.map(|()| 0), wrong);
    }
    assert!(a.send.seal_in_place(&mut []).is_err());
    assert_eq!(a.send.records(), 0);
    assert_eq!(record_length([0x40, 0]), Ok(RECORD_MAX));
}

#[test]
fn what_does_not_open_leaves_the_channel_in_step() {
    let (mut a, mut b) = channel();
    let record = seal(&mut a.send, b"once");
    for at in 0..record.len() {
        for bit in 0..8 {
            let mut changed = record.clone();
            changed[at] ^= 1 << bit;
            assert!(open_framed(&mut b.receive, &changed).is_err(), "byte {at}, bit {bit}");
        }
        assert!(open_framed(&mut b.receive, &record[..at]).is_err(), "cut at {at}");
    }
    // Cut and lengthened, with a length that agrees.
    for length in (RECORD_TAG..record.len() + 4).filter(|length| *length != record.len() - RECORD_HEADER) {
        let mut other = record.clone();
        other.resize(RECORD_HEADER + length, 0);
        other[..RECORD_HEADER].copy_from_slice(&(length as u16).to_be_bytes());
        assert_eq!(open_framed(&mut b.receive, &other), Err(RecordError::Broken), "{length} bytes");
    }
    assert_eq!(open(&mut b.receive, &record), Ok(b"once".to_vec()));
    assert_eq!(open(&mut b.receive, &record), Err(RecordError::Broken));
    let next = seal(&mut a.send, b"next");
    assert_eq!(open(&mut b.receive, &next), Ok(b"next".to_vec()));
}

/// As a reader of a stream does it: takes as many bytes as the header says.
fn open_framed(key: &mut OpeningKey, stream: &[u8]) -> Result<Vec<u8>, RecordError> {
    let (header, rest) = stream.split_first_chunk::<RECORD_HEADER>().ok_or(RecordError::Broken)?;
    let length = record_length(*header)?;
    let ciphertext = rest.get(..length).ok_or(RecordError::Broken)?;
    key.open_in_place(&mut ciphertext.to_vec()).map(|plaintext| plaintext.to_vec())
}

#[test]
fn a_record_opens_only_when_all_before_it_have_and_never_again() {
    let (mut a, mut b) = channel();
    let records: Vec<_> = (0..6_u8).map(|number| seal(&mut a.send, &[number])).collect();
    for next in 0..records.len() {
        for (other, record) in records.iter().enumerate().filter(|(other, _)| *other != next) {
            assert_eq!(open(&mut b.receive, record), Err(RecordError::Broken), "{other} in place of {next}");
        }
        assert_eq!(open(&mut b.receive, &records[next]), Ok(vec![next as u8]));
    }
    for record in &records {
        assert_eq!(open(&mut b.receive, record), Err(RecordError::Broken));
    }
}

#[test]
fn a_record_does_not_open_on_the_side_that_sealed_it_nor_on_another_channel() {
    let (mut a, mut b) = channel();
    let (_, mut stranger) = channel();
    let record = seal(&mut a.send, b"for b");
    assert_eq!(open(&mut a.receive, &record), Err(RecordError::Broken));
    assert_eq!(open(&mut stranger.receive, &record), Err(RecordError::Broken));
    assert_eq!(open(&mut b.receive, &record), Ok(b"for b".to_vec()));
}
