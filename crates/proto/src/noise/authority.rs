//! What founds a zone: the authority's key pair, which signs credentials, and the access key, which every member holds.

use std::fmt;

use zeroize::Zeroizing;

use super::credential::{Credential, CredentialError, CredentialRequest};
use super::identity::{Identity, RandomError, ZoneId, random_secret};

/// The zone's access key: 32 random bytes that every member holds, mixed into the first handshake message.
///
/// Who lacks it gets no answer from a node. It proves no identity; credentials do. Wiped when dropped.
#[derive(Clone)]
pub struct AccessKey(Zeroizing<[u8; 32]>);

impl AccessKey {
    /// Makes a new key from the operating system's randomness.
    pub fn generate() -> Result<Self, RandomError> {
        random_secret().map(Self)
    }

    /// The key that was stored as these bytes.
    #[must_use]
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        Self(Zeroizing::new(*secret))
    }

    /// The bytes of the key, for storing.
    #[must_use]
    pub fn secret(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessKey(secret)")
    }
}

/// The key pair that signs the credentials of a zone. Whoever holds it decides who is a member.
pub struct Authority {
    key: Identity,
    zone: ZoneId,
}

impl Authority {
    /// Makes a new authority, and with it a new zone, from the operating system's randomness.
    pub fn generate() -> Result<Self, RandomError> {
        Ok(Self::from_secret(&*random_secret()?))
    }

    /// The authority of a stored secret: the 32-byte Ed25519 seed that [`Authority::secret`] gave.
    #[must_use]
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        let key = Identity::from_secret(secret);
        let zone = ZoneId::of(&key.public_key());
        Self { key, zone }
    }

    /// The 32-byte Ed25519 seed, for storing.
    #[must_use]
    pub fn secret(&self) -> Zeroizing<[u8; 32]> {
        self.key.secret()
    }

    /// The Ed25519 public key that every member of the zone knows.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.key.public_key()
    }

    /// The zone this authority founds: SHA-256 of its public key.
    #[must_use]
    pub fn zone_id(&self) -> ZoneId {
        self.zone
    }

    /// Signs the statement that an identity is a member of this zone, for a time, under a name.
    ///
    /// Fails when the name is invalid or the period is empty; nothing is signed then. Whether the one who asks should
    /// get it is for the caller to decide.
    pub fn issue(&self, request: &CredentialRequest<'_>) -> Result<Credential, CredentialError> {
        Credential::sign(&self.key, self.zone, request)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority(zone {:?})", self.zone)
    }
}
