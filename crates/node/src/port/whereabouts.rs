//! Where the target of a message is: here, at a peer, or not yet known.

use super::dead_letter::Reason;
use super::mailbox::{Envelope, List};
use super::peers::link_key;
use super::record::NIL;
use super::target::{Whereabouts, elsewhere};
use super::{Failure, Handle, Port, Resolution, Sink};
use crate::code;

impl Port {
    /// A worker of this isolate by the name that a target has.
    pub(super) fn look_up(&mut self, index: u32) -> Option<Handle> {
        let target = self.targets.known(index);
        let node = target.node;
        let address = target.address.clone();
        let shared = self.shared(node)?;
        let name = match address.split_once('/') {
            Some((node, name)) if node == shared.name() => name,
            Some(_) => return None,
            None => &*address,
        };
        let handle = shared.look_up(name)?;
        self.targets.set_at(index, Whereabouts::Here(handle));
        Some(handle)
    }

    /// Starts to ask the zone where a target is; the code of the failure when that is known at once.
    pub(super) fn search(&mut self, target: Handle) -> Result<(), u8> {
        let entry = self.targets.known(target.slot);
        let (node, address) = (entry.node, entry.address.clone());
        let Some(shared) = self.shared(node).cloned() else { return Err(code::NO_SUCH_WORKER) };
        shared.search(&address, target)?;
        self.targets.set_at(target.slot, Whereabouts::Asked);
        Ok(())
    }

    pub(super) fn resolved<S: Sink>(&mut self, handle: Handle, result: Resolution, sink: &mut S) {
        let Some(target) = self.targets.get(handle) else { return };
        let line = std::mem::take(&mut target.line);
        let (node, address) = (target.node, target.address.clone());
        let (at, failed) = match result {
            Resolution::Failed(failure) => (Whereabouts::Unknown, Some(failure)),
            Resolution::Local(worker) => (Whereabouts::Here(worker), None),
            Resolution::Remote(link, _) if !link.is_open() => {
                // It ended while the others were asked, and what ends with it may have ended already.
                (Whereabouts::Unknown, Some(Failure::new(code::NODE_UNREACHABLE)))
            }
            Resolution::Remote(link, worker) => {
                let name = address.split_once('/').map_or(&*address, |(_, name)| name);
                let address = format!("{}/{name}", link.peer().name);
                let place = self.targets.intern_place(node, &address, link_key(node, link.index()), worker);
                self.link_opened(link, node);
                (Whereabouts::Via(place), None)
            }
        };
        self.targets.set_at(handle.slot, at);
        self.go_on(line, handle, failed, sink);
    }

    /// What waited at a target goes on, in order: what is for it fails, or goes where it is; what only went behind that goes
    /// where it was to go.
    fn go_on<S: Sink>(&mut self, mut line: List, target: Handle, failed: Option<Failure>, sink: &mut S) {
        let mut places = Vec::new();
        loop {
            let guest = self.targets.take_guest(line.head());
            let Some(envelope) = self.envelopes.pop(&mut line) else { break };
            match (guest, failed) {
                (None, Some(failure)) => {
                    let reason = Reason::of_search(failure.code);
                    self.fail_waiting_one(&envelope, elsewhere(target), failure, reason, NIL);
                }
                (guest, _) => self.forward(guest.unwrap_or(target), envelope, &mut places, sink),
            }
        }
        for place in places {
            self.drain_place(place);
        }
    }

    /// A message that waited goes where its target is; `places` are those that got something.
    fn forward<S: Sink>(&mut self, to: Handle, envelope: Envelope, places: &mut Vec<u32>, sink: &mut S) {
        let Some(at) = self.targets.get(to).map(|target| target.at) else {
            let stopped = Failure::new(code::NODE_STOPPED);
            return self.fail_waiting_one(&envelope, elsewhere(to), stopped, Reason::NodeStopped, NIL);
        };
        let sender = (envelope.sender, envelope.sender_generation);
        let id = envelope.request;
        if let Some(other) = self.targets.ahead(to.slot, sender, &self.envelopes) {
            self.requests.known(id).place = self.line_up(other, Some(to), envelope);
            return;
        }
        let here = match at {
            Whereabouts::Here(worker) if self.slot(worker).is_some() => Some(worker),
            Whereabouts::Via(place) if self.targets.get(place).is_some() => {
                self.requests.known(id).place = self.line_up(place.slot, None, envelope);
                if places.last() != Some(&place.slot) {
                    places.push(place.slot);
                }
                return;
            }
            Whereabouts::Asked => None,
            _ => self.look_up(to.slot),
        };
        if let Some(worker) = here {
            let letter = self.leave_for((worker.slot, worker.generation), &envelope);
            return self.accept(worker, letter, sink);
        }
        let is_asked = at == Whereabouts::Asked;
        match if is_asked { Ok(()) } else { self.search(to) } {
            Ok(()) => self.requests.known(id).place = self.line_up(to.slot, None, envelope),
            Err(code) => {
                let reason = Reason::of_search(code);
                self.fail_waiting_one(&envelope, elsewhere(to), Failure::new(code), reason, NIL);
            }
        }
    }
}
