//! The addresses that an isolate has used, and where they lead.

use super::{Local, NIL};
use crate::error::Error;
use crate::port::Handle;
use std::collections::HashMap;
use troupe_proto::address::Address;

/// Addresses remembered; beyond it all are forgotten and looked up again.
const REMEMBERED: usize = 65_536;

/// Where a message goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// A worker of this isolate.
    Here(Handle),
    /// A target of the port.
    Elsewhere(Handle),
}

/// The addresses.
#[derive(Debug, Default)]
pub(super) struct Book(HashMap<Box<str>, Place>);

impl Book {
    /// A worker of this name starts here: its name leads to it from now on.
    pub(super) fn forget(&mut self, name: &str, node: &str) {
        if self.0.is_empty() {
            return;
        }
        self.0.remove(name);
        self.0.remove(format!("{node}/{name}").as_str());
    }
}

impl Local {
    /// Where an address leads.
    pub(super) fn find(&self, to: &str) -> Result<Place, Error> {
        let known = self.book.borrow().0.get(to).copied();
        match known {
            Some(Place::Here(handle)) if self.cells.borrow_mut().get(handle).is_none() => {}
            Some(place) => return Ok(place),
            None => {}
        }
        let address = Address::parse(to).map_err(|error| Error::InvalidArgument {
            text: to.to_owned(),
            what: "address",
            reason: error.to_string(),
        })?;
        let shared = self.node.shared();
        let here = address.node.is_none_or(|node| node == shared.name());
        let handle = here.then(|| shared.look_up(address.worker)).flatten();
        let place = match handle.filter(|handle| handle.slot != NIL) {
            Some(handle) => Place::Here(handle),
            None => Place::Elsewhere(self.port.borrow_mut().target(self.number(), to)),
        };
        self.make_room();
        self.book.borrow_mut().0.insert(to.into(), place);
        Ok(place)
    }

    fn make_room(&self) {
        let mut book = self.book.borrow_mut();
        if book.0.len() < REMEMBERED {
            return;
        }
        let mut port = self.port.borrow_mut();
        for (_, place) in book.0.drain() {
            if let Place::Elsewhere(target) = place {
                port.release_target(target);
            }
        }
    }
}
