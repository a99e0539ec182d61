//! The handshake of a channel, for both sides: bytes in, bytes and a checked peer out.
//!
//! The initiator sends the header and message 1, the responder message 2 with its credential and binding, the initiator
//! message 3 with its own. The header and the zone's identifier are the prologue: two sides that disagree about either
//! understand nothing of each other. Whatever fails, the other side is told nothing: no bytes are left to send, and the
//! connection is to be closed. What went wrong is for the local log.
//!
//! **Confirmation.** The initiator is done when message 3 is out; whether the responder accepted it, it does not know
//! yet. So each side sends a first record that carries no more than session set-up, and neither acts on, nor sends, data
//! of the zone before a record of the other side has opened ([`OpeningKey::is_confirmed`]).

use std::fmt;

use snow::{Builder, HandshakeState};
use zeroize::Zeroizing;

use super::error::{HandshakeError, blame, library};
use super::identity::NodeId;
use super::membership::{Membership, PRESENTATION_MAX, Peer, examine};
use super::records::{OpeningKey, SealingKey};
use super::suite;

/// The bytes before message 1: `troupe`, version 1 and suite 1 as little-endian `u16`, six zero bytes.
pub const HEADER: [u8; 16] = *b"troupe\x01\0\x01\0\0\0\0\0\0\0";
/// The longest handshake message, its two bytes of length not counted.
pub const HANDSHAKE_FRAME_MAX: usize = 4096;

const MAGIC: usize = 6;
const KEY: usize = 32;
const TAG: usize = 16;
/// Ephemeral key and the tag of an empty payload.
const MESSAGE_1: usize = KEY + TAG;

/// What a finished handshake gives: who is there, and a key for each direction.
#[derive(Debug)]
pub struct Established {
    /// The node at the other end, checked.
    pub peer: Peer,
    /// Seals what this node sends.
    pub send: SealingKey,
    /// Opens what the peer sends. Nothing counts before [`OpeningKey::is_confirmed`].
    pub receive: OpeningKey,
    /// The handshake hash: the same on both sides of this channel and on no other.
    pub hash: [u8; 32],
    /// When the channel must end: the earlier expiry of both sides, Unix seconds.
    pub expires: u64,
}

/// What is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Await {
    Header,
    Message(u8),
    Nothing,
    /// It failed; nothing is accepted any more.
    Failed,
}

/// One handshake. It holds no borrow of the membership, whose access key and credential it copied.
///
/// Write what [`Handshake::take_output`] gives, hand what arrives to [`Handshake::read`], until
/// [`Handshake::is_done`]; then [`Handshake::finish`].
pub struct Handshake {
    noise: Box<HandshakeState>,
    awaits: Await,
    output: Vec<u8>,
    presentation: Vec<u8>,
    authority_public_key: [u8; 32],
    own_id: NodeId,
    own_expires: u64,
    expect: Option<NodeId>,
    now: u64,
    peer: Option<Peer>,
}

impl Handshake {
    /// Begins a handshake as the side that dialled; the header and message 1 are ready to be taken.
    ///
    /// `expect` is the node that was dialled; `None` accepts any member. `now` is the time in Unix seconds, from a clock
    /// that is never taken backwards.
    pub fn initiate(
        membership: &Membership,
        expect: Option<NodeId>,
        now: u64,
    ) -> Result<Self, HandshakeError> {
        Self::initiate_as(membership, expect, now, |noise| noise)
    }

