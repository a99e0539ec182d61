//! What the targets share: a zone with fixed keys, and how an input edits bytes that were honest.

use std::sync::{Arc, OnceLock};

use troupe_proto::noise::{
    AccessKey, Authority, CREDENTIAL_LIFETIME, Capabilities, CredentialRequest, Handshake, Identity,
    Membership,
};

/// When everything takes place, in Unix seconds.
pub const NOW: u64 = 1_800_000_000;

/// The authority of the zone. Fixed, so that credentials in the corpus hold.
pub fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::from_secret(&[1; 32]))
}

/// The access key of the zone.
pub const ACCESS_KEY: [u8; 32] = [2; 32];

/// A member of the zone, whose identity has this seed.
pub fn member(name: &str, seed: u8) -> Membership {
    let identity = Arc::new(Identity::from_secret(&[seed; 32]));
    let request = CredentialRequest {
        name,
        public_key: identity.public_key(),
        not_before: NOW,
        expires: NOW + CREDENTIAL_LIFETIME,
        capabilities: Capabilities::ALL,
    };
    let credential = authority().issue(&request).expect("a valid request");
    let access_key = AccessKey::from_secret(&ACCESS_KEY);
    Membership::new(identity, credential, authority().public_key(), access_key, 7).expect("parts that fit")
}

/// Two members that are always the same: one that dials and one that is dialled.
pub fn pair() -> &'static (Membership, Membership) {
    static PAIR: OnceLock<(Membership, Membership)> = OnceLock::new();
    PAIR.get_or_init(|| (member("dialling", 3), member("dialled", 4)))
}

/// The side that waits for `message` (1 to 3) and the honest bytes of it.
pub fn waiting_for(message: u8) -> (Handshake, Vec<u8>) {
    let (dialling, dialled) = pair();
    let mut initiator = Handshake::initiate(dialling, Some(dialled.node_id()), NOW).expect("an initiator");
    let mut responder = Handshake::respond(dialled, NOW).expect("a responder");
    let first = initiator.take_output();
    if message == 1 {
        return (responder, first);
    }
    responder.read(&first).expect("an honest message 1");
    let second = responder.take_output();
    if message == 2 {
        return (initiator, second);
    }
    initiator.read(&second).expect("an honest message 2");
    (responder, initiator.take_output())
}

/// Applies the edits that `script` describes, five bytes each: what, where (two), how much, with what.
pub fn edited(honest: &[u8], script: &[u8]) -> Vec<u8> {
    let mut bytes = honest.to_vec();
    for edit in script.chunks_exact(5) {
        let at = usize::from(u16::from_le_bytes([edit[1], edit[2]]));
        let at = if bytes.is_empty() { 0 } else { at % bytes.len() };
        let many = usize::from(edit[3]).min(bytes.len() - at);
        match edit[0] % 6 {
            0 if !bytes.is_empty() => bytes[at] = edit[4],
            1 if !bytes.is_empty() => bytes[at] ^= edit[4],
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..at + many)),
            4 => bytes.insert(at, edit[4]),
            // A part of it again.
            5 if bytes.len() < 8192 => {
                let again = bytes[at..at + many].to_vec();
                bytes.splice(at..at, again);
            }
            _ => {}
        }
    }
    bytes
}

/// Reads in two parts, as the network may deliver them. Nothing is concluded from a result: what counts is what follows.
pub fn read_in_parts(handshake: &mut Handshake, bytes: &[u8], cut: u8) {
    let cut = usize::from(cut).min(bytes.len());
    let Ok(used) = handshake.read(&bytes[..cut]) else { return };
    let _ = handshake.read(&bytes[used..]);
}

/// The reader neither accepts what it was given nor answers it. It may wait for more.
pub fn assert_not_accepted(mut handshake: Handshake) {
    assert!(handshake.take_output().is_empty(), "it answered");
    assert!(!handshake.is_done(), "it is done");
    assert!(handshake.finish().is_err(), "it gave keys");
}
