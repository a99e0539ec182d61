//! Plays a program on a port and on the reference, and compares after each step what is seen and what is there.

use crate::program::{End, Step};
use crate::reference::{Reference, Seen, State};
use std::collections::{HashMap, VecDeque};
use troupe_node::port::record::stage;
use troupe_node::port::{self, Handle, Overflow, WorkerOptions, dead_letters};
use troupe_testkit::{Driver, Told};

/// A worker as its isolate sees it.
struct Seat {
    handle: Handle,
    /// Begun, and lent in order behind it.
    hand: Option<usize>,
    lent: VecDeque<usize>,
    is_paused: bool,
    holds_on_failure: bool,
}

struct Play {
    driver: Driver,
    reference: Reference,
    seats: Vec<Seat>,
    by_slot: HashMap<u32, usize>,
    requests: HashMap<Handle, usize>,
    handles: HashMap<usize, Handle>,
    numbers: HashMap<u32, usize>,
    waits: HashMap<Handle, usize>,
    wait_of: HashMap<usize, Handle>,
    orders: HashMap<Handle, usize>,
    seen: Vec<Seen>,
    delivered: u64,
    lost_before: u64,
}

const NOBODY: u32 = u32::MAX;

fn lost() -> u64 {
    dead_letters().iter().sum()
}

/// Plays a program; the error says at which step the port and the reference part.
pub(crate) fn play(program: &[Step]) -> Result<(), String> {
    let mut play = Play {
        driver: Driver::new(),
        reference: Reference::default(),
        seats: Vec::new(),
        by_slot: HashMap::new(),
        requests: HashMap::new(),
        handles: HashMap::new(),
        numbers: HashMap::new(),
        waits: HashMap::new(),
        wait_of: HashMap::new(),
        orders: HashMap::new(),
        seen: Vec::new(),
        delivered: 0,
        lost_before: lost(),
    };
    for (number, step) in program.iter().enumerate() {
        play.step(*step).map_err(|error| format!("step {number}, {step:?}: {error}"))?;
    }
    play.end().map_err(|error| format!("at the end: {error}"))
}

impl Play {
    fn step(&mut self, step: Step) -> Result<(), String> {
        let count = self.seats.len();
        let worker = |number: usize| (count > 0).then(|| number % count);
        match step {
            Step::Start { capacity, rejects, on_failure, max_restarts, is_slow } => {
                let options = WorkerOptions {
                    mailbox: capacity,
                    overflow: if rejects { Overflow::Reject } else { Overflow::Wait },
                    on_failure,
                    max_restarts,
                    within: 1000,
                    has_behaviour: true,
                };
                let handle =
                    self.driver.begin_start(&format!("w{count}"), &options).map_err(|e| e.to_string())?;
                self.by_slot.insert(handle.slot, count);
                let holds_on_failure = on_failure != port::OnFailure::Resume;
                let (hand, lent) = (None, VecDeque::new());
                self.seats.push(Seat { handle, hand, lent, is_paused: true, holds_on_failure });
                self.reference.start(capacity, rejects, on_failure, max_restarts);
                if !is_slow {
                    self.ready(count, true);
                }
            }
            Step::Ready { worker: number, is_good } => {
                let starts = |worker: &usize| {
                    matches!(self.reference.workers[*worker].state, State::Starting | State::Restarting)
                };
                if let Some(worker) = worker(number).filter(starts) {
                    self.ready(worker, is_good);
                }
            }
            Step::Send { .. } | Step::Ask { .. } | Step::AskNested { .. } | Step::Answer { .. } => {
                self.hand_over(step);
            }
            Step::Finish { worker: number, end } => {
                if let Some(worker) = worker(number).filter(|worker| self.seats[*worker].hand.is_some()) {
                    self.finish(worker, end);
                }
            }
            Step::ReplyLater { message } => {
                let requests: Vec<_> = (0..self.reference.count())
                    .filter(|message| {
                        self.reference.is_request(*message) && self.reference.was_begun(*message)
                    })
                    .collect();
                if !requests.is_empty() {
                    let message = requests[message % requests.len()];
                    let seat = &self.seats[self.reference.receiver(message)];
                    self.driver.reply(seat.handle, self.handles[&message], "later");
                    self.reference.reply(message);
                }
            }
            Step::GiveUp { message } => {
                let open: Vec<_> =
                    (0..self.reference.count()).filter(|message| self.reference.is_open(*message)).collect();
                if !open.is_empty() {
                    let message = open[message % open.len()];
                    let at = self.handles.get(&message).or_else(|| self.wait_of.get(&message));
                    self.driver.give_up(*at.ok_or("nobody knows the number of what waits")?);
                    self.reference.give_up(message);
                }
            }
            Step::Stop { worker: number, timeout } => {
                let is_there = |worker: &usize| self.reference.workers[*worker].state != State::Gone;
                if let Some(worker) = worker(number).filter(is_there) {
                    let order = self.driver.stop(self.seats[worker].handle, timeout);
                    self.orders.insert(order, worker);
                    self.reference.stop(worker, timeout);
                }
            }
            Step::Ended { worker: number } => {
                let ends = |worker: &usize| self.reference.workers[*worker].state == State::Ending;
                if let Some(worker) = worker(number).filter(ends) {
                    self.driver.ended(self.seats[worker].handle);
                    self.reference.ended(worker);
                }
            }
            Step::Pass { milliseconds } => {
                for _ in 0..milliseconds {
                    self.driver.now += 1;
                    self.reference.tick();
                    self.compare()?;
                }
            }
        }
        self.compare()
    }

