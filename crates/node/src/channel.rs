//! Opens channels: drives a handshake over a connection and exchanges HELLO and RESUME.
//!
//! A peer that fails is told nothing; the reason is for the local log. Callers set the time limit, [`OPENING_LIMIT`].

use std::{io, sync::Arc, time::Duration};

use troupe_proto::{
    codec::{CloseReason, Decoded, Decoder, Frame},
    noise::{
        Established, HANDSHAKE_FRAME_MAX, Handshake, HandshakeError, Membership, NodeId, Peer, RECORD_HEADER,
        RecordError, record_length,
    },
    session::{Opened, Opening, SessionError, Terms},
};

use crate::{link::records::Records, transport::Socket};
use troupe_proto::codec::{ResetReason, Resume, encoded_len};

/// From the connection to the last frame that opens a channel.
pub const OPENING_LIMIT: Duration = Duration::from_secs(10);

/// Why a connection did not become a channel.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The connection failed.
    #[error("connection: {0}")]
    Connection(#[from] io::Error),
    /// The handshake failed.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The first records of the peer are against the rules.
    #[error("the other node broke the protocol: {0}")]
    Session(#[from] SessionError),
    /// A record of the peer does not open, or none can be sealed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The peer proved who it is and then said no.
    #[error("the other node refused the channel: {0:?}")]
    Refused(CloseReason),
    /// It was no longer wanted when the peer had proven who it is.
    #[error("another channel has taken its place")]
    Unwanted,
    /// It took longer than [`OPENING_LIMIT`].
    #[error("the channel was not open after {} s", OPENING_LIMIT.as_secs())]
    Slow,
}

/// A connection whose ends know each other; what the peer said first, and what has been read behind it.
#[derive(Debug)]
pub struct Channel {
    pub(crate) socket: Arc<dyn Socket>,
    pub(crate) established: Established,
    pub(crate) own: Terms,
    pub(crate) opened: Opened,
    pub(crate) leftover: Vec<u8>,
    /// What this side still has to say first: that of a channel that was accepted.
    pub(crate) greeting: Option<Greeting>,
    /// How long it holds: until the first credential ends.
    pub(crate) lifetime: Duration,
}

impl Channel {
    /// What the peer said first.
    #[must_use]
    pub fn opened(&self) -> &Opened {
        &self.opened
    }
}

/// What a side says first, behind HELLO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Which session begins or goes on.
    pub resume: Resume,
    /// Why an earlier one was given up.
    pub reset: Option<ResetReason>,
}

impl Greeting {
    /// The frames of the first record.
    pub(crate) fn frames(&self, own: &Terms) -> impl Iterator<Item = Frame<'static>> {
        let reset = self.reset.map(|reason| Frame::Reset { reason });
        [own.hello(), Frame::Resume(self.resume)].into_iter().chain(reset)
    }
}

impl From<Resume> for Greeting {
    fn from(resume: Resume) -> Self {
        Self { resume, reset: None }
    }
}

/// Opens a channel as the side that dialled.
///
/// `greet` makes this side's greeting, when the peer has proven who it is; `None` gives the channel up. The peer has
/// accepted the channel when this returns. Whatever is told about the session in between must still hold then.
pub async fn dial(
    socket: Arc<dyn Socket>,
    membership: &Membership,
    expect: NodeId,
    now: u64,
    own: Terms,
    greet: impl FnOnce(&Peer) -> Option<Greeting> + Send,
) -> Result<Channel, ChannelError> {
    let handshake = Handshake::initiate(membership, Some(expect), now)?;
    let (mut established, mut read) = shake_hands(&socket, handshake).await?;
    let greeting = greet(&established.peer).ok_or(ChannelError::Unwanted)?;
    let frames: Vec<_> = greeting.frames(&own).collect();
    send(&socket, &mut established, &frames).await?;
    let opened = first_record(&socket, &mut established, &mut read).await?;
    let lifetime = lifetime(&established, now);
    Ok(Channel { socket, established, own, opened, leftover: read, greeting: None, lifetime })
}

fn lifetime(established: &Established, now: u64) -> Duration {
    Duration::from_secs(established.expires.saturating_sub(now))
}

/// A channel that the other side dialled, proven, and not yet answered.
#[derive(Debug)]
pub struct Knock(Channel);

