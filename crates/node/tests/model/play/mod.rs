//! Plays a program on a port and on the reference, and compares after each step what is seen and what is there.

mod steps;
mod told;

use crate::program::Step;
use crate::reference::{Reference, Seen, State};
use std::collections::{HashMap, VecDeque};
use troupe_node::port::{self, Handle, dead_letters};
use troupe_testkit::Driver;

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
