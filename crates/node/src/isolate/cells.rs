//! The workers and mailboxes of an isolate: what each has been lent, and what it is at.
//!
//! Mailbox, order, bounds and life are the port's; a cell keeps the few messages that are lent.

use super::batch::record;
use super::{Local, Start};
use crate::port::Handle;
use crate::port::record::{ASYNC, NIL, outgoing, stage};
use std::collections::VecDeque;
use std::task::Waker;

/// A body as it came.
pub(super) enum Body {
    Text(String),
    /// It holds a lone surrogate, which no Rust string can.
    NotUnicode,
}

/// A message at its worker.
pub(super) struct Lent {
    pub(super) letter: Letter,
    pub(super) body: Body,
}

/// What is known of a message beside its text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Letter {
    /// The request and its generation; `NIL`: nobody waits.
    pub(crate) request: u32,
    pub(crate) generation: u32,
    /// Slot or target, `NIL`: nobody.
    pub(crate) sender: u32,
    pub(crate) sender_generation: u32,
    pub(crate) is_from_elsewhere: bool,
    /// When its asker stops waiting, in ms of the isolate's clock; `u64::MAX`: never.
    pub(crate) until: u64,
}

impl Letter {
    /// What `initialize` and `shutdown` are given: no message.
    pub(crate) const NONE: Self = Self {
        request: NIL,
        generation: 0,
        sender: NIL,
        sender_generation: 0,
        is_from_elsewhere: false,
        until: u64::MAX,
    };

    fn is(&self, request: Handle) -> bool {
        self.request == request.slot && self.generation == request.generation
    }
}

/// What the port orders beside messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Restart,
    Shutdown,
}

/// One worker or mailbox.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own; a set of flags would hide that"
)]
pub(super) struct Cell {
    pub(super) generation: u32,
    pub(super) name: Box<str>,
    pub(super) type_name: &'static str,
    /// The future of its life; `NIL`: a mailbox, which has none.
    pub(super) task: u32,
    /// After a failure nothing is handled until the port has decided.
    pub(super) holds_on_failure: bool,
    pub(super) is_paused: bool,
    is_async: bool,
    is_parked: bool,
    /// The message that is being handled, or what stands for `initialize` and `shutdown`.
    pub(super) current: Option<Letter>,
    /// Whoever asked for what is current gave up, or the time to drain is over.
    pub(super) is_cancelled: bool,
    pub(super) order: Option<Order>,
    pub(super) lent: VecDeque<Lent>,
    done: u32,
    /// Who waits for a message of a mailbox, in order.
    pub(super) receivers: VecDeque<(u64, Option<Waker>)>,
    /// Who waits for the start, until it has ended.
    pub(super) start: Option<Start>,
}

impl Cell {
    pub(super) fn new(at: Handle, name: &str, type_name: &'static str) -> Self {
        Self {
            generation: at.generation,
            name: name.into(),
            type_name,
            task: NIL,
            holds_on_failure: false,
            is_paused: true,
            is_async: false,
            is_parked: false,
            current: None,
            is_cancelled: false,
            order: None,
            lent: VecDeque::new(),
            done: 0,
            receivers: VecDeque::new(),
            start: None,
        }
    }

    /// Takes a message that the asker no longer waits for out of what is lent.
    fn withdraw(&mut self, request: Handle) -> Option<Lent> {
        let at = self.lent.iter().position(|lent| lent.letter.is(request))?;
        self.lent.remove(at)
    }
}

/// All cells of one isolate, by slot.
#[derive(Default)]
pub(super) struct Cells {
    slab: Vec<Option<Box<Cell>>>,
    /// Slots with messages done since the last flush.
    dirty: Vec<u32>,
    /// Tasks whose budget ran out, or whose next message has expired.
    parked: Vec<u32>,
}

