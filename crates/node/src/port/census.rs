//! What a port counts of its workers, by class, and how it tells it: a snapshot, taken when somebody asks.
//!
//! Counted with the moments that a flush has anyway: no clock is read, and nothing allocated, for a message.

use super::mailbox::State;
use super::{Handle, Port};
use crate::observe::Histogram;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// Names of classes that are kept apart; a program that makes classes without end has the others as one.
const NAMES: usize = 1024;
/// What those are called.
const OTHERS: &str = "(others)";

/// What is counted of the workers of one class on one node.
#[derive(Debug)]
pub(super) struct Class {
    node: u16,
    name: u32,
    pub(super) handled: u64,
    pub(super) failed: u64,
    pub(super) restarts: u64,
    pub(super) in_mailbox: Histogram,
    in_handler: Histogram,
}

/// The classes of a port.
#[derive(Debug, Default)]
pub(super) struct Classes {
    names: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u32>,
    all: Vec<Option<Class>>,
    places: HashMap<(u16, u32), u32>,
}

impl Classes {
    fn name(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        if self.names.len() == NAMES {
            return self.name(OTHERS);
        }
        // One place is left for the others.
        let name = if self.names.len() == NAMES - 1 { OTHERS } else { name };
        let number = self.names.len() as u32;
        self.names.push(name.into());
        self.numbers.insert(name.into(), number);
        number
    }

    /// The place of a class on a node, made when it is new.
    pub(super) fn place(&mut self, node: u16, name: u32) -> u32 {
        let Self { all, places, .. } = self;
        *places.entry((node, name)).or_insert_with(|| {
            let place = all.iter().position(Option::is_none).unwrap_or_else(|| {
                all.push(None);
                all.len() - 1
            });
            all[place] = Some(Class {
                node,
                name,
                handled: 0,
                failed: 0,
                restarts: 0,
                in_mailbox: Histogram::default(),
                in_handler: Histogram::default(),
            });
            place as u32
        })
    }

    pub(super) fn get(&mut self, place: u32) -> Option<&mut Class> {
        self.all.get_mut(place as usize).and_then(Option::as_mut)
    }

    /// A node is gone, and what was counted of it.
    pub(super) fn forget(&mut self, node: u16) {
        self.places.retain(|(known, _), _| *known != node);
        for class in &mut self.all {
            if class.as_ref().is_some_and(|class| class.node == node) {
                *class = None;
            }
        }
    }

    fn name_of(&self, place: u32) -> &str {
        let class = self.all.get(place as usize).and_then(Option::as_ref);
        class.and_then(|class| self.names.get(class.name as usize)).map_or("", |name| name)
    }
}

/// One worker in a snapshot. Times are in ticks of a sixteenth of a millisecond.
#[derive(Clone, Debug)]
pub(crate) struct WorkerCensus {
    pub(crate) name: Box<str>,
    pub(crate) class: Box<str>,
    pub(crate) state: &'static str,
    pub(crate) queued: u32,
    pub(crate) handled: u64,
    pub(crate) failed: u32,
    pub(crate) restarts: u32,
    /// How long the oldest message that waits has waited.
    pub(crate) oldest: u32,
    /// The longest that a handler took; one that runs counts.
    pub(crate) slowest: u32,
}

/// One class in a snapshot.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClassCensus {
    pub(crate) name: Box<str>,
    pub(crate) workers: u32,
    pub(crate) queued: u64,
    pub(crate) handled: u64,
    pub(crate) failed: u64,
    pub(crate) restarts: u64,
    pub(crate) oldest: u32,
    pub(crate) in_mailbox: Histogram,
    pub(crate) in_handler: Histogram,
}

/// The workers of a node at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Census {
    pub(crate) total: usize,
    /// Those with the longest queues, longest first.
    pub(crate) workers: Vec<WorkerCensus>,
    /// All classes that ever had a worker, by name.
    pub(crate) classes: Vec<ClassCensus>,
}

impl Port {
    /// The number of a class of workers, for [`Port::start_as`]. The same for the same name.
    pub fn class(&mut self, name: &str) -> u32 {
        self.classes.name(name)
    }

