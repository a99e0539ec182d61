//! An attacker who holds the zone's access key, and so gets as far as the handshake allows: nothing it presents passes.

use std::sync::Arc;

use proptest::prelude::*;
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, RingResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, Error, HandshakeState};

use super::membership::{examine, present};
use super::suite::{SUITE, StaticKey, Suite, builder};
use super::*;

const NOW: u64 = 1_800_000_000;

struct Zone {
    authority: Authority,
    access_key: AccessKey,
}

impl Zone {
    fn new() -> Self {
        let authority = Authority::generate().unwrap();
        let access_key = AccessKey::generate().unwrap();
        Self { authority, access_key }
    }

    fn credential(&self, identity: &Identity, name: &str) -> Credential {
        credential(&self.authority, identity, name)
    }

    fn member(&self, name: &str) -> Membership {
        let identity = Arc::new(Identity::generate().unwrap());
        let credential = self.credential(&identity, name);
        let key = self.authority.public_key();
        Membership::new(identity, credential, key, self.access_key.clone(), 7).unwrap()
    }

    fn prologue(&self) -> Vec<u8> {
        [&HEADER[..], &self.authority.zone_id().0].concat()
    }
}

fn credential(authority: &Authority, identity: &Identity, name: &str) -> Credential {
    let request = CredentialRequest {
        name,
        public_key: identity.public_key(),
        not_before: NOW,
        expires: NOW + CREDENTIAL_LIFETIME,
        capabilities: Capabilities::ALL,
    };
    authority.issue(&request).unwrap()
}

/// What the honest side says to an attacker with this key and payload, as responder and as initiator.
fn attack(zone: &Zone, key: &StaticKey, payload: &[u8]) -> [Result<(), HandshakeError>; 2] {
    let prologue = zone.prologue();
    let noise = || builder(&key.private, zone.access_key.secret(), &prologue).unwrap();
    let dialling = dial(zone, noise().build_initiator().unwrap(), payload);
    let dialled = answer(zone, noise().build_responder().unwrap(), payload);
    [dialling, dialled]
}

/// The attacker dials an honest node.
fn dial(zone: &Zone, mut noise: HandshakeState, payload: &[u8]) -> Result<(), HandshakeError> {
    let mut honest = Handshake::respond(&zone.member("honest"), NOW).unwrap();
    honest.read(&HEADER)?;
    let (mut sent, mut received) = ([0; 4096], [0; 4096]);
    let length = noise.write_message(&[], &mut sent).unwrap();
    let result = honest.read(&framed(&sent[..length]));
    let answer = honest.take_output();
    assert_eq!(result.is_ok(), !answer.is_empty());
    result?;
    noise.read_message(&answer[2..], &mut received).unwrap();
    let length = noise.write_message(payload, &mut sent).unwrap();
    let result = honest.read(&framed(&sent[..length]));
    assert!(honest.take_output().is_empty());
    assert_eq!(result.is_ok(), honest.is_done());
    result.map(drop)
}

/// An honest node dials the attacker.
fn answer(zone: &Zone, mut noise: HandshakeState, payload: &[u8]) -> Result<(), HandshakeError> {
    let mut honest = Handshake::initiate(&zone.member("honest"), None, NOW).unwrap();
    let hello = honest.take_output();
    let (mut sent, mut received) = ([0; 4096], [0; 4096]);
    noise.read_message(&hello[18..], &mut received).unwrap();
    let length = noise.write_message(payload, &mut sent).unwrap();
    let result = honest.read(&framed(&sent[..length]));
    assert_eq!(result.is_ok(), !honest.take_output().is_empty());
    result.map(drop)
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}

/// An honest member's presentation, with the key and the identity that are behind it.
fn member(zone: &Zone) -> (StaticKey, Identity, Vec<u8>) {
    let key = StaticKey::generate().unwrap();
    let identity = Identity::generate().unwrap();
    let credential = zone.credential(&identity, "member");
    let payload = present(&identity, &credential, &key.public, 1);
    (key, identity, payload)
}

#[test]
fn the_attack_itself_passes_with_an_honest_presentation() {
    let zone = Zone::new();
    let (key, _, payload) = member(&zone);
    assert_eq!(attack(&zone, &key, &payload), [Ok(()), Ok(())]);
}

#[test]
fn a_stolen_presentation_is_refused_over_another_key() {
    let zone = Zone::new();
    let (_, _, payload) = member(&zone);
    let own_key = StaticKey::generate().unwrap();
    for result in attack(&zone, &own_key, &payload) {
        assert!(matches!(result, Err(HandshakeError::Binding { .. })));
    }
}

#[test]
fn a_binding_signed_by_another_identity_is_refused() {
    let zone = Zone::new();
    let (key, victim, _) = member(&zone);
    let attacker = Identity::generate().unwrap();
    let stolen = zone.credential(&victim, "member");
    let payload = present(&attacker, &stolen, &key.public, 1);
    for result in attack(&zone, &key, &payload) {
        assert!(matches!(result, Err(HandshakeError::Binding { .. })));
    }
}

