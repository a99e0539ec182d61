//! The signed statement that an identity is a member of a zone: its bytes, their strict reading, and their checks.

use std::fmt;

use super::capabilities::Capabilities;
use super::identity::{Identity, NodeId, ZoneId, verify};
use crate::address::{NAME_MAX, NameError, check_name};

/// How long a credential usually lives, in seconds (24 hours). A node renews its own at half of that.
pub const CREDENTIAL_LIFETIME: u64 = 24 * 60 * 60;

/// How far the clocks of two nodes may differ, in seconds: a credential passes this long before and after its period.
pub const CLOCK_SKEW: u64 = 60;

/// The longest credential, in bytes: 147 and the name.
pub const CREDENTIAL_MAX: usize = FIXED + NAME_MAX + SIGNATURE;

const DOMAIN: &[u8] = b"troupe credential 1";
const VERSION: u8 = 1;
/// Version, zone, public key, two times, capabilities, length of the name.
const FIXED: usize = 1 + 32 + 32 + 8 + 8 + 1 + 1;
const SIGNATURE: usize = 64;

/// What an authority is asked to sign.
#[derive(Debug, Clone)]
pub struct CredentialRequest<'a> {
    /// The node's name, `[A-Za-z0-9_-]`, 1 to 128 characters.
    pub name: &'a str,
    /// The Ed25519 public key of the node.
    pub public_key: [u8; 32],
    /// The first second at which the credential holds, in seconds since 1970 (UTC).
    pub not_before: u64,
    /// The second from which it no longer holds.
    pub expires: u64,
    /// What the node may do on others.
    pub capabilities: Capabilities,
}

/// Why a credential is not accepted, or could not be issued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The bytes are not a credential of the version this node knows.
    #[error("it can't be read: {0}")]
    Malformed(&'static str),
    /// The node's name in it is no name.
    #[error("the node's name in it is invalid: {0}")]
    Name(NameError),
    /// It is signed for a zone other than this node's.
    #[error("it is for zone {presented}, this node's zone is {own}")]
    OtherZone {
        /// The zone the credential names.
        presented: ZoneId,
        /// The zone that was expected.
        own: ZoneId,
    },
    /// The authority of the zone did not sign it.
    #[error("the zone's authority did not sign it")]
    Forged,
    /// Its period has not begun, allowing [`CLOCK_SKEW`]. The clock of one of the two machines may be wrong.
    #[error("it is valid from {not_before} on, the clock here says {now} (Unix seconds)")]
    NotYetValid {
        /// Begin of its period, Unix seconds.
        not_before: u64,
        /// The time it was checked at, Unix seconds.
        now: u64,
    },
    /// Its period is over, allowing [`CLOCK_SKEW`]. The node has to renew it, or a clock is wrong.
    #[error("it expired at {expires}, the clock here says {now} (Unix seconds)")]
    Expired {
        /// End of its period, Unix seconds.
        expires: u64,
        /// The time it was checked at, Unix seconds.
        now: u64,
    },
}

/// A signed statement: "this identity is member `name` of this zone from `not_before` until `expires`, with these
/// capabilities".
///
/// One that was read says nothing until [`Credential::verify`] has passed. It keeps the bytes that were signed; checks
/// are made over these and never over a second encoding of what was read.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    bytes: Vec<u8>,
    zone: ZoneId,
    name: String,
    public_key: [u8; 32],
    not_before: u64,
    expires: u64,
    capabilities: Capabilities,
}

impl Credential {
    pub(super) fn sign(
        authority: &Identity,
        zone: ZoneId,
        request: &CredentialRequest<'_>,
    ) -> Result<Self, CredentialError> {
        check_name(request.name).map_err(CredentialError::Name)?;
        check_period(request.not_before, request.expires)?;
        let mut bytes = Vec::with_capacity(FIXED + request.name.len() + SIGNATURE);
        bytes.push(VERSION);
        bytes.extend_from_slice(&zone.0);
        bytes.extend_from_slice(&request.public_key);
        bytes.extend_from_slice(&request.not_before.to_le_bytes());
        bytes.extend_from_slice(&request.expires.to_le_bytes());
        bytes.push(request.capabilities.bits());
        bytes.push(request.name.len() as u8);
        bytes.extend_from_slice(request.name.as_bytes());
        let signature = authority.sign(DOMAIN, &[&bytes]);
        bytes.extend_from_slice(&signature);
        Ok(Self {
            bytes,
            zone,
            name: request.name.to_owned(),
            public_key: request.public_key,
            not_before: request.not_before,
            expires: request.expires,
            capabilities: request.capabilities,
        })
    }

