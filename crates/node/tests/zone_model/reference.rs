//! What a zone promises, said a second time: what was sent, what became of it, and what went wrong meanwhile, all by one
//! clock. Where it depends on the moment of a fault what a sender hears, every answer that is true is right; which those are
//! is in `rules.rs`. What is promised is in `docs/semantics.md`; nothing here is taken from the code that keeps it.

use crate::program::{NAMES, Whom};
use std::collections::{HashMap, HashSet};
use troupe_testkit::End;

/// What somebody hears of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Reply(String),
    Failed { code: u8, stage: u32, maybe_executed: bool },
}

/// One life of a node.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) node: usize,
    pub(crate) began: u64,
    /// Its stop was called.
    pub(crate) leaving: Option<u64>,
    /// It is gone, or was killed.
    pub(crate) ended: Option<u64>,
    pub(crate) was_killed: bool,
    /// When the others could know.
    pub(crate) known: u64,
}

/// One life of a worker.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) life: usize,
    pub(crate) name: usize,
    pub(crate) began: u64,
    /// It takes nothing more.
    pub(crate) closing: Option<u64>,
    pub(crate) gone: Option<u64>,
    pub(crate) rejects: bool,
    /// What it has room for may be used up.
    pub(super) is_narrow: bool,
    /// The last message of each sender, and the last reply.
    pub(super) last: [HashMap<Sender, usize>; 2],
}

/// A node's life, and its worker; `None` is the node itself.
pub(crate) type Sender = (usize, Option<usize>);

#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) from: Sender,
    pub(crate) to: Whom,
    /// It replies to a send, and is for nobody but whoever sent that.
    pub(crate) replies_to: Option<usize>,
    pub(crate) is_request: bool,
    pub(crate) sent: u64,
    /// When its asker has waited long enough: not before, and not later.
    pub(super) deadline: (u64, u64),
    pub(crate) parent: Option<usize>,
    /// Its worker's isolate has it.
    pub(crate) lent: Option<(u64, usize)>,
    /// Its receiver's deadline.
    pub(super) due: u64,
    pub(crate) begun: Option<u64>,
    pub(crate) ended: Option<(u64, End)>,
    /// Its first reply was made.
    pub(super) replied: Option<u64>,
    pub(crate) outcome: Option<Outcome>,
    /// A send found no room and waits.
    pub(crate) waits: bool,
    pub(crate) given_up: Option<u64>,
}

/// Something that went wrong between two nodes for a while.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) pair: [usize; 2],
    pub(super) from: u64,
    pub(super) until: u64,
}

/// All that happened.
#[derive(Debug, Default)]
pub(crate) struct Reference {
    pub(crate) now: u64,
    pub(crate) lives: Vec<Life>,
    pub(crate) workers: Vec<Worker>,
    pub(crate) messages: Vec<Message>,
    pub(super) faults: Vec<Fault>,
    /// Replies that nodes got for what they had sent themselves.
    pub(super) came_to_main: HashSet<usize>,
    /// Sends that came back unbegun from a worker that stops.
    pub(super) refused: u64,
}

impl Reference {
    pub(crate) fn join(&mut self, node: usize) -> usize {
        let began = self.now;
        self.lives.push(Life { node, began, leaving: None, ended: None, was_killed: false, known: u64::MAX });
        self.lives.len() - 1
    }

    pub(crate) fn leave(&mut self, life: usize) {
        self.lives[life].leaving.get_or_insert(self.now);
        for worker in self.workers.iter_mut().filter(|worker| worker.life == life) {
            worker.closing.get_or_insert(self.now);
        }
    }

    /// Its node is gone; the others can know of it after so long.
    pub(crate) fn end_life(&mut self, life: usize, was_killed: bool, lag: u64) {
        self.leave(life);
        let now = self.now;
        let ended = &mut self.lives[life];
        (ended.ended, ended.was_killed, ended.known) = (Some(now), was_killed, now + lag);
        for worker in self.workers.iter_mut().filter(|worker| worker.life == life) {
            worker.gone.get_or_insert(now);
        }
    }

