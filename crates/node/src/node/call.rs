//! The way to a node's workers, and to what it tells of itself, for other threads of its process, whatever language the workers
//! are written in.

use super::Shared;
use crate::code;
use crate::error::{Error, Reported};
use crate::observe;
use crate::port::record::{NIL, NO_LIMIT};
use crate::port::{Body, BodyRef, Failure, Handle, Inbox, Outcome};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use troupe_proto::address::check_name;
use troupe_proto::codec::Traceparent;
use troupe_proto::text::Text;

/// A message from outside of the zone.
#[derive(Clone, Debug)]
pub struct Call {
    message: String,
    trace: Option<Traceparent>,
}

impl Call {
    /// The same, as a part of the trace that a header `traceparent` names (W3C Trace Context). What is none is ignored.
    #[must_use]
    pub fn with_trace(mut self, header: &[u8]) -> Self {
        self.trace = Traceparent::from_header(header);
        self
    }
}

impl From<String> for Call {
    fn from(message: String) -> Self {
        Self { message, trace: None }
    }
}

impl From<&str> for Call {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

impl Shared {
    /// Sends a message from nobody and waits for the first reply, at most `timeout`, which counts from now. Order, bounds,
    /// deadlines and outcomes are those of a request made in the isolate. Given up, the message is withdrawn or its handler
    /// hears of it. While the isolate is held up nothing comes, no timeout either: who must have an answer then waits beside it.
    ///
    /// Errors: those of [`crate::Node::send_and_receive_within`].
    pub async fn request(&self, to: &str, call: Call, timeout: Duration) -> Result<String, Error> {
        let body = self.call(to, call, timeout, false).await?;
        Ok(text_of(&body))
    }

    /// Hands a message from nobody over; resolves when it was taken, within `timeout`. What is replied to it is a dead letter.
    ///
    /// Errors: those of [`crate::Node::send_within`].
    pub async fn send(&self, to: &str, call: Call, timeout: Duration) -> Result<(), Error> {
        self.call(to, call, timeout, true).await.map(|_| ())
    }

    /// Resolves when the isolate next looks at its inbox: `false` when it never will again.
    pub async fn turn(&self) -> bool {
        let (done, turned) = oneshot::channel();
        let run = move |_: &mut crate::port::Port| {
            // Whoever asked may no longer wait.
            let _ = done.send(());
        };
        self.inbox.run(run) && turned.await.is_ok()
    }

    /// For how long the isolate has been woken without having looked at its inbox: by a message, news of another node, or
    /// [`Self::turn`]. Zero while nothing waits for it, however long its last turn is ago: an idle isolate has none.
    #[must_use]
    pub fn held_up(&self) -> Duration {
        self.inbox.delays().0
    }

    /// What this node answers to a question to observe, also without a zone. Runs where it is polled, on an executor of tokio.
    ///
    /// Errors: [`Error::NotPermitted`] for a question that makes no sense.
    pub async fn tell(self: &Arc<Self>, question: &[u8]) -> Result<Vec<u8>, Error> {
        let told = self.ask_itself(observe::OBSERVE, question.to_vec()).await;
        told.map_err(|reported| reported.into_error(&self.name))
    }

    async fn call(&self, to: &str, call: Call, timeout: Duration, is_send: bool) -> Result<Body, Error> {
        check_address(to)?;
        let (done, outcome) = oneshot::channel();
        let request = Arc::new(OnceLock::new());
        let (number, address, opened) = (self.number(), to.to_owned(), request.clone());
        let since = Instant::now();
        let is_open = self.inbox.run(move |port| {
            if done.is_closed() {
                return;
            }
            let left = millis(timeout.saturating_sub(since.elapsed()));
            let callback = Box::new(move |outcome| {
                // Whoever asked may no longer wait.
                let _ = done.send(outcome);
            });
            let text = (Text::from_utf8(&call.message), call.trace.as_ref());
            if let Some(handle) = port.call((number, &address), text, left, is_send, callback) {
                // Set once: this runs once.
                let _ = opened.set(handle);
            }
        });
        if !is_open {
            return Err(Error::NodeStopped);
        }
        let mut waiting = Waiting { inbox: &self.inbox, request, is_over: false };
        let outcome = outcome.await;
        waiting.is_over = true;
        match outcome {
            Ok(Outcome::Reply(body)) => Ok(body),
            Ok(Outcome::Failed(failure, cause)) => Err(reported(failure, &cause).into_error(to)),
            Err(_) => Err(Error::NodeStopped),
        }
    }
}

/// Withdraws the call when its future is dropped.
struct Waiting<'a> {
    inbox: &'a Arc<Inbox>,
    request: Arc<OnceLock<Handle>>,
    is_over: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let request = self.request.clone();
        // A closed port has ended the call. What opens it comes before this: the inbox keeps order.
        self.inbox.run(move |port| {
            if let Some(request) = request.get() {
                port.withdraw_call(*request);
            }
        });
    }
}

fn reported(failure: Failure, cause: &Body) -> Reported {
    let Failure { code, stage, maybe_executed } = failure;
    let cause = (code == code::WORKER_FAILED || code == code::NOT_PERMITTED).then(|| text_of(cause));
    let cause = cause.filter(|text| !text.is_empty());
    Reported { code, stage: u32::from(stage), maybe_executed, cause, link: NIL }
}

fn text_of(body: &Body) -> String {
    match body.borrow() {
        BodyRef::Text(text) => text.to_string_lossy(),
        BodyRef::None | BodyRef::Slab(_) => String::new(),
    }
}

fn check_address(to: &str) -> Result<(), Error> {
    let (node, worker) = to.split_once('/').map_or((None, to), |(node, worker)| (Some(node), worker));
    for name in node.into_iter().chain([worker]) {
        check_name(name).map_err(|error| Error::InvalidArgument {
            text: to.to_owned(),
            what: "address (\"worker\" or \"node/worker\")",
            reason: error.to_string(),
        })?;
    }
    Ok(())
}

/// Milliseconds as records carry them, rounded up; too many are no limit.
fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(NO_LIMIT)
}
