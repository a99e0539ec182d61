//! The signature over a bundle of code: it passes for the node that made it, over that hash, and for nothing else.
//! What is read of a bundle before that is TypeScript's; `__test__/hostile-control.spec.ts` generates it there.

#![no_main]

use libfuzzer_sys::fuzz_target;
use troupe_fuzz::edited;
use troupe_node::node::verify_code;
use troupe_proto::noise::Identity;

fuzz_target!(|input: &[u8]| {
    let [first, second, rest @ ..] = input else { return };
    let signer = Identity::from_secret(&[8; 32]);
    let (key, hash) = (signer.public_key(), [9; 32]);
    let signature = signer.sign(b"troupe code 1", &[&hash]);
    let (for_key, rest) = rest.split_at(rest.len().min(usize::from(*first)));
    let (for_hash, for_signature) = rest.split_at(rest.len().min(usize::from(*second)));
    let presented = (edited(&key, for_key), edited(&hash, for_hash), edited(&signature, for_signature));
    let honest = (key.to_vec(), hash.to_vec(), signature.to_vec());
    assert_eq!(verify_code(&presented.0, &presented.1, &presented.2), presented == honest);
});
