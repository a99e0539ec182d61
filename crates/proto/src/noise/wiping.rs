//! Whatever holds a secret for longer than a call wipes it when it is dropped. What lies in memory that was freed can't be
//! looked at without `unsafe`; that the types have something to do when they are dropped, which plain bytes have not, can.

use std::mem::needs_drop;

use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{
    authority::{AccessKey, Authority},
    identity::{Identity, random_secret},
    suite::StaticKey,
};

#[test]
fn what_holds_a_secret_wipes_it_when_it_is_dropped() {
    assert!(!needs_drop::<[u8; 32]>(), "plain bytes stay where they were");
    assert!(needs_drop::<AccessKey>());
    assert!(needs_drop::<Identity>());
    assert!(needs_drop::<Authority>());
    assert!(needs_drop::<StaticKey>());
}

#[test]
fn what_is_read_of_a_secret_wipes_itself() {
    fn wipes(_: &impl ZeroizeOnDrop) {}
    let secret: Zeroizing<[u8; 32]> = random_secret().unwrap();
    wipes(&secret);
    wipes(&StaticKey::of(secret.clone()).private);
    wipes(&Identity::from_secret(&secret).secret());
    wipes(&Authority::from_secret(&secret).secret());
}
