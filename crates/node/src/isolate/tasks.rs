//! The futures of an isolate, and who wakes them.
//!
//! A worker's whole life is one future, so a message costs none of its own. A waker belongs to a ticket, and only what
//! is under way holds one: an idle worker has none.

use crate::port::record::NIL;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};
use tokio::sync::Notify;

/// A future of the isolate; it never leaves its thread.
pub(super) type Run = Pin<Box<dyn Future<Output = ()>>>;

/// Numbers of the tickets that were woken, from whatever thread.
#[derive(Debug)]
struct Woken {
    list: Mutex<Vec<u32>>,
    notify: Arc<Notify>,
}

#[derive(Debug)]
struct Ticket {
    number: u32,
    is_woken: AtomicBool,
    woken: Arc<Woken>,
}

impl Wake for Ticket {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.is_woken.swap(true, Ordering::AcqRel) {
            return;
        }
        // A panic elsewhere leaves a list of whole numbers.
        let mut list = self.woken.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.push(self.number);
        if list.len() == 1 {
            self.woken.notify.notify_one();
        }
    }
}

struct Held {
    ticket: Arc<Ticket>,
    /// Out while its owner is polled.
    waker: Option<Waker>,
    /// The task that it wakes, or `NIL`.
    owner: u32,
}

struct Task {
    /// Out while it is polled, and when there is none.
    run: Option<Run>,
    ticket: u32,
}

/// All futures of one isolate.
pub(super) struct Tasks {
    slab: Vec<Task>,
    free: Vec<u32>,
    tickets: Vec<Held>,
    spare: Vec<u32>,
    woken: Arc<Woken>,
    /// Tasks to be polled though nobody woke them: they are new.
    fresh: VecDeque<u32>,
    taken: Vec<u32>,
    /// The task being polled waits for its isolate alone and gives its ticket back.
    pub(super) is_idle: bool,
}

impl Tasks {
    pub(super) fn new(notify: Arc<Notify>) -> Self {
        Self {
            slab: Vec::new(),
            free: Vec::new(),
            tickets: Vec::new(),
            spare: Vec::new(),
            woken: Arc::new(Woken { list: Mutex::default(), notify }),
            fresh: VecDeque::new(),
            taken: Vec::new(),
            is_idle: false,
        }
    }

    /// Futures that have not ended.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.slab.len() - self.free.len()
    }

    /// Takes a future in; it is polled in this turn.
    pub(super) fn spawn(&mut self, run: Run) -> u32 {
        let task = Task { run: Some(run), ticket: NIL };
        let id = if let Some(id) = self.free.pop() {
            self.slab[id as usize] = task;
            id
        } else {
            self.slab.push(task);
            (self.slab.len() - 1) as u32
        };
        self.fresh.push_back(id);
        self.woken.notify.notify_one();
        id
    }

    /// Takes out a task that has to be polled.
    pub(super) fn next_woken(&mut self) -> Option<u32> {
        if let Some(id) = self.fresh.pop_front() {
            return Some(id);
        }
        loop {
            if self.taken.is_empty() {
                let mut list = self.woken.list.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::swap(&mut *list, &mut self.taken);
                // First woken, first polled.
                self.taken.reverse();
            }
            let held = &self.tickets[self.taken.pop()? as usize];
            held.ticket.is_woken.store(false, Ordering::Release);
            if held.owner != NIL {
                return Some(held.owner);
            }
        }
    }

    /// Whether something has to be polled.
    pub(super) fn has_woken(&self) -> bool {
        !self.fresh.is_empty()
            || !self.taken.is_empty()
            || !self.woken.list.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Takes a future and its waker out, to be polled.
    pub(super) fn begin(&mut self, id: u32) -> Option<(Run, Waker)> {
        let task = self.slab.get_mut(id as usize)?;
        let run = task.run.take()?;
        if task.ticket == NIL {
            task.ticket = self.spare.pop().unwrap_or_else(|| {
                let number = self.tickets.len() as u32;
                let is_woken = AtomicBool::new(false);
                let ticket = Arc::new(Ticket { number, is_woken, woken: self.woken.clone() });
                let waker = Waker::from(ticket.clone());
                self.tickets.push(Held { ticket, waker: Some(waker), owner: NIL });
                number
            });
            self.tickets[task.ticket as usize].owner = id;
        }
        let held = &mut self.tickets[task.ticket as usize];
        let waker = held.waker.take().unwrap_or_else(|| Waker::from(held.ticket.clone()));
        self.is_idle = false;
        Some((run, waker))
    }

    /// Puts a future back that has not ended.
    pub(super) fn pause(&mut self, id: u32, run: Run, waker: Waker) {
        let ticket = self.slab[id as usize].ticket;
        self.tickets[ticket as usize].waker = Some(waker);
        self.slab[id as usize].run = Some(run);
        if self.is_idle {
            self.give_back(id);
        }
    }

    /// A future that was taken out has ended.
    pub(super) fn end(&mut self, id: u32, waker: Waker) {
        let ticket = self.slab[id as usize].ticket;
        self.tickets[ticket as usize].waker = Some(waker);
        self.give_back(id);
        self.free.push(id);
    }

    /// Takes a future out for good. The caller drops it when it holds no borrow: that may run a user's code.
    pub(super) fn remove(&mut self, id: u32) -> Option<Run> {
        let run = self.slab.get_mut(id as usize)?.run.take()?;
        self.fresh.retain(|fresh| *fresh != id);
        self.give_back(id);
        self.free.push(id);
        Some(run)
    }

    /// Takes all futures out, for the end of the isolate.
    pub(super) fn clear(&mut self) -> Vec<Run> {
        (0..self.slab.len() as u32).filter_map(|id| self.remove(id)).collect()
    }

    fn give_back(&mut self, id: u32) {
        let ticket = std::mem::replace(&mut self.slab[id as usize].ticket, NIL);
        if ticket != NIL {
            self.tickets[ticket as usize].owner = NIL;
            self.spare.push(ticket);
        }
    }
}
