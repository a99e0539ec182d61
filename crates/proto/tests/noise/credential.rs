//! A credential says what its authority signed, in one encoding, or nothing at all.

use std::fmt::Write;

use proptest::prelude::*;
use troupe_proto::noise::{
    Authority, CLOCK_SKEW, CREDENTIAL_MAX, Capabilities, Credential, CredentialError, CredentialRequest,
    Identity, NodeId, ZoneId, verify,
};

const NOW: u64 = 1_800_000_000;

fn authority() -> Authority {
    Authority::from_secret(&[1; 32])
}

fn request(name: &str) -> CredentialRequest<'_> {
    CredentialRequest {
        name,
        public_key: Identity::from_secret(&[2; 32]).public_key(),
        not_before: NOW,
        expires: NOW + 1000,
        capabilities: Capabilities::WORKER_START | Capabilities::ENROL,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

#[test]
fn what_was_issued_is_read_and_verified() {
    let issued = authority().issue(&request("runner-1")).unwrap();
    let read = Credential::decode(&issued.encode()).unwrap();
    assert_eq!(read, issued);
    assert_eq!(read.verify(&authority().public_key(), NOW), Ok(()));
    assert_eq!(read.name(), "runner-1");
    assert_eq!(read.zone(), authority().zone_id());
    assert_eq!(read.node_id(), Identity::from_secret(&[2; 32]).id());
    assert_eq!((read.not_before(), read.expires()), (request("x").not_before, request("x").expires));
    assert_eq!(read.capabilities().to_string(), "worker:start enrol");
}

/// The example of docs/wire.md.
#[test]
fn its_bytes_are_the_documented_ones() {
    let bytes = authority().issue(&request("runner-1")).unwrap().encode();
    let (signed, signature) = bytes.split_last_chunk::<64>().unwrap();
    let expected = [
        "01",
        "34750f98bd59fcfc946da45aaabe933be154a4b5094e1c4abf42866505f3c97e",
        "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394",
        "00d2496b00000000",
        "e8d5496b00000000",
        "11",
        "08",
        "72756e6e65722d31",
    ];
    assert_eq!(hex(signed), expected.concat());
    // The signature is over two pieces, each behind its length: the domain, and these bytes.
    let mut message = 19_u32.to_le_bytes().to_vec();
    message.extend_from_slice(b"troupe credential 1");
    message.extend_from_slice(&(signed.len() as u32).to_le_bytes());
    message.extend_from_slice(signed);
    let key = ed25519_dalek::VerifyingKey::from_bytes(&authority().public_key()).unwrap();
    let signature = ed25519_dalek::Signature::from_bytes(signature);
    key.verify_strict(&message, &signature).unwrap();
}

#[test]
fn a_credential_with_any_byte_changed_or_cut_or_added_is_refused() {
    let bytes = authority().issue(&request("runner-1")).unwrap().encode();
    let accepted = |bytes: &[u8]| {
        Credential::decode(bytes).is_ok_and(|c| c.verify(&authority().public_key(), NOW).is_ok())
    };
    assert!(accepted(&bytes));
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(!accepted(&changed), "byte {at}");
        assert!(Credential::decode(&bytes[..at]).is_err());
    }
    assert!(Credential::decode(&[&bytes[..], &[0]].concat()).is_err());
}

#[test]
fn one_of_another_authority_is_of_another_zone() {
    let other = Authority::from_secret(&[9; 32]);
    let credential = other.issue(&request("a")).unwrap();
    assert_eq!(
        credential.verify(&authority().public_key(), NOW),
        Err(CredentialError::OtherZone { presented: other.zone_id(), own: authority().zone_id() })
    );
}

#[test]
fn the_clock_may_be_off_by_a_minute() {
    let credential = authority().issue(&request("a")).unwrap();
    let at = |now| credential.check_time(now);
    assert_eq!(at(NOW - CLOCK_SKEW), Ok(()));
    assert_eq!(at(NOW + 1000 + CLOCK_SKEW - 1), Ok(()));
    assert!(matches!(at(NOW - CLOCK_SKEW - 1), Err(CredentialError::NotYetValid { .. })));
    assert!(matches!(at(NOW + 1000 + CLOCK_SKEW), Err(CredentialError::Expired { .. })));
    assert!(at(0).is_err() && at(u64::MAX).is_err());
}

