//! Who gets through a handshake, and what everybody else is told: nothing.

use std::sync::Arc;

use super::common::{NOW, Zone, converse, establish};
use troupe_proto::noise::{
    AccessKey, Authority, CLOCK_SKEW, CREDENTIAL_LIFETIME, Capabilities, CredentialError, CredentialRequest,
    HANDSHAKE_FRAME_MAX, HEADER, Handshake, HandshakeError, Identity, Membership, MembershipError, NodeId,
};

/// What a responder makes of these bytes, and that it answers nothing.
fn refused_by(responder: &Membership, bytes: &[u8]) -> HandshakeError {
    let mut handshake = Handshake::respond(responder, NOW).unwrap();
    let error = handshake.read(bytes).unwrap_err();
    assert!(handshake.take_output().is_empty(), "no answer after {error}");
    assert!(!handshake.is_done());
    assert_eq!(handshake.read(&HEADER), Err(HandshakeError::Misused));
    error
}

fn greeting(initiator: &Membership) -> Vec<u8> {
    Handshake::initiate(initiator, None, NOW).unwrap().take_output()
}

#[test]
fn both_sides_learn_who_the_other_is() {
    let zone = Zone::new();
    let (a, b) = (zone.member("a"), zone.member("b"));
    let (at_a, at_b) = establish(&a, &b);

    assert_eq!((at_a.peer.id, at_a.peer.name), (b.node_id(), "b".into()));
    assert_eq!((at_b.peer.id, at_b.peer.name), (a.node_id(), "a".into()));
    assert_eq!(at_b.peer.public_key, a.identity().public_key());
    assert_eq!(at_b.peer.incarnation, a.incarnation());
    assert_eq!(at_b.peer.capabilities, Capabilities::WORKER_START);
    assert_eq!(at_a.hash, at_b.hash);
    assert_ne!(at_a.hash, establish(&a, &b).0.hash);
}

#[test]
fn a_channel_ends_when_the_first_of_both_credentials_does() {
    let zone = Zone::new();
    let short = zone.member_between("short", NOW, NOW + 100);
    let long = zone.member("long");
    let (at_short, at_long) = establish(&short, &long);
    assert_eq!((at_short.expires, at_long.expires), (NOW + 100, NOW + 100));
    assert_eq!(at_short.peer.expires, NOW + CREDENTIAL_LIFETIME);
}

#[test]
fn bytes_may_arrive_one_at_a_time_and_what_follows_is_left_alone() {
    let zone = Zone::new();
    let (a, b) = (zone.member("a"), zone.member("b"));
    let mut initiator = Handshake::initiate(&a, Some(b.node_id()), NOW).unwrap();
    let mut responder = Handshake::respond(&b, NOW).unwrap();
    let drip = |from: &mut Handshake, to: &mut Handshake| {
        let mut buffer = Vec::new();
        for byte in from.take_output() {
            buffer.push(byte);
            let used = to.read(&buffer).unwrap();
            buffer.drain(..used);
        }
        assert!(buffer.is_empty());
    };
    drip(&mut initiator, &mut responder);
    drip(&mut responder, &mut initiator);
    let mut last = initiator.take_output();
    let length = last.len();
    last.extend_from_slice(b"the first record");
    assert_eq!(responder.read(&last), Ok(length));
    assert!(initiator.is_done() && responder.is_done());
    assert_eq!(responder.read(b"the first record"), Ok(0));
}

#[test]
fn who_lacks_the_access_key_gets_no_answer() {
    let zone = Zone::new();
    let outsider = Zone {
        authority: Authority::from_secret(&zone.authority.secret()),
        access_key: AccessKey::generate().unwrap(),
    };
    let error = refused_by(&zone.member("b"), &greeting(&outsider.member("a")));
    assert_eq!(error, HandshakeError::Undecryptable { message: 1 });
}

#[test]
fn another_zone_gets_no_answer_even_with_the_access_key() {
    let zone = Zone::new();
    let other = Zone { access_key: zone.access_key.clone(), ..Zone::new() };
    let error = refused_by(&zone.member("b"), &greeting(&other.member("a")));
    assert_eq!(error, HandshakeError::Undecryptable { message: 1 });
}

