//! Open requests and waiting sends of one isolate.
//!
//! Two slabs: what the isolate itself asked (it picks the number, so that a request costs no call), and
//! what came from outside or waits for room (numbers with the `INBOUND` bit, picked here).

use super::record::{INBOUND, NIL};
use super::timer::{Entries, Entry};

/// Who hears the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The isolate, by the number of the request.
    Isolate,
    /// A peer: index of the link, and the correlation it gave.
    Link { link: u32, slot: u32, generation: u32 },
    /// A Rust caller outside of the isolate: a key of the port's callbacks.
    Callback(u64),
    /// The isolate, by the number of the request: it waits for something other than a reply to a message.
    Order,
}

/// Where the message of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the mailbox of a slot: envelope.
    Queue { slot: u32, envelope: u32 },
    /// In the line of a slot: envelope.
    Line { slot: u32, envelope: u32 },
    /// In the line of a target: envelope.
    TargetLine { target: u32, envelope: u32 },
    /// Lent to the isolate for this slot, or handled by it without an answer.
    Lent { slot: u32 },
    /// Handed to a link.
    Away { link: u32 },
    /// Nowhere.
    None,
}

/// One open request or waiting send.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) timer: Entry,
    /// 0 while the number is free.
    pub(crate) generation: u32,
    pub(crate) origin: Origin,
    pub(crate) place: Place,
    /// It is a send that waits for room, not a request.
    pub(crate) is_send: bool,
    /// The deadline has passed and the stage is being asked for.
    pub(crate) expired: bool,
    parent: u32,
    child: u32,
    previous: u32,
    next: u32,
}

impl Request {
    fn free() -> Self {
        Self {
            timer: Entry::default(),
            generation: 0,
            origin: Origin::Isolate,
            place: Place::None,
            is_send: false,
            expired: false,
            parent: NIL,
            child: NIL,
            previous: NIL,
            next: NIL,
        }
    }
}

/// The two slabs.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    own: Vec<Request>,
    inbound: Vec<Request>,
    /// Next generation of each inbound number.
    generations: Vec<u32>,
    free: Vec<u32>,
    open: usize,
}

/// Open requests of an isolate. Protects the process from a program that never waits.
pub const MAX_OPEN: u32 = 1_000_000;

/// Open requests of one peer, a small part of [`MAX_OPEN`]: one that asks without end leaves room for all others.
pub const MAX_OPEN_OF_PEER: u32 = 65_536;

impl Entries for Requests {
    fn entry(&mut self, id: u32) -> &mut Entry {
        &mut self.slot(id).timer
    }
}

impl Requests {
    fn slot(&mut self, id: u32) -> &mut Request {
        let index = (id & !INBOUND) as usize;
        if id & INBOUND == 0 { &mut self.own[index] } else { &mut self.inbound[index] }
    }

    /// The open request of that number and generation.
    pub(crate) fn get(&mut self, id: u32, generation: u32) -> Option<&mut Request> {
        let index = (id & !INBOUND) as usize;
        let slab = if id & INBOUND == 0 { &mut self.own } else { &mut self.inbound };
        slab.get_mut(index).filter(|request| generation != 0 && request.generation == generation)
    }

    /// The open request of a number that this port itself kept.
    pub(crate) fn known(&mut self, id: u32) -> &mut Request {
        self.slot(id)
    }

    /// How many are open.
    pub(crate) fn open(&self) -> usize {
        self.open
    }

    /// Opens a request whose number the isolate picked. `false`: too many, or the number is in use.
    pub(crate) fn open_own(&mut self, id: u32, generation: u32, origin: Origin) -> bool {
        if id >= MAX_OPEN || generation == 0 {
            return false;
        }
        while self.own.len() <= id as usize {
            self.own.push(Request::free());
        }
        let request = &mut self.own[id as usize];
        if request.generation != 0 {
            return false;
        }
        *request = Request { generation, origin, ..Request::free() };
        self.open += 1;
        true
    }