    /// A step by which a message is handed over.
    fn hand_over(&mut self, step: Step) {
        let count = self.seats.len();
        let worker = |number: usize| (count > 0).then(|| number % count);
        match step {
            Step::Send { from, to, timeout } => {
                if let (Some(from), Some(to)) = (worker(from), worker(to)) {
                    let message = self.reference.message(to, false, timeout, None);
                    let (sender, receiver) = (self.sender(from), self.seats[to].handle);
                    let number = self.driver.send(sender, receiver, &message.to_string(), timeout);
                    self.numbers.insert(number, message);
                    self.reference.hand_over(message, sender == NOBODY || from != to, true);
                }
            }
            Step::Ask { from, to, timeout } => {
                if let (Some(from), Some(to)) = (worker(from), worker(to)) {
                    let message = self.reference.message(to, true, timeout, None);
                    let (sender, receiver) = (self.sender(from), self.seats[to].handle);
                    let request = self.driver.ask(sender, receiver, &message.to_string(), timeout);
                    self.asked(message, request);
                    self.reference.hand_over(message, sender == NOBODY || from != to, true);
                }
            }
            Step::AskNested { from, to, timeout } => {
                let hand = worker(from).and_then(|from| self.seats[from].hand.map(|hand| (from, hand)));
                if let (Some((from, hand)), Some(to)) = (hand, worker(to)) {
                    let is_asked = self.reference.is_request(hand) && self.reference.is_open(hand);
                    let parent = is_asked.then_some(hand);
                    let message = self.reference.message(to, true, timeout, parent);
                    let (sender, receiver) = (self.seats[from].handle.slot, self.seats[to].handle);
                    let text = message.to_string();
                    let request = match self.handles.get(&hand) {
                        Some(parent) => self.driver.ask_nested(*parent, sender, receiver, &text, timeout),
                        None => self.driver.ask(sender, receiver, &text, timeout),
                    };
                    self.asked(message, request);
                    self.reference.hand_over(message, from != to, true);
                }
            }
            Step::Answer { from, to } => {
                if let (Some(from), Some(to)) = (worker(from), worker(to)) {
                    let message = self.reference.message(to, false, u32::MAX, None);
                    let (sender, receiver) = (self.sender(from), self.seats[to].handle);
                    self.driver.reply_to_send(sender, receiver, &message.to_string());
                    self.reference.hand_over(message, false, false);
                }
            }
            _ => {}
        }
    }

