//! What may become of a message, given all that happened.

use crate::reference::{Message, Outcome, Reference, Sender, Worker};
use troupe_node::code;
use troupe_node::port::record::stage;
use troupe_testkit::End;

/// A dial that comes to nothing has tried for so long at least, in ms: four pauses of 25 to 200.
const DIAL: u64 = 300;
/// A session outlives an absence of 30 s; so much of it may be the time to the next dial, and the handshake's limit.
const SESSION: u64 = 10_000;
/// How long a sender waits beyond its deadline to hear how far its message came.
const STAGE: u64 = 50;
/// A node that dies is gone for the others within so long.
const DEATH: u64 = 2000;
/// Faults as long ago as this may still show: a session that was lost is given up after 30 s, a dial after 10 s.
const AFTERMATH: u64 = 60_000;

type Judgement = Result<(), String>;

fn ensure(is_so: bool, what: impl FnOnce() -> String) -> Judgement {
    if is_so { Ok(()) } else { Err(what()) }
}

impl Reference {
    fn node_of(&self, message: &Message) -> usize {
        self.lives[message.from.0].node
    }

    /// Milliseconds of trouble between a sender and whom it may have written to, since `from`.
    fn trouble(&self, message: &Message, from: u64) -> u64 {
        let own = self.node_of(message);
        let touches = |pair: [usize; 2]| match message.to.node {
            Some(node) => pair == [own, node] || pair == [node, own],
            None => pair.contains(&own),
        };
        let length = |from_then: u64, until: u64| until.min(self.now).saturating_sub(from_then.max(from));
        let faults = self.faults.iter().filter(|fault| touches(fault.pair));
        faults.map(|fault| length(fault.from, fault.until)).sum()
    }

    /// Whether there was any trouble that may still show.
    fn was_troubled(&self, message: &Message) -> bool {
        let own = self.node_of(message);
        let touches = |pair: [usize; 2]| match message.to.node {
            Some(node) => pair == [own, node] || pair == [node, own],
            None => pair.contains(&own),
        };
        self.faults.iter().any(|fault| touches(fault.pair) && fault.until + AFTERMATH >= message.sent)
    }

    /// Whether a node it may have been for was away, wholly or on its way, at some moment since it was sent.
    fn was_away(&self, message: &Message) -> bool {
        let since =
            if self.was_troubled(message) { message.sent.saturating_sub(AFTERMATH) } else { message.sent };
        let is_away = |node: usize| {
            // A record that stays a moment longer than its node leads nowhere.
            let stays = |life: &crate::reference::Life| {
                life.node == node && life.began < since.max(1) && life.leaving.is_none()
            };
            !self.lives.iter().any(stays)
        };
        match message.to.node {
            Some(node) => is_away(node),
            None => (0..crate::program::NODES).any(is_away),
        }
    }

    fn may_be_for<'a>(&'a self, message: &'a Message) -> impl Iterator<Item = &'a Worker> {
        self.workers.iter().filter(|worker| {
            let node = self.lives[worker.life].node;
            worker.name == message.to.name && message.to.node.is_none_or(|to| to == node)
        })
    }

    /// Whether the session to the receiver's node may have ended since it was sent.
    fn may_have_lost_its_link(&self, message: &Message) -> bool {
        self.was_away(message) || self.trouble(message, message.sent.saturating_sub(AFTERMATH)) >= SESSION
    }

    /// Whether its worker was closing at some moment since it was sent.
    fn may_have_met_a_stop(&self, message: &Message) -> bool {
        let since = if self.was_troubled(message) { 0 } else { message.sent.saturating_sub(1) };
        self.may_be_for(message)
            .any(|worker| worker.closing.is_some() && worker.gone.is_none_or(|gone| gone >= since))
    }

    /// Whether there was a moment since it was sent at which nobody had that name.
    fn may_have_met_nobody(&self, message: &Message) -> bool {
        let since =
            if self.was_troubled(message) { message.sent.saturating_sub(AFTERMATH) } else { message.sent };
        let was_there = |worker: &Worker| worker.began < since && worker.gone.is_none();
        self.was_away(message) || !self.may_be_for(message).any(was_there)
    }

