//! The life of a worker: start, failure, restart, stop. What is decided here holds for JavaScript and Rust alike.

use super::dead_letter::{Parties, Reason};
use super::mailbox::{OnFailure, Restarts, Slot, State, WorkerOptions};
use super::record::{NIL, incoming};
use super::request::Place;
use super::target::next_generation;
use super::{Body, BodyRef, Failure, Handle, Outcome, Port, Sink};
use crate::code;
use std::collections::VecDeque;

/// How long a handler or `shutdown` may outlive the drain time before it is abandoned, in ms.
const ABANDON_AFTER: u64 = 250;

/// Why a worker was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The caller chose a name in use on this node. Nothing was changed.
    #[error("the name is in use on this node")]
    NameTaken,
    /// The node is stopping or was never here.
    #[error("the node is stopped")]
    NodeStopped,
}

impl Port {
    /// Reserves a name and a mailbox. Messages wait until [`super::record::outgoing::READY`] says that `initialize` has ended.
    pub fn start(&mut self, node: u16, name: &str, options: &WorkerOptions) -> Result<Handle, StartError> {
        let class = self.class(if options.has_behaviour { "Worker" } else { "Mailbox" });
        self.start_as(node, name, class, options)
    }

    /// As [`Port::start`], counted under a class that [`Port::class`] has given.
    pub fn start_as(
        &mut self,
        node: u16,
        name: &str,
        class: u32,
        options: &WorkerOptions,
    ) -> Result<Handle, StartError> {
        let shared = self.shared(node).ok_or(StartError::NodeStopped)?.clone();
        let index = self.free_slots.pop().unwrap_or_else(|| {
            self.slots.push(Slot::free(1));
            (self.slots.len() - 1) as u32
        });
        let handle = self.handle(index);
        if !shared.register(name, handle) {
            self.free_slots.push(index);
            return Err(StartError::NameTaken);
        }
        let class = self.classes.place(node, class);
        let slot = &mut self.slots[index as usize];
        *slot = Slot {
            state: State::Starting,
            overflow: options.overflow,
            node,
            capacity: options.mailbox.max(1),
            has_behaviour: options.has_behaviour,
            class,
            name: name.into(),
            ..Slot::free(handle.generation)
        };
        if options.on_failure != OnFailure::Resume {
            slot.extra().restarts = Some(Restarts {
                policy: options.on_failure,
                max: options.max_restarts,
                within: options.within,
                count: 0,
                history: VecDeque::new(),
            });
        }
        Ok(handle)
    }

    /// `initialize` of a start or restart has ended.
    pub fn ready(&mut self, handle: Handle, is_good: bool) {
        let Some(slot) = self.slot(handle) else { return };
        match (slot.state, is_good) {
            (State::Starting | State::Restarting, true) => {
                slot.state = State::Live;
                let stop = slot.extra.as_ref().filter(|extra| !extra.stop_waiters.is_empty());
                let stop = stop.map(|extra| (extra.drain_until, extra.aborted));
                self.make_ready(handle.slot);
                if let Some(held) = self.take_held(handle.slot) {
                    self.release(held);
                }
                if let Some((until, is_over)) = stop {
                    if is_over {
                        self.fail_waiting(handle.slot);
                    }
                    self.begin_stop(handle.slot, until);
                }
            }
            (State::Starting, false) => {
                self.fail_waiting(handle.slot);
                self.gone(handle.slot, true);
            }
            (State::Restarting, false) => self.restart_or_stop(handle.slot),
            _ => {}
        }
    }

    /// Messages were done with; room for as many is there.
    pub(super) fn acknowledge<S: Sink>(&mut self, handle: Handle, count: u32, credit: u32, sink: &mut S) {
        let Some(slot) = self.slot(handle) else { return };
        slot.returned(count);
        slot.credit = credit;
        self.count_handled(handle.slot, count, 0);
        self.room_made(handle.slot, sink);
    }

    pub(super) fn room_made<S: Sink>(&mut self, index: u32, sink: &mut S) {
        self.make_ready(index);
        if self.slots[index as usize].extra.is_some() {
            self.admit(index, sink);
        }
        if self.slots[index as usize].state == State::Stopping {
            self.check_drained(index);
        }
    }

    /// A handler failed: the policy decides; the asker hears of it when that has been done.
    pub(super) fn failed(&mut self, handle: Handle, request: Option<(u32, u32)>, cause: BodyRef<'_>) {
        let Some(slot) = self.slot(handle) else {
            self.drop_body(cause);
            return;
        };
        slot.returned(1);
        self.count_handled(handle.slot, 1, 1);
        let slot = &mut self.slots[handle.slot as usize];
        // The policy holds while it drains, too; when that is over there is nothing left to decide.
        let is_over = slot.extra.as_ref().is_some_and(|extra| extra.aborted);
        let is_live = matches!(slot.state, State::Live | State::Stopping) && !is_over;
        let policy = slot
            .extra
            .as_ref()
            .and_then(|extra| extra.restarts.as_ref())
            .map_or(OnFailure::Resume, |restarts| restarts.policy);
        let asker = request.filter(|(id, generation)| self.requests.get(*id, *generation).is_some());
        if asker.is_none() {
            self.drop_body(cause);
        }
        if policy == OnFailure::Resume || !is_live {
            if let Some((id, _)) = asker {
                self.complete(id, worker_failed(cause.into_owned()), NIL);
            }
            self.room_made(handle.slot, &mut super::Closed);
            return;
        }
        let slot = &mut self.slots[handle.slot as usize];
        slot.extra().held = asker.map(|(id, generation)| (id, generation, cause.into_owned()));
        if policy == OnFailure::Restart {
            self.restart_or_stop(handle.slot);
        } else {
            self.stop_now(handle.slot);
        }
        self.room_made(handle.slot, &mut super::Closed);
    }

