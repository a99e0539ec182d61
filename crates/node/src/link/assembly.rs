//! Bodies that come in pieces, until they are whole. Bounded by what HELLO allowed, allocated as bytes come.

use std::collections::HashMap;

use troupe_proto::{
    codec::{Flow, Pieces},
    session::{SessionError, Terms},
};

/// Room that a body gets with its first piece; then it doubles.
const FIRST_BYTES: usize = 64 * 1024;

/// Heads and bodies of what is under way.
#[derive(Debug)]
pub(super) struct Assembly {
    parts: HashMap<u32, Part>,
    /// Whole length of all bodies under way.
    bytes: usize,
    max_parts: usize,
    max_bytes: usize,
    max_message: usize,
}

/// A frame whose body comes in pieces.
#[derive(Debug)]
pub(super) struct Part {
    /// The encoded head.
    pub(super) head: Vec<u8>,
    /// The body so far.
    pub(super) body: Vec<u8>,
    total: usize,
    /// What it filled of its window.
    cost: Option<(Flow, u32)>,
}

impl Assembly {
    pub(super) fn new(own: &Terms) -> Self {
        Self {
            parts: HashMap::new(),
            bytes: 0,
            max_parts: usize::from(own.max_pieces),
            max_bytes: own.max_reassembly as usize,
            max_message: own.max_message as usize,
        }
    }

    /// How many bodies are under way.
    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    /// The channel is lost: what is under way starts over on the next. Answers what it had filled of the windows.
    pub(super) fn start_over(&mut self) -> impl Iterator<Item = (Flow, u32)> {
        self.bytes = 0;
        self.parts.drain().filter_map(|(_, part)| part.cost)
    }

    /// A head was read, of a frame with this cost.
    pub(super) fn begin(
        &mut self,
        pieces: Pieces,
        head: &[u8],
        cost: Option<(Flow, u32)>,
    ) -> Result<(), SessionError> {
        let total = pieces.total as usize;
        if total > self.max_message {
            return Err(SessionError::OutOfPlace("it sent a message longer than this node takes in"));
        }
        if self.parts.len() >= self.max_parts || self.bytes + total > self.max_bytes {
            return Err(SessionError::OutOfPlace(
                "it sent more bodies in pieces at once than this node takes in",
            ));
        }
        let part = Part { head: head.to_vec(), body: Vec::new(), total, cost };
        if self.parts.insert(pieces.id, part).is_some() {
            return Err(SessionError::OutOfPlace("it used the number of a body twice at once"));
        }
        self.bytes += total;
        Ok(())
    }

    /// A piece was read; answers with the whole when it was the last.
    pub(super) fn add(&mut self, id: u32, last: bool, bytes: &[u8]) -> Result<Option<Part>, SessionError> {
        let Some(part) = self.parts.get_mut(&id) else {
            return Err(SessionError::OutOfPlace("it sent a piece of a body that it did not begin"));
        };
        let len = part.body.len() + bytes.len();
        if len > part.total || last != (len == part.total) {
            return Err(SessionError::OutOfPlace("the pieces of a body are not as long as it said"));
        }
        if len > part.body.capacity() {
            let room = part.total.min((part.body.capacity() * 2).max(FIRST_BYTES)).max(len);
            part.body.reserve_exact(room - part.body.len());
        }
        part.body.extend_from_slice(bytes);
        if !last {
            return Ok(None);
        }
        self.bytes -= part.total;
        Ok(self.parts.remove(&id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assembly() -> Assembly {
        Assembly::new(&Terms { max_message: 100, max_reassembly: 150, max_pieces: 2, ..Terms::default() })
    }

    #[test]
    fn pieces_of_two_bodies_may_alternate() {
        let mut assembly = assembly();
        assembly.begin(Pieces { id: 1, total: 4 }, b"head one", None).unwrap();
        assembly.begin(Pieces { id: 2, total: 2 }, b"head two", None).unwrap();
        assert!(assembly.add(1, false, b"ab").unwrap().is_none());
        let two = assembly.add(2, true, b"xy").unwrap().unwrap();
        assert_eq!((&two.head[..], &two.body[..]), (&b"head two"[..], &b"xy"[..]));
        let one = assembly.add(1, true, b"cd").unwrap().unwrap();
        assert_eq!((&one.head[..], &one.body[..]), (&b"head one"[..], &b"abcd"[..]));
    }

    #[test]
    fn what_was_announced_allocates_nothing_before_it_comes() {
        let mut assembly = Assembly::new(&Terms::default());
        assembly.begin(Pieces { id: 1, total: 16 << 20 }, b"head", None).unwrap();
        assembly.add(1, false, b"a").unwrap();
        assert!(assembly.parts[&1].body.capacity() <= FIRST_BYTES);
    }

    #[test]
    fn more_than_the_bounds_is_refused() {
        let mut assembly = assembly();
        assert!(assembly.begin(Pieces { id: 1, total: 101 }, b"", None).is_err());
        assembly.begin(Pieces { id: 1, total: 100 }, b"", None).unwrap();
        assert!(assembly.begin(Pieces { id: 2, total: 51 }, b"", None).is_err());
        assembly.begin(Pieces { id: 2, total: 1 }, b"", None).unwrap();
        assert!(assembly.begin(Pieces { id: 3, total: 1 }, b"", None).is_err());
    }

    #[test]
    fn a_finished_body_makes_room() {
        let mut assembly = assembly();
        for id in 0..10 {
            assembly.begin(Pieces { id, total: 100 }, b"", None).unwrap();
            assembly.add(id, true, &[7; 100]).unwrap().unwrap();
        }
    }

    #[test]
    fn what_starts_over_gives_its_window_and_its_place_back() {
        let mut assembly = assembly();
        let cost = (Flow::Messages, 164);
        assembly.begin(Pieces { id: 1, total: 100 }, b"", Some(cost)).unwrap();
        assembly.add(1, false, &[7; 50]).unwrap();
        assert_eq!(assembly.start_over().collect::<Vec<_>>(), [cost]);
        assembly.begin(Pieces { id: 1, total: 100 }, b"", Some(cost)).unwrap();
        assert!(assembly.add(1, true, &[7; 50]).is_err(), "nothing of it was kept");
    }

    #[test]
    fn pieces_that_do_not_add_up_are_refused() {
        assert!(assembly().add(1, true, b"a").is_err());
        for (bytes, last) in [(&b"abc"[..], false), (b"ab", false), (b"a", true)] {
            let mut assembly = assembly();
            assembly.begin(Pieces { id: 1, total: 2 }, b"", None).unwrap();
            assert!(assembly.add(1, last, bytes).is_err(), "{bytes:?} {last}");
        }
        let mut assembly = assembly();
        assembly.begin(Pieces { id: 1, total: 2 }, b"", None).unwrap();
        assert!(assembly.begin(Pieces { id: 1, total: 2 }, b"", None).is_err());
    }
}
