//! The life of a worker: one future from `initialize` to `shutdown`, so that a message costs none of its own.

use super::batch::record;
use super::cells::{Body, Cell, Lent, Letter, Order};
use super::{Local, Start};
use crate::cause::{Cause, short_type_name};
use crate::context::Context;
use crate::error::Error;
use crate::port::record::{FAILED_START, INBOUND, NIL, outgoing};
use crate::port::{Handle, OnFailure, StartError, WorkerOptions};
use crate::worker::Worker;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use tokio::sync::oneshot;

/// What a worker does next.
enum Work {
    Message(Lent),
    Order(Order),
}

impl Local {
    /// Starts a worker; resolves when it is initialised. Given up before that, the worker starts all the same.
    pub(crate) async fn start_worker<W: Worker>(
        self: &Rc<Self>,
        name: &str,
        make: impl FnMut() -> W + 'static,
        options: &WorkerOptions,
    ) -> Result<(), Error> {
        super::check_name(name)?;
        let options = WorkerOptions { has_behaviour: true, ..*options };
        let at = self.reserve(name, short_type_name::<W>(), &options)?;
        let (sender, started) = oneshot::channel();
        let mut cell = Cell::new(at, name, short_type_name::<W>());
        cell.holds_on_failure = options.on_failure != OnFailure::Resume;
        cell.start = Some(Start { sender, error: None });
        cell.task = self.spawn(live(self.clone(), at, make));
        self.add_cell(at, cell);
        started.await.unwrap_or(Err(Error::NodeStopped))
    }

    /// Takes a name and a mailbox.
    pub(super) fn reserve(&self, name: &str, class: &str, options: &WorkerOptions) -> Result<Handle, Error> {
        if self.is_stopping.get() {
            return Err(Error::NodeStopped);
        }
        let mut port = self.port_now();
        let class = port.class(class);
        port.start_as(self.number(), name, class, options).map_err(|error| match error {
            StartError::NameTaken => Error::NameTaken { worker: name.to_owned() },
            StartError::NodeStopped => Error::NodeStopped,
        })
    }

    /// `initialize`, or a restart, is over.
    pub(super) fn ready(&self, at: Handle, is_good: bool) {
        let kind = if is_good { outgoing::READY } else { outgoing::READY | FAILED_START };
        self.put(record(kind, [at.slot, at.generation, 0]));
        if let Some(cell) = self.cells.borrow_mut().get(at) {
            cell.is_paused = !is_good;
        }
    }

    /// The next thing that a worker does. What is lent is handled within the turn's budget, and only before its deadline.
    fn next_work(&self, at: Handle) -> Poll<Work> {
        let mut cells = self.cells.borrow_mut();
        let mut parks = false;
        if let Some(cell) = cells.get(at) {
            if let Some(order) = cell.order.take() {
                return Poll::Ready(Work::Order(order));
            }
            let handed = self.hand.take();
            if let Some(lent) = handed {
                return Poll::Ready(Work::Message(cell.begin(lent)));
            }
            if let Some(lent) = cell.lent.front().filter(|_| !cell.is_paused) {
                // The port says how an expired message ends.
                parks = self.spend() || self.has_passed(lent.letter.until);
                if !parks && let Some(lent) = cell.lent.pop_front() {
                    if cell.lent.is_empty() {
                        cell.lent = std::collections::VecDeque::new();
                    }
                    return Poll::Ready(Work::Message(cell.begin(lent)));
                }
            }
        }
        if parks {
            cells.park(at);
        }
        self.tasks.borrow_mut().is_idle = true;
        Poll::Pending
    }

    fn set_current(&self, at: Handle, current: Option<Letter>) {
        if let Some(cell) = self.cells.borrow_mut().get(at) {
            cell.current = current;
            cell.is_cancelled = false;
        }
    }

    /// A handler failed.
    pub(super) fn failed(&self, at: Handle, letter: Letter, cause: &Cause) {
        let Letter { request, generation, .. } = letter;
        self.port_now().note_failure(at, &format!("{cause:?}"), None);
        {
            let mut cells = self.cells.borrow_mut();
            let Some(cell) = cells.get(at) else { return };
            log::error!(target: "worker", worker = &*cell.name; "worker {} failed to handle a message: {cause:?}", cell.name);
            cell.is_paused |= cell.holds_on_failure;
        }
        let mut words = record(outgoing::FAILED, [at.slot, at.generation, request]);
        words[5] = generation;
        let mut batch = self.batch.borrow_mut();
        if request == NIL {
            batch.put(words);
        } else if request & INBOUND == 0 {
            batch.put_kept(words, cause.encode());
        } else {
            batch.put_text(words, &cause.encode());
        }
    }
}

