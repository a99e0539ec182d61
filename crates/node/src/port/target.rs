//! Targets: the addresses that an isolate has used, and the places of peers' workers that it writes to or hears
//! from. Each is looked up once and then known by a number.

use super::inbox::Handle;
use super::mailbox::{Envelopes, List};
use std::collections::HashMap;

/// What is known of where a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whereabouts {
    /// Nothing; the next message asks.
    Unknown,
    /// The zone is being asked; messages wait in line.
    Asked,
    /// A worker of this port.
    Here(Handle),
    /// A worker on the peer of a link. Only a place is there itself.
    There { link: u32, handle: Handle },
    /// A place: all addresses of one worker share it, so that order holds between them.
    Via(Handle),
}

/// Bit of a sender's generation: it is a target, with its generation in the others, and not a slot.
pub(crate) const ELSEWHERE: u32 = 1 << 31;

/// A target where a slot could stand as well, of a sender or receiver.
pub(super) fn elsewhere(target: Handle) -> (u32, u32) {
    (target.slot, target.generation | ELSEWHERE)
}

/// The generation behind this one, of a target or slot: never 0, never with [`ELSEWHERE`].
pub(crate) fn next_generation(generation: u32) -> u32 {
    (generation.wrapping_add(1) & !ELSEWHERE).max(1)
}

/// One target.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) generation: u32,
    pub(crate) node: u16,
    /// `"worker"` or `"node/worker"`.
    pub(crate) address: Box<str>,
    pub(crate) at: Whereabouts,
    /// Who keeps its number: the isolate's address book, callers on other threads.
    pub(crate) holders: u32,
    /// Messages that wait for credit or for the answer where it is.
    pub(crate) line: List,
    /// Places that the peer granted.
    pub(crate) credit: u32,
    /// Bytes that the peer granted; the last message may overdraw them.
    pub(crate) credit_bytes: i64,
    /// More credit has been asked for and not yet come.
    pub(crate) is_asking: bool,
    /// The link had no room; it tells when it has.
    pub(crate) is_held_up: bool,
}

impl Target {
    /// Whether a message may be handed to the link now.
    pub(crate) fn has_credit(&self) -> bool {
        self.credit > 0 && self.credit_bytes > 0
    }
}

/// All targets of an isolate.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    slab: Vec<Target>,
    free: Vec<u32>,
    by_address: HashMap<(u16, Box<str>), u32>,
    by_handle: HashMap<(u32, Handle), u32>,
    /// Those that the zone is being asked for, by the name of the worker. Each may turn out to be the same one.
    asked: HashMap<Box<str>, Vec<u32>>,
    /// Where a message is to go that waits at another target of its worker's name, by its envelope.
    guests: HashMap<u32, Handle>,
}

/// The worker's name in an address.
fn name_of(address: &str) -> &str {
    address.split_once('/').map_or(address, |(_, name)| name)
}

impl Targets {
    /// What is known of a target has changed.
    pub(crate) fn set_at(&mut self, index: u32, at: Whereabouts) {
        let target = &mut self.slab[index as usize];
        let before = std::mem::replace(&mut target.at, at);
        let name = name_of(&target.address);
        if at == Whereabouts::Asked {
            self.asked.entry(name.into()).or_default().push(index);
        } else if before == Whereabouts::Asked
            && let Some(asked) = self.asked.get_mut(name)
        {
            asked.retain(|other| *other != index);
            if asked.is_empty() {
                self.asked.remove(name);
            }
        }
    }

    /// The other target at which something of this sender waits that may be for the same worker: nothing may pass it.
    pub(crate) fn ahead(&self, index: u32, sender: (u32, u32), envelopes: &Envelopes) -> Option<u32> {
        if self.asked.is_empty() {
            return None;
        }
        let target = &self.slab[index as usize];
        let asked = self.asked.get(name_of(&target.address))?.iter().copied();
        let mut others = asked.filter(|other| *other != index);
        others.find(|other| {
            let other = &self.slab[*other as usize];
            other.node == target.node && envelopes.has_of(other.line, sender)
        })
    }

