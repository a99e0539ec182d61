//! The thread of an isolate: how it begins, how others get something done on it, how it ends.

use super::life::guarded;
use super::requests::Receiving;
use super::{Local, drop_guarded};
use crate::error::Error;
use crate::node::{Node, NodeOptions, OpenError, Opened};
use crate::port::{Handle, Inbox, Port, State, at_ms, now_ms};
use crate::worker::{WorkerInfo, WorkerState};
use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};

thread_local!(static HERE: RefCell<Option<Rc<Local>>> = const { RefCell::new(None) });

/// Runs an isolate on this thread until its node has stopped. `made` hears when it is open.
pub(crate) async fn open(options: NodeOptions, made: oneshot::Sender<Result<Node, OpenError>>) {
    let mut port = Port::new(now_ms());
    let notify = Arc::new(Notify::new());
    let inbox = port.inbox().clone();
    let waker = notify.clone();
    inbox.set_waker(Box::new(move || waker.notify_one()));
    let (sender, is_open) = oneshot::channel();
    let opened = Opened::open(options, &mut port, move |result| {
        // The isolate waits for it.
        let _ = sender.send(result);
    });
    let result =
        is_open.await.unwrap_or_else(|_| Err(OpenError::System(std::io::Error::other("no thread for I/O"))));
    if let Err(error) = result {
        close(opened).await;
        // Whoever asked may no longer wait.
        let _ = made.send(Err(error));
        return;
    }
    let node = Node::within(opened.shared().clone(), inbox);
    let local = Local::new(port, node.clone(), opened, notify.clone());
    HERE.set(Some(local.clone()));
    let _shuts = Shuts(local.clone());
    match local.open_mailbox("main", 10_000) {
        Ok(main) => local.main.set(main),
        Err(error) => log::error!(target: "node", "node {} has no mailbox: {error}", node.name()),
    }
    if made.send(Ok(node)).is_ok() {
        // The runtime's own budget counts operations of one task; here it would count those of all workers together.
        tokio::task::unconstrained(run(&local, &notify)).await;
    }
}

/// However the isolate ends, a defect of its own included: whoever waits for it hears of that.
struct Shuts(Rc<Local>);

impl Drop for Shuts {
    fn drop(&mut self) {
        self.0.shut();
        HERE.set(None);
    }
}

async fn close(opened: Opened) {
    let (sender, is_closed) = oneshot::channel();
    opened.close(move || {
        let _ = sender.send(());
    });
    let _ = is_closed.await;
}

async fn run(local: &Rc<Local>, notify: &Notify) {
    let mut sleep = std::pin::pin!(sleep_until(Instant::now()));
    let mut armed = u64::MAX;
    loop {
        let has_more = local.turn();
        if local.has_ended.get() {
            return;
        }
        if has_more {
            tokio::task::yield_now().await;
            continue;
        }
        // A timer that fires too early costs one turn; setting it for each message would cost more.
        if let Some(deadline) = local.next_deadline.get()
            && deadline < armed
        {
            armed = deadline;
            sleep.as_mut().reset(at_ms(deadline).into());
        }
        tokio::select! {
            biased;
            () = notify.notified() => {}
            () = sleep.as_mut(), if armed != u64::MAX => armed = u64::MAX,
        }
    }
}

/// Gets something done on the isolate's thread. Dropped half way, it is given up there.
pub(crate) async fn inside<T, F>(
    inbox: &Inbox,
    make: impl FnOnce(Rc<Local>) -> F + Send + 'static,
) -> Result<T, Error>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Error>> + 'static,
{
    let (sender, outcome) = oneshot::channel();
    inbox.run(move |_| {
        HERE.with_borrow(|here| {
            if let Some(local) = here {
                local.spawn(answer(local.clone(), make, sender));
            }
        });
    });
    // Dropped unanswered only when the node stops.
    outcome.await.unwrap_or(Err(Error::NodeStopped))
}

async fn answer<T, F>(
    local: Rc<Local>,
    make: impl FnOnce(Rc<Local>) -> F,
    mut sender: oneshot::Sender<Result<T, Error>>,
) where
    F: Future<Output = Result<T, Error>>,
{
    let run = guarded(async { make(local).await }, || {});
    let outcome = tokio::select! {
        biased;
        () = sender.closed() => return,
        outcome = run => outcome,
    };
    let failed = |cause| Err(Error::WorkerFailed { worker: "main".into(), cause });
    // Whoever asked may have given up since.
    let _ = sender.send(outcome.unwrap_or_else(failed));
}