#[test]
fn another_program_or_version_gets_no_answer() {
    let zone = Zone::new();
    let (a, b) = (zone.member("a"), zone.member("b"));
    let hello = greeting(&a);
    for at in 0..HEADER.len() {
        let mut changed = hello.clone();
        changed[at] ^= 2;
        let error = refused_by(&b, &changed);
        match at {
            6..10 => assert!(matches!(error, HandshakeError::OtherVersion { .. })),
            _ => assert_eq!(error, HandshakeError::OtherProtocol),
        }
    }
    assert_eq!(refused_by(&b, b"GET /"), HandshakeError::OtherProtocol);
    assert_eq!(
        refused_by(&b, b"troupe\x02\0\x05\0\0\0\0\0\0\0"),
        HandshakeError::OtherVersion { version: 2, suite: 5 }
    );
}

#[test]
fn an_impossible_length_is_refused_before_its_bytes_come() {
    let zone = Zone::new();
    let b = zone.member("b");
    for length in [0, 47, 49, HANDSHAKE_FRAME_MAX, 65535] {
        let hello = [&HEADER[..], &(length as u16).to_be_bytes()].concat();
        let error = refused_by(&b, &hello);
        assert_eq!(error, HandshakeError::Length { message: 1, length });
    }
    for length in [0, 95, HANDSHAKE_FRAME_MAX + 1, 65535] {
        let mut initiator = Handshake::initiate(&b, None, NOW).unwrap();
        let error = initiator.read(&(length as u16).to_be_bytes()).unwrap_err();
        assert_eq!(error, HandshakeError::Length { message: 2, length });
    }
    for length in [0, 63, HANDSHAKE_FRAME_MAX + 1, 65535] {
        let mut responder = Handshake::respond(&b, NOW).unwrap();
        responder.read(&greeting(&zone.member("a"))).unwrap();
        let error = responder.read(&(length as u16).to_be_bytes()).unwrap_err();
        assert_eq!(error, HandshakeError::Length { message: 3, length });
    }
}

#[test]
fn a_length_at_its_bounds_is_waited_for() {
    let zone = Zone::new();
    let b = zone.member("b");
    let waits = |handshake: &mut Handshake, length: usize| {
        assert_eq!(handshake.read(&(length as u16).to_be_bytes()), Ok(0), "{length}");
    };
    let mut responder = Handshake::respond(&b, NOW).unwrap();
    assert_eq!(responder.read(&HEADER), Ok(HEADER.len()));
    waits(&mut responder, 48);
    for length in [96, HANDSHAKE_FRAME_MAX] {
        waits(&mut Handshake::initiate(&b, None, NOW).unwrap(), length);
    }
    for length in [64, HANDSHAKE_FRAME_MAX] {
        let mut responder = Handshake::respond(&b, NOW).unwrap();
        responder.read(&greeting(&zone.member("a"))).unwrap();
        waits(&mut responder, length);
    }
}

#[test]
fn only_the_node_that_was_dialled_is_accepted() {
    let zone = Zone::new();
    let (a, b, c) = (zone.member("a"), zone.member("b"), zone.member("c"));
    let mut initiator = Handshake::initiate(&a, Some(c.node_id()), NOW).unwrap();
    let mut responder = Handshake::respond(&b, NOW).unwrap();
    let (who, error) = converse(&mut initiator, &mut responder).unwrap_err();
    assert_eq!(who, "initiator");
    assert_eq!(
        error,
        HandshakeError::OtherNode { expected: c.node_id(), presented: b.node_id(), name: "b".into() }
    );
    assert!(initiator.take_output().is_empty(), "its own identity is not shown");
}

#[test]
fn a_node_does_not_talk_to_itself() {
    let zone = Zone::new();
    let a = zone.member("a");
    let mut initiator = Handshake::initiate(&a, None, NOW).unwrap();
    let mut responder = Handshake::respond(&a, NOW).unwrap();
    let failed = converse(&mut initiator, &mut responder);
    assert_eq!(failed, Err(("initiator", HandshakeError::Oneself)));
}