    fn sender(&self, from: usize) -> u32 {
        let is_gone = self.reference.workers[from].state == State::Gone;
        if is_gone { NOBODY } else { self.seats[from].handle.slot }
    }

    fn asked(&mut self, message: usize, request: Handle) {
        self.requests.insert(request, message);
        self.handles.insert(message, request);
    }

    fn ready(&mut self, worker: usize, is_good: bool) {
        self.driver.ready(self.seats[worker].handle, is_good);
        self.seats[worker].is_paused = !is_good;
        self.reference.ready(worker, is_good);
    }

    fn finish(&mut self, worker: usize, end: End) {
        let seat = &mut self.seats[worker];
        let Some(message) = seat.hand.take() else { return };
        let request = self.handles.get(&message).copied();
        if end == End::Fails {
            seat.is_paused |= seat.holds_on_failure;
            self.driver.fail(seat.handle, request, "cause");
            return self.reference.fail(worker);
        }
        let replies = match end {
            End::Replies => 1,
            End::RepliesTwice => 2,
            End::Silent | End::Fails => 0,
        };
        for _ in 0..replies {
            if let Some(request) = request {
                self.driver.reply(seat.handle, request, "reply");
                self.reference.reply(message);
            }
        }
        self.driver.done(seat.handle, 1);
        self.reference.finish(worker);
    }

    /// Lets the port and the isolate come to rest, then compares them with the reference.
    fn compare(&mut self) -> Result<(), String> {
        loop {
            let told = self.driver.flush();
            if told.is_empty() && !self.driver.flushed.more {
                break;
            }
            for told in told {
                self.take(told)?;
            }
        }
        self.begin();
        self.seen.sort();
        self.reference.seen.sort();
        let (seen, expected) = (std::mem::take(&mut self.seen), std::mem::take(&mut self.reference.seen));
        if seen != expected {
            return Err(format!("seen {seen:?}, expected {expected:?}"));
        }
        if lost() - self.lost_before != self.reference.lost {
            return Err(format!("{} dead letters, not {}", lost() - self.lost_before, self.reference.lost));
        }
        self.compare_workers()
    }

    fn compare_workers(&self) -> Result<(), String> {
        for (index, (seat, worker)) in self.seats.iter().zip(&self.reference.workers).enumerate() {
            let name = format!("w{index}");
            let listed = self.driver.port.list(self.driver.node, &name, usize::MAX);
            let listed = listed.iter().find(|listed| listed.name == name);
            let listed =
                listed.map(|listed| (listed.state, listed.held as usize, listed.handled, listed.failed));
            let state = match worker.state {
                State::Starting => Some(port::State::Starting),
                State::Live => Some(port::State::Live),
                State::Restarting => Some(port::State::Restarting),
                State::Stopping => Some(port::State::Stopping),
                State::Ending => Some(port::State::Ending),
                State::Gone => None,
            };
            let held = worker.mailbox.len() + usize::from(worker.hand.is_some());
            let expected = state.map(|state| (state, held, worker.handled, worker.failed));
            if listed != expected {
                return Err(format!("worker {index} is listed as {listed:?}, expected {expected:?}"));
            }
            if seat.hand != worker.hand && worker.state != State::Gone {
                return Err(format!("worker {index} handles {:?}, expected {:?}", seat.hand, worker.hand));
            }
            // What is lent is the head of the mailbox, in order.
            if !seat.lent.iter().eq(worker.mailbox.iter().take(seat.lent.len())) {
                return Err(format!("worker {index} was lent {:?} of {:?}", seat.lent, worker.mailbox));
            }
        }
        if self.driver.port.delivered() != self.delivered {
            return Err(format!("{} delivered, {} seen", self.driver.port.delivered(), self.delivered));
        }
        Ok(())
    }