    /// Opens a request under a number of our own. `None`: too many.
    pub(crate) fn open_inbound(&mut self, origin: Origin) -> Option<(u32, u32)> {
        let index = match self.free.pop() {
            Some(index) => index,
            None if self.inbound.len() >= MAX_OPEN as usize => return None,
            None => {
                self.inbound.push(Request::free());
                self.generations.push(0);
                (self.inbound.len() - 1) as u32
            }
        };
        let generation = self.generations[index as usize].wrapping_add(1).max(1);
        self.generations[index as usize] = generation;
        self.inbound[index as usize] = Request { generation, origin, ..Request::free() };
        self.open += 1;
        Some((index | INBOUND, generation))
    }

    /// Makes `id` a part of `parent`: it ends when that is given up, and waits no longer than that does.
    /// Returns the parent's deadline.
    pub(crate) fn nest(&mut self, id: u32, parent: u32) -> u64 {
        let first = self.slot(parent).child;
        let request = self.slot(id);
        (request.parent, request.previous, request.next) = (parent, NIL, first);
        if first != NIL {
            self.slot(first).previous = id;
        }
        let parent = self.slot(parent);
        parent.child = id;
        parent.timer.deadline
    }

    /// The first request nested in this one.
    pub(crate) fn child(&mut self, id: u32) -> Option<(u32, u32)> {
        let child = self.slot(id).child;
        (child != NIL).then(|| (child, self.slot(child).generation))
    }

    /// Takes a request out of the family it is in, so that a walk over children moves on.
    pub(crate) fn leave_family(&mut self, id: u32) {
        let (parent, previous, next) = {
            let request = self.slot(id);
            let was = (request.parent, request.previous, request.next);
            (request.parent, request.previous, request.next) = (NIL, NIL, NIL);
            was
        };
        if parent != NIL {
            if previous == NIL {
                self.slot(parent).child = next;
            } else {
                self.slot(previous).next = next;
            }
            if next != NIL {
                self.slot(next).previous = previous;
            }
        }
    }

    /// Closes a request; its timer must have been removed. Its children lose their parent.
    pub(crate) fn close(&mut self, id: u32) -> (Origin, Place) {
        self.leave_family(id);
        while let Some((child, _)) = self.child(id) {
            self.leave_family(child);
        }
        let request = self.slot(id);
        let was = (request.origin, request.place);
        *request = Request::free();
        self.open -= 1;
        if id & INBOUND != 0 {
            self.free.push(id & !INBOUND);
        }
        was
    }

    /// Numbers of the open requests that satisfy a condition. Walks all: for rare events only.
    pub(crate) fn matching(&self, condition: impl Fn(&Request) -> bool) -> Vec<(u32, u32)> {
        let own = self.own.iter().enumerate().map(|(index, request)| (index as u32, request));
        let inbound = self.inbound.iter().enumerate().map(|(index, r)| (index as u32 | INBOUND, r));
        own.chain(inbound)
            .filter(|(_, request)| request.generation != 0 && condition(request))
            .map(|(id, request)| (id, request.generation))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_requests_of_others_may_be_open_and_a_closed_one_makes_room() {
        let mut requests = Requests::default();
        let (first, _) = requests.open_inbound(Origin::Callback(0)).unwrap();
        for _ in 1..MAX_OPEN {
            assert!(requests.open_inbound(Origin::Callback(0)).is_some());
        }
        assert_eq!(requests.open_inbound(Origin::Callback(0)), None);
        assert_eq!(requests.open(), MAX_OPEN as usize);
        requests.close(first);
        assert!(requests.open_inbound(Origin::Callback(0)).is_some());
    }

    #[test]
    fn a_number_from_before_does_not_find_the_request_that_has_it_now() {
        let mut requests = Requests::default();
        let (id, before) = requests.open_inbound(Origin::Callback(0)).unwrap();
        requests.close(id);
        let (again, now) = requests.open_inbound(Origin::Callback(0)).unwrap();
        assert_eq!(again, id, "numbers are used again");
        assert!(requests.get(id, before).is_none());
        assert!(requests.get(id, 0).is_none());
        assert!(requests.get(id, now).is_some());
    }
}
