//! This node's own credential in a zone of one machine, where every node can sign: made at the start, and anew whenever
//! a handshake finds less than half of it left. No timer is needed for it.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use troupe_proto::noise::{
    AccessKey, Authority, CREDENTIAL_LIFETIME, Capabilities, Credential, CredentialError, CredentialRequest,
    Identity, Membership, MembershipError,
};

/// What a [`Clock`] reads: the wall clock in Unix seconds, and time since some moment that nobody can move.
type Source = Box<dyn Fn() -> (u64, Duration) + Send + Sync>;

/// Wall clock in Unix seconds. It never shows less time than has surely passed since the process began, so that setting
/// the system's clock back revives no credential; a jump forward that is taken back is forgotten.
pub(super) struct Clock {
    source: Source,
    began: (u64, Duration),
}

impl Clock {
    fn of_the_system() -> Self {
        let start = Instant::now();
        Self::new(Box::new(move || {
            let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
            (wall, start.elapsed())
        }))
    }

    fn new(source: Source) -> Self {
        let began = source();
        Self { source, began }
    }

    pub(super) fn now(&self) -> u64 {
        let (wall, steady) = (self.source)();
        let (wall_then, steady_then) = self.began;
        wall.max(wall_then + steady.saturating_sub(steady_then).as_secs())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
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
        Self::enrol_by(Clock::of_the_system(), name, authority, access_key, identity, incarnation)
    }

    fn enrol_by(
        clock: Clock,
        name: &str,
        authority: Authority,
        access_key: AccessKey,
        identity: Arc<Identity>,
        incarnation: u64,
    ) -> Result<Self, EnrolError> {
        let credential = issue(&authority, name, identity.public_key(), clock.now())?;
        let membership =
            Membership::new(identity, credential, authority.public_key(), access_key, incarnation)?;
        Ok(Self { name: name.to_owned(), authority, clock, current: Mutex::new(Arc::new(membership)) })
    }

    /// The time for a handshake.
    pub(super) fn now(&self) -> u64 {
        self.clock.now()
    }

    /// What to present in a handshake, renewed if it is half over; or not yet begun, when it was made while the system's
    /// clock was ahead.
    pub(super) fn membership(&self) -> Arc<Membership> {
        let now = self.now();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let credential = current.credential();
        let half = credential.not_before().midpoint(credential.expires());
        if now >= half || now < credential.not_before() {
            match self.renew(&current, now) {
                Ok(renewed) => *current = Arc::new(renewed),
                Err(error) => {
                    log::warn!(target: "zone", "{error}; the old one ends at {}", credential.expires());
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
    use troupe_proto::noise::{Handshake, HandshakeError};

    use super::*;

    const HOUR: u64 = 3600;
    const START: u64 = 1_800_000_000;

    fn signed(seconds: u64) -> i64 {
        i64::try_from(seconds).unwrap()
    }

    /// A clock that tests move: the wall's, in seconds from the start, and the steady one.
    #[derive(Clone, Default)]
    struct Hands(Arc<Mutex<(i64, u64)>>);

    impl Hands {
        fn clock(&self) -> Clock {
            let hands = self.0.clone();
            Clock::new(Box::new(move || {
                let (wall, steady) = *hands.lock().unwrap();
                (START.saturating_add_signed(wall), Duration::from_secs(steady))
            }))
        }

        /// Time passes, for both.
        fn pass(&self, seconds: u64) {
            let mut hands = self.0.lock().unwrap();
            hands.0 += signed(seconds);
            hands.1 += seconds;
        }

        /// Somebody sets the wall clock.
        fn set(&self, by: i64) {
            self.0.lock().unwrap().0 += by;
        }
    }

    struct TestZone(Authority, AccessKey);

    impl TestZone {
        fn new() -> Self {
            Self(Authority::generate().unwrap(), AccessKey::generate().unwrap())
        }

        fn enrol(&self, name: &str, hands: &Hands) -> Credentials {
            let identity = Arc::new(Identity::generate().unwrap());
            let authority = Authority::from_secret(&self.0.secret());
            Credentials::enrol_by(hands.clock(), name, authority, self.1.clone(), identity, 1).unwrap()
        }
    }

    /// Whether the two let each other in.
    fn meet(one: &Credentials, two: &Credentials) -> Result<(), HandshakeError> {
        let (mine, theirs) = (one.membership(), two.membership());
        let mut dials = Handshake::initiate(&mine, Some(theirs.node_id()), one.now())?;
        let mut answers = Handshake::respond(&theirs, two.now())?;
        while !(dials.is_done() && answers.is_done()) {
            let there = dials.take_output();
            answers.read(&there)?;
            let back = answers.take_output();
            dials.read(&back)?;
        }
        dials.finish()?;
        answers.finish()?;
        Ok(())
    }

    #[test]
    fn a_credential_is_kept_for_half_its_life_and_then_renewed_for_the_same_node() {
        let hands = Hands::default();
        let credentials = TestZone::new().enrol("node", &hands);
        let first = credentials.membership();
        assert!(Arc::ptr_eq(&first, &credentials.membership()));
        hands.pass(CREDENTIAL_LIFETIME / 2 - 1);
        assert!(Arc::ptr_eq(&first, &credentials.membership()));
        hands.pass(1);
        let second = credentials.membership();
        assert_eq!(second.credential().expires(), START + CREDENTIAL_LIFETIME * 3 / 2);
        assert_eq!(second.node_id(), first.node_id());
    }

    #[test]
    fn nodes_let_each_other_in_for_days_whatever_day_it_is() {
        let (zone, hands) = (TestZone::new(), Hands::default());
        let (one, two) = (zone.enrol("one", &hands), zone.enrol("two", &hands));
        for _ in 0..100 {
            meet(&one, &two).unwrap();
            hands.pass(7 * HOUR);
        }
    }

    #[test]
    fn a_wall_clock_that_is_set_forward_and_back_keeps_nobody_out() {
        let (zone, hands) = (TestZone::new(), Hands::default());
        let (one, two) = (zone.enrol("one", &hands), zone.enrol("two", &hands));
        for jump in [48, 1000, 13].map(|hours| signed(hours * HOUR)) {
            hands.set(jump);
            meet(&one, &two).unwrap();
            hands.pass(HOUR);
            meet(&one, &two).unwrap();
            hands.set(-jump);
            meet(&one, &two).unwrap();
            hands.pass(HOUR);
            // One that did not look while it was wrong.
            let three = zone.enrol("three", &hands);
            meet(&three, &one).unwrap();
            meet(&two, &three).unwrap();
        }
    }

    #[test]
    fn a_wall_clock_that_is_set_back_revives_nothing() {
        let (zone, hands) = (TestZone::new(), Hands::default());
        let one = zone.enrol("one", &hands);
        let old = one.membership();
        let holds = |now| old.credential().verify(&zone.0.public_key(), now).is_ok();
        assert!(holds(one.now()));
        hands.pass(CREDENTIAL_LIFETIME + HOUR);
        hands.set(-signed(CREDENTIAL_LIFETIME));
        assert_eq!(one.now(), START + CREDENTIAL_LIFETIME + HOUR);
        assert!(!holds(one.now()));
    }
}
