//! Identity, credentials, handshake and records of a channel.

mod authority;
mod capabilities;
mod credential;
mod identity;

pub use authority::{AccessKey, Authority};
pub use capabilities::Capabilities;
pub use credential::{
    CLOCK_SKEW, CREDENTIAL_LIFETIME, CREDENTIAL_MAX, Credential, CredentialError, CredentialRequest,
};
pub use identity::{Identity, NodeId, ParseIdError, RandomError, ZoneId, verify};
