//! A named mailbox without a behaviour.

use crate::context::Context;
use crate::error::Error;
use crate::isolate::{self, Arrived, Letter, Local};
use crate::node::{DEFAULT_TIMEOUT, Node};
use crate::port::Handle;
use std::rc::Rc;
use std::time::Duration;

/// Holds what is sent or replied to it until it is received. Made by [`Node::create_mailbox`]; every node has one,
/// [`Node::mailbox`]. A handle: dropping it closes nothing.
#[derive(Clone, Debug)]
pub struct Mailbox {
    node: Node,
    name: String,
    /// `None`: the node's own.
    at: Option<Handle>,
}

/// A message that came to a mailbox.
#[derive(Debug)]
pub struct Incoming {
    /// The text.
    pub message: String,
    /// Who sent it: `"node/worker"`; empty when that has gone meanwhile.
    pub sender: String,
    mailbox: Mailbox,
    letter: Letter,
}

impl Mailbox {
    pub(crate) fn main(node: &Node) -> Self {
        Self { node: node.clone(), name: "main".into(), at: None }
    }

    pub(crate) fn at(node: &Node, name: &str, at: Handle) -> Self {
        Self { node: node.clone(), name: name.to_owned(), at: Some(at) }
    }

    fn handle(&self, local: &Local) -> Handle {
        self.at.unwrap_or_else(|| local.main())
    }

    /// Its name, unique on its node.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// [`Mailbox::receive_within`] 30 seconds.
    pub async fn receive(&self) -> Result<Incoming, Error> {
        self.receive_within(DEFAULT_TIMEOUT).await
    }

    /// The next message. Several callers are served in the order of their calls.
    ///
    /// Errors: [`Error::NothingReceived`] after `timeout`; [`Error::NodeStopped`] when the mailbox or its node has closed.
    pub async fn receive_within(&self, timeout: Duration) -> Result<Incoming, Error> {
        let mailbox = self.clone();
        let receive = async move |local: Rc<Local>| {
            let next = local.receive(mailbox.handle(&local));
            match tokio::time::timeout(timeout, next).await {
                Ok(Some(arrived)) => Ok(arrived),
                Ok(None) => Err(Error::NodeStopped),
                Err(_) => Err(Error::NothingReceived { mailbox: mailbox.name }),
            }
        };
        let Arrived { letter, message, sender } = isolate::inside(self.node.inbox(), receive).await?;
        Ok(Incoming { message, sender, mailbox: self.clone(), letter })
    }

    /// [`Mailbox::send_within`] 30 seconds.
    pub async fn send(&self, to: &str, message: impl Into<String>) -> Result<(), Error> {
        self.send_within(DEFAULT_TIMEOUT, to, message).await
    }

    /// As [`Node::send_within`], with this mailbox as the sender, so that every reply comes back here.
    pub async fn send_within(
        &self,
        timeout: Duration,
        to: &str,
        message: impl Into<String>,
    ) -> Result<(), Error> {
        let (mailbox, to, message) = (self.clone(), to.to_owned(), message.into());
        let send = async move |local: Rc<Local>| {
            let context = Context::new(&local, mailbox.handle(&local), Letter::NONE);
            context.send_within(timeout, &to, message).await
        };
        isolate::inside(self.node.inbox(), send).await
    }

    /// Takes its name back. Messages that were not received are dead letters, requests among them fail with
    /// [`Error::WorkerStopped`].
    ///
    /// Errors: [`Error::NotPermitted`] for the node's own mailbox, which closes when the node stops.
    pub async fn close(&self) -> Result<(), Error> {
        match self.node.stop_worker(&self.name, Duration::ZERO).await {
            Err(Error::NoSuchWorker { .. }) => Ok(()),
            result => result,
        }
    }
}

impl Incoming {
    /// Answers the sender; see [`Context::reply`].
    pub async fn reply(&self, message: impl Into<String>) -> Result<(), Error> {
        let (mailbox, letter, message) = (self.mailbox.clone(), self.letter, message.into());
        let reply = async move |local: Rc<Local>| local.reply(mailbox.handle(&local), &letter, message);
        isolate::inside(self.mailbox.node.inbox(), reply).await
    }
}
