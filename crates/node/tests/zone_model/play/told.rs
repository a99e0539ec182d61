//! What the isolate of a node does with what its port tells it; the outcomes in it go to the reference.

use super::Play;
use crate::reference::Outcome;
use troupe_node::port::Handle;
use troupe_node::port::record::stage;
use troupe_testkit::Told;

impl Play {
    /// Hands every node what was put for it, and acts on what it says, until none says anything.
    pub(super) fn flush(&mut self) -> Result<(), String> {
        loop {
            let mut is_quiet = true;
            for place in 0..self.nodes.len() {
                is_quiet &= !self.flush_one(place)?;
            }
            if is_quiet {
                return Ok(());
            }
        }
    }

    /// As [`Play::flush`], and goes on with what goes by itself.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        self.flush()?;
        while self.go_on_leaving() {
            self.flush()?;
        }
        Ok(())
    }

    /// Says whether there was anything.
    fn flush_one(&mut self, place: usize) -> Result<bool, String> {
        let now = self.reference.now + super::steps::EPOCH;
        let Some(node) = &mut self.nodes[place] else { return Ok(false) };
        node.driver.now = now;
        let told = node.driver.flush();
        let has_more = node.driver.flushed.more;
        let any = !told.is_empty() || has_more;
        for told in told {
            self.take(place, told)?;
        }
        self.begin(place)?;
        Ok(any)
    }

    /// Whatever can be begun is.
    fn begin(&mut self, place: usize) -> Result<(), String> {
        let Some(node) = &mut self.nodes[place] else { return Ok(()) };
        for seat in &mut node.seats {
            if seat.hand.is_some() || seat.is_paused {
                continue;
            }
            // One whose deadline has passed is not begun; the port says how it ends.
            let next = seat.lent.front().filter(|message| !self.reference.is_due(**message));
            let message = next.copied();
            if let Some(message) = message {
                seat.lent.pop_front();
                seat.hand = Some(message);
                self.reference.begin(message)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, place: usize, told: Told) -> Result<(), String> {
        let Some(node) = &mut self.nodes[place] else { return Ok(()) };
        match told {
            Told::Message { slot, request, body, remaining, sender } => {
                let number = body.split(' ').next().and_then(|number| number.parse().ok());
                let message: usize = number.ok_or_else(|| format!("no message: {body}"))?;
                if slot == node.main.slot {
                    let (main, life) = (node.main, node.life);
                    node.driver.done(main, 1);
                    return self.reference.came_to_main(message, life);
                }
                let seat = node.seat_at(slot).ok_or_else(|| format!("message {message} is for nobody"))?;
                seat.lent.push_back(message);
                let worker = seat.worker;
                if let Some(request) = request {
                    node.inbound.insert(request, message);
                    self.asked[message] = Some((place, request, 0));
                } else {
                    self.sources[message] = sender.map(|source| (place, source));
                }
                self.reference.lent(message, worker, remaining)?;
                self.begin(place)?;
            }
            Told::Reply { request, body } => {
                // The answer to a stop is none to a message.
                if let Some(message) = node.requests.remove(&request) {
                    self.reference.hear(message, Outcome::Reply(body))?;
                }
            }
            Told::Fail { request, code, stage, maybe_executed, .. } => {
                if let Some(message) = node.requests.remove(&request) {
                    self.reference.hear(message, Outcome::Failed { code, stage, maybe_executed })?;
                }
            }
            Told::Waiting { number, wait } => {
                let message = node.numbers[&number];
                node.requests.insert(wait, message);
                self.handles[message] = Some(wait);
                self.reference.messages[message].waits = true;
            }
            Told::Refused { number, code } => {
                let message = node.numbers[&number];
                self.reference.hear(message, lost(code))?;
            }
            Told::Sent { wait } => {
                if let Some(message) = node.requests.remove(&wait) {
                    self.reference.hear(message, Outcome::Reply(String::new()))?;
                }
            }
            Told::Unsent { wait, code } => {
                if let Some(message) = node.requests.remove(&wait) {
                    self.reference.hear(message, lost(code))?;
                }
            }
            Told::Cancel { slot, request, wants_stage } => {
                let reached = self.cancel(place, slot, request);
                if wants_stage && let Some(node) = &mut self.nodes[place] {
                    node.driver.stage(request, reached);
                }
            }
            Told::Restart(worker) => {
                if let Some(seat) = node.seat_at(worker.slot) {
                    (seat.is_paused, seat.is_starting) = (true, true);
                }
            }
            Told::Shutdown(worker) => {
                node.driver.ended(worker);
            }
            Told::Abort(worker) => {
                let Some(seat) = node.seat_at(worker.slot) else { return Ok(()) };
                let index = seat.worker;
                let lent = std::mem::take(&mut seat.lent);
                self.reference.closes(index);
                for message in lent {
                    node.driver.refuse(worker, self.asked[message].map(|(_, request, _)| request));
                    self.reference.refuse(message);
                }
            }
            Told::Gone { worker, .. } if worker == node.main => {}
            Told::Gone { worker, .. } => {
                let Some(at) = node.seats.iter().position(|seat| seat.handle == worker) else {
                    return Err(format!("{worker:?} is gone, and was not there"));
                };
                let seat = node.seats.remove(at);
                self.reference.gone(seat.worker);
                if !seat.lent.is_empty() {
                    return Err(format!("worker {} went with {:?} lent", seat.worker, seat.lent));
                }
            }
        }
        Ok(())
    }

    fn cancel(&mut self, place: usize, slot: u32, request: Handle) -> u32 {
        let Some(node) = &mut self.nodes[place] else { return stage::HANDLED };
        let Some(message) = node.inbound.get(&request).copied() else { return stage::HANDLED };
        let Some(seat) = node.seat_at(slot) else { return stage::HANDLED };
        if seat.hand == Some(message) {
            return stage::RUNNING;
        }
        let Some(at) = seat.lent.iter().position(|lent| *lent == message) else { return stage::HANDLED };
        seat.lent.remove(at);
        let handle = seat.handle;
        node.driver.done(handle, 1);
        stage::QUEUED
    }
}

fn lost(code: u8) -> Outcome {
    Outcome::Failed { code, stage: 0, maybe_executed: false }
}
