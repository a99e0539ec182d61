//! An isolate of workers in Rust: one thread that owns a [`Port`], runs the futures of its workers, and exchanges
//! batches of records with the port, as a JavaScript heap does through the bridge.
//!
//! Everything here stays on that thread. Others reach it by the port's inbox; see [`Local::inside`].

mod batch;
mod book;
mod budget;
mod cells;
mod dispatch;
mod life;
mod messages;
mod node;
mod receive;
mod requests;
mod sends;
mod tasks;
#[cfg(test)]
mod tests;
mod watches;

pub(crate) use cells::Letter;
pub(crate) use node::{end, inside, is_here, open};
pub(crate) use receive::Arrived;
pub(crate) use watches::Cancelled;

use crate::cause::Cause;
use crate::context::Context;
use crate::error::Error;
use crate::node::{Node, Opened};
use crate::port::record::{NIL, NO_LIMIT, STRIDE};
use crate::port::{BatchText, Flushed, Handle, Port, TICKS_PER_MS, now_ms, now_ticks};
use batch::Batch;
use book::Book;
use budget::Budget;
use cells::{Cell, Cells};
use dispatch::Outbox;
use requests::Requests;
use sends::Sends;
use std::cell::{Cell as Shelf, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tasks::Tasks;
use tokio::sync::{Notify, oneshot};
use watches::Watches;

/// Who waits for a start, and the error when it has failed.
struct Start {
    sender: oneshot::Sender<Result<(), Error>>,
    error: Option<Error>,
}

/// What an isolate is made of. Borrows are short and never held while a user's code runs.
pub(crate) struct Local {
    port: RefCell<Port>,
    node: Node,
    opened: RefCell<Option<Opened>>,
    batch: RefCell<Batch>,
    outbox: RefCell<Outbox>,
    requests: RefCell<Requests>,
    sends: RefCell<Sends>,
    cells: RefCell<Cells>,
    tasks: RefCell<Tasks>,
    watches: RefCell<Watches>,
    book: RefCell<Book>,
    budget: Shelf<Budget>,
    /// A message on its way to the worker that is polled next.
    hand: Shelf<Option<cells::Lent>>,
    /// Slot of `main`, the sender of what comes from outside of a worker.
    main: Shelf<Handle>,
    next_deadline: Shelf<Option<u64>>,
    has_more: Shelf<bool>,
    is_stopping: Shelf<bool>,
    has_ended: Shelf<bool>,
}

impl Local {
    fn new(port: Port, node: Node, opened: Opened, notify: Arc<Notify>) -> Rc<Self> {
        Rc::new(Self {
            port: RefCell::new(port),
            node,
            opened: RefCell::new(Some(opened)),
            batch: RefCell::default(),
            outbox: RefCell::default(),
            requests: RefCell::default(),
            sends: RefCell::default(),
            cells: RefCell::default(),
            tasks: RefCell::new(Tasks::new(notify)),
            watches: RefCell::default(),
            book: RefCell::default(),
            budget: Shelf::new(Budget::new()),
            hand: Shelf::new(None),
            main: Shelf::new(Handle { slot: NIL, generation: 0 }),
            next_deadline: Shelf::new(None),
            has_more: Shelf::new(false),
            is_stopping: Shelf::new(false),
            has_ended: Shelf::new(false),
        })
    }

    /// The node, as its workers hold it.
    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    fn number(&self) -> u16 {
        self.node.shared().number()
    }

    /// The clock of its port.
    #[expect(clippy::unused_self, reason = "callers ask their isolate, not the process")]
    pub(crate) fn now(&self) -> u64 {
        now_ms()
    }

    fn has_passed(&self, deadline: u64) -> bool {
        deadline != u64::MAX && deadline <= self.now()
    }

    /// The port, for a cold call; a timeout that it sets counts from now.
    fn port_now(&self) -> std::cell::RefMut<'_, Port> {
        let mut port = self.port.borrow_mut();
        port.set_now(self.now());
        port
    }

    fn put(&self, words: [u32; STRIDE]) {
        self.batch.borrow_mut().put(words);
    }

    /// Takes a future in, to run beside the workers.
    fn spawn(&self, run: impl Future<Output = ()> + 'static) -> u32 {
        self.tasks.borrow_mut().spawn(Box::pin(run))
    }

    /// The mailbox of `main`.
    pub(crate) fn main(&self) -> Handle {
        self.main.get()
    }

    /// What stands for the program outside of workers.
    pub(crate) fn main_context(self: &Rc<Self>) -> Context {
        Context::new(self, self.main.get(), Letter::NONE)
    }

    // ── Cells ──

    fn add_cell(&self, at: Handle, cell: Cell) {
        // The port may have freed the slot while the news of that waits for its turn.
        let before = self.cells.borrow_mut().slot(at.slot).map(|cell| cell.generation);
        if let Some(generation) = before {
            self.gone(Handle { slot: at.slot, generation });
        }
        self.book.borrow_mut().forget(&cell.name, self.node.name());
        self.cells.borrow_mut().insert(at, cell);
    }

    fn started(&self, at: Handle) {
        let start = self.cells.borrow_mut().get(at).and_then(|cell| cell.start.take());
        if let Some(Start { sender, .. }) = start {
            // Whoever started it may no longer wait.
            let _ = sender.send(Ok(()));
        }
    }

    /// The name is free again, and whoever waits hears of it, when the port says that the worker is gone.
    fn start_failed(&self, at: Handle, cause: Cause) {
        if let Some(cell) = self.cells.borrow_mut().get(at) {
            let worker = cell.name.to_string();
            if let Some(start) = &mut cell.start {
                start.error = Some(Error::WorkerFailed { worker, cause });
            }
        }
        self.ready(at, false);
    }

    fn log(&self, at: Handle, what: &str, cause: &Cause) {
        let name = self.name_of(at);
        self.port.borrow_mut().note_failure(at, &format!("{cause:?}"), None);
        log::error!(target: "worker", worker = name.as_str(); "worker {name} {what}: {cause:?}");
    }

    /// A worker is gone: its future is dropped, whatever it was at.
    fn gone(&self, at: Handle) {
        let Some(mut cell) = self.cells.borrow_mut().remove(at) else { return };
        if let Some(Start { sender, error }) = cell.start.take() {
            let worker = cell.name.to_string();
            // Whoever started it may no longer wait.
            let _ = sender.send(Err(error.unwrap_or(Error::WorkerStopped { worker, maybe_executed: true })));
        }
        for (_, waker) in cell.receivers.drain(..) {
            waker.into_iter().for_each(std::task::Waker::wake);
        }
        self.watches.borrow_mut().fire_slot(at.slot);
        let run = self.tasks.borrow_mut().remove(cell.task);
        drop_guarded(run);
    }

    /// Orders of other nodes are a matter of JavaScript: its classes can travel.
    fn refuse_control(&self, request: Handle) {
        let mut port = self.port_now();
        if port.take_control(request.slot).is_some() {
            let name = self.node.name();
            let cause = Cause::new(format!(
                "node {name} runs workers in Rust: it takes no orders to start, stop or list them"
            ));
            port.answer_control(request, Err((crate::code::NOT_PERMITTED, &cause.encode())));
        }
    }

    // ── Turns ──

    fn poll_task(&self, id: u32) {
        let Some((mut run, waker)) = self.tasks.borrow_mut().begin(id) else { return };
        let mut cx = std::task::Context::from_waker(&waker);
        let polled = catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(&mut cx)));
        match polled {
            Ok(Poll::Pending) => self.tasks.borrow_mut().pause(id, run, waker),
            Ok(Poll::Ready(())) => {
                self.tasks.borrow_mut().end(id, waker);
                drop_guarded(Some(run));
            }
            Err(payload) => {
                log::error!(target: "node", "what ran on node {} panicked: {}", self.node.name(), Cause::of_panic(payload.as_ref()));
                self.tasks.borrow_mut().end(id, waker);
                drop_guarded(Some(run));
            }
        }
    }

    /// Works until there is nothing to do or the turn's budget is spent. `true`: there is more.
    fn turn(self: &Rc<Self>) -> bool {
        self.begin_turn();
        let mut has_exchanged = false;
        loop {
            self.dispatch();
            let parked = self.cells.borrow_mut().unpark();
            for slot in parked {
                let task = self.cells.borrow_mut().slot(slot).map(|cell| cell.task);
                if let Some(task) = task {
                    self.poll_task(task);
                }
            }
            while !self.is_spent() {
                let Some(id) = self.tasks.borrow_mut().next_woken() else { break };
                self.poll_task(id);
                self.spend();
            }
            if self.is_spent() || self.has_ended.get() {
                return true;
            }
            let has_output = !self.batch.borrow().is_empty() || self.cells.borrow().is_dirty();
            if has_exchanged && !has_output && !self.has_more.get() && !self.cells.borrow().has_parked() {
                return self.tasks.borrow().has_woken();
            }
            self.exchange();
            has_exchanged = true;
        }
    }

    /// The batch goes to the port, what there is to do comes.
    fn exchange(&self) {
        let (records, text, next) = {
            let mut batch = self.batch.borrow_mut();
            self.cells.borrow_mut().acknowledge(|words| {
                batch.put(words);
            });
            let (records, text) = batch.take();
            (records, text, batch.next)
        };
        let ticks = now_ticks();
        let now = ticks / TICKS_PER_MS;
        let flushed = {
            let (mut port, mut outbox) = (self.port.borrow_mut(), self.outbox.borrow_mut());
            outbox.now = now;
            port.set_ticks(ticks);
            port.flush(&records, BatchText::Utf8(&text), &mut *outbox, now, true)
        };
        let Flushed { more, next: deadline, has_sends } = flushed;
        self.has_more.set(more);
        self.next_deadline.set(deadline);
        self.batch.borrow_mut().recycle(records, text);
        if has_sends {
            self.read_sends();
        }
        let waiting = self.sends.borrow_mut().flushed(next);
        waiting.into_iter().for_each(std::task::Waker::wake);
    }
}

/// Drops what a user wrote: a panic in it harms nobody else.
fn drop_guarded(run: Option<tasks::Run>) {
    if catch_unwind(AssertUnwindSafe(|| drop(run))).is_err() {
        log::error!(target: "worker", "a worker panicked when it was dropped");
    }
}

/// Milliseconds as records carry them, rounded up; too many are no limit.
fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(NO_LIMIT)
}

fn check_name(name: &str) -> Result<(), Error> {
    troupe_proto::address::check_name(name).map_err(|error| Error::InvalidArgument {
        text: name.to_owned(),
        what: "name",
        reason: error.to_string(),
    })
}
