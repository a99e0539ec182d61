//! What a node brings to a handshake, and what it learns from the other side's: credential and binding.
//!
//! The credential says which identity is a member. The binding says that this identity speaks through the Noise key of
//! this very handshake: it is the identity's signature over `zone ‖ static key ‖ incarnation ‖ expiry`.

use std::fmt;
use std::sync::Arc;

use super::authority::AccessKey;
use super::capabilities::Capabilities;
use super::credential::{CLOCK_SKEW, CREDENTIAL_MAX, Credential, CredentialError};
use super::error::HandshakeError;
use super::identity::{Identity, NodeId, RandomError, ZoneId, verify};
use super::suite::StaticKey;

const DOMAIN: &[u8] = b"troupe channel key 1";
/// Incarnation, expiry, signature.
const BINDING: usize = 8 + 8 + 64;
/// The longest payload of a handshake message: length, credential, binding.
pub(super) const PRESENTATION_MAX: usize = 2 + CREDENTIAL_MAX + BINDING;

/// The node at the other end of a channel, as its checked credential and binding tell it.
#[derive(Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its identifier.
    pub id: NodeId,
    /// Its name in the zone. Not necessarily unique: two identities may carry credentials of one name.
    pub name: String,
    /// Its Ed25519 public key.
    pub public_key: [u8; 32],
    /// Which life of the node this is: another number means that the process behind the identity is another one.
    pub incarnation: u64,
    /// What it may do here.
    pub capabilities: Capabilities,
    /// When its credential or its binding ends, whichever is earlier, in Unix seconds.
    pub expires: u64,
}

impl fmt::Debug for Peer {
    /// Without the public key, which the identifier stands for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("incarnation", &self.incarnation)
            .field("capabilities", &self.capabilities)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// Why a membership could not be made of its parts. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MembershipError {
    /// The credential is not one of the given authority.
    #[error("this node's own credential is not accepted: {0}")]
    Credential(#[from] CredentialError),
    /// The credential was issued for another identity.
    #[error("the credential is for node {credential}, this node's identity is {own}")]
    OtherIdentity {
        /// The identity the credential is for.
        credential: NodeId,
        /// The identity that was given beside it.
        own: NodeId,
    },
    /// No key could be made.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// All that a node needs to open and accept channels: identity, credential, the zone's keys, and the Noise key of this
/// process.
pub struct Membership {
    identity: Arc<Identity>,
    credential: Credential,
    authority_public_key: [u8; 32],
    access_key: AccessKey,
    incarnation: u64,
    static_key: Arc<StaticKey>,
    presentation: Vec<u8>,
}

impl Membership {
    /// Puts a membership together and makes the Noise key of this process. `incarnation` tells the lives of one identity
    /// apart and grows from one to the next.
    ///
    /// Checks that the authority signed the credential for this identity; whether it holds now is checked by each
    /// handshake.
    pub fn new(
        identity: Arc<Identity>,
        credential: Credential,
        authority_public_key: [u8; 32],
        access_key: AccessKey,
        incarnation: u64,
    ) -> Result<Self, MembershipError> {
        let static_key = Arc::new(StaticKey::generate()?);
        Self::assemble(identity, credential, authority_public_key, access_key, incarnation, static_key)
    }

    /// The same node with a renewed credential: same identity, same Noise key. Channels that are open keep the old one.
    pub fn renewed(&self, credential: Credential) -> Result<Self, MembershipError> {
        Self::assemble(
            Arc::clone(&self.identity),
            credential,
            self.authority_public_key,
            self.access_key.clone(),
            self.incarnation,
            Arc::clone(&self.static_key),
        )
    }

    /// Puts a membership together with a given Noise key.
    pub(super) fn assemble(
        identity: Arc<Identity>,
        credential: Credential,
        authority_public_key: [u8; 32],
        access_key: AccessKey,
        incarnation: u64,
        static_key: Arc<StaticKey>,
    ) -> Result<Self, MembershipError> {
        credential.verify_signature(&authority_public_key)?;
        if credential.node_id() != identity.id() {
            return Err(MembershipError::OtherIdentity {
                credential: credential.node_id(),
                own: identity.id(),
            });
        }
        let presentation = present(&identity, &credential, &static_key.public, incarnation);
        Ok(Self {
            identity,
            credential,
            authority_public_key,
            access_key,
            incarnation,
            static_key,
            presentation,
        })
    }

    /// The identity of this node.
    #[must_use]
    pub fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    /// The identifier of this node.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        self.identity.id()
    }

    /// The name of this node, as its credential states it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.credential.name()
    }

