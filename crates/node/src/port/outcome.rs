//! How requests end: exactly once each, and whoever asked hears of it.

use super::dead_letter::Reason;
use super::record::{self, NIL, full, incoming, stage};
use super::request::{Origin, Place};
use super::target::Whereabouts;
use super::{Body, BodyRef, Failure, Handle, Outcome, Port};
use crate::code;

/// How long a sender waits beyond the deadline for the receiver to report the stage, in ms.
const STAGE_GRACE: u64 = 50;

impl Port {
    /// Ends a request with a reply whose text is only lent.
    pub(super) fn complete_with(&mut self, id: u32, body: BodyRef<'_>) {
        let request = self.requests.known(id);
        if let Origin::Link { link, slot, generation } = request.origin {
            self.close(id);
            self.send_reply(link, Handle { slot, generation }, body);
        } else {
            self.complete(id, Outcome::Reply(body.into_owned()), NIL);
        }
    }

    /// Ends a request. `link`: the peer that a failure is about, or `NIL`.
    pub(super) fn complete(&mut self, id: u32, outcome: Outcome, link: u32) {
        let (generation, is_send) = {
            let request = self.requests.known(id);
            (request.generation, request.is_send)
        };
        match (self.close(id), outcome) {
            (Origin::Isolate | Origin::Order, Outcome::Reply(body)) if !is_send => {
                self.emit_body(incoming::REPLY, [id, generation, 0, NIL, 0, 0, 0], body);
            }
            (Origin::Isolate | Origin::Order, Outcome::Failed(failure, cause)) if !is_send => {
                self.emit_failure(id, generation, failure, cause, link);
            }
            (Origin::Isolate | Origin::Order, Outcome::Reply(_)) => {
                self.emit(incoming::SENT, [id, generation, 0, NIL, 0, 0, 0]);
            }
            (Origin::Isolate | Origin::Order, Outcome::Failed(failure, _)) => {
                let words = [
                    id,
                    generation,
                    u32::from(failure.code),
                    NIL,
                    u32::from(failure.stage),
                    u32::from(failure.maybe_executed),
                    link,
                ];
                self.emit(incoming::UNSENT, words);
            }
            (Origin::Link { link, slot, generation }, Outcome::Reply(body)) => {
                self.send_reply(link, Handle { slot, generation }, body.borrow());
            }
            (Origin::Link { link, slot, generation }, Outcome::Failed(failure, cause)) => {
                self.send_failure(link, Handle { slot, generation }, failure, cause.borrow());
            }
            (Origin::Callback(key), outcome) => self.call_back(key, outcome),
        }
    }

    pub(super) fn close(&mut self, id: u32) -> Origin {
        self.wheel.remove(&mut self.requests, id);
        let (origin, place) = self.requests.close(id);
        if let Place::Lent { slot } = place {
            self.slots[slot as usize].asked -= 1;
        }
        if let Origin::Link { link, slot, generation } = origin {
            self.forget_inbound(link, Handle { slot, generation });
            // What the isolate has fetched it still holds.
            if let Some(kept) = self.controls.remove(&id) {
                self.control_done(kept.link, kept.size);
            }
        }
        origin
    }

    pub(super) fn emit_failure(
        &mut self,
        id: u32,
        generation: u32,
        failure: Failure,
        cause: Body,
        link: u32,
    ) {
        let words = [
            id,
            generation,
            u32::from(failure.code),
            NIL,
            u32::from(failure.stage),
            u32::from(failure.maybe_executed),
            link,
        ];
        self.emit_body(incoming::FAIL, words, cause);
    }

    pub(super) fn call_back(&mut self, key: u64, outcome: Outcome) {
        if let Some(callback) = self.callbacks.remove(&key) {
            callback(outcome);
        }
    }

    /// The asker gave up: its message is withdrawn or called off, wherever it is, and so is what is nested in it.
    pub(super) fn give_up(&mut self, id: u32, generation: u32) {
        let Some(request) = self.requests.get(id, generation) else { return };
        let (place, is_send) = (request.place, request.is_send);
        // First of all: what is nested fails with the reason of the handler's signal.
        match place {
            Place::Lent { slot } => self.emit(incoming::CANCEL, [slot, id, generation, 0, 0, 0, 0]),
            Place::Away { link } => self.send_cancel(link, Handle { slot: id, generation }),
            _ => {}
        }
        while let Some((child, child_generation)) = self.requests.child(id) {
            self.requests.leave_family(child);
            self.give_up(child, child_generation);
            self.emit_failure(child, child_generation, Failure::new(code::GIVEN_UP), Body::None, NIL);
        }
        self.close(id);
        let of = self.parties(place);
        let body = self.withdraw(place);
        self.drop_body(body.borrow());
        if is_send {
            self.dead_letter(Reason::Expired, of);
        }
    }