    fn restart_or_stop(&mut self, index: u32) {
        let now = self.now;
        let slot = &mut self.slots[index as usize];
        let handle = Handle { slot: index, generation: slot.generation };
        let may = slot.extra().restarts.as_mut().is_some_and(|restarts| {
            let within = u64::from(restarts.within);
            while restarts.history.front().is_some_and(|at| at + within <= now) {
                restarts.history.pop_front();
            }
            let may = restarts.history.len() < restarts.max as usize;
            restarts.history.push_back(now);
            restarts.count += u32::from(may);
            may
        });
        if may {
            slot.state = State::Restarting;
            let class = slot.class;
            if let Some(class) = self.classes.get(class) {
                class.restarts += 1;
            }
            self.emit(incoming::RESTART, [handle.slot, handle.generation, 0, NIL, 0, 0, 0]);
        } else {
            log::warn!(target: "worker", worker = &*slot.name; "worker {} is stopped: it failed too often for its limit of restarts", slot.name);
            self.stop_now(index);
        }
    }

    fn take_held(&mut self, index: u32) -> Option<(u32, u32, Body)> {
        self.slots[index as usize].extra.as_mut().and_then(|extra| extra.held.take())
    }

    /// A request whose handler failed is due: the failure is known, whatever it leads to. `false`: it is no such request.
    pub(super) fn fail_in_time(&mut self, index: u32, id: u32) -> bool {
        let held = self.slots[index as usize].extra.as_ref().and_then(|extra| extra.held.as_ref());
        if held.is_none_or(|(held, ..)| *held != id) {
            return false;
        }
        if let Some(held) = self.take_held(index) {
            self.release(held);
        }
        true
    }

    /// What a failure led to has been done: whoever asked hears of it, if it still waits.
    fn release(&mut self, (id, generation, cause): (u32, u32, Body)) {
        if self.requests.get(id, generation).is_some() {
            self.complete(id, worker_failed(cause), NIL);
        } else {
            self.drop_body(cause.borrow());
        }
    }

    /// Stops a worker; `waiter` (an open order of this isolate) is answered when it is gone.
    /// `timeout`: how long it may drain, in ms. `false`: there is no such worker.
    pub fn stop(&mut self, handle: Handle, timeout: u32, waiter: Handle) -> bool {
        let until = super::deadline(timeout, self.now);
        let Some(slot) = self.slot(handle) else { return false };
        let state = slot.state;
        let extra = slot.extra();
        let is_first = extra.stop_waiters.is_empty();
        extra.stop_waiters.push((waiter.slot, waiter.generation));
        extra.drain_until = if is_first { until } else { extra.drain_until.min(until) };
        let is_over = extra.aborted;
        if state == State::Live {
            self.begin_stop(handle.slot, until);
        } else if !is_over {
            // It begins when `initialize` has ended, or has begun; if that takes too long it is abandoned.
            self.look_by(handle.slot, until);
            self.close_to_senders(handle.slot);
        }
        true
    }

    /// Nothing more is taken: who waits in line was not.
    fn close_to_senders(&mut self, index: u32) {
        let line = std::mem::take(&mut self.slots[index as usize].extra().line);
        let to = (index, self.slots[index as usize].generation);
        self.fail_line(line, to, Failure::new(code::WORKER_STOPPED), Reason::WorkerStopped, NIL);
        self.turn_away(index);
    }

    /// Looks at a worker that stops at this moment, or sooner if that was to be.
    fn look_by(&mut self, index: u32, at: u64) {
        let known = self.slots[index as usize].extra().look_at;
        self.look_at(index, known.map_or(at, |known| known.min(at)));
    }

    fn look_at(&mut self, index: u32, at: u64) {
        if let Some(known) = self.slots[index as usize].extra().look_at.replace(at) {
            self.stopping.remove(&(known, index));
        }
        self.stopping.insert((at, index));
    }

    fn begin_stop(&mut self, index: u32, until: u64) {
        self.slots[index as usize].state = State::Stopping;
        self.close_to_senders(index);
        if !self.slots[index as usize].extra().aborted {
            self.look_by(index, until);
        }
        self.check_drained(index);
    }