    /// Reads a credential that takes up all of `bytes`. Nothing in it is true before [`Credential::verify`] has passed.
    ///
    /// Strict: another version, an unknown capability, an invalid name, an empty period, a byte too few or too many is
    /// [`CredentialError::Malformed`] or [`CredentialError::Name`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CredentialError> {
        let mut rest = bytes;
        let [version] = take(&mut rest)?;
        if version != VERSION {
            return Err(CredentialError::Malformed("its version is unknown"));
        }
        let zone = ZoneId(take(&mut rest)?);
        let public_key = take(&mut rest)?;
        let not_before = u64::from_le_bytes(take(&mut rest)?);
        let expires = u64::from_le_bytes(take(&mut rest)?);
        let [bits] = take(&mut rest)?;
        let capabilities =
            Capabilities::from_bits(bits).ok_or(CredentialError::Malformed("a capability is unknown"))?;
        let [name_length] = take(&mut rest)?;
        let (name, signature) = rest.split_at_checked(usize::from(name_length)).ok_or(TOO_SHORT)?;
        let name =
            std::str::from_utf8(name).map_err(|_| CredentialError::Malformed("the name is not text"))?;
        check_name(name).map_err(CredentialError::Name)?;
        check_period(not_before, expires)?;
        match signature.len() {
            SIGNATURE => {}
            0..SIGNATURE => return Err(TOO_SHORT),
            _ => return Err(CredentialError::Malformed("bytes follow its signature")),
        }
        Ok(Self {
            bytes: bytes.to_vec(),
            zone,
            name: name.to_owned(),
            public_key,
            not_before,
            expires,
            capabilities,
        })
    }

    /// The bytes that [`Credential::decode`] reads: 147 and the name, at most [`CREDENTIAL_MAX`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.bytes.clone()
    }

    /// Checks that the authority with this public key signed it for its own zone, and that it holds at `now` (Unix
    /// seconds), give or take [`CLOCK_SKEW`].
    pub fn verify(&self, authority_public_key: &[u8; 32], now: u64) -> Result<(), CredentialError> {
        self.verify_signature(authority_public_key)?;
        self.check_time(now)
    }

    /// The part of [`Credential::verify`] that does not depend on the time: zone and signature.
    pub fn verify_signature(&self, authority_public_key: &[u8; 32]) -> Result<(), CredentialError> {
        let own = ZoneId::of(authority_public_key);
        if self.zone != own {
            return Err(CredentialError::OtherZone { presented: self.zone, own });
        }
        let (signed, signature) = self.bytes.split_last_chunk::<SIGNATURE>().ok_or(TOO_SHORT)?;
        if verify(authority_public_key, DOMAIN, &[signed], signature) {
            Ok(())
        } else {
            Err(CredentialError::Forged)
        }
    }

    /// The part of [`Credential::verify`] that depends on the time.
    pub fn check_time(&self, now: u64) -> Result<(), CredentialError> {
        if now.saturating_add(CLOCK_SKEW) < self.not_before {
            return Err(CredentialError::NotYetValid { not_before: self.not_before, now });
        }
        if now >= self.expires.saturating_add(CLOCK_SKEW) {
            return Err(CredentialError::Expired { expires: self.expires, now });
        }
        Ok(())
    }

    /// The zone it is for.
    #[must_use]
    pub fn zone(&self) -> ZoneId {
        self.zone
    }

    /// The name the zone knows the node by.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The Ed25519 public key of the node.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.public_key
    }

    /// The identifier of the node.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        NodeId::of(&self.public_key)
    }

    /// Begin of its period, Unix seconds.
    #[must_use]
    pub fn not_before(&self) -> u64 {
        self.not_before
    }

    /// End of its period, Unix seconds.
    #[must_use]
    pub fn expires(&self) -> u64 {
        self.expires
    }

    /// What the node may do on others.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("zone", &self.zone)
            .field("name", &self.name)
            .field("node", &self.node_id())
            .field("not_before", &self.not_before)
            .field("expires", &self.expires)
            .field("capabilities", &self.capabilities)
            .finish_non_exhaustive()
    }
}

const TOO_SHORT: CredentialError = CredentialError::Malformed("it is cut short");

fn check_period(not_before: u64, expires: u64) -> Result<(), CredentialError> {
    if not_before < expires { Ok(()) } else { Err(CredentialError::Malformed("it ends before it begins")) }
}

/// The next `N` bytes of `rest`.
fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], CredentialError> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(TOO_SHORT)?;
    *rest = tail;
    Ok(*head)
}