    /// Ends what is due. A message that nobody waits for any longer is not handled.
    pub(super) fn expire(&mut self) {
        while let Some(id) = self.wheel.expired(&mut self.requests, self.now) {
            self.expire_one(id);
        }
    }

    fn expire_one(&mut self, id: u32) {
        let now = self.now;
        let request = self.requests.known(id);
        let (place, generation, is_send, asked) =
            (request.place, request.generation, request.is_send, request.expired);
        match place {
            _ if asked => self.time_out(id, stage::IN_TRANSIT),
            Place::Lent { slot } if self.fail_in_time(slot, id) => {}
            Place::Lent { slot } => {
                // Only the isolate knows whether it has begun.
                self.requests.known(id).expired = true;
                self.emit(incoming::CANCEL, [slot, id, generation, 1, 0, 0, 0]);
            }
            Place::Away { .. } => {
                self.requests.known(id).expired = true;
                self.wheel.insert(&mut self.requests, id, now + STAGE_GRACE);
            }
            Place::Queue { .. } | Place::Line { .. } | Place::TargetLine { .. } | Place::None => {
                let reached = match place {
                    Place::TargetLine { target, .. } if !self.waits_for_room(target) => stage::IN_TRANSIT,
                    _ => stage::QUEUED,
                };
                if is_send {
                    let of = self.parties(place);
                    self.dead_letter(Reason::Expired, of);
                }
                self.time_out(id, reached);
                let body = self.withdraw(place);
                self.drop_body(body.borrow());
            }
        }
    }

    /// Whether what waits at a target waits for its mailbox, and not to be found or for the link.
    fn waits_for_room(&mut self, target: u32) -> bool {
        let target = self.targets.known(target);
        matches!(target.at, Whereabouts::There { .. }) && !target.is_held_up
    }

    fn time_out(&mut self, id: u32, stage: u32) {
        let (origin, place) = {
            let request = self.requests.known(id);
            (request.origin, request.place)
        };
        let link = match place {
            Place::Away { link } => link,
            Place::TargetLine { target, .. } => match self.targets.known(target).at {
                Whereabouts::There { link, .. } => link,
                _ => NIL,
            },
            _ => NIL,
        };
        if let Origin::Link { link, slot, generation } = origin {
            self.close(id);
            self.send_stage(link, Handle { slot, generation }, stage as u8);
        } else {
            let maybe_executed = stage != stage::QUEUED;
            let failure = Failure { code: code::TIMEOUT, stage: stage as u8, maybe_executed };
            self.complete(id, Outcome::Failed(failure, Body::None), link);
        }
    }

    /// The isolate says how far a request had come at its deadline.
    pub(super) fn report_stage(&mut self, id: u32, generation: u32, stage: u32) {
        if self.requests.get(id, generation).is_some_and(|request| request.expired) {
            self.time_out(id, stage);
        }
    }

    /// A peer says how far a request had come at its deadline.
    pub(super) fn stage_reported(&mut self, request: Handle, stage: u8) {
        if self.requests.get(request.slot, request.generation).is_some() {
            self.time_out(request.slot, u32::from(stage.min(stage::HANDLED as u8)));
        }
    }

    /// Whether a request is open, or a send still waits for room: the isolate may not have read yet how it ended.
    pub fn is_open(&mut self, request: Handle) -> bool {
        self.requests.get(request.slot, request.generation).is_some()
    }

    /// Opens an order without a deadline: something that is done sooner or later and then answered.
    pub fn begin_order(&mut self, request: Handle) {
        self.open_order(request, record::NO_LIMIT);
    }

    /// Opens a request by which the isolate waits for something other than a reply to a message.
    pub(super) fn open_order(&mut self, request: Handle, timeout: u32) -> bool {
        let opened = self.requests.open_own(request.slot, request.generation, Origin::Order);
        if opened {
            self.wheel.insert(&mut self.requests, request.slot, super::deadline(timeout, self.now));
        } else {
            let failure = Failure::full(full::REQUESTS);
            self.emit_failure(request.slot, request.generation, failure, Body::None, record::NIL);
        }
        opened
    }
}
