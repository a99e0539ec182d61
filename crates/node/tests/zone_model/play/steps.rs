//! What each step does to the nodes, and tells the reference.

use super::{Due, Play};
use crate::program::{Step, Who, Whom};
use crate::reference::Sender;
use troupe_testkit::End;

/// What the clock of the ports shows when the program begins.
pub(super) const EPOCH: u64 = 1_000_000;

/// Replies to replies to a send, at most.
const DEPTH: usize = 2;

impl Play {
    pub(super) async fn step(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Join { node } => self.join(node),
            Step::Leave { node, timeout } => self.leave(node, timeout)?,
            Step::Kill { node, lag } => self.kill(node, lag),
            Step::Start { node, name, options } => self.start(node, name, options)?,
            Step::Ready { at, is_good } => self.ready(at, is_good),
            Step::Stop { at, timeout } => {
                if let Some(node) = &mut self.nodes[at.node]
                    && let Some(seat) = node.seat(at)
                {
                    let (handle, worker) = (seat.handle, seat.worker);
                    node.driver.stop(handle, timeout);
                    self.reference.closes(worker);
                }
            }
            Step::Send { from, to, timeout, size } => self.send(from, to, timeout, size),
            Step::Ask { from, to, timeout, size } => self.ask(from, to, timeout, size),
            Step::AskNested { from, to, timeout } => self.ask_nested(from, to, timeout),
            Step::Finish { at, end } => {
                let position = self.nodes[at.node].as_ref().filter(|node| !node.seats.is_empty());
                if let Some(index) = position.map(|node| at.worker % node.seats.len()) {
                    self.finish(at.node, index, end);
                }
            }
            Step::ReplyLater { message } => self.reply_later(message),
            Step::GiveUp { message } => self.give_up(message),
            Step::Cut { pair, behind } => {
                let lives = self.lives(pair);
                if let Some([one, other]) = lives {
                    match behind {
                        Some(bytes) => self.wires.cut_after(one, other, bytes),
                        None => self.wires.cut(one, other),
                    }
                }
            }
            Step::Hold { pair, milliseconds } => {
                if let Some(lives) = self.lives(pair) {
                    self.wires.hold(lives[0], lives[1], true);
                    self.begin_fault(pair, milliseconds, Due::Release(lives));
                }
            }
            Step::Part { pair, milliseconds } => {
                if let Some(lives) = self.lives(pair) {
                    self.wires.part(lives[0], lives[1], true);
                    self.begin_fault(pair, milliseconds, Due::Join(lives));
                }
            }
            Step::Pass { milliseconds } => self.pass(milliseconds).await?,
        }
        self.flush()
    }

    fn begin_fault(&mut self, pair: [usize; 2], milliseconds: u32, ends: Due) {
        self.reference.fault(pair, milliseconds);
        self.due.push((self.reference.now + u64::from(milliseconds), ends));
    }

    fn lives(&self, pair: [usize; 2]) -> Option<[usize; 2]> {
        let life = |place: usize| self.nodes[place].as_ref().map(|node| node.life);
        Some([life(pair[0])?, life(pair[1])?])
    }

    fn ready(&mut self, at: Who, is_good: bool) {
        if let Some(node) = &mut self.nodes[at.node]
            && let Some(seat) = node.seat(at)
            && std::mem::take(&mut seat.is_starting)
        {
            let handle = seat.handle;
            seat.is_paused = !is_good;
            if !is_good {
                // A start that fails ends the worker, and so may a restart.
                let worker = seat.worker;
                self.reference.closes(worker);
            }
            node.driver.ready(handle, is_good);
        }
    }

    /// Who sends: a worker, or the node when it stays.
    fn sender(&mut self, from: Who) -> Option<(Sender, u32)> {
        let node = self.nodes[from.node].as_mut()?;
        let life = node.life;
        let pick = from.worker % (node.seats.len() + 1);
        if pick == 0 {
            return (!node.is_leaving()).then_some(((life, None), node.main.slot));
        }
        let seat = &node.seats[pick - 1];
        Some(((life, Some(seat.worker)), seat.handle.slot))
    }

    fn register(
        &mut self,
        sender: Sender,
        to: Whom,
        is_request: bool,
        timeout: u32,
        parent: Option<usize>,
    ) -> usize {
        self.handles.push(None);
        self.asked.push(None);
        self.sources.push(None);
        self.reference.message(sender, to, is_request, timeout, parent)
    }

    fn send(&mut self, from: Who, to: Whom, timeout: u32, size: usize) {
        let Some((sender, slot)) = self.sender(from) else { return };
        let message = self.register(sender, to, false, timeout, None);
        let Some(node) = &mut self.nodes[from.node] else { return };
        let number = node.driver.send_to(slot, &to.to_string(), &body(message, size), timeout);
        node.numbers.insert(number, message);
    }

    fn ask(&mut self, from: Who, to: Whom, timeout: u32, size: usize) {
        let Some((sender, slot)) = self.sender(from) else { return };
        let message = self.register(sender, to, true, timeout, None);
        let Some(node) = &mut self.nodes[from.node] else { return };
        let request = node.driver.ask_at(slot, &to.to_string(), &body(message, size), timeout);
        node.requests.insert(request, message);
        self.handles[message] = Some(request);
    }

    fn ask_nested(&mut self, from: Who, to: Whom, timeout: u32) {
        let Some(node) = &mut self.nodes[from.node] else { return };
        let life = node.life;
        let Some(seat) = node.seat(from) else { return };
        let (Some(hand), worker, slot) = (seat.hand, seat.worker, seat.handle.slot) else { return };
        let parent = self.asked[hand].map(|(_, request, _)| request);
        let message = self.register((life, Some(worker)), to, true, timeout, parent.map(|_| hand));
        let Some(node) = &mut self.nodes[from.node] else { return };
        let (address, text) = (to.to_string(), body(message, 0));
        let request = match parent {
            Some(parent) => node.driver.ask_nested_at(parent, slot, &address, &text, timeout),
            None => node.driver.ask_at(slot, &address, &text, timeout),
        };
        node.requests.insert(request, message);
        self.handles[message] = Some(request);
    }

    pub(super) fn finish(&mut self, place: usize, index: usize, end: End) {
        let Some(node) = &mut self.nodes[place] else { return };
        let seat = &mut node.seats[index];
        let Some(message) = seat.hand.take() else { return };
        let handle = seat.handle;
        let request = self.asked[message].map(|(_, request, _)| request);
        self.reference.finish(message, end);
        if end == End::Fails {
            seat.is_paused |= seat.holds_on_failure;
            if seat.holds_on_failure {
                let worker = seat.worker;
                self.reference.closes(worker);
            }
            return node.driver.fail(handle, request, "cause");
        }
        let replies = match end {
            End::Replies => 1,
            End::RepliesTwice => 2,
            End::Silent | End::Fails => 0,
        };
        for _ in 0..replies {
            self.reply(message);
        }
        if let Some(node) = &mut self.nodes[place] {
            node.driver.done(handle, 1);
        }
    }

    fn reply(&mut self, message: usize) {
        if !self.reference.messages[message].is_request {
            return self.reply_to_send(message);
        }
        let Some((place, request, count)) = &mut self.asked[message] else { return };
        let Some(node) = &mut self.nodes[*place] else { return };
        let worker = self.reference.messages[message].lent.map(|(_, worker)| worker);
        let Some(seat) = node.seats.iter().find(|seat| Some(seat.worker) == worker) else { return };
        node.driver.reply(seat.handle, *request, &format!("{message} {count}"));
        *count += 1;
    }

    /// A reply to a send is a message of its own. Two workers do not thank each other for ever here.
    fn reply_to_send(&mut self, message: usize) {
        let Some((place, source)) = self.sources[message] else { return };
        let Some(node) = &mut self.nodes[place] else { return };
        let worker = self.reference.messages[message].lent.map(|(_, worker)| worker);
        let Some(seat) = node.seats.iter().find(|seat| Some(seat.worker) == worker) else { return };
        if self.reference.depth(message) == DEPTH {
            return;
        }
        let reply = self.reference.reply(seat.worker, message);
        node.driver.reply_to(seat.handle.slot, source, &body(reply, 0));
        self.handles.push(None);
        self.asked.push(None);
        self.sources.push(None);
    }

    fn reply_later(&mut self, number: usize) {
        let handled = |message: &usize| {
            let message = &self.reference.messages[*message];
            let worker = message.lent.map(|(_, worker)| &self.reference.workers[worker]);
            message.ended.is_some() && worker.is_some_and(|it| it.gone.is_none())
        };
        let handled: Vec<_> = (0..self.reference.messages.len()).filter(handled).collect();
        if !handled.is_empty() {
            let message = handled[number % handled.len()];
            self.reference.reply_later(message);
            self.reply(message);
        }
    }

    fn give_up(&mut self, number: usize) {
        let is_open = |message: &usize| self.reference.is_open(*message) && self.handles[*message].is_some();
        let open: Vec<_> = (0..self.reference.messages.len()).filter(is_open).collect();
        if open.is_empty() {
            return;
        }
        let message = open[number % open.len()];
        let life = self.reference.messages[message].from.0;
        let node = self.nodes.iter_mut().flatten().find(|node| node.life == life);
        if let (Some(node), Some(request)) = (node, self.handles[message]) {
            node.driver.give_up(request);
            self.reference.give_up(message);
        }
    }

    /// Every handler, `initialize` and `shutdown` that goes on ends well; says whether there was any.
    pub(super) fn finish_all(&mut self) -> Result<bool, String> {
        let mut any = false;
        for place in 0..self.nodes.len() {
            let count = self.nodes[place].as_ref().map_or(0, |node| node.seats.len());
            for index in 0..count {
                let Some(node) = &mut self.nodes[place] else { continue };
                let seat = &mut node.seats[index];
                let handle = seat.handle;
                any |= seat.hand.is_some() || seat.is_starting;
                if std::mem::take(&mut seat.is_starting) {
                    seat.is_paused = false;
                    node.driver.ready(handle, true);
                }
                self.finish(place, index, End::Replies);
            }
        }
        self.flush()?;
        Ok(any)
    }
}

/// The text of a message: its number, and as much more as it is to hold.
fn body(message: usize, size: usize) -> String {
    format!("{message} {}", "x".repeat(size))
}
