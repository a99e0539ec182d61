//! Zones, members and whole handshakes for the tests of the channel.

use std::sync::Arc;

use troupe_proto::noise::{
    AccessKey, Authority, CREDENTIAL_LIFETIME, Capabilities, Credential, CredentialRequest, Established,
    Handshake, HandshakeError, Identity, Membership,
};

/// When every test takes place, in Unix seconds.
pub(crate) const NOW: u64 = 1_800_000_000;

/// A zone whose authority and access key are at hand.
pub(crate) struct Zone {
    pub(crate) authority: Authority,
    pub(crate) access_key: AccessKey,
}

impl Zone {
    pub(crate) fn new() -> Self {
        Self { authority: Authority::generate().unwrap(), access_key: AccessKey::generate().unwrap() }
    }

    /// A member whose credential holds from now on for the usual time.
    pub(crate) fn member(&self, name: &str) -> Membership {
        self.member_between(name, NOW, NOW + CREDENTIAL_LIFETIME)
    }

    /// A member whose credential holds for the given period.
    pub(crate) fn member_between(&self, name: &str, not_before: u64, expires: u64) -> Membership {
        let identity = Arc::new(Identity::generate().unwrap());
        let credential = self
            .authority
            .issue(&CredentialRequest {
                name,
                public_key: identity.public_key(),
                not_before,
                expires,
                capabilities: Capabilities::WORKER_START,
            })
            .unwrap();
        self.membership(identity, credential).unwrap()
    }

    pub(crate) fn membership(
        &self,
        identity: Arc<Identity>,
        credential: Credential,
    ) -> Result<Membership, troupe_proto::noise::MembershipError> {
        let authority = self.authority.public_key();
        Membership::new(identity, credential, authority, self.access_key.clone(), 3)
    }
}

/// Passes all bytes between two handshakes until both are done or one fails; `Err` names who failed.
pub(crate) fn converse(
    initiator: &mut Handshake,
    responder: &mut Handshake,
) -> Result<(), (&'static str, HandshakeError)> {
    while !(initiator.is_done() && responder.is_done()) {
        let sent = initiator.take_output();
        let used = responder.read(&sent).map_err(|e| ("responder", e))?;
        assert_eq!(used, sent.len());
        let sent = responder.take_output();
        let used = initiator.read(&sent).map_err(|e| ("initiator", e))?;
        assert_eq!(used, sent.len());
    }
    Ok(())
}

/// A handshake of two members, which must succeed: (initiator's end, responder's end).
pub(crate) fn establish(a: &Membership, b: &Membership) -> (Established, Established) {
    let mut initiator = Handshake::initiate(a, Some(b.node_id()), NOW).unwrap();
    let mut responder = Handshake::respond(b, NOW).unwrap();
    converse(&mut initiator, &mut responder).unwrap();
    (initiator.finish().unwrap(), responder.finish().unwrap())
}