#[test]
fn nothing_is_signed_for_an_invalid_name_or_an_empty_period() {
    for name in ["", "a b", "a/b", "ä", &"a".repeat(129)] {
        assert!(matches!(authority().issue(&request(name)), Err(CredentialError::Name(_))));
    }
    for expires in [0, NOW - 1, NOW] {
        let refused = authority().issue(&CredentialRequest { expires, ..request("a") });
        assert!(matches!(refused, Err(CredentialError::Malformed(_))));
    }
    let longest = authority().issue(&request(&"a".repeat(128))).unwrap();
    assert_eq!(longest.encode().len(), CREDENTIAL_MAX);
}

#[test]
fn what_an_authority_would_not_sign_is_not_read_either() {
    let good = authority().issue(&request("ab")).unwrap().encode();
    let with = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        Credential::decode(&bytes)
    };
    for (at, value) in [(0, 0), (0, 2), (81, 0x20), (82, 0), (82, 3), (82, 255)] {
        assert!(with(at, value).is_err(), "byte {at} = {value}");
    }
    for letter in [b'/', b' ', 0, 0xff] {
        assert!(with(83, letter).is_err());
    }
    for expires in [0, NOW - 1, NOW] {
        let mut bytes = good.clone();
        bytes[73..81].copy_from_slice(&expires.to_le_bytes());
        assert!(Credential::decode(&bytes).is_err(), "it ends at {expires}");
    }
}

#[test]
fn a_signature_holds_for_its_domain_and_its_parts_only() {
    let identity = Identity::from_secret(&[3; 32]);
    let key = identity.public_key();
    let signature = identity.sign(b"domain", &[b"one", b"two"]);
    assert!(verify(&key, b"domain", &[b"one", b"two"], &signature));
    let others: [(&[u8], &[&[u8]]); 6] = [
        (b"other", &[b"one", b"two"]),
        (b"domain", &[b"onet", b"wo"]),
        (b"domain", &[b"onetwo"]),
        (b"domain", &[b"one", b"two", b""]),
        (b"domain", &[b"two", b"one"]),
        (b"domai", &[b"none", b"two"]),
    ];
    for (domain, parts) in others {
        assert!(!verify(&key, domain, parts, &signature));
    }
    let stranger = Identity::from_secret(&[4; 32]).public_key();
    assert!(!verify(&stranger, b"domain", &[b"one", b"two"], &signature));
}

#[test]
fn a_key_of_small_order_has_no_valid_signature() {
    // The neutral point as key and as R, with S = 0: a check that is not strict accepts it for every message.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    let key = ed25519_dalek::VerifyingKey::from_bytes(&neutral).unwrap();
    let lax = ed25519_dalek::Verifier::verify(&key, b"any", &signature.into());
    assert!(lax.is_ok());
    assert!(!verify(&neutral, b"domain", &[b"any"], &signature));
}

#[test]
fn an_identifier_is_the_hash_of_the_key_and_reads_back_in_one_spelling() {
    let identity = Identity::from_secret(&[2; 32]);
    let text = identity.id().to_string();
    assert_eq!(text.len(), 64);
    assert_eq!(text.parse(), Ok(identity.id()));
    assert_eq!(NodeId::of(&identity.public_key()), identity.id());
    assert_eq!(format!("{:?}", identity.id()), text[..8]);
    assert!(text.to_uppercase().parse::<NodeId>().is_err());
    assert!(text[1..].parse::<ZoneId>().is_err());
    assert!(format!("{}g", &text[1..]).parse::<NodeId>().is_err());
}

proptest! {
    #[test]
    fn whatever_is_read_encodes_to_the_same_bytes(
        mut bytes in prop::collection::vec(any::<u8>(), 0..300),
        name in "[a-z]{1,128}",
        shaped in any::<bool>(),
    ) {
        if shaped {
            bytes.resize(147 + name.len(), 0);
            bytes[0] = 1;
            bytes[81] &= 0x1f;
            bytes[82] = name.len() as u8;
            bytes[83..83 + name.len()].copy_from_slice(name.as_bytes());
            (bytes[72], bytes[80]) = (0, 1);
        }
        match Credential::decode(&bytes) {
            Ok(credential) => prop_assert_eq!(credential.encode(), bytes),
            Err(_) => prop_assert!(!shaped),
        }
    }
}
