//! Why a handshake fails: everything for the operator of this node, nothing for the other side.

use super::credential::CredentialError;
use super::identity::NodeId;

/// Why a handshake failed. For the local log only; the connection is closed without a word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// What arrived is not the start of a channel: another program, or a scan.
    #[error("what connected does not speak this protocol")]
    OtherProtocol,
    /// The other side is of the same kind but of another version. Update the older one.
    #[error("the other side speaks version {version}, suite {suite}; this node speaks version 1, suite 1")]
    OtherVersion {
        /// Its version.
        version: u16,
        /// Its cipher suite.
        suite: u16,
    },
    /// A message is shorter or longer than it can be.
    #[error("handshake message {message} can't have {length} bytes")]
    Length {
        /// 1 to 3.
        message: u8,
        /// The length it states.
        length: usize,
    },
    /// A message does not decrypt. As message 1: the other side is of another zone or lacks this zone's access key.
    /// Later: something on the way changed it.
    #[error("handshake message {message} does not decrypt: {}", undecryptable(*.message))]
    Undecryptable {
        /// 1 to 3.
        message: u8,
    },
    /// A public key of the other side makes the shared secret zero; only an attacker or a broken program sends one.
    #[error("handshake message {message} leads to an all-zero shared secret")]
    WeakKey {
        /// 1 to 3.
        message: u8,
    },
    /// A member of the zone sent a payload that is no credential with binding.
    #[error("the other side's presentation can't be read: {0}")]
    Payload(&'static str),
    /// A member of the zone presented a credential that can't be read.
    #[error("the other side's credential is not accepted: {0}")]
    Unreadable(CredentialError),
    /// The other side's credential is not accepted.
    #[error("the credential that calls the other side {name:?} ({node:?}) is not accepted: {error}")]
    Credential {
        /// The name in it, which is not proven.
        name: String,
        /// The identifier in it, which is not proven.
        node: NodeId,
        /// What is wrong with it.
        error: Box<CredentialError>,
    },
    /// The other side presented a credential whose identity did not sign this channel's key: it belongs to another node.
    #[error("the other side presents the credential of {name:?} ({node:?}) but is not that node")]
    Binding {
        /// The name in the credential.
        name: String,
        /// The identifier in the credential.
        node: NodeId,
    },
    /// The signature that ties the other side's channel key to its identity is too old. Its clock or this one is wrong.
    #[error(
        "the channel key of {name:?} ({node:?}) expired at {expires}, the clock here says {now} (Unix seconds)"
    )]
    BindingExpired {
        /// Its name.
        name: String,
        /// Its identifier.
        node: NodeId,
        /// End of the binding, Unix seconds.
        expires: u64,
        /// The time of the handshake, Unix seconds.
        now: u64,
    },
    /// A member answered, but not the one that was dialled: its address is now used by another node.
    #[error("dialled node {expected:?}, but {name:?} ({presented:?}) answered")]
    OtherNode {
        /// The identifier that was dialled.
        expected: NodeId,
        /// The identifier that was presented and proven.
        presented: NodeId,
        /// The name that was presented and proven.
        name: String,
    },
    /// The other side is this node itself.
    #[error("the other side is this node itself")]
    Oneself,
    /// The other side closed the connection before the handshake was over: it tells nobody why. Its own log does.
    #[error("the other side closed the connection {}", closed(*.before))]
    Closed {
        /// What was awaited: message 1 to 3, or 4 for the first record.
        before: u8,
    },
    /// This node's own credential does not hold now: renew it, or set the clock.
    #[error("this node's own credential is not valid: {0}")]
    OwnCredential(CredentialError),
    /// The handshake was used after it failed, or finished before it was over.
    #[error("the handshake was used out of turn")]
    Misused,
    /// The cryptographic library refused to work, for example for want of random bytes.
    #[error("the cryptographic library failed: {0}")]
    Library(String),
}

fn undecryptable(message: u8) -> &'static str {
    match message {
        1 => "the other side is of another zone or does not hold this zone's access key",
        _ => "it was changed on the way",
    }
}

fn closed(before: u8) -> &'static str {
    match before {
        2 => {
            "without an answer: it is of another zone, does not hold this zone's access key, or speaks another version"
        }
        3 => {
            "after this node had presented itself: it does not accept this node's credential, or was stopped"
        }
        _ => "before it said anything",
    }
}

/// What a failure of snow says about `message` of the other side.
pub(super) fn blame(message: u8, error: &snow::Error) -> HandshakeError {
    match error {
        snow::Error::Decrypt | snow::Error::Input => HandshakeError::Undecryptable { message },
        snow::Error::Dh => HandshakeError::WeakKey { message },
        other => library(other),
    }
}

pub(super) fn library(error: &snow::Error) -> HandshakeError {
    HandshakeError::Library(error.to_string())
}
