//! Open requests of an isolate: a table of who waits, with a generation for each number.

use super::Local;
use super::batch::record;
use crate::error::{Error, Reported};
use crate::port::Handle;
use crate::port::record::outgoing;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// What the port answered.
pub(super) type Answer = Result<String, Reported>;

enum State {
    Free,
    Waiting(Option<Waker>),
    Answered(Answer),
}

struct Entry {
    generation: u32,
    state: State,
}

/// The table.
#[derive(Default)]
pub(super) struct Requests {
    slab: Vec<Entry>,
    free: Vec<u32>,
}

impl Requests {
    fn open(&mut self) -> Handle {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slab.push(Entry { generation: 0, state: State::Free });
            (self.slab.len() - 1) as u32
        });
        let entry = &mut self.slab[slot as usize];
        entry.generation = entry.generation.wrapping_add(1).max(1);
        entry.state = State::Waiting(None);
        Handle { slot, generation: entry.generation }
    }

    fn get(&mut self, at: Handle) -> Option<&mut State> {
        self.slab
            .get_mut(at.slot as usize)
            .filter(|entry| entry.generation == at.generation)
            .map(|entry| &mut entry.state)
    }

    /// Keeps an answer for whoever waits; nobody may any more.
    pub(super) fn answered(&mut self, at: Handle, answer: Answer) -> Option<Waker> {
        let state = self.get(at)?;
        let State::Waiting(waker) = state else { return None };
        let waker = waker.take();
        *state = State::Answered(answer);
        waker
    }

    fn poll(&mut self, at: Handle, waker: &Waker) -> Poll<Answer> {
        let Some(state) = self.get(at) else { return Poll::Pending };
        match state {
            State::Waiting(Some(known)) if known.will_wake(waker) => Poll::Pending,
            State::Waiting(known) => {
                *known = Some(waker.clone());
                Poll::Pending
            }
            State::Free => Poll::Pending,
            State::Answered(_) => {
                let State::Answered(answer) = self.close(at) else { return Poll::Pending };
                Poll::Ready(answer)
            }
        }
    }

    fn close(&mut self, at: Handle) -> State {
        self.free.push(at.slot);
        std::mem::replace(&mut self.slab[at.slot as usize].state, State::Free)
    }

    /// Requests that are open.
    #[cfg(test)]
    pub(super) fn open_count(&self) -> usize {
        self.slab.len() - self.free.len()
    }
}

/// Waits for the answer to one request. Dropped before that, the request is given up.
pub(super) struct Receiving {
    local: Rc<Local>,
    at: Handle,
    is_done: bool,
}

impl Receiving {
    /// Opens a request; its record has to be put next.
    pub(super) fn open(local: &Rc<Local>) -> Self {
        let at = local.requests.borrow_mut().open();
        Self { local: local.clone(), at, is_done: false }
    }

    /// Its number.
    pub(super) fn at(&self) -> Handle {
        self.at
    }

    /// The answer, or the error about this address.
    pub(super) async fn of(self, to: &str) -> Result<String, Error> {
        self.await.map_err(|reported| reported.into_error(to))
    }
}

impl Future for Receiving {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        let answer = self.local.requests.borrow_mut().poll(self.at, cx.waker());
        self.is_done = answer.is_ready();
        answer
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let state = self.local.requests.borrow_mut().close(self.at);
        if matches!(state, State::Waiting(_)) {
            let Handle { slot, generation } = self.at;
            self.local.put(record(outgoing::CANCEL, [slot, generation, 0]));
        }
    }
}
