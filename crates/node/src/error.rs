//! Failures that a program meets, with the codes of [`crate::code`].

use crate::cause::Cause;
use crate::code;
use crate::port::record::{NIL, full, stage};
use std::fmt;

/// How far a message had come when its deadline passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Not known to have arrived.
    InTransit,
    /// Waiting, in line or in the mailbox: it will not be handled.
    Queued,
    /// Being handled: the handler's [`crate::Context::cancelled`] resolves.
    Running,
    /// Handled without a reply.
    Handled,
}

impl Stage {
    pub(crate) fn from_record(number: u32) -> Self {
        match number {
            stage::QUEUED => Self::Queued,
            stage::RUNNING => Self::Running,
            stage::HANDLED => Self::Handled,
            _ => Self::InTransit,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InTransit => "was still in transit: it is not known to have arrived",
            Self::Queued => "was still queued behind others and will not be handled",
            Self::Running => "was still being handled; the handler has been told",
            Self::Handled => "was handled without a reply; the handler must call reply",
        })
    }
}

/// Why something was not done. `worker` is the address that was used, or the name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nobody answered in time. Nothing is known of what the receiver does later.
    #[error("timeout: the message to {worker:?} {stage}")]
    Timeout {
        /// Whom the message was for.
        worker: String,
        /// How far it came.
        stage: Stage,
    },
    /// Nothing came to a mailbox in time.
    #[error("timeout: no message came to mailbox {mailbox:?}")]
    NothingReceived {
        /// Name of the mailbox.
        mailbox: String,
    },
    /// No live node has a worker of that name. The message was not handled.
    #[error("there is no worker {worker:?}: it was never started, or was stopped")]
    NoSuchWorker {
        /// Whom the message was for.
        worker: String,
    },
    /// The caller chose a name in use on this node. Nothing was changed.
    #[error("the name {worker:?} is taken: stop the worker that has it first, or choose another name")]
    NameTaken {
        /// The name.
        worker: String,
    },
    /// No room, and none to wait in. The message was not handled.
    #[error("{}", .full.describe(worker))]
    MailboxFull {
        /// Whom the message was for.
        worker: String,
        /// What is full.
        full: Full,
    },
    /// The handler failed: it may have had some of its effects.
    #[error("worker {worker:?} failed: {cause}")]
    WorkerFailed {
        /// Whose handler it was.
        worker: String,
        /// What it failed with.
        cause: Cause,
    },
    /// The worker was stopped.
    #[error("worker {worker:?} was stopped; {}", begun(*.maybe_executed))]
    WorkerStopped {
        /// Whom the message was for.
        worker: String,
        /// It had begun to handle the message.
        maybe_executed: bool,
    },
    /// No channel to the node, or it was lost.
    #[error("the node of {worker:?} can't be reached; {}", begun(*.maybe_executed))]
    NodeUnreachable {
        /// Whom the message was for.
        worker: String,
        /// `false` only when the message surely did not get there, so that it is safe to try again.
        maybe_executed: bool,
    },
    /// This node is stopping or has stopped: it takes nothing more.
    #[error("the node is stopping or has stopped: nothing more is accepted there")]
    NodeStopped,
    /// The other node, or the rules of this one, do not allow it. Nothing was changed.
    #[error("not permitted: {reason}")]
    NotPermitted {
        /// What is not allowed, and what to do.
        reason: String,
    },
    /// The message is larger than [`MAX_MESSAGE`], or than what the other node takes.
    #[error("the message for {worker:?} is too large: at most 16 MiB; split it, or send where to find it")]
    MessageTooLarge {
        /// Whom the message was for.
        worker: String,
    },
    /// The request in whose handler this one was made was given up by its asker, and this one with it.
    #[error("given up: the asker of the message that is being handled no longer waits")]
    GivenUp,
    /// The zone's directory can't be read.
    #[error("the members of the zone can't be looked up: {reason}")]
    Zone {
        /// What the system said.
        reason: String,
    },
    /// The caller passed a name or address that is none. Nothing was done.
    #[error("{text:?} is no {what}: {reason}")]
    InvalidArgument {
        /// What was passed.
        text: String,
        /// What was expected: a name, an address.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// What is full when a message finds no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The mailbox it was for, which lets nobody wait or may not let this one.
    Mailbox,
    /// The line in which messages of this node wait for room: 65 536 of them, or 64 MiB.
    Line,
    /// The open requests of this node: 1 000 000.
    Requests,
    /// What another node takes of requests of this one: 65 536 open ones, 32 MiB of those that start, stop or list workers.
    There,
}