    fn may_have_been_refused(&self, message: &Message) -> bool {
        let (life, worker) = message.from;
        self.may_be_for(message).any(|other| {
            other.rejects
                || other.life == life
                    && worker.is_some_and(|own| std::ptr::eq(other, &raw const self.workers[own]))
        })
    }

    /// A worker is handed a message.
    pub(crate) fn lent(&mut self, id: usize, worker: usize, remaining: u32) -> Judgement {
        let now = self.now;
        let message = &self.messages[id];
        if let Some((at, other)) = message.lent {
            return Err(format!("message {id} came to worker {worker}, and at {at} to worker {other}"));
        }
        if let Some(receiver) = self.receiver_of_reply(message) {
            let came_to = (self.workers[worker].life, Some(worker));
            ensure(came_to == receiver, || {
                format!("message {id} replies to {receiver:?}, and came to {came_to:?}")
            })?;
        }
        let known = &self.workers[worker];
        ensure(known.gone.is_none(), || format!("message {id} came to worker {worker}, which is gone"))?;
        ensure(
            known.name == message.to.name
                && message.to.node.is_none_or(|node| node == self.lives[known.life].node),
            || format!("message {id} to {} came to worker {worker}", message.to),
        )?;
        let kind = usize::from(message.replies_to.is_some());
        if let Some(last) = known.last[kind].get(&message.from)
            && *last > id
        {
            return Err(format!("message {id} came to worker {worker} behind {last} of the same sender"));
        }
        let due = if remaining == u32::MAX { u64::MAX } else { now + u64::from(remaining) };
        let latest = message.deadline.1.saturating_add(self.trouble(message, message.sent)).saturating_add(1);
        // A send waits for room within its time, and from then on for ever.
        ensure(!message.is_request || due <= latest || remaining == 0, || {
            format!(
                "message {id} is to be answered by {due}, and its asker waits until {}",
                message.deadline.1
            )
        })?;
        let from = message.from;
        self.workers[worker].last[kind].insert(from, id);
        let message = &mut self.messages[id];
        (message.lent, message.due) = (Some((now, worker)), due);
        Ok(())
    }

    /// The mailbox of a node has a message: a reply to what the node itself has sent, and nothing else is sent to it here.
    pub(crate) fn came_to_main(&mut self, id: usize, life: usize) -> Judgement {
        let message = &self.messages[id];
        let is_first = message.lent.is_none() && !self.came_to_main.contains(&id);
        ensure(is_first, || format!("message {id} came twice"))?;
        let receiver = self.receiver_of_reply(message);
        ensure(receiver == Some((life, None)), || format!("message {id} for {receiver:?} came to main"))?;
        self.came_to_main.insert(id);
        Ok(())
    }

    /// Whether a reply may be lost: its receiver is going or full, or there was no way to it.
    fn may_be_lost_as_reply(&self, message: &Message, (life, worker): Sender) -> bool {
        let is_leaving = self.lives[life].leaving.is_some();
        let known = worker.map(|worker| &self.workers[worker]);
        is_leaving
            || known.is_some_and(|known| known.closing.is_some() || known.is_narrow)
            || self.may_have_lost_its_link(message)
    }

    /// A worker begins to handle a message.
    pub(crate) fn begin(&mut self, id: usize) -> Judgement {
        let now = self.now;
        let message = &self.messages[id];
        let is_quiet = !self.was_troubled(message);
        if let Some(Outcome::Failed { code, maybe_executed: false, .. }) = message.outcome
            && code != code::GIVEN_UP
        {
            return Err(format!("message {id} is handled, and its asker was told that it is not: {code}"));
        }
        let latest = message.deadline.1.saturating_add(self.trouble(message, message.sent));
        ensure(!message.is_request || now <= latest, || {
            format!("message {id} is handled, and its asker waited until {}", message.deadline.1)
        })?;
        let called_off = message.given_up.is_some_and(|at| at < now);
        ensure(!(called_off && is_quiet), || format!("message {id} was called off, and is handled"))?;
        self.messages[id].begun = Some(now);
        Ok(())
    }

