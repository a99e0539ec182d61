//! The first frames of each side: HELLO and RESUME, and RESET where an earlier session was given up.

use super::SessionError;
use crate::codec::{Course, Extensions, Flow, Frame, Hello, ResetReason, Resume};

/// The highest session number that a peer may name. Each session adds 1, so no honest one comes near it, and whatever a
/// peer names, 2^63 more sessions can follow before the count would run over.
pub const MAX_SESSION: u64 = u64::MAX / 2;

/// What a side of a channel offers and takes in, as HELLO tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Bit set of optional features; none are defined yet.
    pub features: u64,
    /// Number of the newest deny-list held; 0 = none.
    pub deny_list: u64,
    /// Longest body taken in, in bytes.
    pub max_message: u32,
    /// Bytes of bodies in pieces held at once, at least `max_message`.
    pub max_reassembly: u32,
    /// Bodies in pieces held at once, at least 1.
    pub max_pieces: u16,
    /// Size of each window in bytes, by [`Flow::index`]; at least 1.
    pub windows: [u32; 2],
    /// Whether code is started that is not there yet.
    pub accept_code: bool,
}

impl Default for Terms {
    /// Messages of 16 MiB, 64 of them or 32 MiB in pieces at once, windows of 17 MiB: room for a message of the longest
    /// kind and for small ones that pass between its pieces.
    fn default() -> Self {
        Self {
            features: 0,
            deny_list: 0,
            max_message: 16 << 20,
            max_reassembly: 32 << 20,
            max_pieces: 64,
            windows: [17 << 20; 2],
            accept_code: false,
        }
    }
}

impl Terms {
    /// As a frame.
    #[must_use]
    pub fn hello(&self) -> Frame<'static> {
        Frame::Hello(Hello {
            features: self.features,
            deny_list: self.deny_list,
            max_message: self.max_message,
            max_reassembly: self.max_reassembly,
            max_pieces: self.max_pieces,
            message_window: self.windows[Flow::Messages.index()],
            reply_window: self.windows[Flow::Replies.index()],
            accept_code: self.accept_code,
            extensions: Extensions::NONE,
        })
    }

    fn from_hello(hello: &Hello<'_>) -> Result<Self, SessionError> {
        let terms = Self {
            features: hello.features,
            deny_list: hello.deny_list,
            max_message: hello.max_message,
            max_reassembly: hello.max_reassembly,
            max_pieces: hello.max_pieces,
            windows: [hello.message_window, hello.reply_window],
            accept_code: hello.accept_code,
        };
        let usable = terms.max_message > 0
            && terms.max_reassembly >= terms.max_message
            && terms.max_pieces > 0
            && terms.windows.iter().all(|size| *size > 0);
        if usable {
            Ok(terms)
        } else {
            Err(SessionError::OutOfPlace("its HELLO leaves no room for a message"))
        }
    }
}

/// What the peer said before anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Its HELLO. For a session that goes on, that of the session's beginning holds.
    pub terms: Terms,
    /// Its RESUME.
    pub resume: Resume,
    /// Why it gave up an earlier session.
    pub reset: Option<ResetReason>,
}

/// Reads the peer's first record: HELLO and RESUME, in this order and nothing between; RESET may follow.
#[derive(Debug, Default)]
pub struct Opening {
    terms: Option<Terms>,
    resume: Option<Resume>,
    reset: Option<ResetReason>,
}

impl Opening {
    /// Takes in the next frame of the peer.
    ///
    /// `incarnation` is the one it proved in the handshake. CLOSE is for the caller to look for.
    pub fn read(&mut self, frame: &Frame<'_>, incarnation: u64) -> Result<(), SessionError> {
        match (frame, self.terms, self.resume) {
            (Frame::Hello(hello), None, _) => self.terms = Some(Terms::from_hello(hello)?),
            (Frame::Resume(resume), Some(_), None) => {
                check(resume, incarnation)?;
                self.resume = Some(*resume);
            }
            (Frame::Reset { reason }, Some(_), Some(resume))
                if resume.course == Course::Begins && self.reset.is_none() =>
            {
                self.reset = Some(*reason);
            }
            _ => return Err(SessionError::OutOfPlace("it did not begin with HELLO and RESUME")),
        }
        Ok(())
    }

    /// The record is at its end.
    pub fn finish(self) -> Result<Opened, SessionError> {
        let (Some(terms), Some(resume)) = (self.terms, self.resume) else {
            return Err(SessionError::OutOfPlace("its first record lacks HELLO or RESUME"));
        };
        Ok(Opened { terms, resume, reset: self.reset })
    }
}

fn check(resume: &Resume, incarnation: u64) -> Result<(), SessionError> {
    let wrong = if resume.incarnation != incarnation {
        "its RESUME names another incarnation than its handshake"
    } else if resume.session == 0 {
        "its RESUME names session 0"
    } else if resume.session > MAX_SESSION {
        "its RESUME names a session number that no count of sessions reaches"
    } else if resume.course != Course::GoesOn && resume.next_expected != 0 {
        "its RESUME expects to go on with a session that does not"
    } else {
        return Ok(());
    };
    Err(SessionError::OutOfPlace(wrong))
}