impl Full {
    fn from_record(number: u32) -> Self {
        match number {
            full::LINE => Self::Line,
            full::REQUESTS => Self::Requests,
            full::THERE => Self::There,
            _ => Self::Mailbox,
        }
    }

    fn describe(self, worker: &str) -> String {
        match self {
            Self::Mailbox => format!(
                "the mailbox of worker {worker:?} is full: send more slowly, give it a larger mailbox, or more workers"
            ),
            Self::Line => format!(
                "the message for {worker:?} was refused: 65 536 messages or 64 MiB wait for room on this node already: wait for \
                 what was sent, or send more slowly"
            ),
            Self::Requests => format!(
                "the request for {worker:?} was refused: too many requests of this node are open: wait for answers first"
            ),
            Self::There => format!(
                "the node of {worker:?} takes no more requests of this one until it has answered some: wait for answers first"
            ),
        }
    }
}

/// Bytes of one message as UTF-8, inclusive.
pub const MAX_MESSAGE: usize = 16 << 20;

fn begun(maybe_executed: bool) -> &'static str {
    if maybe_executed { "the message may have been handled" } else { "the message was not handled" }
}

impl Error {
    /// The code of the failure; see [`crate::code`]. 0 where there is none: [`Error::Zone`] and
    /// [`Error::InvalidArgument`].
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::Timeout { .. } | Self::NothingReceived { .. } => code::TIMEOUT,
            Self::NoSuchWorker { .. } => code::NO_SUCH_WORKER,
            Self::NameTaken { .. } => code::NAME_TAKEN,
            Self::MailboxFull { .. } => code::MAILBOX_FULL,
            Self::WorkerFailed { .. } => code::WORKER_FAILED,
            Self::WorkerStopped { .. } => code::WORKER_STOPPED,
            Self::NodeUnreachable { .. } => code::NODE_UNREACHABLE,
            Self::NodeStopped => code::NODE_STOPPED,
            Self::NotPermitted { .. } => code::NOT_PERMITTED,
            Self::MessageTooLarge { .. } => code::MESSAGE_TOO_LARGE,
            Self::GivenUp => code::GIVEN_UP,
            Self::Zone { .. } | Self::InvalidArgument { .. } => 0,
        }
    }

    /// Whether the receiver may have begun to handle the message. `false`: surely not, so trying again is safe.
    #[must_use]
    pub fn maybe_executed(&self) -> bool {
        match self {
            Self::Timeout { stage, .. } => *stage != Stage::Queued,
            Self::WorkerFailed { .. } | Self::GivenUp => true,
            Self::WorkerStopped { maybe_executed, .. } | Self::NodeUnreachable { maybe_executed, .. } => {
                *maybe_executed
            }
            _ => false,
        }
    }
}

/// A failure as the port reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reported {
    pub(crate) code: u8,
    pub(crate) stage: u32,
    pub(crate) maybe_executed: bool,
    pub(crate) cause: Option<String>,
    /// The peer that it is about, or `NIL`.
    pub(crate) link: u32,
}

impl Reported {
    pub(crate) fn new(code: u8) -> Self {
        Self { code, stage: 0, maybe_executed: false, cause: None, link: NIL }
    }

    /// The error for the caller who used this address.
    pub(crate) fn into_error(self, to: &str) -> Error {
        let worker = to.to_owned();
        let maybe_executed = self.maybe_executed;
        match self.code {
            code::TIMEOUT => Error::Timeout { worker, stage: Stage::from_record(self.stage) },
            code::NO_SUCH_WORKER => Error::NoSuchWorker { worker },
            code::NAME_TAKEN => Error::NameTaken { worker },
            code::MAILBOX_FULL => Error::MailboxFull { worker, full: Full::from_record(self.stage) },
            code::WORKER_FAILED => {
                let cause = self.cause.as_deref().map_or_else(|| Cause::new("see its log"), Cause::decode);
                Error::WorkerFailed { worker, cause }
            }
            code::WORKER_STOPPED => Error::WorkerStopped { worker, maybe_executed },
            code::NODE_STOPPED => Error::NodeStopped,
            code::NOT_PERMITTED => {
                let cause = self.cause.as_deref().map(Cause::decode);
                let reason = cause.map_or_else(|| "the node does not allow it".into(), |cause| cause.message);
                Error::NotPermitted { reason }
            }
            code::MESSAGE_TOO_LARGE => Error::MessageTooLarge { worker },
            code::GIVEN_UP => Error::GivenUp,
            // Also what a newer node knows and this one does not: nothing more is known of the message.
            number => Error::NodeUnreachable {
                worker,
                maybe_executed: maybe_executed || number != code::NODE_UNREACHABLE,
            },
        }
    }
}
