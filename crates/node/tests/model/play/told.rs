//! What the isolate does with what the port tells it; the outcomes in it are what is seen.

use super::Play;
use crate::reference::Seen;
use troupe_node::port::record::stage;
use troupe_testkit::Told;

impl Play {
    pub(super) fn begin(&mut self) {
        for seat in &mut self.seats {
            if seat.hand.is_none() && !seat.is_paused {
                seat.hand = seat.lent.pop_front();
            }
        }
    }

    pub(super) fn take(&mut self, told: Told) -> Result<(), String> {
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
}
