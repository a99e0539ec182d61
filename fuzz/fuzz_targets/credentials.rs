//! Any bytes as a credential: what is read has one encoding, and what is verified is what the authority signs.

#![no_main]

use libfuzzer_sys::fuzz_target;
use troupe_fuzz::{NOW, authority};
use troupe_proto::noise::{CREDENTIAL_MAX, Credential, CredentialRequest};

fuzz_target!(|bytes: &[u8]| {
    let Ok(credential) = Credential::decode(bytes) else { return };
    assert_eq!(credential.encode(), bytes);
    assert!(bytes.len() <= CREDENTIAL_MAX);
    let request = CredentialRequest {
        name: credential.name(),
        public_key: credential.public_key(),
        not_before: credential.not_before(),
        expires: credential.expires(),
        capabilities: credential.capabilities(),
    };
    // Ed25519 makes one signature for one content.
    let issued = authority().issue(&request).expect("what is read could be issued").encode();
    let key = authority().public_key();
    assert_eq!(credential.verify_signature(&key).is_ok(), issued == bytes);
    let holds = credential.check_time(NOW).is_ok();
    assert_eq!(credential.verify(&key, NOW).is_ok(), issued == bytes && holds);
});
