//! How a server is made, and why it could not be.

use crate::view::HistoryLimits;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Characters that a token has at least: what is shorter can be guessed.
pub const MIN_TOKEN: usize = 16;

/// What a server is to be.
#[derive(Clone)]
pub struct ServeOptions {
    /// Address to listen on. Anything but a loopback address needs a token.
    pub listen: SocketAddr,
    /// What callers must show, except for `/livez` and `/readyz`: as a bearer token, or as the password of basic authentication,
    /// which browsers ask for. `None`: this machine's users alone reach the server.
    pub token: Option<String>,
    /// The folder of the page's files, `index.html` among them. `None`: JSON only.
    pub page: Option<PathBuf>,
    /// Whether messages to workers are taken.
    pub workers: bool,
    /// Whether the zone is watched: its lines, nodes and workers.
    pub view: bool,
    /// How long the isolate's loop may be held up before `/livez` fails.
    pub stall: Duration,
    /// How long callers may take.
    pub limits: Limits,
    /// What the history of lines holds at most.
    pub history: HistoryLimits,
    /// What a node logs, and how that is changed; `None`: it can't be.
    pub levels: Option<Arc<dyn Levels>>,
}

impl ServeOptions {
    /// A server of this machine on a free port, that takes no messages and watches nothing.
    #[must_use]
    pub fn local() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            token: None,
            page: None,
            workers: false,
            view: false,
            stall: Duration::from_secs(10),
            limits: Limits::default(),
            history: HistoryLimits::default(),
            levels: None,
        }
    }

    pub(crate) fn check(&self) -> Result<(), ServeError> {
        match &self.token {
            Some(token) if token.chars().count() < MIN_TOKEN => Err(ServeError::ShortToken),
            Some(token) => unshowable(token).map_or(Ok(()), |at| Err(ServeError::UnshowableToken { at })),
            None if !self.listen.ip().is_loopback() => Err(ServeError::Open { address: self.listen }),
            _ => Ok(()),
        }
    }
}

/// How long a caller may take; over time its connection is closed. Each is there so that callers who do nothing, or next to it,
/// do not hold connections and memory that others need.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For the head of a request, from the beginning of the connection or the end of the request before; 10 s.
    pub head: Duration,
    /// Between two pieces of a body; 30 s.
    pub body_pause: Duration,
    /// For a whole body; 5 min, in which the slowest line in use brings 16 MiB.
    pub body: Duration,
    /// Between two pieces of an answer that it takes; 60 s.
    pub unread: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            body_pause: Duration::from_secs(30),
            body: Duration::from_secs(300),
            unread: Duration::from_secs(60),
        }
    }
}

/// Number of the first character that no request can show; the first one has 1. A header is one line of ASCII, and spaces around what
/// it says are no part of it.
fn unshowable(token: &str) -> Option<usize> {
    let inside = |at: usize| at > 0 && at + 1 < token.len();
    let can_show = |at: usize, letter: char| letter.is_ascii_graphic() || (letter == ' ' && inside(at));
    token.char_indices().position(|(at, letter)| !can_show(at, letter)).map(|before| before + 1)
}

/// The token is a secret.
impl std::fmt::Debug for ServeOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServeOptions")
            .field("listen", &self.listen)
            .field("has_token", &self.token.is_some())
            .field("page", &self.page)
            .field("workers", &self.workers)
            .field("view", &self.view)
            .field("stall", &self.stall)
            .finish_non_exhaustive()
    }
}

/// What a node logs: `"info,channel=debug"`.
pub trait Levels: Send + Sync {
    /// The levels in force.
    fn levels(&self) -> String;
    /// Puts others in force; the error says what makes no sense.
    fn set_levels(&self, levels: &str) -> Result<(), String>;
}

/// Why a server could not be made. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another process listens there.
    #[error("{address} is taken: another process listens there; stop it, or choose another port")]
    Taken {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system does not let this process listen there.
    #[error("can't listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What it said.
        source: io::Error,
    },
    /// Others than this machine's users would reach it, and nobody would have to show anything.
    #[error("{address} can be reached from other machines: give a token file, or listen on 127.0.0.1")]
    Open {
        /// The address.
        address: SocketAddr,
    },
    /// The token can be guessed.
    #[error("the token is too short: at least {MIN_TOKEN} characters, of random origin")]
    ShortToken,
    /// No caller could show it.
    #[error(
        "the token can't be shown in a request: its character {at} is a line break or another one that is no printable ASCII; \
         a token is one line"
    )]
    UnshowableToken {
        /// Number of the character; the first one has 1.
        at: usize,
    },
    /// The system gives no thread, or nothing to wait on.
    #[error("the system gives no thread for the server: {0}")]
    System(#[source] io::Error),
}

impl ServeError {
    /// The number of the system's error that lies below, if one does.
    #[must_use]
    pub fn system_code(&self) -> Option<i32> {
        match self {
            Self::Taken { source, .. } | Self::Listen { source, .. } | Self::System(source) => {
                source.raw_os_error()
            }
            Self::Open { .. } | Self::ShortToken | Self::UnshowableToken { .. } => None,
        }
    }
}
