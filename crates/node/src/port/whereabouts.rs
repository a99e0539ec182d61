//! Where the target of a message is: here, at a peer, or not yet known.

use super::dead_letter::Reason;
use super::mailbox::List;
use super::peers::link_key;
use super::record::NIL;
use super::request::Place;
use super::target::Whereabouts;
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
        self.targets.known(index).at = Whereabouts::Here(handle);
        Some(handle)
    }

    /// Starts to ask the zone where a target is; the code of the failure when that is known at once.
    pub(super) fn search(&mut self, target: Handle) -> Result<(), u8> {
        let entry = self.targets.known(target.slot);
        let (node, address) = (entry.node, entry.address.clone());
        let Some(shared) = self.shared(node).cloned() else { return Err(code::NO_SUCH_WORKER) };
        shared.search(&address, target)?;
        self.targets.known(target.slot).at = Whereabouts::Asked;
        Ok(())
    }

    pub(super) fn resolved<S: Sink>(&mut self, handle: Handle, result: Resolution, sink: &mut S) {
        let Some(target) = self.targets.get(handle) else { return };
        let line = std::mem::take(&mut target.line);
        let (node, address) = (target.node, target.address.clone());
        match result {
            Resolution::Failed(failure) => {
                target.at = Whereabouts::Unknown;
                self.fail_line(line, failure, Reason::of_search(failure.code), NIL);
            }
            Resolution::Local(worker) => {
                target.at = Whereabouts::Here(worker);
                self.deliver_line(line, worker, sink);
            }
            Resolution::Remote(link, _) if !link.is_open() => {
                // It ended while the others were asked, and what ends with it may have ended already.
                target.at = Whereabouts::Unknown;
                let unreachable = Failure::new(code::NODE_UNREACHABLE);
                self.fail_line(line, unreachable, Reason::NodeUnreachable, NIL);
            }
            Resolution::Remote(link, worker) => {
                let name = address.split_once('/').map_or(&*address, |(_, name)| name);
                let address = format!("{}/{name}", link.peer().name);
                let place = self.targets.intern_place(node, &address, link_key(node, link.index()), worker);
                self.targets.known(handle.slot).at = Whereabouts::Via(place);
                self.link_opened(link, node);
                self.move_line(line, place.slot);
                self.drain_place(place.slot);
            }
        }
    }

    fn move_line(&mut self, mut line: List, place: u32) {
        while let Some(envelope) = self.envelopes.pop(&mut line) {
            let id = envelope.request;
            let envelope = self.envelopes.push(&mut self.targets.known(place).line, envelope);
            self.requests.known(id).place = Place::TargetLine { target: place, envelope };
        }
    }

    fn deliver_line<S: Sink>(&mut self, mut line: List, worker: Handle, sink: &mut S) {
        while let Some(envelope) = self.envelopes.pop(&mut line) {
            let letter = self.leave_for(&envelope);
            self.accept(worker, letter, sink);
        }
    }
}