    /// As [`Handshake::initiate`], with a last word on the Noise state: tests fix what is random in it.
    pub(super) fn initiate_as(
        membership: &Membership,
        expect: Option<NodeId>,
        now: u64,
        adjust: impl for<'a> FnOnce(Builder<'a>) -> Builder<'a>,
    ) -> Result<Self, HandshakeError> {
        let mut handshake = Self::start(membership, true, expect, now, adjust)?;
        handshake.output.extend_from_slice(&HEADER);
        handshake.write_message(&[]).map_err(|error| library(&error))?;
        handshake.awaits = Await::Message(2);
        Ok(handshake)
    }

    /// Begins a handshake as the side that was dialled. It says nothing until message 1 has proven that the other side
    /// holds the access key of this zone.
    pub fn respond(membership: &Membership, now: u64) -> Result<Self, HandshakeError> {
        Self::respond_as(membership, now, |noise| noise)
    }

    /// As [`Handshake::respond`], with a last word on the Noise state.
    pub(super) fn respond_as(
        membership: &Membership,
        now: u64,
        adjust: impl for<'a> FnOnce(Builder<'a>) -> Builder<'a>,
    ) -> Result<Self, HandshakeError> {
        Self::start(membership, false, None, now, adjust)
    }

    fn start(
        membership: &Membership,
        initiator: bool,
        expect: Option<NodeId>,
        now: u64,
        adjust: impl for<'a> FnOnce(Builder<'a>) -> Builder<'a>,
    ) -> Result<Self, HandshakeError> {
        membership.credential().check_time(now).map_err(HandshakeError::OwnCredential)?;
        let mut prologue = [0; 48];
        prologue[..16].copy_from_slice(&HEADER);
        prologue[16..].copy_from_slice(&membership.zone_id().0);
        let builder =
            suite::builder(membership.static_private(), membership.access_key().secret(), &prologue)
                .map_err(|error| library(&error))?;
        let builder = adjust(builder);
        let noise = if initiator { builder.build_initiator() } else { builder.build_responder() };
        Ok(Self {
            noise: Box::new(noise.map_err(|error| library(&error))?),
            awaits: Await::Header,
            output: Vec::new(),
            presentation: membership.presentation().to_vec(),
            authority_public_key: *membership.authority_public_key(),
            own_id: membership.node_id(),
            own_expires: membership.credential().expires(),
            expect,
            now,
            peer: None,
        })
    }

    /// Takes in what has arrived and says how many bytes of it were used; hand in the rest again when more has come.
    ///
    /// Bytes that follow the handshake are records and are not used. After an error the handshake is dead: it leaves
    /// nothing to send, and every further call is [`HandshakeError::Misused`].
    pub fn read(&mut self, input: &[u8]) -> Result<usize, HandshakeError> {
        let mut used = 0;
        loop {
            match self.step(&input[used..]) {
                Ok(0) => return Ok(used),
                Ok(step) => used += step,
                Err(error) => {
                    self.awaits = Await::Failed;
                    self.output.clear();
                    self.peer = None;
                    return Err(error);
                }
            }
        }
    }

    /// What is to be written to the other side now; empty when there is nothing.
    #[must_use]
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Whether all messages have been read and taken.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.awaits == Await::Nothing && self.output.is_empty()
    }

    /// What it means when the connection ends at this point, or, for a channel that is established, before the peer's
    /// first record.
    #[must_use]
    pub fn closed(&self) -> HandshakeError {
        match self.awaits {
            Await::Header => HandshakeError::Closed { before: 1 },
            Await::Message(before) => HandshakeError::Closed { before },
            Await::Nothing => HandshakeError::Closed { before: 4 },
            Await::Failed => HandshakeError::Misused,
        }
    }

    /// Turns a handshake that [is done](Handshake::is_done) into the keys of the channel.
    pub fn finish(mut self) -> Result<Established, HandshakeError> {
        if !self.is_done() {
            return Err(HandshakeError::Misused);
        }
        let peer = self.peer.take().ok_or(HandshakeError::Misused)?;
        let (to_responder, to_initiator) = self.noise.dangerously_get_raw_split();
        let (to_responder, to_initiator) = (Zeroizing::new(to_responder), Zeroizing::new(to_initiator));
        let (send, receive) = if self.noise.is_initiator() {
            (&to_responder, &to_initiator)
        } else {
            (&to_initiator, &to_responder)
        };
        let mut hash = [0; 32];
        hash.copy_from_slice(self.noise.get_handshake_hash());
        Ok(Established {
            send: SealingKey::new(send),
            receive: OpeningKey::new(receive),
            hash,
            expires: self.own_expires.min(peer.expires),
            peer,
        })
    }

    /// Reads the next whole piece of `input`; 0 when it is not all there, or nothing is awaited.
    fn step(&mut self, input: &[u8]) -> Result<usize, HandshakeError> {
        match self.awaits {
            Await::Header => {
                let read = check_header(input)?;
                if read > 0 {
                    self.awaits = Await::Message(1);
                }
                Ok(read)
            }
            Await::Message(message) => {
                let Some((length, rest)) = input.split_first_chunk::<2>() else {
                    return Ok(0);
                };
                let length = usize::from(u16::from_be_bytes(*length));
                check_length(message, length)?;
                let Some(bytes) = rest.get(..length) else {
                    return Ok(0);
                };
                self.read_message(message, bytes)?;
                Ok(2 + length)
            }
            Await::Nothing => Ok(0),
            Await::Failed => Err(HandshakeError::Misused),
        }
    }

    fn read_message(&mut self, message: u8, bytes: &[u8]) -> Result<(), HandshakeError> {
        let mut payload = [0; HANDSHAKE_FRAME_MAX];
        let length = self.noise.read_message(bytes, &mut payload).map_err(|error| blame(message, &error))?;
        if message > 1 {
            self.admit(&payload[..length])?;
        }
        if message < 3 {
            let presentation = std::mem::take(&mut self.presentation);
            // Keys of the message just read are used only now, so that their faults show here.
            self.write_message(&presentation).map_err(|error| blame(message, &error))?;
        }
        self.awaits = if message == 1 { Await::Message(3) } else { Await::Nothing };
        Ok(())
    }

    /// Checks the other side's payload and that it is who it should be.
    fn admit(&mut self, payload: &[u8]) -> Result<(), HandshakeError> {
        let static_public = self
            .noise
            .get_remote_static()
            .and_then(|key| key.first_chunk::<32>())
            .ok_or(HandshakeError::Misused)?;
        let peer = examine(payload, static_public, &self.authority_public_key, self.now)?;
        if peer.id == self.own_id {
            return Err(HandshakeError::Oneself);
        }
        if let Some(expected) = self.expect
            && expected != peer.id
        {
            return Err(HandshakeError::OtherNode { expected, presented: peer.id, name: peer.name });
        }
        self.peer = Some(peer);
        Ok(())
    }

    /// Appends the next Noise message with this payload, framed, to the output.
    fn write_message(&mut self, payload: &[u8]) -> Result<(), snow::Error> {
        let mut message = [0; KEY + KEY + TAG + PRESENTATION_MAX + TAG];
        let length = self.noise.write_message(payload, &mut message)?;
        self.output.extend_from_slice(&(length as u16).to_be_bytes());
        self.output.extend_from_slice(&message[..length]);
        Ok(())
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        // snow would leave the access key in freed memory. A key of the right length is always taken.
        let _ = self.noise.set_psk(0, &[0; 32]);
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("awaits", &self.awaits)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// The length of the header once all of it is there, 0 before. A wrong byte is noticed at once.
fn check_header(input: &[u8]) -> Result<usize, HandshakeError> {
    let known = input.len().min(MAGIC);
    if input[..known] != HEADER[..known] {
        return Err(HandshakeError::OtherProtocol);
    }
    match input.first_chunk::<16>() {
        None => Ok(0),
        Some(header) if *header == HEADER => Ok(HEADER.len()),
        Some(header) => {
            let version = u16::from_le_bytes([header[6], header[7]]);
            let suite = u16::from_le_bytes([header[8], header[9]]);
            if (version, suite) == (1, 1) {
                return Err(HandshakeError::OtherProtocol);
            }
            Err(HandshakeError::OtherVersion { version, suite })
        }
    }
}

/// Checks a message's length before its bytes are waited for.
fn check_length(message: u8, length: usize) -> Result<(), HandshakeError> {
    let allowed = match message {
        1 => MESSAGE_1..=MESSAGE_1,
        2 => KEY + KEY + TAG + TAG..=HANDSHAKE_FRAME_MAX,
        _ => KEY + TAG + TAG..=HANDSHAKE_FRAME_MAX,
    };
    if allowed.contains(&length) { Ok(()) } else { Err(HandshakeError::Length { message, length }) }
}