    /// So many messages were done with by a worker, one of them failed perhaps.
    pub(super) fn count_handled(&mut self, slot: u32, count: u32, failed: u32) {
        let now = self.ticks;
        let slot = &mut self.slots[slot as usize];
        slot.handled += u64::from(count);
        slot.failed += failed;
        let Some(class) = self.classes.get(slot.class) else { return };
        class.handled += u64::from(count);
        class.failed += u64::from(failed);
        if slot.has_behaviour && count > 0 {
            // They were done between two flushes: which of them took how long only their handlers know.
            let each = now.wrapping_sub(slot.since) / count;
            slot.since = now;
            slot.slowest = slot.slowest.max(each);
            class.in_handler.add(each, count);
        }
    }

    /// What there is to tell of a node's workers, of at most `limit` of them one by one.
    pub(crate) fn census(&self, node: u16, limit: usize) -> Census {
        let now = self.ticks;
        let mut classes = vec![ClassCensus::default(); self.classes.all.len()];
        // The shortest queue of those kept is on top.
        let mut longest = BinaryHeap::new();
        let mut total = 0;
        for (index, slot) in self.slots.iter().enumerate() {
            if slot.state == State::Free || slot.node != node {
                continue;
            }
            total += 1;
            let (queued, oldest) = (slot.waits(), self.oldest(index as u32));
            if let Some(class) = classes.get_mut(slot.class as usize) {
                class.workers += 1;
                class.queued += u64::from(queued);
                class.oldest = class.oldest.max(oldest);
            }
            // Of equal ones the first.
            let item = Reverse((queued, Reverse(index as u32)));
            if longest.len() < limit {
                longest.push(item);
            } else if let Some(mut shortest) = longest.peek_mut()
                && item < *shortest
            {
                *shortest = item;
            }
        }
        for (place, (class, told)) in self.classes.all.iter().zip(&mut classes).enumerate() {
            let Some(class) = class.as_ref().filter(|class| class.node == node) else { continue };
            told.name = self.classes.name_of(place as u32).into();
            (told.handled, told.failed, told.restarts) = (class.handled, class.failed, class.restarts);
            (told.in_mailbox, told.in_handler) = (class.in_mailbox.clone(), class.in_handler.clone());
        }
        classes.retain(|class| !class.name.is_empty());
        classes.sort_by(|one, other| one.name.cmp(&other.name));
        let workers = longest.into_sorted_vec().into_iter().map(|Reverse((queued, Reverse(index)))| {
            let slot = &self.slots[index as usize];
            let is_running = slot.has_behaviour && slot.lent > 0;
            let running = if is_running { now.wrapping_sub(slot.since) } else { 0 };
            WorkerCensus {
                name: slot.name.clone(),
                class: self.classes.name_of(slot.class).into(),
                state: slot.word(),
                queued,
                handled: slot.handled,
                failed: slot.failed,
                restarts: slot.restarts(),
                oldest: self.oldest(index),
                slowest: slot.slowest.max(running),
            }
        });
        Census { total, workers: workers.collect(), classes }
    }

    /// How long the oldest message that waits at a worker has waited there.
    fn oldest(&self, index: u32) -> u32 {
        let slot = &self.slots[index as usize];
        if slot.waits() == 0 {
            return 0;
        }
        let head = slot.queue.head();
        let since =
            if head == super::NIL || slot.lent > 1 { slot.since } else { self.envelopes.get(head).at };
        self.ticks.wrapping_sub(since)
    }

    /// A worker failed to handle a message: keeps what is known of it for those who observe the node.
    pub fn note_failure(&mut self, worker: Handle, message: &str, stack: Option<&str>) {
        let Some(slot) = self.slot(worker) else { return };
        let (node, class, name) = (slot.node, slot.class, slot.name.clone());
        if let Some(shared) = self.shared(node) {
            shared.note_failure(&name, self.classes.name_of(class), message, stack);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_beyond_the_bound_are_counted_as_one() {
        let mut classes = Classes::default();
        for number in 0..NAMES * 2 {
            classes.name(&format!("Class{number}"));
        }
        assert_eq!(classes.names.len(), NAMES);
        let others = classes.name("one more");
        assert_eq!(&*classes.names[others as usize], OTHERS);
        assert_eq!(classes.name("Class7"), 7);
    }

    #[test]
    fn what_was_counted_of_a_node_goes_with_it_and_its_place_is_used_again() {
        let mut classes = Classes::default();
        let name = classes.name("Echo");
        let (one, other) = (classes.place(0, name), classes.place(1, name));
        assert_ne!(one, other);
        classes.forget(0);
        assert!(classes.get(one).is_none() && classes.get(other).is_some());
        assert_eq!(classes.place(2, name), one);
    }
}
