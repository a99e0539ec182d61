//! Identity, credentials, handshake and records of a channel.
//!
//! From the bottom up: an [`Identity`] is a node's key pair; an [`Authority`] signs a [`Credential`] for it; a
//! [`Membership`] is what a node presents; a [`Handshake`] between two of them makes an [`Established`] channel, whose
//! [`SealingKey`] and [`OpeningKey`] carry records. The exact bytes are in `docs/wire.md`.

#[cfg(test)]
mod attacks;
mod authority;
mod capabilities;
mod credential;
mod error;
mod handshake;
mod identity;
#[cfg(test)]
mod meddling;
mod membership;
mod records;
mod suite;
#[cfg(test)]
mod vectors;
#[cfg(test)]
mod wiping;
#[cfg(test)]
mod worked_example;

pub use authority::{AccessKey, Authority};
pub use capabilities::Capabilities;
pub use credential::{
    CLOCK_SKEW, CREDENTIAL_LIFETIME, CREDENTIAL_MAX, Credential, CredentialError, CredentialRequest,
};
pub use error::HandshakeError;
pub use handshake::{Established, HANDSHAKE_FRAME_MAX, HEADER, Handshake};
pub use identity::{Identity, NodeId, ParseIdError, RandomError, ZoneId, verify};
pub use membership::{Membership, MembershipError, Peer};
pub use records::{
    OpeningKey, RECORD_HEADER, RECORD_MAX, RECORD_PLAINTEXT_MAX, RECORD_TAG, RECORDS_PER_KEY, RecordError,
    SealingKey, record_length,
};