impl Knock {
    /// Who dialled.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.0.established.peer
    }

    /// Which session it would begin or go on with.
    #[must_use]
    pub fn opened(&self) -> &Opened {
        &self.0.opened
    }

    /// Lets it in. Our HELLO and `greeting` go out when a link is opened, or goes on, on the channel.
    #[must_use]
    pub fn accept(mut self, greeting: impl Into<Greeting>) -> Channel {
        self.0.greeting = Some(greeting.into());
        self.0
    }

    /// Says no, authenticated.
    pub async fn refuse(mut self, reason: CloseReason) -> Result<(), ChannelError> {
        let close = Frame::Close { reason, last: 0 };
        send(&self.0.socket, &mut self.0.established, &[close]).await?;
        self.0.socket.finish();
        Ok(())
    }
}

/// Opens a channel as the side that was dialled, up to the point where it has to decide.
pub async fn answer(
    socket: Arc<dyn Socket>,
    membership: &Membership,
    now: u64,
    own: Terms,
) -> Result<Knock, ChannelError> {
    let handshake = Handshake::respond(membership, now)?;
    let (mut established, mut read) = shake_hands(&socket, handshake).await?;
    let opened = first_record(&socket, &mut established, &mut read).await?;
    let lifetime = lifetime(&established, now);
    Ok(Knock(Channel { socket, established, own, opened, leftover: read, greeting: None, lifetime }))
}

/// Runs the handshake to its end; answers with what was read behind it.
async fn shake_hands(
    socket: &Arc<dyn Socket>,
    mut handshake: Handshake,
) -> Result<(Established, Vec<u8>), ChannelError> {
    let mut read = Vec::new();
    loop {
        let output = handshake.take_output();
        socket.write_all(&output).await?;
        if handshake.is_done() {
            return Ok((handshake.finish()?, read));
        }
        if read_more(socket, &mut read).await? == 0 {
            return Err(handshake.closed().into());
        }
        let used = handshake.read(&read)?;
        read.drain(..used);
    }
}

/// Reads the peer's first record: HELLO and RESUME and nothing else, or CLOSE.
async fn first_record(
    socket: &Arc<dyn Socket>,
    established: &mut Established,
    read: &mut Vec<u8>,
) -> Result<Opened, ChannelError> {
    let length = loop {
        if let Some(header) = read.first_chunk::<RECORD_HEADER>() {
            let length = record_length(*header)?;
            if read.len() >= RECORD_HEADER + length {
                break length;
            }
        }
        if read_more(socket, read).await? == 0 {
            return Err(HandshakeError::Closed { before: 4 }.into());
        }
    };
    let end = RECORD_HEADER + length;
    let incarnation = established.peer.incarnation;
    let plaintext = established.receive.open_in_place(&mut read[RECORD_HEADER..end])?;
    let mut opening = Opening::default();
    for decoded in Decoder::new(plaintext) {
        match decoded.map_err(SessionError::from)? {
            Decoded::Whole(Frame::Close { reason, .. }) => return Err(ChannelError::Refused(reason)),
            Decoded::Whole(frame) => opening.read(&frame, incarnation)?,
            Decoded::Ignored { numbered: false } => {}
            _ => {
                return Err(
                    SessionError::OutOfPlace("its first record holds more than HELLO and RESUME").into()
                );
            }
        }
    }
    read.drain(..end);
    Ok(opening.finish()?)
}

/// Adds what has arrived, never more than a few handshake messages or a record at a time.
async fn read_more(socket: &Arc<dyn Socket>, read: &mut Vec<u8>) -> io::Result<usize> {
    let mut chunk = [0; HANDSHAKE_FRAME_MAX];
    let count = socket.read(&mut chunk).await?;
    read.extend_from_slice(&chunk[..count]);
    Ok(count)
}

/// Sends one record of these frames.
async fn send(
    socket: &Arc<dyn Socket>,
    established: &mut Established,
    frames: &[Frame<'_>],
) -> Result<(), ChannelError> {
    let mut records = Records::default();
    for frame in frames {
        records.push(frame, encoded_len(frame, 0));
    }
    records.finish();
    let (buffer, _) = records.parts();
    established.send.seal_in_place(buffer)?;
    Ok(socket.write_all(buffer).await?)
}
