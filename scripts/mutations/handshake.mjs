// Handshake, credential, binding, records: what a stranger or a member without right could get through.
const noise = 'cargo test -p troupe-proto --test noise';
const inside = 'cargo test -p troupe-proto --lib noise';
const names = 'cargo test -p troupe-proto --lib address';

const from = (file, test, list) => list.map(([what, from, to]) => ({ what, in: file, from, to, test }));

/** Removals of the checks in `crates/proto/src/noise` and of names. */
export const handshake = [
  ...from('crates/proto/src/noise/handshake.rs', noise, [
    [
      'a node begins with a credential that is over',
      'membership.credential().check_time(now).map_err(HandshakeError::OwnCredential)?;',
      '',
    ],
    ['another program is not noticed by its first bytes', 'if input[..known] != HEADER[..known] {', 'if false {'],
    ['any version and suite is taken', 'Some(header) if *header == HEADER => Ok(', 'Some(_) => Ok('],
    ['lengths of messages are not checked', '                check_length(message, length)?;\n', ''],
    ['message 1 may be shorter or longer', '1 => MESSAGE_1..=MESSAGE_1,', '1 => 0..=usize::MAX,'],
    [
      'message 2 may be too short',
      '2 => KEY + KEY + TAG + TAG..=HANDSHAKE_FRAME_MAX,',
      '2 => 0..=HANDSHAKE_FRAME_MAX,',
    ],
    [
      'message 2 may have any length',
      '2 => KEY + KEY + TAG + TAG..=HANDSHAKE_FRAME_MAX,',
      '2 => KEY + KEY + TAG + TAG..=usize::MAX,',
    ],
    ['message 3 may be too short', '_ => KEY + TAG + TAG..=HANDSHAKE_FRAME_MAX,', '_ => 0..=HANDSHAKE_FRAME_MAX,'],
    [
      'message 3 may have any length',
      '_ => KEY + TAG + TAG..=HANDSHAKE_FRAME_MAX,',
      '_ => KEY + TAG + TAG..=usize::MAX,',
    ],
    ['a node talks to itself', 'if peer.id == self.own_id {', 'if false {'],
    ['any member may answer for the one that was dialled', '&& expected != peer.id', '&& expected == self.own_id'],
    ['keys are given before the end', 'if !self.is_done() {', 'if false {'],
    [
      'it is done before its last message is out',
      'self.awaits == Await::Nothing && self.output.is_empty()',
      'self.awaits == Await::Nothing',
    ],
    ['it goes on after a failure', '                    self.awaits = Await::Failed;\n', ''],
    ['an answer is sent though what followed is broken', '                    self.output.clear();\n', ''],
    ['the channel outlives this node’s credential', 'self.own_expires.min(peer.expires)', 'peer.expires'],
    ['the channel outlives the peer’s credential', 'self.own_expires.min(peer.expires)', 'self.own_expires'],
  ]),
  ...from('crates/proto/src/noise/handshake.rs', inside, [
    ['the responder looks at no presentation', 'if message > 1 {', 'if message == 2 {'],
    ['the initiator looks at no presentation', 'if message > 1 {', 'if message == 3 {'],
  ]),
  ...from('crates/proto/src/noise/membership.rs', noise, [
    [
      'a membership is made with a credential of another zone',
      '        credential.verify_signature(&authority_public_key)?;\n',
      '',
    ],
    [
      'a membership is made with a credential of another identity',
      'if credential.node_id() != identity.id() {',
      'if false {',
    ],
  ]),
  ...from('crates/proto/src/noise/membership.rs', inside, [
    ['bytes may follow the binding', 'if !rest.is_empty() {', 'if false {'],
    ['a forged credential passes', 'credential.verify(authority_public_key, now)', 'credential.check_time(now)'],
    [
      'a credential passes outside its period',
      'credential.verify(authority_public_key, now)',
      'credential.verify_signature(authority_public_key)',
    ],
    [
      'a stolen credential passes over another key',
      'if !verify(&credential.public_key(), DOMAIN, &signed, signature) {',
      'if false {',
    ],
    ['a binding has no domain of its own', 'b"troupe channel key 1"', 'b"troupe credential 1"'],
    ['a binding does not end', 'if now >= expires.saturating_add(CLOCK_SKEW) {', 'if now == u64::MAX {'],
    [
      'the end of a binding does not count',
      'expires: expires.min(credential.expires()),',
      'expires: credential.expires(),',
    ],
  ]),
  ...from('crates/proto/src/noise/credential.rs', noise, [
    ['any name is signed', '        check_name(request.name).map_err(CredentialError::Name)?;\n', ''],
    ['an empty period is signed', '        check_period(request.not_before, request.expires)?;\n', ''],
    ['any version is read', 'if version != VERSION {', 'if false {'],
    [
      'an unknown capability is read',
      'Capabilities::from_bits(bits).ok_or(CredentialError::Malformed("a capability is unknown"))?',
      'Capabilities::from_bits(bits & 0x1f).unwrap_or_default()',
    ],
    ['any name is read', '        check_name(name).map_err(CredentialError::Name)?;\n', ''],
    ['an empty period is read', '        check_period(not_before, expires)?;\n        match', '        match'],
    ['a short signature is read', '0..SIGNATURE => return Err(TOO_SHORT),', '0..SIGNATURE => {}'],
    [
      'bytes may follow the signature',
      '_ => return Err(CredentialError::Malformed("bytes follow its signature")),',
      '_ => {}',
    ],
    ['the signature is not checked', '        self.verify_signature(authority_public_key)?;\n', ''],
    ['the period is not checked', '        self.check_time(now)\n', '        Ok(())\n'],
    ['the zone is not compared', 'if self.zone != own {', 'if false {'],
    ['any signature is one', 'if verify(authority_public_key, DOMAIN, &[signed], signature) {', 'if true {'],
    ['what is not valid yet is', 'if now.saturating_add(CLOCK_SKEW) < self.not_before {', 'if false {'],
    [
      'clocks that run ahead are not allowed for',
      'if now.saturating_add(CLOCK_SKEW) < self.not_before {',
      'if now < self.not_before {',
    ],
    ['what is over still holds', 'if now >= self.expires.saturating_add(CLOCK_SKEW) {', 'if false {'],
    [
      'clocks that lag are not allowed for',
      'if now >= self.expires.saturating_add(CLOCK_SKEW) {',
      'if now >= self.expires {',
    ],
    ['a credential has another domain', 'b"troupe credential 1"', 'b"troupe channel key 1"'],
  ]),
  ...from('crates/proto/src/noise/identity.rs', noise, [
    [
      'signatures of keys of small order pass',
      'key.verify_strict(&signed_bytes(domain, parts), &Signature::from_bytes(signature)).is_ok()',
      'ed25519_dalek::Verifier::verify(&key, &signed_bytes(domain, parts), &Signature::from_bytes(signature)).is_ok()',
    ],
    ['signed parts carry no lengths', '        bytes.extend_from_slice(&(piece.len() as u32).to_le_bytes());\n', ''],
    ['the domain is not signed', 'for piece in pieces() {', 'for piece in pieces().skip(1) {'],
    ['an identifier of another length is read', 'if text.len() != 64 {', 'if text.len() < 2 {'],
    [
      'an identifier has two spellings',
      "b'a'..=b'f' => Ok(c - b'a' + 10),",
      "b'a'..=b'f' | b'A'..=b'F' => Ok((c | 32) - b'a' + 10),",
    ],
    [
      'an identity prints its secret',
      'write!(f, "Identity({:?})", self.id)',
      'write!(f, "Identity({:?})", self.key.to_bytes())',
    ],
  ]),
  ...from('crates/proto/src/noise/authority.rs', noise, [
    ['an access key prints itself', 'f.write_str("AccessKey(secret)")', 'write!(f, "AccessKey({:?})", *self.0)'],
  ]),
  ...from('Cargo.toml', 'cargo test -p troupe-proto --lib wiping', [
    ['an identity leaves its secret in memory', 'features = ["fast", "zeroize"] }', 'features = ["fast"] }'],
  ]),
  ...from('crates/proto/src/noise/suite.rs', inside, [
    ['a shared secret may be zero', 'if shared.iter().fold(0, |seen, byte| seen | byte) == 0 {', 'if false {'],
    ['the access key is not mixed in', '.psk(0, access_key)?', '.psk(0, &[0; 32])?'],
    ['the zone is not in the prologue', '.prologue(prologue)', '.prologue(&[])'],
  ]),
  ...from('crates/proto/src/noise/records.rs', noise, [
    [
      'a record may state any length',
      'check_length(usize::from(u16::from_be_bytes(header)))',
      'Ok(usize::from(u16::from_be_bytes(header)))',
    ],
    [
      'a record shorter than its tag is taken',
      '(RECORD_TAG..=RECORD_MAX).contains(&length)',
      '(0..=RECORD_MAX).contains(&length)',
    ],
    [
      'a record longer than the limit is taken',
      '(RECORD_TAG..=RECORD_MAX).contains(&length)',
      '(RECORD_TAG..=usize::MAX).contains(&length)',
    ],
    ['a record is opened whatever its length', '        check_length(ciphertext.len())?;\n', ''],
    [
      'a record opens again and again',
      '.map_err(|_| RecordError::Broken)?;\n        self.0.next += 1;\n        Ok(plaintext)',
      '.map_err(|_| RecordError::Broken)?;\n        Ok(plaintext)',
    ],
    [
      'a record that does not open puts the channel out of step',
      'let nonce = self.0.nonce()?;\n        let plaintext =\n            self.0.cipher.open_in_place(nonce, Aad::empty(), ciphertext).map_err(|_| RecordError::Broken)?;\n        self.0.next += 1;',
      'let nonce = self.0.nonce()?;\n        self.0.next += 1;\n        let plaintext =\n            self.0.cipher.open_in_place(nonce, Aad::empty(), ciphertext).map_err(|_| RecordError::Broken)?;',
    ],
    ['a channel counts as confirmed from the start', 'self.0.next > 0', 'true'],
  ]),
  ...from('crates/proto/src/noise/records.rs', inside, [
    ['a key has no end', 'if self.next >= self.most {', 'if self.next == u64::MAX {'],
    [
      'a key may be let seal more than it should',
      'self.0.most = records.min(RECORDS_PER_KEY);',
      'self.0.most = records;',
    ],
    ['two records have one nonce', '        bytes[4..].copy_from_slice(&self.next.to_le_bytes());\n', ''],
  ]),
  ...from('crates/proto/src/noise/capabilities.rs', inside, [
    [
      'bits without a meaning are capabilities',
      'if bits & !Self::ALL.0 == 0 {',
      'if bits & Self::ALL.0 == bits & 0x1f {',
    ],
    ['every set contains every capability', 'self.0 & other.0 == other.0', 'self.0 == self.0'],
  ]),
  ...from('crates/proto/src/address.rs', names, [
    ['a name may be empty', 'if text.is_empty() {', 'if false {'],
    ['a name may be long', 'if text.len() > NAME_MAX {', 'if false {'],
    [
      'a name may hold anything',
      'Some((at, character)) => Err(NameError::Character { character, at }),',
      'Some(_) => Ok(()),',
    ],
    [
      'the node of an address is not checked',
      '            check_name(node).map_err(|reason| AddressError { part: Part::Node, reason })?;\n',
      '            let _ = node;\n',
    ],
  ]),
];
