//! Members of a zone that exists in memory only.

use std::sync::Arc;

use troupe_proto::noise::{AccessKey, Authority, Capabilities, CredentialRequest, Identity, Membership};

/// The time of all that is issued here, in Unix seconds.
pub const NOW: u64 = 1_800_000_000;

/// A zone: its authority and access key.
#[derive(Debug)]
pub struct Founded {
    authority: Authority,
    access_key: AccessKey,
}

impl Founded {
    /// A new zone.
    #[must_use]
    pub fn new() -> Self {
        let authority = Authority::generate().expect("an authority");
        Self { authority, access_key: AccessKey::generate().expect("an access key") }
    }

    /// A new member, whose credential holds for a day.
    #[must_use]
    pub fn member(&self, name: &str) -> Membership {
        self.member_until(name, NOW + 24 * 3600)
    }

    /// A new member whose credential ends then.
    #[must_use]
    pub fn member_until(&self, name: &str, expires: u64) -> Membership {
        let identity = Identity::generate().expect("an identity");
        let request = CredentialRequest {
            name,
            public_key: identity.public_key(),
            not_before: NOW - 1,
            expires,
            capabilities: Capabilities::ALL,
        };
        let credential = self.authority.issue(&request).expect("a credential");
        let public_key = self.authority.public_key();
        Membership::new(Arc::new(identity), credential, public_key, self.access_key.clone(), 1)
            .expect("a membership")
    }
}

impl Default for Founded {
    fn default() -> Self {
        Self::new()
    }
}
