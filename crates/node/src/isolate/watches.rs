//! Who waits to hear that an asker gave up, or that the time to drain is over.

use super::Local;
use crate::port::Handle;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// By slot and request, so that both are found without a walk over all.
#[derive(Default)]
pub(super) struct Watches {
    next: u64,
    all: BTreeMap<(u32, u32, u64), Watch>,
}

struct Watch {
    generation: u32,
    is_fired: bool,
    waker: Option<Waker>,
}

impl Watch {
    fn fire(&mut self) {
        self.is_fired = true;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Watches {
    /// Futures that wait.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The asker of this request gave up.
    pub(super) fn fire_request(&mut self, slot: u32, request: Handle) {
        let range = (slot, request.slot, 0)..=(slot, request.slot, u64::MAX);
        for (_, watch) in self.all.range_mut(range) {
            if watch.generation == request.generation {
                watch.fire();
            }
        }
    }

    /// The worker in this slot has no more time.
    pub(super) fn fire_slot(&mut self, slot: u32) {
        for (_, watch) in self.all.range_mut((slot, 0, 0)..=(slot, u32::MAX, u64::MAX)) {
            watch.fire();
        }
    }
}

/// Resolves when the asker gave up, or the worker has no more time.
pub(crate) struct Cancelled {
    local: Rc<Local>,
    key: (u32, u32, u64),
}

impl Cancelled {
    /// For a request that was lent to a slot. `is_fired`: it is known already.
    pub(super) fn new(local: &Rc<Local>, slot: u32, request: Handle, is_fired: bool) -> Self {
        let mut watches = local.watches.borrow_mut();
        watches.next += 1;
        let key = (slot, request.slot, watches.next);
        watches.all.insert(key, Watch { generation: request.generation, is_fired, waker: None });
        drop(watches);
        Self { local: local.clone(), key }
    }
}

impl Future for Cancelled {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.local.watches.borrow_mut().all.get_mut(&self.key) {
            Some(watch) if !watch.is_fired => {
                watch.waker = Some(cx.waker().clone());
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }
}

impl Drop for Cancelled {
    fn drop(&mut self) {
        self.local.watches.borrow_mut().all.remove(&self.key);
    }
}
