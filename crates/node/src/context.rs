//! What a worker may do while it handles a message.

use crate::error::Error;
use crate::isolate::{Letter, Local};
use crate::node::{DEFAULT_TIMEOUT, Node};
use crate::port::record::NIL;
use crate::port::{Handle, WorkerOptions};
use crate::worker::Worker;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

/// One message at its worker: who sent it, how long its asker waits, and the way to answer and to other workers.
///
/// A clone is the same message. It may be kept after the handler has ended, to reply later.
#[derive(Clone)]
pub struct Context {
    local: Rc<Local>,
    worker: Handle,
    letter: Letter,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("worker", &self.worker()).finish_non_exhaustive()
    }
}

impl Context {
    pub(crate) fn new(local: &Rc<Local>, worker: Handle, letter: Letter) -> Self {
        Self { local: local.clone(), worker, letter }
    }

    /// This worker's own name; empty when it has gone meanwhile.
    #[must_use]
    pub fn worker(&self) -> String {
        self.local.name_of(self.worker)
    }

    /// The node this worker runs on. Its calls inherit nothing of this message.
    #[must_use]
    pub fn node(&self) -> &Node {
        self.local.node()
    }

    /// Who sent the message: `"node/worker"`. Empty in `initialize` and `shutdown`, and when the sender has gone meanwhile.
    #[must_use]
    pub fn sender(&self) -> String {
        self.local.sender(&self.letter)
    }

    /// How long the asker still waits; `None` for a message nobody waits on.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        let until = self.letter.until;
        (until != u64::MAX).then(|| Duration::from_millis(until.saturating_sub(self.local.now())))
    }

    /// Whether the asker gave up while its message is being handled, or the time to drain of a stop is over.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.local.is_cancelled(self.worker, &self.letter)
    }

    /// Resolves when the asker gives up or its deadline passes, also after the handler has ended, or when the time to
    /// drain of a stop is over. Otherwise never.
    pub fn cancelled(&self) -> impl Future<Output = ()> + use<> {
        self.local.cancelled(self.worker, &self.letter)
    }

    /// Answers the sender: 0 to many times for one message, also after the handler has ended. To a request, the first one
    /// is the answer, further ones are dead letters; to a mailbox or a worker that used `send`, each is a message, which
    /// takes room or is a dead letter. That the asker is gone is no error.
    ///
    /// Errors: [`Error::MessageTooLarge`].
    pub fn reply(&self, message: impl Into<String>) -> Result<(), Error> {
        self.local.reply(self.worker, &self.letter, message.into())
    }

    /// [`Context::send_within`] 30 seconds.
    pub async fn send(&self, to: &str, message: impl Into<String>) -> Result<(), Error> {
        self.send_within(DEFAULT_TIMEOUT, to, message).await
    }

    /// As [`Node::send_within`], with this worker as the sender.
    pub async fn send_within(
        &self,
        timeout: Duration,
        to: &str,
        message: impl Into<String>,
    ) -> Result<(), Error> {
        self.local.send(self.worker, to, message.into(), timeout).await
    }

    /// [`Context::send_and_receive_within`] 30 seconds.
    pub async fn send_and_receive(&self, to: &str, message: impl Into<String>) -> Result<String, Error> {
        self.send_and_receive_within(DEFAULT_TIMEOUT, to, message).await
    }

    /// As [`Node::send_and_receive_within`], with this worker as the sender. Waits for the smaller of `timeout` and what
    /// remains of this message's deadline, and is given up when this message's asker gives up: [`Error::GivenUp`].
    pub async fn send_and_receive_within(
        &self,
        timeout: Duration,
        to: &str,
        message: impl Into<String>,
    ) -> Result<String, Error> {
        if self.is_cancelled() {
            return Err(Error::GivenUp);
        }
        let Letter { request, generation, .. } = self.letter;
        let parent = (request != NIL).then_some(Handle { slot: request, generation });
        self.local.send_and_receive(self.worker, to, message.into(), timeout, parent).await
    }

    /// As [`Node::start_worker`]; `make` stays on this thread.
    pub async fn start_worker<W: Worker>(
        &self,
        name: &str,
        make: impl FnMut() -> W + 'static,
        options: WorkerOptions,
    ) -> Result<(), Error> {
        self.local.start_worker(name, make, &options).await
    }

    /// As [`Node::stop_worker`].
    pub async fn stop_worker(&self, name: &str, timeout: Duration) -> Result<(), Error> {
        self.local.stop_worker(name, timeout).await
    }
}
