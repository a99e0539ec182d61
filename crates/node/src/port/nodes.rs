//! The nodes of a port: each has a number in it.

use super::dead_letter::Reason;
use super::mailbox::State;
use super::record::NIL;
use super::target::elsewhere;
use super::{Failure, Port};
use crate::code;
use crate::node::Shared;
use std::sync::Arc;

impl Port {
    /// Makes a node of this port; its number is used in all later calls.
    pub fn add_node(&mut self, name: &str) -> Arc<Shared> {
        let index = self.nodes.iter().position(Option::is_none).unwrap_or_else(|| {
            self.nodes.push(None);
            self.nodes.len() - 1
        });
        let shared = Shared::new(name, index as u16, self.inbox.clone());
        self.nodes[index] = Some(shared.clone());
        shared
    }

    /// Forgets a node: its workers, targets and links are gone.
    pub fn remove_node(&mut self, node: u16) {
        let workers: Vec<_> = (0..self.slots.len() as u32)
            .filter(|slot| {
                let slot = &self.slots[*slot as usize];
                slot.node == node && slot.state != State::Free
            })
            .collect();
        for slot in workers {
            self.stop_now(slot);
            self.gone(slot, true);
        }
        let links: Vec<_> =
            self.links.iter().filter(|(_, link)| link.node == node).map(|(index, _)| *index).collect();
        for link in links {
            self.link_closed(link, None);
        }
        for target in self.targets.at(|target| target.node == node) {
            let line = std::mem::take(&mut self.targets.known(target).line);
            let to = elsewhere(self.targets.handle(target));
            self.fail_line(line, to, Failure::new(code::NODE_STOPPED), Reason::NodeStopped, NIL);
            self.targets.remove(target);
        }
        self.classes.forget(node);
        if let Some(node) = self.nodes.get_mut(usize::from(node)) {
            *node = None;
        }
    }
}