/// Whether this is the thread of that isolate.
pub(crate) fn is_here(inbox: &Inbox) -> bool {
    HERE.with_borrow(|here| here.as_ref().is_some_and(|local| std::ptr::eq(local.node.inbox(), inbox)))
}

/// Ends an isolate whose node nobody holds any more, without draining.
pub(crate) fn end(inbox: &Inbox) {
    inbox.run(|_| {
        HERE.with_borrow(|here| {
            if let Some(local) = here {
                local.has_ended.set(true);
            }
        });
    });
}

impl Local {
    /// Stops a worker; resolves when it is gone.
    pub(crate) async fn stop_worker(self: &Rc<Self>, name: &str, timeout: Duration) -> Result<(), Error> {
        super::check_name(name)?;
        if name == "main" {
            return Err(Error::NotPermitted {
                reason: "worker main ends with its node; stop the node".into(),
            });
        }
        let handle = self.node.shared().look_up(name);
        let no_such_worker = || Error::NoSuchWorker { worker: name.to_owned() };
        self.order_stop(handle.ok_or_else(no_such_worker)?, timeout).of(name).await.map(drop)
    }

    fn order_stop(self: &Rc<Self>, worker: Handle, timeout: Duration) -> Receiving {
        // What was sent before is before the stop.
        self.exchange();
        let order = Receiving::open(self);
        let mut port = self.port_now();
        port.begin_order(order.at());
        if !port.stop(worker, super::millis(timeout), order.at()) {
            let gone = crate::port::Failure::new(crate::code::NO_SUCH_WORKER);
            port.finish_order(order.at(), crate::port::Outcome::Failed(gone, crate::port::Body::None));
        }
        drop(port);
        // The port may have answered already, and hands that out at a flush.
        self.has_more.set(true);
        order
    }

    /// Workers whose names begin with `prefix`, sorted by name.
    pub(crate) fn list(&self, prefix: &str, limit: usize) -> Vec<WorkerInfo> {
        self.exchange();
        let states = self.port.borrow().list(self.number(), prefix, limit);
        let mut cells = self.cells.borrow_mut();
        let info = |worker: crate::port::WorkerState| {
            let cell = cells.get(worker.handle);
            let is_mailbox = cell.as_ref().is_some_and(|cell| cell.task == super::NIL);
            WorkerInfo {
                node: self.node.name().to_owned(),
                type_name: cell.map_or("", |cell| cell.type_name),
                state: match worker.state {
                    State::Starting => WorkerState::Starting,
                    State::Stopping | State::Ending => WorkerState::Stopping,
                    _ if worker.held > 0 => WorkerState::Busy,
                    _ => WorkerState::Idle,
                },
                // A worker that has messages is handling one of them.
                queued: worker.held - u32::from(!is_mailbox && worker.lent > 0),
                handled: worker.handled,
                failed: worker.failed,
                name: worker.name,
            }
        };
        states.into_iter().map(info).collect()
    }

    /// Stops the node, once: later calls only wait for its end.
    pub(crate) fn stop_node(self: &Rc<Self>, timeout: Duration) {
        if !self.is_stopping.replace(true) {
            self.node().shared().set_draining();
            self.spawn(self.clone().stop_all(timeout));
        }
    }

    async fn stop_all(self: Rc<Self>, timeout: Duration) {
        let states = self.port.borrow().list(self.number(), "", usize::MAX);
        let others = states.iter().filter(|worker| worker.handle != self.main.get());
        let stops: Vec<_> = others.map(|worker| self.order_stop(worker.handle, timeout)).collect();
        for stop in stops {
            // Another call may have stopped it first.
            let _ = stop.await;
        }
        let links = self.port.borrow().links_of(self.number());
        let (sender, is_drained) = oneshot::channel();
        self.node.shared().drained(links, move || {
            let _ = sender.send(());
        });
        let _ = is_drained.await;
        let _ = self.order_stop(self.main.get(), Duration::ZERO).await;
        self.port_now().remove_node(self.number());
        let opened = self.opened.borrow_mut().take();
        if let Some(opened) = opened {
            close(opened).await;
        }
        self.has_ended.set(true);
    }

    /// Nothing more comes in; whoever waits for something here is told.
    fn shut(&self) {
        let opened = self.opened.borrow_mut().take();
        if let Some(opened) = opened {
            opened.close_now();
        }
        if let Ok(mut port) = self.port.try_borrow_mut() {
            port.remove_node(self.number());
            port.shut();
        }
        // Dropping a future may spawn none, but may drop what holds others.
        let runs = self.tasks.borrow_mut().clear();
        for run in runs {
            drop_guarded(Some(run));
        }
        self.cells.take();
    }
}
