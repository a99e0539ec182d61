//! What a step does, to the port and to the reference alike.

use super::{NOBODY, Play, Seat};
use crate::program::Step;
use crate::reference::State;
use std::collections::VecDeque;
use troupe_node::port::{self, Handle, Overflow, WorkerOptions};
use troupe_testkit::End;

impl Play {
    pub(super) fn step(&mut self, step: Step) -> Result<(), String> {
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
}