#[test]
fn a_credential_of_another_authority_is_refused() {
    let zone = Zone::new();
    let other = Authority::generate().unwrap();
    let (key, identity, _) = member(&zone);
    let foreign = credential(&other, &identity, "member");
    let payload = present(&identity, &foreign, &key.public, 1);
    for result in attack(&zone, &key, &payload) {
        let Err(HandshakeError::Credential { error, .. }) = result else {
            panic!("{result:?}");
        };
        assert!(matches!(*error, CredentialError::OtherZone { .. }));
    }

    // The same, with the name of the zone written over it.
    let mut forged = foreign.encode();
    forged[1..33].copy_from_slice(&zone.authority.zone_id().0);
    let forged = Credential::decode(&forged).unwrap();
    let payload = present(&identity, &forged, &key.public, 1);
    for result in attack(&zone, &key, &payload) {
        let Err(HandshakeError::Credential { error, .. }) = result else {
            panic!("{result:?}");
        };
        assert_eq!(*error, CredentialError::Forged);
    }
}

#[test]
fn a_credential_outside_its_period_is_refused_from_either_side() {
    let zone = Zone::new();
    let (key, identity, _) = member(&zone);
    let presented = |not_before, expires| {
        let request = CredentialRequest {
            name: "member",
            public_key: identity.public_key(),
            not_before,
            expires,
            capabilities: Capabilities::ALL,
        };
        let credential = zone.authority.issue(&request).unwrap();
        present(&identity, &credential, &key.public, 1)
    };
    let refusal = |payload: &[u8]| {
        attack(&zone, &key, payload).map(|result| match result {
            Err(HandshakeError::Credential { error, .. }) => *error,
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(attack(&zone, &key, &presented(NOW + CLOCK_SKEW, NOW + CLOCK_SKEW + 1)), [Ok(()), Ok(())]);
    assert_eq!(attack(&zone, &key, &presented(0, NOW - CLOCK_SKEW + 1)), [Ok(()), Ok(())]);
    let early = CredentialError::NotYetValid { not_before: NOW + CLOCK_SKEW + 1, now: NOW };
    assert_eq!(refusal(&presented(NOW + CLOCK_SKEW + 1, u64::MAX)), [early.clone(), early]);
    let late = CredentialError::Expired { expires: NOW - CLOCK_SKEW, now: NOW };
    assert_eq!(refusal(&presented(0, NOW - CLOCK_SKEW)), [late.clone(), late]);
}

#[test]
fn a_binding_made_for_anything_else_is_refused() {
    let zone = Zone::new();
    let (key, identity, payload) = member(&zone);
    let at = payload.len() - 64;
    let (incarnation, expiry) = (1_u64.to_le_bytes(), (NOW + CREDENTIAL_LIFETIME).to_le_bytes());
    let with = |domain: &[u8], parts: &[&[u8]]| {
        let mut payload = payload.clone();
        payload[at..].copy_from_slice(&identity.sign(domain, parts));
        payload
    };
    let (own, other) = (zone.authority.zone_id().0, Zone::new().authority.zone_id().0);
    let domain = b"troupe channel key 1";
    let right: [&[u8]; 4] = [&own, &key.public, &incarnation, &expiry];
    assert_eq!(with(domain, &right), payload);
    let later = (NOW + CREDENTIAL_LIFETIME + 1).to_le_bytes();
    let elsewhere = StaticKey::generate().unwrap().public;
    let wrong = [
        with(b"troupe channel key 2", &right),
        with(b"troupe credential 1", &right),
        with(domain, &[&other, &key.public, &incarnation, &expiry]),
        with(domain, &[&own, &elsewhere, &incarnation, &expiry]),
        with(domain, &[&own, &key.public, &2_u64.to_le_bytes(), &expiry]),
        with(domain, &[&own, &key.public, &incarnation, &later]),
        with(domain, &right[..3]),
        with(domain, &[&own, &key.public, &expiry, &incarnation]),
    ];
    for payload in wrong {
        for result in attack(&zone, &key, &payload) {
            assert!(matches!(result, Err(HandshakeError::Binding { .. })), "{result:?}");
        }
    }
}

#[test]
fn a_presentation_whose_lengths_do_not_agree_is_refused() {
    let zone = Zone::new();
    let (key, _, payload) = member(&zone);
    let stated = u16::from_le_bytes([payload[0], payload[1]]);
    for length in [0, 1, stated - 1, stated + 1, payload.len() as u16 - 2, payload.len() as u16, u16::MAX] {
        let mut payload = payload.clone();
        payload[..2].copy_from_slice(&length.to_le_bytes());
        let refused = examine(&payload, &key.public, &zone.authority.public_key(), NOW).unwrap_err();
        assert!(matches!(refused, HandshakeError::Payload(_) | HandshakeError::Unreadable(_)), "{refused}");
    }
}

#[test]
fn a_presentation_with_any_byte_changed_or_cut_is_refused() {
    let zone = Zone::new();
    let (key, _, payload) = member(&zone);
    let refused = |payload: &[u8]| {
        examine(payload, &key.public, &zone.authority.public_key(), NOW).unwrap_err();
    };
    for at in 0..payload.len() {
        for bit in 0..8 {
            let mut changed = payload.clone();
            changed[at] ^= 1 << bit;
            refused(&changed);
        }
        refused(&payload[..at]);
    }
    refused(&[&payload[..], &[0]].concat());
    for result in attack(&zone, &key, &[&payload[..], &[0]].concat()) {
        assert!(matches!(result, Err(HandshakeError::Payload(_))));
    }
}

#[test]
fn a_binding_that_expired_is_refused() {
    let zone = Zone::new();
    let (key, identity, mut payload) = member(&zone);
    let expires = NOW - CLOCK_SKEW;
    let binding = payload.len() - 80;
    let (incarnation, expiry) = (1_u64.to_le_bytes(), expires.to_le_bytes());
    let zone_id = zone.authority.zone_id();
    let parts: [&[u8]; 4] = [&zone_id.0, &key.public, &incarnation, &expiry];
    payload[binding + 8..binding + 16].copy_from_slice(&expiry);
    payload[binding + 16..].copy_from_slice(&identity.sign(b"troupe channel key 1", &parts));
    for result in attack(&zone, &key, &payload) {
        assert!(matches!(result, Err(HandshakeError::BindingExpired { .. })));
    }
    let authority = zone.authority.public_key();
    let peer = examine(&payload, &key.public, &authority, NOW - 1).unwrap();
    assert_eq!(peer.expires, expires, "the earlier of binding and credential");
}

/// A resolver that sends a public key of its choice, and computes the zero that the honest side would.
struct WeakSuite {
    point: [u8; 32],
    ephemeral: bool,
}

struct WeakDh {
    real: Box<dyn Dh>,
    weak: Option<[u8; 32]>,
    point: [u8; 32],
    ephemeral: bool,
}

impl Dh for WeakDh {
    fn name(&self) -> &'static str {
        "25519"
    }
    fn pub_len(&self) -> usize {
        32
    }
    fn priv_len(&self) -> usize {
        32
    }
    fn set(&mut self, private: &[u8]) {
        self.real.set(private);
        self.weak = (!self.ephemeral).then_some(self.point);
    }
    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), Error> {
        self.weak = self.ephemeral.then_some(self.point);
        self.real.generate(rng)
    }
    fn pubkey(&self) -> &[u8] {
        match &self.weak {
            Some(point) => point,
            None => self.real.pubkey(),
        }
    }
    fn privkey(&self) -> &[u8] {
        self.real.privkey()
    }
    fn dh(&self, public: &[u8], out: &mut [u8]) -> Result<(), Error> {
        if self.weak.is_some() {
            out[..32].fill(0);
            return Ok(());
        }
        self.real.dh(public, out)
    }
}

impl CryptoResolver for WeakSuite {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Suite.resolve_rng()
    }
    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        Some(Box::new(WeakDh {
            real: Suite.resolve_dh(choice)?,
            weak: None,
            point: self.point,
            ephemeral: self.ephemeral,
        }))
    }
    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        RingResolver.resolve_hash(choice)
    }
    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        RingResolver.resolve_cipher(choice)
    }
}

