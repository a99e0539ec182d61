//! What a node promises, said a second time and as plainly as can be: lists and loops, no slots, no links, no wheel. What
//! is promised is in `docs/semantics.md`; nothing here is taken from the port.

mod life;

use std::collections::VecDeque;
use troupe_node::OnFailure;
use troupe_node::code;

/// What somebody sees happen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Seen {
    /// A send has to wait for room.
    Waits(usize),
    /// It found room.
    LetIn(usize),
    /// A send went nowhere: at once, or after it had waited.
    Lost(usize, u8),
    /// The outcome of a request.
    Replied(usize),
    Failed {
        request: usize,
        code: u8,
        stage: u32,
        maybe_executed: bool,
    },
    Gone {
        worker: usize,
        was_abandoned: bool,
    },
    /// A call to stop was answered.
    Stopped(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Starting,
    Live,
    Restarting,
    Stopping,
    Ending,
    Gone,
}

#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) state: State,
    capacity: usize,
    rejects: bool,
    on_failure: OnFailure,
    max_restarts: usize,
    restarts: VecDeque<u64>,
    /// What is being handled.
    pub(crate) hand: Option<usize>,
    pub(crate) mailbox: VecDeque<usize>,
    line: VecDeque<usize>,
    pub(crate) handled: u64,
    pub(crate) failed: u32,
    /// A request whose failure is told when the policy has been carried out.
    held: Option<usize>,
    is_closing: bool,
    is_over: bool,
    /// When its time to drain, or its grace after that, is over.
    look_at: Option<u64>,
    stops: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Nowhere,
    Line,
    Mailbox,
    Hand,
    Handled,
    Held,
}

#[derive(Debug)]
struct Message {
    to: usize,
    is_request: bool,
    deadline: u64,
    place: Place,
    /// Its worker's isolate has it, begun or not.
    is_lent: bool,
    /// Somebody waits: for the answer, or for room.
    is_open: bool,
    parent: Option<usize>,
}

/// Time that a handler has beyond the time to drain.
const GRACE: u64 = 250;
const WITHIN: u64 = 1000;
const QUEUED: u32 = 1;
const RUNNING: u32 = 2;
const HANDLED: u32 = 3;

/// All workers and messages of one node.
#[derive(Debug, Default)]
pub(crate) struct Reference {
    pub(crate) now: u64,
    pub(crate) workers: Vec<Worker>,
    messages: Vec<Message>,
    pub(crate) seen: Vec<Seen>,
    /// Dead letters.
    pub(crate) lost: u64,
}

impl Reference {
    pub(crate) fn start(&mut self, capacity: u32, rejects: bool, on_failure: OnFailure, max_restarts: u32) {
        self.workers.push(Worker {
            state: State::Starting,
            capacity: capacity as usize,
            rejects,
            on_failure,
            max_restarts: max_restarts as usize,
            restarts: VecDeque::new(),
            hand: None,
            mailbox: VecDeque::new(),
            line: VecDeque::new(),
            handled: 0,
            failed: 0,
            held: None,
            is_closing: false,
            is_over: false,
            look_at: None,
            stops: 0,
        });
    }

    /// Numbers a message; it is not on its way yet.
    pub(crate) fn message(
        &mut self,
        to: usize,
        is_request: bool,
        timeout: u32,
        parent: Option<usize>,
    ) -> usize {
        let own = if timeout == u32::MAX { u64::MAX } else { self.now + u64::from(timeout) };
        let deadline = parent.map_or(own, |parent| own.min(self.messages[parent].deadline));
        let is_open = is_request;
        let place = Place::Nowhere;
        self.messages.push(Message { to, is_request, deadline, place, is_lent: false, is_open, parent });
        self.messages.len() - 1
    }

    pub(crate) fn count(&self) -> usize {
        self.messages.len()
    }

    pub(crate) fn is_open(&self, message: usize) -> bool {
        self.messages[message].is_open
    }

    pub(crate) fn is_request(&self, message: usize) -> bool {
        self.messages[message].is_request
    }

    pub(crate) fn receiver(&self, message: usize) -> usize {
        self.messages[message].to
    }

    /// Its worker has begun to handle it, whatever came of that.
    pub(crate) fn was_begun(&self, message: usize) -> bool {
        matches!(self.messages[message].place, Place::Handled | Place::Held)
    }

    fn end(&mut self, request: usize, code: u8, stage: u32, maybe_executed: bool) {
        if std::mem::take(&mut self.messages[request].is_open) {
            self.seen.push(Seen::Failed { request, code, stage, maybe_executed });
        }
    }

    fn has_room(&self, worker: usize) -> bool {
        let worker = &self.workers[worker];
        // One of those that its isolate has is in hand, or about to be.
        let is_next = |message: &usize| self.messages[*message].is_lent;
        let in_hand = usize::from(worker.hand.is_none() && worker.mailbox.front().is_some_and(is_next));
        worker.mailbox.len() - in_hand < worker.capacity
    }