    /// A message for `target` waits at another one.
    pub(crate) fn add_guest(&mut self, envelope: u32, target: Handle) {
        self.guests.insert(envelope, target);
    }

    /// An envelope leaves the line that it is in; answers with the target that it is for, if that is another one.
    pub(crate) fn take_guest(&mut self, envelope: u32) -> Option<Handle> {
        if self.guests.is_empty() { None } else { self.guests.remove(&envelope) }
    }

    fn add(&mut self, node: u16, address: Box<str>, at: Whereabouts) -> u32 {
        let generation = 1;
        let target = Target {
            generation,
            node,
            address,
            at,
            holders: 0,
            line: List::default(),
            credit: 0,
            credit_bytes: 0,
            is_asking: false,
            is_held_up: false,
        };
        if let Some(index) = self.free.pop() {
            let generation = self.slab[index as usize].generation;
            self.slab[index as usize] = Target { generation, ..target };
            index
        } else {
            self.slab.push(target);
            (self.slab.len() - 1) as u32
        }
    }

    /// The target of an address, made when it is new.
    pub(crate) fn intern(&mut self, node: u16, address: &str) -> Handle {
        let key = (node, Box::from(address));
        let index = if let Some(index) = self.by_address.get(&key) {
            *index
        } else {
            let index = self.add(node, address.into(), Whereabouts::Unknown);
            self.by_address.insert(key, index);
            index
        };
        Handle { slot: index, generation: self.slab[index as usize].generation }
    }

    /// [`Targets::intern`] for one more holder, who gives it back.
    pub(crate) fn hold(&mut self, node: u16, address: &str) -> Handle {
        let target = self.intern(node, address);
        self.slab[target.slot as usize].holders += 1;
        target
    }

    /// The place of a peer's worker, made when it is new.
    pub(crate) fn intern_place(&mut self, node: u16, address: &str, link: u32, handle: Handle) -> Handle {
        let index = if let Some(index) = self.by_handle.get(&(link, handle)) {
            *index
        } else {
            let index = self.add(node, address.into(), Whereabouts::There { link, handle });
            self.by_handle.insert((link, handle), index);
            index
        };
        self.handle(index)
    }

    /// The place of a peer's worker, if it is known.
    pub(crate) fn place(&self, link: u32, handle: Handle) -> Option<Handle> {
        self.by_handle.get(&(link, handle)).map(|index| self.handle(*index))
    }

    /// Frees a target that nothing waits at.
    pub(crate) fn remove(&mut self, index: u32) {
        if self.slab[index as usize].at == Whereabouts::Asked {
            self.set_at(index, Whereabouts::Unknown);
        }
        let target = &mut self.slab[index as usize];
        target.generation = next_generation(target.generation);
        let address = std::mem::take(&mut target.address);
        if let Whereabouts::There { link, handle } = target.at {
            self.by_handle.remove(&(link, handle));
        } else {
            let node = target.node;
            self.by_address.remove(&(node, address));
        }
        self.slab[index as usize].at = Whereabouts::Unknown;
        self.free.push(index);
    }

    pub(crate) fn get(&mut self, handle: Handle) -> Option<&mut Target> {
        self.slab.get_mut(handle.slot as usize).filter(|target| target.generation == handle.generation)
    }

    /// The address of a target, if it is still that one.
    pub(crate) fn address(&self, handle: Handle) -> Option<&str> {
        let target =
            self.slab.get(handle.slot as usize).filter(|target| target.generation == handle.generation);
        target.map(|target| &*target.address)
    }

    pub(crate) fn known(&mut self, index: u32) -> &mut Target {
        &mut self.slab[index as usize]
    }

    pub(crate) fn handle(&self, index: u32) -> Handle {
        Handle { slot: index, generation: self.slab[index as usize].generation }
    }

    /// Targets at the worker of a peer, by whatever address.
    pub(crate) fn at(&self, wanted: impl Fn(&Target) -> bool) -> Vec<u32> {
        (0..self.slab.len() as u32)
            .filter(|index| {
                let target = &self.slab[*index as usize];
                !target.address.is_empty() && wanted(target)
            })
            .collect()
    }
}
