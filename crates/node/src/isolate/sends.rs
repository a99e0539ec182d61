//! How sends of an isolate fare. Most are simply taken, and leave no trace here: silence within the flush says so.

use super::Local;
use super::batch::record;
use crate::error::{Error, Reported};
use crate::port::Handle;
use crate::port::record::outgoing;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// What is known of a send that was not simply taken.
enum Fate {
    /// It waits for room, under this number.
    Waiting(Handle, Option<Waker>),
    Ended(Result<(), Reported>),
}

/// Sends that somebody waits for.
#[derive(Default)]
pub(super) struct Sends {
    /// Number of the first record that has not been flushed.
    flushed: u32,
    fates: HashMap<u32, Fate>,
    /// Numbers of records by those of their waits.
    waits: HashMap<Handle, u32>,
    /// Who waits for the next flush.
    unflushed: Vec<Waker>,
    /// Sends of the batch that nobody waits for any more.
    dropped: Vec<u32>,
}

impl Sends {
    /// Sends whose fate somebody has yet to read.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.fates.len() + self.waits.len()
    }

    /// A send was refused at once.
    pub(super) fn refused(&mut self, number: u32, code: u8, stage: u32, link: u32) {
        if !self.dropped.contains(&number) {
            self.fates.insert(number, Fate::Ended(Err(Reported { stage, link, ..Reported::new(code) })));
        }
    }

    /// A send waits for room. `false`: nobody waits for it any more.
    pub(super) fn waits(&mut self, number: u32, wait: Handle) -> bool {
        if self.dropped.contains(&number) {
            return false;
        }
        self.fates.insert(number, Fate::Waiting(wait, None));
        self.waits.insert(wait, number);
        true
    }

    /// A send that waited has ended.
    pub(super) fn ended(&mut self, wait: Handle, result: Result<(), Reported>) -> Option<Waker> {
        let number = self.waits.remove(&wait)?;
        match self.fates.insert(number, Fate::Ended(result)) {
            Some(Fate::Waiting(_, waker)) => waker,
            _ => None,
        }
    }

    /// The batch up to this number has been flushed. Returns who waited for that.
    pub(super) fn flushed(&mut self, next: u32) -> Vec<Waker> {
        self.flushed = next;
        self.dropped.clear();
        std::mem::take(&mut self.unflushed)
    }
}

/// Waits until a send has been taken. Dropped before that, the message is withdrawn if it still waits for room.
pub(super) struct Sending {
    local: Rc<Local>,
    number: u32,
    is_done: bool,
}

impl Sending {
    /// For the record of this number.
    pub(super) fn new(local: &Rc<Local>, number: u32) -> Self {
        Self { local: local.clone(), number, is_done: false }
    }

    /// How it went, or the error about this address.
    pub(super) async fn of(self, to: &str) -> Result<(), Error> {
        self.await.map_err(|reported| reported.into_error(to))
    }
}

impl Future for Sending {
    type Output = Result<(), Reported>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let number = self.number;
        let polled = {
            let mut sends = self.local.sends.borrow_mut();
            // Numbers wrap: what is less than half of them behind was flushed.
            let has_been_flushed = number.wrapping_sub(sends.flushed) > u32::MAX / 2;
            match sends.fates.get_mut(&number) {
                Some(Fate::Waiting(_, waker)) => {
                    *waker = Some(cx.waker().clone());
                    Poll::Pending
                }
                Some(Fate::Ended(_)) => match sends.fates.remove(&number) {
                    Some(Fate::Ended(result)) => Poll::Ready(result),
                    _ => Poll::Pending,
                },
                None if has_been_flushed => Poll::Ready(Ok(())),
                None => {
                    sends.unflushed.push(cx.waker().clone());
                    Poll::Pending
                }
            }
        };
        self.is_done = polled.is_ready();
        polled
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let mut sends = self.local.sends.borrow_mut();
        match sends.fates.remove(&self.number) {
            Some(Fate::Waiting(wait, _)) => {
                sends.waits.remove(&wait);
                drop(sends);
                self.local.put(record(outgoing::CANCEL, [wait.slot, wait.generation, 0]));
            }
            Some(Fate::Ended(_)) => {}
            None => sends.dropped.push(self.number),
        }
    }
}