impl Cells {
    pub(super) fn insert(&mut self, at: Handle, cell: Cell) {
        if self.slab.len() <= at.slot as usize {
            self.slab.resize_with(at.slot as usize + 1, || None);
        }
        self.slab[at.slot as usize] = Some(Box::new(cell));
    }

    pub(super) fn slot(&mut self, slot: u32) -> Option<&mut Cell> {
        self.slab.get_mut(slot as usize)?.as_deref_mut()
    }

    pub(super) fn get(&mut self, at: Handle) -> Option<&mut Cell> {
        self.slot(at.slot).filter(|cell| cell.generation == at.generation)
    }

    pub(super) fn remove(&mut self, at: Handle) -> Option<Box<Cell>> {
        self.get(at)?;
        self.slab[at.slot as usize].take()
    }

    /// A message of this cell is done with.
    pub(super) fn done(&mut self, at: Handle) {
        let Some(cell) = self.get(at) else { return };
        cell.done += 1;
        if cell.done == 1 {
            self.dirty.push(at.slot);
        }
    }

    pub(super) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Says how many messages were done since the last flush.
    pub(super) fn acknowledge(&mut self, mut put: impl FnMut([u32; 8])) {
        while let Some(slot) = self.dirty.pop() {
            let Some(cell) = self.slot(slot) else { continue };
            let kind = if cell.is_async { outgoing::ACK | ASYNC } else { outgoing::ACK };
            let done = std::mem::take(&mut cell.done);
            put(record(kind, [slot, cell.generation, done]));
        }
    }

    /// The handler of this cell did not end at once: few messages are lent to it at a time.
    pub(super) fn is_async(&mut self, at: Handle) {
        if let Some(cell) = self.get(at) {
            cell.is_async = true;
        }
    }

    /// Goes on with this cell after the next flush.
    pub(super) fn park(&mut self, at: Handle) {
        let Some(cell) = self.get(at).filter(|cell| !cell.is_parked) else { return };
        cell.is_parked = true;
        self.parked.push(at.slot);
    }

    pub(super) fn has_parked(&self) -> bool {
        !self.parked.is_empty()
    }

    /// Slots of the cells that go on now.
    pub(super) fn unpark(&mut self) -> Vec<u32> {
        let parked = std::mem::take(&mut self.parked);
        for slot in &parked {
            if let Some(cell) = self.slot(*slot) {
                cell.is_parked = false;
            }
        }
        parked
    }
}

impl Local {
    /// The asker of a message that was lent to a slot gave up. Returns how far it had come.
    pub(super) fn cancel(&self, slot: u32, request: Handle) -> u32 {
        let (reached, withdrawn) = {
            let mut cells = self.cells.borrow_mut();
            let Some(cell) = cells.slot(slot) else { return stage::HANDLED };
            if cell.current.is_some_and(|letter| letter.is(request)) {
                cell.is_cancelled = true;
                (stage::RUNNING, None)
            } else if let Some(lent) = cell.withdraw(request) {
                if let Some((_, Some(waker))) = cell.receivers.front() {
                    waker.wake_by_ref();
                }
                let at = Handle { slot, generation: cell.generation };
                cells.done(at);
                (stage::QUEUED, Some(lent))
            } else {
                (stage::HANDLED, None)
            }
        };
        drop(withdrawn);
        self.watches.borrow_mut().fire_request(slot, request);
        reached
    }

    /// The time to drain is over: what was not begun goes back, what runs is told.
    pub(super) fn abort(&self, at: Handle) {
        let lent = {
            let mut cells = self.cells.borrow_mut();
            let Some(cell) = cells.get(at) else { return };
            cell.is_cancelled = true;
            std::mem::take(&mut cell.lent)
        };
        for Lent { letter, .. } in &lent {
            let mut words = record(outgoing::REFUSED, [at.slot, at.generation, letter.request]);
            words[5] = letter.generation;
            self.put(words);
        }
        self.watches.borrow_mut().fire_slot(at.slot);
    }
}
