//! Messages of an isolate's workers: how they are handed to the port, answered, and told apart.

use super::batch::record;
use super::book::Place;
use super::requests::Receiving;
use super::sends::Sending;
use super::{Cancelled, Letter, Local, millis};
use crate::error::{Error, MAX_MESSAGE};
use crate::port::Handle;
use crate::port::record::{INBOUND, NIL, NO_WAIT, TO_TARGET, outgoing};
use std::rc::Rc;
use std::time::Duration;

impl Local {
    /// Hands a message over, with this worker as the sender; resolves when it has been taken.
    pub(crate) async fn send(
        self: &Rc<Self>,
        from: Handle,
        to: &str,
        message: String,
        timeout: Duration,
    ) -> Result<(), Error> {
        let place = self.check(from, to, &message)?;
        let number = self.put_message(from, place, message, timeout, Handle { slot: NIL, generation: 0 });
        Sending::new(self, number).of(to).await
    }

    /// Sends and waits for the first reply. `parent`: the request in whose handler this is asked.
    pub(crate) async fn send_and_receive(
        self: &Rc<Self>,
        from: Handle,
        to: &str,
        message: String,
        timeout: Duration,
        parent: Option<Handle>,
    ) -> Result<String, Error> {
        let place = self.check(from, to, &message)?;
        let receiving = Receiving::open(self);
        if let Some(Handle { slot, generation }) = parent {
            self.put(record(outgoing::PARENT, [slot, generation, 0]));
        }
        self.put_message(from, place, message, timeout, receiving.at());
        receiving.of(to).await
    }

    fn check(&self, from: Handle, to: &str, message: &str) -> Result<Place, Error> {
        if message.len() > MAX_MESSAGE {
            return Err(Error::MessageTooLarge { worker: to.to_owned() });
        }
        if self.cells.borrow_mut().get(from).is_none() {
            if from == self.main.get() {
                return Err(Error::NodeStopped);
            }
            // Its slot may be another worker's by now.
            return Err(Error::WorkerStopped { worker: to.to_owned(), maybe_executed: false });
        }
        self.find(to)
    }

    fn put_message(
        &self,
        from: Handle,
        place: Place,
        message: String,
        timeout: Duration,
        request: Handle,
    ) -> u32 {
        let mut batch = self.batch.borrow_mut();
        let (kind, to) = match place {
            Place::Here(handle) => (outgoing::MESSAGE, handle),
            Place::Elsewhere(handle) => (outgoing::MESSAGE | TO_TARGET, handle),
        };
        let words =
            [kind, to.slot, to.generation, from.slot, NIL, millis(timeout), request.slot, request.generation];
        match place {
            Place::Here(_) => batch.put_kept(words, message),
            Place::Elsewhere(_) => batch.put_text(words, &message),
        }
    }

    /// Answers a message of a worker in this isolate.
    pub(crate) fn reply(&self, from: Handle, letter: &Letter, message: String) -> Result<(), Error> {
        if message.len() > MAX_MESSAGE {
            return Err(Error::MessageTooLarge { worker: "the sender".into() });
        }
        let Letter { request, generation, sender, sender_generation, is_from_elsewhere, .. } = *letter;
        let mut batch = self.batch.borrow_mut();
        if request != NIL {
            let words = record(outgoing::REPLY, [request, generation, from.slot]);
            if request & INBOUND == 0 {
                batch.put_kept(words, message);
            } else {
                batch.put_text(words, &message);
            }
        } else if sender != NIL && self.cells.borrow_mut().get(from).is_some() {
            let kind = outgoing::MESSAGE | NO_WAIT | if is_from_elsewhere { TO_TARGET } else { 0 };
            let words = [kind, sender, sender_generation, from.slot, NIL, 0, NIL, 0];
            if is_from_elsewhere {
                batch.put_text(words, &message);
            } else {
                batch.put_kept(words, message);
            }
        }
        Ok(())
    }

    /// `"node/worker"` of whoever sent a message; empty when nobody did or it has gone meanwhile.
    pub(crate) fn sender(&self, letter: &Letter) -> String {
        let Letter { sender, sender_generation: generation, .. } = *letter;
        let at = Handle { slot: sender, generation };
        if sender == NIL {
            return String::new();
        }
        if letter.is_from_elsewhere {
            return self.port.borrow_mut().address_of(at).unwrap_or_default().to_owned();
        }
        let mut cells = self.cells.borrow_mut();
        cells.get(at).map_or_else(String::new, |cell| format!("{}/{}", self.node.name(), cell.name))
    }

    /// Name of a worker of this isolate; empty when it has gone.
    pub(crate) fn name_of(&self, at: Handle) -> String {
        self.cells.borrow_mut().get(at).map_or_else(String::new, |cell| cell.name.to_string())
    }

    /// Whether the asker of this message gave up while it is handled, or its worker's time is over.
    pub(crate) fn is_cancelled(&self, at: Handle, letter: &Letter) -> bool {
        let mut cells = self.cells.borrow_mut();
        let Some(cell) = cells.get(at) else { return true };
        let is_current = cell
            .current
            .is_some_and(|now| now.request == letter.request && now.generation == letter.generation);
        is_current && cell.is_cancelled
    }

    /// Resolves when [`Local::is_cancelled`] would say so, also after the handler has ended.
    pub(crate) fn cancelled(self: &Rc<Self>, at: Handle, letter: &Letter) -> Cancelled {
        let request = Handle { slot: letter.request, generation: letter.generation };
        Cancelled::new(self, at.slot, request, self.is_cancelled(at, letter))
    }
}
