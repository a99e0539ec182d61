//! What a worker is: private state, and what it does with one message.

use crate::cause::Cause;
use crate::context::Context;
use std::future::{Future, ready};

/// An actor's behaviour.
///
/// One message at a time: the next one waits until the future that [`Worker::handle_message`] returned has ended. All
/// handlers of a node run on one thread of its own, so neither a worker nor its futures have to be `Send`; they may use
/// tokio's timers and sockets. A handler that blocks the thread holds up the other workers of its node.
///
/// A failure, a panic included, reaches whoever asked as [`crate::Error::WorkerFailed`]; what it does to the worker is
/// said by [`crate::WorkerOptions::on_failure`].
pub trait Worker: 'static {
    /// Once, before the first message. A failure here fails the start.
    fn initialize(&mut self, context: Context) -> impl Future<Output = Result<(), Cause>> {
        let _ = context;
        ready(Ok(()))
    }

    /// One message.
    fn handle_message(
        &mut self,
        context: Context,
        message: String,
    ) -> impl Future<Output = Result<(), Cause>>;

    /// Once, after the last message, also when the node stops. A failure is logged.
    fn shutdown(&mut self, context: Context) -> impl Future<Output = Result<(), Cause>> {
        let _ = context;
        ready(Ok(()))
    }
}

/// One worker in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerInfo {
    /// Its name.
    pub name: String,
    /// The node it runs on.
    pub node: String,
    /// Name of the behaviour's type, or `Mailbox`.
    pub type_name: &'static str,
    /// Where it is in its life.
    pub state: WorkerState,
    /// Messages in the mailbox, not counting the one being handled, nor those that wait in line at their senders.
    pub queued: u32,
    /// Messages done with, failed ones included.
    pub handled: u64,
    /// Messages whose handler failed.
    pub failed: u32,
}

/// Where a worker is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerState {
    /// `initialize` runs; messages wait.
    Starting,
    /// There is nothing to handle.
    Idle,
    /// It handles a message, or a fresh instance is on its way.
    Busy,
    /// It takes no more messages.
    Stopping,
}