    /// Whoever waited hears of a message.
    pub(crate) fn hear(&mut self, id: usize, outcome: Outcome) -> Judgement {
        let message = &self.messages[id];
        ensure(message.outcome.is_none(), || format!("message {id} has a second outcome: {outcome:?}"))?;
        let judged = match &outcome {
            Outcome::Reply(_) if !message.is_request => Ok(()),
            Outcome::Reply(body) => ensure(message.replied.is_some() && *body == format!("{id} 0"), || {
                format!("it is no reply of its handler: {body:?}")
            }),
            Outcome::Failed { code, stage, maybe_executed } => {
                self.fails(message, *code, *stage, *maybe_executed)
            }
        };
        judged.map_err(|why| format!("message {id} has the outcome {outcome:?}: {why}; {message:?}"))?;
        if matches!(outcome, Outcome::Failed { code: code::GIVEN_UP, .. }) {
            self.give_up(id);
        }
        self.messages[id].outcome = Some(outcome);
        Ok(())
    }

    fn fails(&self, message: &Message, failed: u8, reached: u32, maybe_executed: bool) -> Judgement {
        let was_begun = message.begun.is_some();
        // Of one that is given up its asker hears nothing but that.
        ensure(maybe_executed || !was_begun || failed == code::GIVEN_UP, || "it was begun".into())?;
        let is_leaving = self.lives[message.from.0].leaving.is_some();
        let is_local = message.to.node == Some(self.node_of(message));
        match failed {
            code::TIMEOUT => self.times_out(message, reached),
            code::NO_SUCH_WORKER => {
                ensure(!maybe_executed && self.may_have_met_nobody(message), || "its worker was there".into())
            }
            code::WORKER_STOPPED => {
                ensure(self.may_have_met_a_stop(message), || "its worker did not stop".into())?;
                ensure(was_begun || !maybe_executed, || "it was not begun".into())
            }
            code::MAILBOX_FULL => ensure(!maybe_executed && self.may_have_been_refused(message), || {
                "its worker refuses nobody".into()
            }),
            code::WORKER_FAILED => {
                let has_failed = matches!(message.ended, Some((_, End::Fails)));
                ensure(maybe_executed && has_failed, || "its handler did not fail".into())
            }
            code::GIVEN_UP => self.is_given_up_with_its_parent(message),
            code::NODE_STOPPED => ensure(is_leaving, || "its node does not stop".into()),
            code::NODE_UNREACHABLE if is_leaving => Ok(()),
            code::NODE_UNREACHABLE => {
                ensure(!is_local, || "it was for a worker of its own node".into())?;
                let is_search = self.trouble(message, message.sent.saturating_sub(DEATH)) >= DIAL;
                let may_be = self.may_have_lost_its_link(message) || !maybe_executed && is_search;
                ensure(may_be, || "its node could be reached".into())?;
                ensure(!self.was_answered_before_its_node_stopped(message), || {
                    "it was answered, and then its node stopped".into()
                })
            }
            _ => Err("nobody gives this answer".into()),
        }
    }

    fn times_out(&self, message: &Message, reached: u32) -> Judgement {
        let (first, last) = message.deadline;
        let now = self.now;
        // What another node says of its own deadline may be a part of a millisecond early.
        ensure(now + 1 >= first, || "its time is not over".into())?;
        ensure(now <= last.saturating_add(STAGE + 1), || "its time is long over".into())?;
        if !message.is_request {
            return ensure(message.lent.is_none(), || "it was handed over".into());
        }
        match reached {
            stage::IN_TRANSIT => Ok(()),
            stage::QUEUED => ensure(message.begun.is_none(), || "it was begun".into()),
            stage::RUNNING => ensure(
                message.begun.is_some()
                    && message.ended.is_none_or(|(at, end)| at + STAGE + 1 >= now || end == End::Fails),
                || "it was not being handled".into(),
            ),
            _ => ensure(
                message.ended.is_some() && message.replied.is_none_or(|at| at + STAGE + 1 >= now),
                || "it was not handled without a reply".into(),
            ),
        }
    }

