//! The one cipher suite, handed to snow piece by piece: X25519 of our own, cipher and hash of ring.
//!
//! The key exchange is ours for two reasons: it refuses shared secrets that are all zero, and it wipes private keys.

use curve25519_dalek::MontgomeryPoint;
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, RingResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, Error};
use zeroize::Zeroizing;

use super::identity::{RandomError, random_secret};

/// Name of the pattern and its primitives. Both sides mix it into the first hash, so another one can't be agreed on.
pub(super) const SUITE: &str = "Noise_XXpsk0_25519_ChaChaPoly_SHA256";

/// A handshake of the suite, ready to be built as either side.
pub(super) fn builder<'a>(
    static_private: &'a [u8; 32],
    access_key: &'a [u8; 32],
    prologue: &'a [u8],
) -> Result<Builder<'a>, Error> {
    Builder::with_resolver(SUITE.parse()?, Box::new(Suite))
        .local_private_key(static_private)?
        .psk(0, access_key)?
        .prologue(prologue)
}

/// The X25519 key pair that a process uses in all its handshakes. Never stored; a restart makes another.
pub(super) struct StaticKey {
    pub(super) private: Zeroizing<[u8; 32]>,
    pub(super) public: [u8; 32],
}

impl StaticKey {
    pub(super) fn generate() -> Result<Self, RandomError> {
        random_secret().map(Self::of)
    }

    /// The pair of this private key.
    pub(super) fn of(private: Zeroizing<[u8; 32]>) -> Self {
        let public = MontgomeryPoint::mul_base_clamped(*private).to_bytes();
        Self { private, public }
    }
}

/// Where snow finds the suite's primitives.
pub(super) struct Suite;

impl CryptoResolver for Suite {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(SystemRandom))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        match choice {
            DHChoice::Curve25519 => Some(Box::<X25519>::default()),
            DHChoice::Curve448 => None,
        }
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        RingResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        RingResolver.resolve_cipher(choice)
    }
}

struct SystemRandom;

impl Random for SystemRandom {
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Error> {
        getrandom::fill(out).map_err(|_| Error::Rng)
    }
}

#[derive(Default)]
struct X25519 {
    private: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl X25519 {
    fn derive_public(&mut self) {
        self.public = MontgomeryPoint::mul_base_clamped(*self.private).to_bytes();
    }
}

impl Dh for X25519 {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        32
    }

    fn priv_len(&self) -> usize {
        32
    }

    fn set(&mut self, private: &[u8]) {
        self.private.copy_from_slice(private);
        self.derive_public();
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), Error> {
        rng.try_fill_bytes(self.private.as_mut_slice())?;
        self.derive_public();
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    fn privkey(&self) -> &[u8] {
        self.private.as_slice()
    }

    /// Refuses an all-zero result: whoever sends a point of small order would otherwise know the secret without a key.
    fn dh(&self, public: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let point = public.first_chunk::<32>().ok_or(Error::Dh)?;
        let shared = Zeroizing::new(MontgomeryPoint(*point).mul_clamped(*self.private).to_bytes());
        // Every byte is looked at: the time taken tells nothing about the secret.
        if shared.iter().fold(0, |seen, byte| seen | byte) == 0 {
            return Err(Error::Dh);
        }
        out.get_mut(..32).ok_or(Error::Dh)?.copy_from_slice(shared.as_slice());
        Ok(())
    }
}