    /// Hands a message over. `may_wait`: not a reply, and not to the sender itself.
    pub(crate) fn hand_over(&mut self, message: usize, may_wait: bool, is_told: bool) {
        let to = self.messages[message].to;
        let Worker { state, is_closing, rejects, .. } = self.workers[to];
        let refused = if state == State::Gone {
            Some(code::NO_SUCH_WORKER)
        } else if is_closing {
            Some(code::WORKER_STOPPED)
        } else if self.workers[to].line.is_empty() && self.has_room(to) {
            None
        } else if rejects || !may_wait {
            Some(code::MAILBOX_FULL)
        } else {
            self.messages[message].place = Place::Line;
            self.workers[to].line.push_back(message);
            if !self.messages[message].is_request {
                self.messages[message].is_open = true;
                self.seen.push(Seen::Waits(message));
            }
            return;
        };
        match refused {
            None => {
                self.messages[message].place = Place::Mailbox;
                self.workers[to].mailbox.push_back(message);
                self.settle(to);
            }
            Some(code) if self.messages[message].is_request => self.end(message, code, 0, false),
            Some(code) => {
                self.lost += 1;
                if is_told {
                    self.seen.push(Seen::Lost(message, code));
                }
            }
        }
    }

    /// Whoever can begin begins, whoever waits and finds room is let in, whoever has drained ends.
    fn settle(&mut self, index: usize) {
        loop {
            if matches!(self.workers[index].state, State::Live | State::Stopping) {
                for message in &self.workers[index].mailbox {
                    self.messages[*message].is_lent = true;
                }
                if self.workers[index].hand.is_none()
                    && let Some(message) = self.workers[index].mailbox.pop_front()
                {
                    self.messages[message].place = Place::Hand;
                    self.workers[index].hand = Some(message);
                }
            }
            if self.workers[index].line.is_empty() || !self.has_room(index) {
                break;
            }
            let Some(message) = self.workers[index].line.pop_front() else { break };
            self.messages[message].place = Place::Mailbox;
            self.workers[index].mailbox.push_back(message);
            if !self.messages[message].is_request {
                self.messages[message].is_open = false;
                self.seen.push(Seen::LetIn(message));
            }
        }
        let worker = &mut self.workers[index];
        if worker.state == State::Stopping && worker.hand.is_none() && worker.mailbox.is_empty() {
            worker.state = State::Ending;
        }
    }

    /// The handler of a worker ends; what it said to its asker has been said.
    pub(crate) fn finish(&mut self, index: usize) {
        let Some(message) = self.workers[index].hand.take() else { return };
        self.messages[message].place = Place::Handled;
        self.workers[index].handled += 1;
        self.settle(index);
    }

    pub(crate) fn reply(&mut self, request: usize) {
        if std::mem::take(&mut self.messages[request].is_open) {
            self.seen.push(Seen::Replied(request));
        } else {
            self.lost += 1;
        }
    }

    /// Whoever waits for an answer or for room gives up.
    pub(crate) fn give_up(&mut self, message: usize) {
        if !std::mem::take(&mut self.messages[message].is_open) {
            return;
        }
        for child in 0..self.messages.len() {
            if self.messages[child].parent == Some(message) && self.messages[child].is_open {
                self.give_up(child);
                let (request, code) = (child, code::GIVEN_UP);
                self.seen.push(Seen::Failed { request, code, stage: 0, maybe_executed: false });
            }
        }
        if !self.messages[message].is_request {
            self.lost += 1;
        }
        if let Some(worker) = self.withdraw(message) {
            self.settle(worker);
        }
    }

    /// Takes a message out of line or mailbox.
    fn withdraw(&mut self, message: usize) -> Option<usize> {
        let Message { to, place, is_lent, .. } = self.messages[message];
        match place {
            Place::Line => self.workers[to].line.retain(|other| *other != message),
            Place::Mailbox => {
                self.workers[to].mailbox.retain(|other| *other != message);
                self.workers[to].handled += u64::from(is_lent);
            }
            _ => return None,
        }
        self.messages[message].place = Place::Nowhere;
        Some(to)
    }

    /// One millisecond passes.
    pub(crate) fn tick(&mut self) {
        self.now += 1;
        let mut touched = Vec::new();
        for message in 0..self.messages.len() {
            if self.messages[message].is_open && self.messages[message].deadline <= self.now {
                touched.extend(self.expire(message));
            }
        }
        for worker in touched {
            self.settle(worker);
        }
        self.look();
    }

    fn expire(&mut self, message: usize) -> Option<usize> {
        let Message { place, to, is_request, .. } = self.messages[message];
        if !is_request {
            self.messages[message].is_open = false;
            self.lost += 1;
            self.seen.push(Seen::Lost(message, code::TIMEOUT));
            return self.withdraw(message);
        }
        let worker = &self.workers[to];
        let is_abandoned = worker.is_over && worker.look_at == Some(self.now);
        match place {
            // Both at the same moment: that the worker is gone says more than that time is over.
            Place::Hand | Place::Handled if is_abandoned => {}
            Place::Hand => self.end(message, code::TIMEOUT, RUNNING, true),
            Place::Handled => self.end(message, code::TIMEOUT, HANDLED, true),
            Place::Held => self.release(to),
            Place::Line | Place::Mailbox | Place::Nowhere => {
                self.end(message, code::TIMEOUT, QUEUED, false);
                return self.withdraw(message);
            }
        }
        None
    }
}