    fn begin(&mut self) {
        for seat in &mut self.seats {
            if seat.hand.is_none() && !seat.is_paused {
                seat.hand = seat.lent.pop_front();
            }
        }
    }

    fn take(&mut self, told: Told) -> Result<(), String> {
        match told {
            Told::Message { slot, body, .. } => {
                let message = body.parse().map_err(|_| format!("no message: {body}"))?;
                let worker = *self.by_slot.get(&slot).ok_or("a message for nobody")?;
                self.delivered += 1;
                self.seats[worker].lent.push_back(message);
                self.begin();
            }
            Told::Reply { request, .. } => {
                self.seen.push(match self.requests.get(&request) {
                    Some(message) => Seen::Replied(*message),
                    None => Seen::Stopped(self.orders[&request]),
                });
            }
            Told::Fail { request, code, stage, maybe_executed, .. } => {
                let request = self.requests[&request];
                self.seen.push(Seen::Failed { request, code, stage, maybe_executed });
            }
            Told::Waiting { number, wait } => {
                let message = self.numbers[&number];
                self.waits.insert(wait, message);
                self.wait_of.insert(message, wait);
                self.seen.push(Seen::Waits(message));
            }
            Told::Refused { number, code } => self.seen.push(Seen::Lost(self.numbers[&number], code)),
            Told::Sent { wait } => self.seen.push(Seen::LetIn(self.waits[&wait])),
            Told::Unsent { wait, code } => self.seen.push(Seen::Lost(self.waits[&wait], code)),
            Told::Cancel { slot, request, wants_stage } => {
                let message = self.requests[&request];
                let reached = self.cancel(slot, message);
                if wants_stage {
                    self.driver.stage(request, reached);
                }
            }
            Told::Restart(_) | Told::Shutdown(_) => {}
            Told::Abort(worker) => {
                let index = self.by_slot[&worker.slot];
                for message in std::mem::take(&mut self.seats[index].lent) {
                    self.driver.refuse(worker, self.handles.get(&message).copied());
                }
            }
            Told::Gone { worker, was_abandoned } => {
                let index = self.by_slot[&worker.slot];
                self.seats[index].hand = None;
                if !self.seats[index].lent.is_empty() {
                    return Err(format!("worker {index} went with {:?} lent", self.seats[index].lent));
                }
                self.seen.push(Seen::Gone { worker: index, was_abandoned });
            }
        }
        Ok(())
    }

    fn cancel(&mut self, slot: u32, message: usize) -> u32 {
        let Some(seat) = self.by_slot.get(&slot).map(|index| &mut self.seats[*index]) else {
            return stage::HANDLED;
        };
        if seat.hand == Some(message) {
            return stage::RUNNING;
        }
        let Some(at) = seat.lent.iter().position(|lent| *lent == message) else { return stage::HANDLED };
        seat.lent.remove(at);
        self.driver.done(seat.handle, 1);
        stage::QUEUED
    }

    /// All workers stop, time passes: nothing may be left.
    fn end(&mut self) -> Result<(), String> {
        for worker in 0..self.seats.len() {
            self.step(Step::Stop { worker, timeout: 0 })?;
        }
        self.step(Step::Pass { milliseconds: 251 })?;
        for message in 0..self.reference.count() {
            if self.reference.is_open(message) {
                return Err(format!("message {message} has no outcome"));
            }
        }
        let (open, ours, bodies) =
            (self.driver.port.open_requests(), self.driver.open_requests(), self.driver.kept_bodies());
        if (open, ours, bodies) != (0, 0, 0) {
            return Err(format!("left: {open} requests in the port, {ours} in the isolate, {bodies} bodies"));
        }
        match self.driver.flushed.next {
            Some(next) => Err(format!("a deadline is left, at {next}")),
            None => Ok(()),
        }
    }
}