impl Cell {
    fn begin(&mut self, lent: Lent) -> Lent {
        self.current = Some(lent.letter);
        self.is_cancelled = false;
        lent
    }
}

/// Never ends by itself: it is dropped when the port says that the worker is gone.
async fn live<W: Worker>(local: Rc<Local>, at: Handle, mut make: impl FnMut() -> W) {
    let mut worker = match begin(&local, at, &mut make).await {
        Ok(worker) => {
            local.ready(at, true);
            local.started(at);
            Some(worker)
        }
        Err(cause) => {
            local.start_failed(at, cause);
            None
        }
    };
    loop {
        match poll_fn(|_| local.next_work(at)).await {
            Work::Message(Lent { letter, body }) => {
                let Some(worker) = worker.as_mut() else { continue };
                handle(&local, at, worker, letter, body).await;
            }
            Work::Order(Order::Restart) => {
                end(&local, at, worker.take()).await;
                match begin(&local, at, &mut make).await {
                    Ok(fresh) => {
                        worker = Some(fresh);
                        local.ready(at, true);
                    }
                    Err(cause) => {
                        local.log(at, "could not be restarted", &cause);
                        local.ready(at, false);
                    }
                }
            }
            Work::Order(Order::Shutdown) => {
                end(&local, at, worker.take()).await;
                local.put(record(outgoing::ENDED, [at.slot, at.generation, 0]));
            }
        }
    }
}

/// A fresh instance, initialised.
async fn begin<W: Worker>(local: &Rc<Local>, at: Handle, make: &mut impl FnMut() -> W) -> Result<W, Cause> {
    let mut worker =
        catch_unwind(AssertUnwindSafe(make)).map_err(|payload| Cause::of_panic(payload.as_ref()))?;
    local.set_current(at, Some(Letter::NONE));
    let context = Context::new(local, at, Letter::NONE);
    let result = guarded(async { worker.initialize(context).await }, || {}).await.and_then(|result| result);
    local.set_current(at, None);
    result.map(|()| worker)
}

async fn handle<W: Worker>(local: &Rc<Local>, at: Handle, worker: &mut W, letter: Letter, body: Body) {
    let result = match body {
        Body::Text(message) => {
            let context = Context::new(local, at, letter);
            let run = async { worker.handle_message(context, message).await };
            guarded(run, || local.cells.borrow_mut().is_async(at)).await.and_then(|result| result)
        }
        Body::NotUnicode => Err(super::dispatch::not_unicode()),
    };
    local.set_current(at, None);
    match result {
        Ok(()) => local.cells.borrow_mut().done(at),
        Err(cause) => local.failed(at, letter, &cause),
    }
}

/// Runs `shutdown`; what it fails with is logged, for nobody waits for it.
async fn end<W: Worker>(local: &Rc<Local>, at: Handle, worker: Option<W>) {
    let Some(mut worker) = worker else { return };
    local.set_current(at, Some(Letter::NONE));
    let context = Context::new(local, at, Letter::NONE);
    if let Err(cause) =
        guarded(async { worker.shutdown(context).await }, || {}).await.and_then(|result| result)
    {
        local.log(at, "failed to shut down", &cause);
    }
    local.set_current(at, None);
}

/// Runs what a user wrote: a panic in it is a failure like any other. `pending`: called when it does not end at once.
pub(super) async fn guarded<T>(run: impl Future<Output = T>, pending: impl Fn()) -> Result<T, Cause> {
    let mut run = pin!(run);
    let mut is_first = true;
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(cx))) {
        Ok(Poll::Pending) => {
            if std::mem::take(&mut is_first) {
                pending();
            }
            Poll::Pending
        }
        Ok(Poll::Ready(result)) => Poll::Ready(Ok(result)),
        Err(payload) => Poll::Ready(Err(Cause::of_panic(payload.as_ref()))),
    })
    .await
}