#[test]
fn a_key_that_makes_the_shared_secret_zero_is_refused() {
    let zone = Zone::new();
    let prologue = zone.prologue();
    let (key, _, payload) = member(&zone);
    let mut one = [0; 32];
    one[0] = 1;
    for (point, ephemeral) in [([0; 32], true), (one, true), ([0; 32], false), (one, false)] {
        let noise = || {
            Builder::with_resolver(SUITE.parse().unwrap(), Box::new(WeakSuite { point, ephemeral }))
                .local_private_key(key.private.as_slice())
                .and_then(|b| b.psk(0, zone.access_key.secret()))
                .and_then(|b| b.prologue(&prologue))
                .unwrap()
        };
        let message = if ephemeral { 1 } else { 3 };
        let dialling = dial(&zone, noise().build_initiator().unwrap(), &payload);
        assert_eq!(dialling, Err(HandshakeError::WeakKey { message }));
        let dialled = answer(&zone, noise().build_responder().unwrap(), &payload);
        assert_eq!(dialled, Err(HandshakeError::WeakKey { message: 2 }));
    }
}

proptest! {
    #[test]
    fn whatever_is_presented_is_read_without_harm(payload in prop::collection::vec(any::<u8>(), 0..500)) {
        prop_assert!(examine(&payload, &[1; 32], &[2; 32], NOW).is_err());
    }
}
