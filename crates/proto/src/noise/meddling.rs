//! Somebody in the middle changes, cuts, repeats, drops, swaps, reflects and invents records.

use proptest::prelude::*;

use super::records::{OpeningKey, RECORD_HEADER, RECORD_TAG, SealingKey};

/// The ciphertext of a record with this plaintext.
fn seal(key: &mut SealingKey, plaintext: &[u8]) -> Vec<u8> {
    let mut record = vec![0; RECORD_HEADER + plaintext.len() + RECORD_TAG];
    record[RECORD_HEADER..][..plaintext.len()].copy_from_slice(plaintext);
    key.seal_in_place(&mut record).unwrap();
    record.split_off(RECORD_HEADER)
}

/// What somebody in the middle does to the records that pass.
#[derive(Debug, Clone)]
enum Meddling {
    Change { record: usize, at: usize, by: u8 },
    Cut { record: usize, keep: usize },
    Extend { record: usize, with: Vec<u8> },
    Repeat { record: usize },
    Drop { record: usize },
    Swap { first: usize, second: usize },
    Reflect { record: usize },
    Invent { record: usize, bytes: Vec<u8> },
}

fn meddling() -> impl Strategy<Value = Meddling> {
    use Meddling::{Change, Cut, Drop, Extend, Invent, Reflect, Repeat, Swap};
    let n = any::<usize>;
    let bytes = |least| prop::collection::vec(any::<u8>(), least..64);
    prop_oneof![
        (n(), n(), 1..=u8::MAX).prop_map(|(record, at, by)| Change { record, at, by }),
        (n(), n()).prop_map(|(record, keep)| Cut { record, keep }),
        (n(), bytes(1)).prop_map(|(record, with)| Extend { record, with }),
        n().prop_map(|record| Repeat { record }),
        n().prop_map(|record| Drop { record }),
        (n(), n()).prop_map(|(first, second)| Swap { first, second }),
        n().prop_map(|record| Reflect { record }),
        (n(), bytes(16)).prop_map(|(record, bytes)| Invent { record, bytes }),
    ]
}

fn apply(ciphertexts: &mut Vec<Vec<u8>>, reflected: &[u8], meddling: Meddling) {
    let count = ciphertexts.len();
    match meddling {
        Meddling::Change { record, at, by } => {
            let ciphertext = &mut ciphertexts[record % count];
            let at = at % ciphertext.len().max(1);
            if let Some(byte) = ciphertext.get_mut(at) {
                *byte ^= by;
            }
        }
        Meddling::Cut { record, keep } => {
            let ciphertext = &mut ciphertexts[record % count];
            ciphertext.truncate(keep % ciphertext.len().max(1));
        }
        Meddling::Extend { record, with } => ciphertexts[record % count].extend(with),
        Meddling::Repeat { record } => {
            ciphertexts.insert(record % count, ciphertexts[record % count].clone());
        }
        Meddling::Drop { record } if count > 1 => drop(ciphertexts.remove(record % count)),
        Meddling::Drop { .. } => {}
        Meddling::Swap { first, second } => ciphertexts.swap(first % count, second % count),
        Meddling::Reflect { record } => ciphertexts.insert(record % count, reflected.to_vec()),
        Meddling::Invent { record, bytes } => ciphertexts.insert(record % count, bytes),
    }
}

proptest! {
    #[test]
    fn a_reader_gets_a_prefix_of_what_was_sent_whatever_happens_on_the_way(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..8),
        meddlings in prop::collection::vec(meddling(), 0..6),
    ) {
        let (mut send, mut receive) = (SealingKey::new(&[1; 32]), OpeningKey::new(&[1; 32]));
        let reflected = seal(&mut SealingKey::new(&[2; 32]), b"from the reader");
        let mut ciphertexts: Vec<_> = messages
            .iter()
            .map(|message| seal(&mut send, message))
            .collect();
        let untouched = ciphertexts.clone();
        for meddling in meddlings {
            apply(&mut ciphertexts, &reflected, meddling);
        }
        // The channel is closed at the first record that does not open.
        let mut received = Vec::new();
        for ciphertext in &ciphertexts {
            match receive.open_in_place(&mut ciphertext.clone()) {
                Ok(plaintext) => received.push(plaintext.to_vec()),
                Err(_) => break,
            }
        }
        let intact = untouched.iter().zip(&ciphertexts).take_while(|(u, c)| u == c).count();
        prop_assert_eq!(&received[..], &messages[..intact]);
    }
}