    /// Stops without draining: what waits fails, what runs is called off.
    pub(super) fn stop_now(&mut self, index: u32) {
        let until = self.now + ABANDON_AFTER;
        self.look_at(index, until);
        let extra = self.slots[index as usize].extra();
        extra.drain_until = self.now;
        extra.aborted = true;
        let handle = self.handle(index);
        self.fail_waiting(index);
        self.emit(incoming::ABORT, [index, handle.generation, 0, NIL, 0, 0, 0]);
        self.begin_stop(index, until);
    }

    /// What waits in the mailbox fails; what was begun goes on.
    fn fail_waiting(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        let to = (index, slot.generation);
        let mut queue = std::mem::take(&mut slot.queue);
        slot.bytes = 0;
        while let Some(envelope) = self.envelopes.pop(&mut queue) {
            self.drop_body(envelope.body.borrow());
            if envelope.request == NIL {
                let from = (envelope.sender, envelope.sender_generation);
                self.dead_letter(Reason::WorkerStopped, Parties { to, from });
            } else {
                let failure = Failure::new(code::WORKER_STOPPED);
                self.complete(envelope.request, Outcome::Failed(failure, Body::None), NIL);
            }
        }
    }

    /// A message that had been lent but not begun came back.
    pub(super) fn refuse_lent(&mut self, handle: Handle, request: Option<(u32, u32)>) {
        let Some(slot) = self.slot(handle) else { return };
        slot.returned(1);
        match request {
            None => {
                let to = (handle.slot, handle.generation);
                self.dead_letter(Reason::WorkerStopped, Parties { to, ..Parties::UNKNOWN });
            }
            Some((id, generation)) if self.requests.get(id, generation).is_some() => {
                let failure = Failure::new(code::WORKER_STOPPED);
                self.complete(id, Outcome::Failed(failure, Body::None), NIL);
            }
            Some(_) => {}
        }
        self.room_made(handle.slot, &mut super::Closed);
    }

    fn check_drained(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        if slot.state == State::Stopping && slot.held() == 0 {
            slot.state = State::Ending;
            let generation = slot.generation;
            self.emit(incoming::SHUTDOWN, [index, generation, 0, NIL, 0, 0, 0]);
        }
    }

    /// `shutdown` has ended: the worker is gone.
    pub(super) fn ended(&mut self, handle: Handle) {
        if self.slot(handle).is_some_and(|slot| slot.state == State::Ending) {
            self.gone(handle.slot, false);
        }
    }

    pub(super) fn expire_stops(&mut self) {
        let now = self.now;
        while let Some((at, index)) = self.stopping.first().copied()
            && at <= now
        {
            self.fail_waiting(index);
            if std::mem::replace(&mut self.slots[index as usize].extra().aborted, true) {
                self.gone(index, true);
                continue;
            }
            let handle = self.handle(index);
            self.emit(incoming::ABORT, [index, handle.generation, 0, NIL, 0, 0, 0]);
            self.look_at(index, now + ABANDON_AFTER);
            self.check_drained(index);
        }
    }

    /// Frees the slot and the name; everyone who knows the worker hears of it.
    pub(super) fn gone(&mut self, index: u32, is_abandoned: bool) {
        let handle = self.handle(index);
        // Whoever asked what failed hears of that, and not of the end it led to; but after it.
        let held = self.take_held(index);
        if let Some((id, generation, _)) = held
            && let Some(request) = self.requests.get(id, generation)
        {
            request.place = Place::None;
        }
        if self.slots[index as usize].asked > 0 {
            // Whoever still waits for an answer of this worker will get none.
            for (id, _) in self.requests.matching(|r| r.place == Place::Lent { slot: index }) {
                let failure = Failure { maybe_executed: true, ..Failure::new(code::WORKER_STOPPED) };
                self.complete(id, Outcome::Failed(failure, Body::None), NIL);
            }
        }
        let line = std::mem::take(&mut self.slots[index as usize].extra().line);
        let to = (index, handle.generation);
        self.fail_line(line, to, Failure::new(code::WORKER_STOPPED), Reason::WorkerStopped, NIL);
        let slot = &mut self.slots[index as usize];
        let (waiters, look_at) =
            slot.extra.take().map_or_else(Default::default, |extra| (extra.stop_waiters, extra.look_at));
        let (node, name) = (slot.node, std::mem::take(&mut slot.name));
        *slot = Slot::free(next_generation(handle.generation));
        self.free_slots.push(index);
        if let Some(at) = look_at {
            self.stopping.remove(&(at, index));
        }
        if let Some(shared) = self.shared(node).cloned() {
            shared.unregister(&name, handle);
        }
        self.tell_gone(handle);
        self.emit(incoming::GONE, [index, handle.generation, u32::from(is_abandoned), NIL, 0, 0, 0]);
        if let Some(held) = held {
            self.release(held);
        }
        for (id, generation) in waiters {
            if self.requests.get(id, generation).is_some() {
                self.complete(id, Outcome::Reply(Body::None), NIL);
            }
        }
    }
}

fn worker_failed(cause: Body) -> Outcome {
    Outcome::Failed(Failure { maybe_executed: true, ..Failure::new(code::WORKER_FAILED) }, cause)
}
