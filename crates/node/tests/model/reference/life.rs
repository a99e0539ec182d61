//! What failures, restarts and stops do.

use super::{GRACE, Message, Place, Reference, Seen, State, WITHIN};
use troupe_node::OnFailure;
use troupe_node::code;

impl Reference {
    /// The handler of a worker fails.
    pub(crate) fn fail(&mut self, index: usize) {
        let Some(message) = self.workers[index].hand.take() else { return };
        let worker = &mut self.workers[index];
        worker.handled += 1;
        worker.failed += 1;
        self.messages[message].place = Place::Handled;
        let policy = if worker.is_over { OnFailure::Resume } else { worker.on_failure };
        if policy == OnFailure::Resume {
            if self.messages[message].is_request {
                self.end(message, code::WORKER_FAILED, 0, true);
            }
            return self.settle(index);
        }
        if self.messages[message].is_open {
            self.messages[message].place = Place::Held;
            worker.held = Some(message);
        }
        if policy == OnFailure::Restart {
            self.restart_or_stop(index);
        } else {
            self.stop_now(index);
        }
    }

    fn restart_or_stop(&mut self, index: usize) {
        let now = self.now;
        let worker = &mut self.workers[index];
        worker.restarts.retain(|at| at + WITHIN > now);
        let may = worker.restarts.len() < worker.max_restarts;
        worker.restarts.push_back(now);
        if may {
            worker.state = State::Restarting;
            self.settle(index);
        } else {
            self.stop_now(index);
        }
    }

    fn stop_now(&mut self, index: usize) {
        let now = self.now;
        let worker = &mut self.workers[index];
        worker.is_over = true;
        worker.look_at = Some(now + GRACE);
        worker.state = State::Stopping;
        self.fail_mailbox(index);
        self.close(index);
        self.settle(index);
    }

    /// Nothing more is taken; who waits in line was not taken.
    fn close(&mut self, index: usize) {
        self.workers[index].is_closing = true;
        while let Some(message) = self.workers[index].line.pop_front() {
            self.turn_away(message);
        }
    }

    fn fail_mailbox(&mut self, index: usize) {
        while let Some(message) = self.workers[index].mailbox.pop_front() {
            self.turn_away(message);
        }
    }

    /// A message that a stop keeps from being handled.
    fn turn_away(&mut self, message: usize) {
        let was_in_line = self.messages[message].place == Place::Line;
        self.messages[message].place = Place::Nowhere;
        if self.messages[message].is_request {
            return self.end(message, code::WORKER_STOPPED, 0, false);
        }
        self.lost += 1;
        if was_in_line {
            self.messages[message].is_open = false;
            self.seen.push(Seen::Lost(message, code::WORKER_STOPPED));
        }
    }

    /// `initialize`, or a restart, ends.
    pub(crate) fn ready(&mut self, index: usize, is_good: bool) {
        match (self.workers[index].state, is_good) {
            (State::Starting | State::Restarting, true) => {
                let worker = &mut self.workers[index];
                worker.state = if worker.is_closing { State::Stopping } else { State::Live };
                self.release(index);
                self.settle(index);
            }
            (State::Starting, false) => {
                self.fail_mailbox(index);
                self.gone(index, true);
            }
            (State::Restarting, false) => self.restart_or_stop(index),
            _ => {}
        }
    }

    pub(super) fn release(&mut self, index: usize) {
        if let Some(request) = self.workers[index].held.take() {
            self.end(request, code::WORKER_FAILED, 0, true);
            self.messages[request].place = Place::Handled;
        }
    }

    pub(crate) fn stop(&mut self, index: usize, timeout: u32) {
        let until = self.now + u64::from(timeout);
        let worker = &mut self.workers[index];
        worker.stops += 1;
        if !worker.is_over {
            worker.look_at = Some(worker.look_at.map_or(until, |at| at.min(until)));
        }
        if worker.state == State::Live {
            worker.state = State::Stopping;
        }
        self.close(index);
        self.settle(index);
        self.look();
    }

    /// `shutdown` ends.
    pub(crate) fn ended(&mut self, index: usize) {
        if self.workers[index].state == State::Ending {
            self.gone(index, false);
        }
    }

    fn gone(&mut self, index: usize, was_abandoned: bool) {
        self.close(index);
        for message in 0..self.messages.len() {
            let Message { to, place, is_request, .. } = self.messages[message];
            if to == index && is_request && matches!(place, Place::Hand | Place::Handled) {
                // Whoever still waits for an answer of this worker will get none.
                self.end(message, code::WORKER_STOPPED, 0, true);
            }
        }
        if let Some(message) = self.workers[index].hand.take() {
            self.messages[message].place = Place::Handled;
        }
        self.release(index);
        let worker = &mut self.workers[index];
        worker.state = State::Gone;
        worker.look_at = None;
        self.seen.push(Seen::Gone { worker: index, was_abandoned });
        for _ in 0..std::mem::take(&mut worker.stops) {
            self.seen.push(Seen::Stopped(index));
        }
    }

    /// Time to drain, and the grace after it.
    pub(super) fn look(&mut self) {
        for index in 0..self.workers.len() {
            if self.workers[index].look_at.is_none_or(|at| at > self.now) {
                continue;
            }
            self.fail_mailbox(index);
            if std::mem::replace(&mut self.workers[index].is_over, true) {
                self.gone(index, true);
            } else {
                self.workers[index].look_at = Some(self.now + GRACE);
                self.settle(index);
            }
        }
    }
}
