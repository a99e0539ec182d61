//! Someone who holds the zone's access key, and so gets to present something: only what an authority and an identity
//! have signed for the very key of the handshake passes, to the byte.

#![no_main]

use libfuzzer_sys::fuzz_target;
use snow::{Builder, HandshakeState};
use troupe_fuzz::{ACCESS_KEY, NOW, authority, edited, pair};
use troupe_proto::noise::{
    CREDENTIAL_LIFETIME, Capabilities, Credential, CredentialRequest, HEADER, Handshake, Identity,
};

/// The attacker's own Noise key, as `docs/wire-handshake.md` has it: any 32 bytes.
const PRIVATE: [u8; 32] = [5; 32];

fuzz_target!(|input: &[u8]| {
    let [how, rest @ ..] = input else { return };
    let initiator = build(how & 1 == 0);
    let honest = presentation(&public_key());
    let payload = if how & 2 == 0 { edited(&honest, rest) } else { rest.to_vec() };
    if payload.len() > 3000 {
        return;
    }
    let accepted = if how & 1 == 0 { dial(initiator, &payload) } else { answer(initiator, &payload) };
    assert_eq!(accepted, payload == honest, "{payload:x?}");
});

fn build(initiator: bool) -> HandshakeState {
    let prologue = [&HEADER[..], &authority().zone_id().0].concat();
    let pattern = "Noise_XXpsk0_25519_ChaChaPoly_SHA256".parse().expect("the suite");
    let builder = Builder::new(pattern)
        .local_private_key(&PRIVATE)
        .and_then(|builder| builder.psk(0, &ACCESS_KEY))
        .and_then(|builder| builder.prologue(&prologue))
        .expect("keys of the right length");
    let built = if initiator { builder.build_initiator() } else { builder.build_responder() };
    built.expect("a handshake")
}

/// The attacker dials; says whether the honest side accepted.
fn dial(mut noise: HandshakeState, payload: &[u8]) -> bool {
    let mut honest = Handshake::respond(&pair().1, NOW).expect("a responder");
    let (mut sent, mut received) = ([0; 4096], [0; 4096]);
    let length = noise.write_message(&[], &mut sent).expect("message 1");
    honest
        .read(&[&HEADER[..], &framed(&sent[..length])].concat())
        .expect("a holder of the access key is answered");
    noise.read_message(&honest.take_output()[2..], &mut received).expect("message 2");
    let length = noise.write_message(payload, &mut sent).expect("message 3");
    let _ = honest.read(&framed(&sent[..length]));
    assert!(honest.take_output().is_empty());
    honest.is_done() && honest.finish().is_ok()
}

/// The attacker was dialled; says whether the honest side accepted.
fn answer(mut noise: HandshakeState, payload: &[u8]) -> bool {
    let mut honest = Handshake::initiate(&pair().0, None, NOW).expect("an initiator");
    let hello = honest.take_output();
    let (mut sent, mut received) = ([0; 4096], [0; 4096]);
    noise.read_message(&hello[HEADER.len() + 2..], &mut received).expect("message 1");
    let length = noise.write_message(payload, &mut sent).expect("message 2");
    let _ = honest.read(&framed(&sent[..length]));
    !honest.take_output().is_empty()
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}

/// The X25519 public key of [`PRIVATE`]: what the attacker's message 2 or 3 carries.
fn public_key() -> [u8; 32] {
    use snow::resolvers::{CryptoResolver, DefaultResolver};
    let mut key = DefaultResolver.resolve_dh(&snow::params::DHChoice::Curve25519).expect("X25519");
    key.set(&PRIVATE);
    key.pubkey().try_into().expect("32 bytes")
}

/// What a member with this key presents.
fn presentation(public_key: &[u8; 32]) -> Vec<u8> {
    let identity = Identity::from_secret(&[6; 32]);
    let request = CredentialRequest {
        name: "member",
        public_key: identity.public_key(),
        not_before: NOW,
        expires: NOW + CREDENTIAL_LIFETIME,
        capabilities: Capabilities::ALL,
    };
    let credential: Credential = authority().issue(&request).expect("a valid request");
    let (incarnation, expires) = (1_u64.to_le_bytes(), credential.expires().to_le_bytes());
    let parts: [&[u8]; 4] = [&credential.zone().0, public_key, &incarnation, &expires];
    let signature = identity.sign(b"troupe channel key 1", &parts);
    let credential = credential.encode();
    [&(credential.len() as u16).to_le_bytes()[..], &credential, &incarnation, &expires, &signature].concat()
}