#[test]
fn a_credential_passes_within_a_minute_of_its_period_and_not_beyond() {
    let zone = Zone::new();
    let steady = zone.member_between("steady", 0, u64::MAX);
    let passing = |not_before, expires| {
        let other = zone.member_between("other", not_before, expires);
        // The one who presents it has a clock that is right for it.
        let mut initiator = Handshake::initiate(&other, None, not_before).unwrap();
        let mut responder = Handshake::respond(&steady, NOW).unwrap();
        converse(&mut initiator, &mut responder)
    };
    assert_eq!(passing(NOW + CLOCK_SKEW, NOW + 1000), Ok(()));
    assert_eq!(passing(NOW - 1000, NOW - CLOCK_SKEW + 1), Ok(()));

    let (who, error) = passing(NOW + CLOCK_SKEW + 1, NOW + 1000).unwrap_err();
    let HandshakeError::Credential { error, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(who, "responder");
    assert!(matches!(*error, CredentialError::NotYetValid { .. }));

    let (_, error) = passing(NOW - 1000, NOW - CLOCK_SKEW).unwrap_err();
    let HandshakeError::Credential { name, error, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(name, "other");
    assert!(matches!(*error, CredentialError::Expired { .. }));
}

#[test]
fn a_node_whose_own_credential_is_over_says_so_at_home() {
    let zone = Zone::new();
    let late = zone.member_between("late", NOW - 1000, NOW - CLOCK_SKEW);
    for result in [Handshake::initiate(&late, None, NOW), Handshake::respond(&late, NOW)] {
        let Err(HandshakeError::OwnCredential(error)) = result else {
            panic!("{result:?}");
        };
        assert!(matches!(error, CredentialError::Expired { .. }));
    }
}

#[test]
fn a_renewed_credential_keeps_the_node_and_its_key() {
    let zone = Zone::new();
    let (a, b) = (zone.member_between("a", NOW - 1000, NOW - 100), zone.member("b"));
    let request = CredentialRequest {
        name: "a",
        public_key: a.identity().public_key(),
        not_before: NOW,
        expires: NOW + 50,
        capabilities: Capabilities::NONE,
    };
    let renewed = a.renewed(zone.authority.issue(&request).unwrap()).unwrap();
    let (_, at_b) = establish(&renewed, &b);
    assert_eq!(at_b.peer.id, a.node_id());
    assert_eq!(at_b.peer.capabilities, Capabilities::NONE);
    assert_eq!(at_b.expires, NOW + 50);
}

#[test]
fn a_membership_is_made_only_of_parts_that_belong_together() {
    let (zone, other) = (Zone::new(), Zone::new());
    let a = zone.member("a");
    let stranger = Arc::new(Identity::generate().unwrap());
    assert!(matches!(
        zone.membership(stranger, a.credential().clone()),
        Err(MembershipError::OtherIdentity { .. })
    ));
    assert!(matches!(
        other.membership(Arc::clone(a.identity()), a.credential().clone()),
        Err(MembershipError::Credential(CredentialError::OtherZone { .. }))
    ));
}

#[test]
fn a_handshake_is_finished_only_when_it_is_done() {
    let zone = Zone::new();
    let (a, b) = (zone.member("a"), zone.member("b"));
    let mut initiator = Handshake::initiate(&a, None, NOW).unwrap();
    let mut responder = Handshake::respond(&b, NOW).unwrap();
    assert_eq!(responder.closed(), HandshakeError::Closed { before: 1 });
    responder.read(&initiator.take_output()).unwrap();
    assert_eq!(initiator.closed(), HandshakeError::Closed { before: 2 });
    assert_eq!(responder.closed(), HandshakeError::Closed { before: 3 });
    initiator.read(&responder.take_output()).unwrap();
    assert_eq!(initiator.closed(), HandshakeError::Closed { before: 4 });
    assert!(!initiator.is_done(), "message 3 has not been taken");
    assert!(matches!(initiator.finish(), Err(HandshakeError::Misused)));
    assert!(matches!(responder.finish(), Err(HandshakeError::Misused)));
}

#[test]
fn no_secret_shows_in_debug_output() {
    let zone = Zone::new();
    let a = zone.member("a");
    let shown = format!(
        "{a:?} {:?} {:?} {:?} {:?}",
        a.identity(),
        zone.authority,
        zone.access_key,
        establish(&a, &zone.member("b")).0
    );
    for secret in [*a.identity().secret(), *zone.authority.secret(), *zone.access_key.secret()] {
        let decimal = format!("{:?}", &secret[..3]);
        assert!(!shown.contains(decimal.trim_matches(['[', ']'])));
        // An identifier prints as the hexadecimal digits of its bytes.
        assert!(!shown.contains(&NodeId(secret).to_string()[..6]));
    }
}
