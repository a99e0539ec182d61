//! This node's own credential in a zone of one machine, where every node can sign: made at the start, and anew whenever
//! a handshake finds less than half of it left. No timer is needed for it.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use troupe_proto::noise::{
    AccessKey, Authority, CREDENTIAL_LIFETIME, Capabilities, Credential, CredentialError, CredentialRequest,
    Identity, Membership, MembershipError,
};

/// Wall clock in Unix seconds that never goes back while the process lives.
#[derive(Debug, Default)]
pub(super) struct Clock(AtomicU64);

impl Clock {
    pub(super) fn now(&self) -> u64 {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.0.fetch_max(seconds, Ordering::Relaxed).max(seconds)
    }
}

/// Signs and renews.
#[derive(Debug)]
pub(super) struct Credentials {
    name: String,
    authority: Authority,
    clock: Clock,
    current: Mutex<Arc<Membership>>,
}

/// Why a node could not make itself a member.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The credential was not issued.
    #[error("can't issue this node's credential: {0}")]
    Credential(#[from] CredentialError),
    /// The membership could not be put together.
    #[error(transparent)]
    Membership(#[from] MembershipError),
}

impl Credentials {
    pub(super) fn enrol(
        name: &str,
        authority: Authority,
        access_key: AccessKey,
        identity: Arc<Identity>,
        incarnation: u64,
    ) -> Result<Self, EnrolError> {
        let clock = Clock::default();
        let credential = issue(&authority, name, identity.public_key(), clock.now())?;
        let membership =
            Membership::new(identity, credential, authority.public_key(), access_key, incarnation)?;
        Ok(Self { name: name.to_owned(), authority, clock, current: Mutex::new(Arc::new(membership)) })
    }

    /// The time for a handshake.
    pub(super) fn now(&self) -> u64 {
        self.clock.now()
    }

    /// What to present in a handshake, renewed if it is half over.
    pub(super) fn membership(&self) -> Arc<Membership> {
        let now = self.now();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let credential = current.credential();
        let half = credential.not_before().midpoint(credential.expires());
        if now >= half {
            match self.renew(&current, now) {
                Ok(renewed) => *current = Arc::new(renewed),
                Err(error) => {
                    log::warn!(target: "zone", "{error}; the old one ends at {}", credential.expires())
                }
            }
        }
        Arc::clone(&current)
    }

    fn renew(&self, current: &Membership, now: u64) -> Result<Membership, EnrolError> {
        let credential = issue(&self.authority, &self.name, current.identity().public_key(), now)?;
        Ok(current.renewed(credential)?)
    }
}

fn issue(
    authority: &Authority,
    name: &str,
    public_key: [u8; 32],
    now: u64,
) -> Result<Credential, CredentialError> {
    authority.issue(&CredentialRequest {
        name,
        public_key,
        not_before: now,
        expires: now + CREDENTIAL_LIFETIME,
        // Inside the zone of one user capabilities are no boundary: each of its nodes could sign itself any.
        capabilities: Capabilities::ALL,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> Credentials {
        let access_key = AccessKey::generate().unwrap();
        let identity = Arc::new(Identity::generate().unwrap());
        Credentials::enrol("node", Authority::generate().unwrap(), access_key, identity, 1).unwrap()
    }

    #[test]
    fn a_credential_is_kept_for_half_its_life_and_then_renewed_for_the_same_node() {
        let credentials = credentials();
        let first = credentials.membership();
        assert!(Arc::ptr_eq(&first, &credentials.membership()));
        let almost = first.credential().not_before() + CREDENTIAL_LIFETIME / 2 - 60;
        credentials.clock.0.store(almost, Ordering::Relaxed);
        assert!(Arc::ptr_eq(&first, &credentials.membership()));
        credentials.clock.0.store(almost + 60, Ordering::Relaxed);
        let second = credentials.membership();
        assert_eq!(second.credential().expires(), almost + 60 + CREDENTIAL_LIFETIME);
        assert_eq!(second.node_id(), first.node_id());
    }

    #[test]
    fn the_clock_never_goes_back() {
        let clock = Clock(AtomicU64::new(u64::MAX - 1));
        assert_eq!(clock.now(), u64::MAX - 1);
    }
}