    /// The zone this node is a member of.
    #[must_use]
    pub fn zone_id(&self) -> ZoneId {
        self.credential.zone()
    }

    /// The credential this node presents.
    #[must_use]
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The public key of the zone's authority.
    #[must_use]
    pub fn authority_public_key(&self) -> &[u8; 32] {
        &self.authority_public_key
    }

    /// Which life of this node this is.
    #[must_use]
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    pub(super) fn access_key(&self) -> &AccessKey {
        &self.access_key
    }

    pub(super) fn static_private(&self) -> &[u8; 32] {
        &self.static_key.private
    }

    /// The payload of this node's handshake message.
    pub(super) fn presentation(&self) -> &[u8] {
        &self.presentation
    }
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Membership")
            .field("credential", &self.credential)
            .field("incarnation", &self.incarnation)
            .finish_non_exhaustive()
    }
}

/// `u16 length ‖ credential ‖ u64 incarnation ‖ u64 expiry ‖ signature`; integers little-endian.
pub(super) fn present(
    identity: &Identity,
    credential: &Credential,
    static_public: &[u8; 32],
    incarnation: u64,
) -> Vec<u8> {
    let credential_bytes = credential.encode();
    let incarnation = incarnation.to_le_bytes();
    let expires = credential.expires().to_le_bytes();
    let signature = identity.sign(DOMAIN, &[&credential.zone().0, static_public, &incarnation, &expires]);
    let mut bytes = Vec::with_capacity(2 + credential_bytes.len() + BINDING);
    bytes.extend_from_slice(&(credential_bytes.len() as u16).to_le_bytes());
    bytes.extend_from_slice(&credential_bytes);
    bytes.extend_from_slice(&incarnation);
    bytes.extend_from_slice(&expires);
    bytes.extend_from_slice(&signature);
    bytes
}

/// Reads the payload of the other side and checks all of it: credential, binding to `static_public`, times.
pub(super) fn examine(
    payload: &[u8],
    static_public: &[u8; 32],
    authority_public_key: &[u8; 32],
    now: u64,
) -> Result<Peer, HandshakeError> {
    let cut = HandshakeError::Payload("it is cut short");
    let (length, rest) = payload.split_first_chunk::<2>().ok_or(cut.clone())?;
    let (credential, rest) =
        rest.split_at_checked(usize::from(u16::from_le_bytes(*length))).ok_or(cut.clone())?;
    let credential = Credential::decode(credential).map_err(HandshakeError::Unreadable)?;
    let (incarnation, rest) = rest.split_first_chunk::<8>().ok_or(cut.clone())?;
    let (expires, rest) = rest.split_first_chunk::<8>().ok_or(cut.clone())?;
    let (signature, rest) = rest.split_first_chunk::<64>().ok_or(cut)?;
    if !rest.is_empty() {
        return Err(HandshakeError::Payload("bytes follow the binding"));
    }

    let node = credential.node_id();
    let name = || credential.name().to_owned();
    credential.verify(authority_public_key, now).map_err(|error| HandshakeError::Credential {
        name: name(),
        node,
        error: Box::new(error),
    })?;
    let signed: [&[u8]; 4] = [&credential.zone().0, static_public, incarnation, expires];
    if !verify(&credential.public_key(), DOMAIN, &signed, signature) {
        return Err(HandshakeError::Binding { name: name(), node });
    }
    let expires = u64::from_le_bytes(*expires);
    if now >= expires.saturating_add(CLOCK_SKEW) {
        return Err(HandshakeError::BindingExpired { name: name(), node, expires, now });
    }
    Ok(Peer {
        id: node,
        name: name(),
        public_key: credential.public_key(),
        incarnation: u64::from_le_bytes(*incarnation),
        capabilities: credential.capabilities(),
        expires: expires.min(credential.expires()),
    })
}