    pub(crate) fn start(&mut self, life: usize, name: usize, rejects: bool, is_narrow: bool) -> usize {
        let (began, last) = (self.now, Default::default());
        self.workers.push(Worker { life, name, began, closing: None, gone: None, rejects, is_narrow, last });
        self.workers.len() - 1
    }

    pub(crate) fn closes(&mut self, worker: usize) {
        self.workers[worker].closing.get_or_insert(self.now);
    }

    pub(crate) fn gone(&mut self, worker: usize) {
        self.closes(worker);
        self.workers[worker].gone.get_or_insert(self.now);
    }

    pub(crate) fn fault(&mut self, pair: [usize; 2], milliseconds: u32) {
        let until = self.now + u64::from(milliseconds);
        self.faults.push(Fault { pair, from: self.now, until });
    }

    /// Numbers a message that is sent now. `parent`: the request in whose handler that is.
    pub(crate) fn message(
        &mut self,
        from: Sender,
        to: Whom,
        is_request: bool,
        timeout: u32,
        parent: Option<usize>,
    ) -> usize {
        let own = if timeout == u32::MAX { u64::MAX } else { self.now + u64::from(timeout) };
        let mut deadline = (own, own);
        if let Some(parent) = parent {
            let due = self.messages[parent].due;
            // What is over holds nothing more back; that it was given up may not be known here yet.
            let is_over = due <= self.now || self.messages[parent].replied.is_some();
            let is_held = self.is_open(parent) && !is_over;
            deadline = (own.min(due.saturating_sub(1)), if is_held { own.min(due) } else { own });
        }
        self.messages.push(Message {
            from,
            to,
            replies_to: None,
            is_request,
            sent: self.now,
            deadline,
            parent,
            lent: None,
            due: u64::MAX,
            begun: None,
            ended: None,
            replied: None,
            outcome: None,
            waits: false,
            given_up: None,
        });
        self.messages.len() - 1
    }

    /// Numbers a reply to a send that came to this worker: a message to whoever sent it.
    pub(crate) fn reply(&mut self, from: usize, replies_to: usize) -> usize {
        let (life, worker) = self.messages[replies_to].from;
        let name = worker.map_or(NAMES, |worker| self.workers[worker].name);
        let to = Whom { node: Some(self.lives[life].node), name };
        let number = self.message((self.workers[from].life, Some(from)), to, false, u32::MAX, None);
        self.messages[number].replies_to = Some(replies_to);
        number
    }

    /// How many replies lie before this message: a reply to a reply lies behind two.
    pub(crate) fn depth(&self, message: usize) -> usize {
        self.messages[message].replies_to.map_or(0, |before| 1 + self.depth(before))
    }

    /// The only one that a reply may come to.
    pub(super) fn receiver_of_reply(&self, message: &Message) -> Option<Sender> {
        message.replies_to.map(|before| self.messages[before].from)
    }

    /// Somebody waits: for an answer, or for room.
    pub(crate) fn is_open(&self, message: usize) -> bool {
        let message = &self.messages[message];
        let is_told = message.outcome.is_some() || message.given_up.is_some();
        (message.is_request || message.waits) && !is_told && self.lives[message.from.0].ended.is_none()
    }

    /// Whether its receiver has been told that it is too late for it.
    pub(crate) fn is_due(&self, message: usize) -> bool {
        self.messages[message].due <= self.now
    }

    /// Whoever waits gives up.
    pub(crate) fn give_up(&mut self, message: usize) {
        self.messages[message].given_up.get_or_insert(self.now);
    }

    pub(crate) fn finish(&mut self, message: usize, end: End) {
        let message = &mut self.messages[message];
        message.ended = Some((self.now, end));
        if matches!(end, End::Replies | End::RepliesTwice) {
            message.replied.get_or_insert(self.now);
        }
    }

    pub(crate) fn reply_later(&mut self, message: usize) {
        self.messages[message].replied.get_or_insert(self.now);
    }

    /// A lent message came back unbegun.
    pub(crate) fn refuse(&mut self, message: usize) {
        self.refused += u64::from(!self.messages[message].is_request);
    }
}
