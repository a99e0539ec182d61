//! Mailboxes without a behaviour: what was lent to one waits until somebody receives it.

use super::Local;
use super::cells::{Body, Cell, Lent, Letter};
use crate::error::Error;
use crate::port::{Handle, WorkerOptions};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// A message that was received.
pub(crate) struct Arrived {
    pub(crate) letter: Letter,
    pub(crate) message: String,
    pub(crate) sender: String,
}

impl Local {
    /// Opens a mailbox.
    pub(crate) fn open_mailbox(&self, name: &str, capacity: u32) -> Result<Handle, Error> {
        super::check_name(name)?;
        let at = self.reserve(
            name,
            "Mailbox",
            &WorkerOptions { mailbox: capacity, has_behaviour: false, ..WorkerOptions::default() },
        )?;
        self.add_cell(at, Cell::new(at, name, "Mailbox"));
        self.ready(at, true);
        Ok(at)
    }

    /// The next message of a mailbox. `None`: it is closed.
    pub(crate) fn receive(self: &Rc<Self>, at: Handle) -> Receive {
        let mut cells = self.cells.borrow_mut();
        let number = cells.get(at).map_or(0, |cell| {
            let number = cell.receivers.back().map_or(0, |(number, _)| number + 1);
            cell.receivers.push_back((number, None));
            number
        });
        drop(cells);
        Receive { local: self.clone(), at, number, is_done: false }
    }
}

/// Waits for a message, in order with others that do.
pub(crate) struct Receive {
    local: Rc<Local>,
    at: Handle,
    number: u64,
    is_done: bool,
}

impl Receive {
    fn take(&self, cx: &Context<'_>) -> Poll<Option<Lent>> {
        let mut cells = self.local.cells.borrow_mut();
        let Some(cell) = cells.get(self.at) else { return Poll::Ready(None) };
        let is_first = cell.receivers.front().is_some_and(|(number, _)| *number == self.number);
        // The port says how an expired message ends.
        let is_there = cell.lent.front().is_some_and(|lent| !self.local.has_passed(lent.letter.until));
        if is_first && is_there {
            let lent = cell.lent.pop_front();
            self.leave(cell);
            cells.done(self.at);
            return Poll::Ready(lent);
        }
        for (number, waker) in &mut cell.receivers {
            if *number == self.number {
                *waker = Some(cx.waker().clone());
            }
        }
        Poll::Pending
    }

    /// Leaves the line; the next one looks whether there is something for it.
    fn leave(&self, cell: &mut Cell) {
        cell.receivers.retain(|(number, _)| *number != self.number);
        if let Some((_, Some(waker))) = cell.receivers.front() {
            waker.wake_by_ref();
        }
    }
}

impl Future for Receive {
    type Output = Option<Arrived>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Arrived>> {
        let taken = self.take(cx);
        self.is_done = taken.is_ready();
        taken.map(|lent| {
            let Lent { letter, body } = lent?;
            // A body that is no Unicode text never gets here.
            let Body::Text(message) = body else { return None };
            let sender = self.local.sender(&letter);
            Some(Arrived { letter, message, sender })
        })
    }
}

impl Drop for Receive {
    fn drop(&mut self) {
        if !self.is_done
            && let Some(cell) = self.local.cells.borrow_mut().get(self.at)
        {
            self.leave(cell);
        }
    }
}