    fn is_given_up_with_its_parent(&self, message: &Message) -> Judgement {
        let Some(parent) = message.parent.map(|parent| &self.messages[parent]) else {
            return Err("it is part of nothing".into());
        };
        let is_over = parent.given_up.is_some()
            || parent.outcome.is_some()
            || self.lives[parent.from.0].leaving.is_some()
            || self.may_have_lost_its_link(parent)
            // The innermost hears of it first.
            || self.is_given_up_with_its_parent(parent).is_ok();
        ensure(is_over, || "whoever asked for it waits".into())
    }

    fn was_answered_before_its_node_stopped(&self, message: &Message) -> bool {
        let (Some(replied), Some((_, worker))) = (message.replied, message.lent) else { return false };
        let life = &self.lives[self.workers[worker].life];
        let stopped_after = life.ended.is_some_and(|ended| replied < ended) && !life.was_killed;
        stopped_after && !self.was_troubled(message)
    }

    /// After all has come to rest for a while: who still waits, and for what.
    pub(crate) fn judge_rest(&self) -> Judgement {
        for (id, message) in self.messages.iter().enumerate() {
            let Some((_, worker)) = message.lent else { continue };
            let life = &self.lives[self.workers[worker].life];
            let is_late = life.was_killed && self.now > life.known.saturating_add(DEATH);
            if message.is_request && is_late && self.is_open(id) {
                return Err(format!("message {id} waits for a node that is dead: {message:?}"));
            }
        }
        Ok(())
    }

    /// At the end, with everything mended and every handler done. `lost`: dead letters that were sends, and those of them that
    /// may have been delivered.
    pub(crate) fn judge_end(&self, lost: (u64, u64)) -> Judgement {
        let (mut told, mut silent, mut owed) = (0, 0, 0);
        for (id, message) in self.messages.iter().enumerate() {
            let survived = self.lives[message.from.0].ended.is_none();
            if message.is_request {
                let is_told = message.outcome.is_some() || message.given_up.is_some();
                // One that was handled without a reply can be answered as long as its worker lives.
                let may_wait = message.ended.is_some() && message.replied.is_none();
                ensure(is_told || may_wait || !survived, || {
                    format!("message {id} has no outcome: {message:?}")
                })?;
                continue;
            }
            let was_told_no =
                matches!(message.outcome, Some(Outcome::Failed { .. })) || message.given_up.is_some();
            told += u64::from(was_told_no);
            if was_told_no {
                ensure(message.lent.is_none(), || {
                    format!("message {id} was delivered, and its sender told that it was not: {message:?}")
                })?;
            } else if message.lent.is_none() && !self.came_to_main.contains(&id) {
                silent += 1;
                let may_be_lost = match self.receiver_of_reply(message) {
                    Some(receiver) => self.may_be_lost_as_reply(message, receiver),
                    None => {
                        self.may_have_met_a_stop(message)
                            || self.may_have_lost_its_link(message)
                            || self.may_have_met_nobody(message)
                            || self.may_have_been_refused(message)
                    }
                };
                ensure(may_be_lost || !survived, || format!("message {id} is lost: {message:?}"))?;
                let may_have_died = self
                    .lives
                    .iter()
                    .any(|life| life.was_killed && message.to.node.is_none_or(|node| node == life.node));
                owed += u64::from(survived && !may_have_died);
            }
        }
        let (lost, maybe_delivered) = lost;
        let counted = lost.checked_sub(told + self.refused).ok_or_else(|| {
            format!("{lost} dead letters, with {told} sends refused and {} sent back", self.refused)
        })?;
        ensure(counted <= silent, || format!("{counted} dead letters without a word, of {silent} sends"))?;
        ensure(owed <= counted + maybe_delivered, || {
            format!("{owed} sends are lost, {counted} counted, {maybe_delivered} maybe delivered")
        })?;
        let session_lost = self.lives.iter().any(|life| life.leaving.is_some())
            || self.faults.iter().map(|fault| fault.until - fault.from).sum::<u64>() >= SESSION;
        ensure(session_lost || maybe_delivered == 0, || {
            format!("{maybe_delivered} sends may have been delivered, and no session was lost")
        })
    }
}
