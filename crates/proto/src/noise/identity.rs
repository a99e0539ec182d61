//! Who a node is: an Ed25519 key pair, the identifier derived from it, and signatures under named domains.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

/// The operating system gave no random bytes. Nothing was made; there is no safe way to go on without them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system's random number generator failed")]
pub struct RandomError;

/// 32 bytes from the operating system's generator, wiped when dropped.
pub(super) fn random_secret() -> Result<Zeroizing<[u8; 32]>, RandomError> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| RandomError)?;
    Ok(bytes)
}

/// SHA-256 of `bytes`.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

/// A text is not the hexadecimal form of an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an identifier is written as 64 digits 0-9 a-f")]
pub struct ParseIdError;

/// Reads 64 lower-case hexadecimal digits; no other spelling, so that an identifier has one form.
fn parse_hex(text: &str) -> Result<[u8; 32], ParseIdError> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Ok(c - b'0'),
        b'a'..=b'f' => Ok(c - b'a' + 10),
        _ => Err(ParseIdError),
    };
    let text = text.as_bytes();
    if text.len() != 64 {
        return Err(ParseIdError);
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Ok(bytes)
}

/// Gives a 32-byte identifier its derivation from a public key, its text form and its short `Debug` form.
macro_rules! identifier {
    ($name:ident) => {
        impl $name {
            /// The identifier that belongs to an Ed25519 public key: its SHA-256.
            #[must_use]
            pub fn of(public_key: &[u8; 32]) -> Self {
                Self(sha256(public_key))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            /// The first four bytes: enough to tell a zone's nodes apart in a log.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse_hex(text).map(Self)
            }
        }
    };
}

/// Identifier of a node: SHA-256 of its Ed25519 public key. Shown as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub [u8; 32]);
identifier!(NodeId);

/// Identifier of a zone: SHA-256 of its authority's Ed25519 public key. Shown as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneId(pub [u8; 32]);
identifier!(ZoneId);

/// The Ed25519 key pair of a node. Its secret is wiped when dropped and appears in no `Debug` output.
pub struct Identity {
    key: SigningKey,
    id: NodeId,
}

impl Identity {
    /// Makes a new identity from the operating system's randomness.
    pub fn generate() -> Result<Self, RandomError> {
        Ok(Self::from_secret(&*random_secret()?))
    }

    /// The identity of a stored secret: the 32-byte Ed25519 seed that [`Identity::secret`] gave.
    #[must_use]
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(secret);
        let id = NodeId::of(key.verifying_key().as_bytes());
        Self { key, id }
    }

    /// The 32-byte Ed25519 seed, for storing. Whoever has it is this node.
    #[must_use]
    pub fn secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.key.to_bytes())
    }

    /// The identifier: SHA-256 of the public key.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// The Ed25519 public key.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// Signs `parts` for the purpose named by `domain`; see [`verify`].
    ///
    /// A signature for one domain never passes for another, nor parts that are cut elsewhere: the signed bytes carry
    /// the length of the domain and of each part.
    #[must_use]
    pub fn sign(&self, domain: &[u8], parts: &[&[u8]]) -> [u8; 64] {
        self.key.sign(&signed_bytes(domain, parts)).to_bytes()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({:?})", self.id)
    }
}

/// Whether `signature` was made by the holder of `public_key` over exactly this `domain` and these `parts`.
///
/// Strict: public keys and signatures of small order and encodings other than the one are refused, so that one signature
/// can't be turned into another that also passes.
#[must_use]
pub fn verify(public_key: &[u8; 32], domain: &[u8], parts: &[&[u8]], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(public_key).is_ok_and(|key| {
        key.verify_strict(&signed_bytes(domain, parts), &Signature::from_bytes(signature)).is_ok()
    })
}

/// The domain and each part, every one as `u32 little-endian length ‖ bytes`.
fn signed_bytes(domain: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let pieces = || std::iter::once(&domain).chain(parts);
    let mut bytes = Vec::with_capacity(pieces().map(|piece| 4 + piece.len()).sum());
    for piece in pieces() {
        bytes.extend_from_slice(&(piece.len() as u32).to_le_bytes());
        bytes.extend_from_slice(piece);
    }
    bytes
}
