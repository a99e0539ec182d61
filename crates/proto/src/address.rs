//! Names of nodes and workers, and the addresses made of them: `worker` or `node/worker`.
//!
//! Every name that enters the process, from a user, a file or a channel, is checked here.

use std::fmt;

/// The longest name of a node or a worker, in characters (all of them ASCII, so also in bytes).
pub const NAME_MAX: usize = 128;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("it is empty; a name has 1 to {NAME_MAX} characters")]
    Empty,
    /// The text is longer than [`NAME_MAX`].
    #[error("it has {length} bytes; a name has at most {NAME_MAX} characters")]
    TooLong {
        /// The length found, in bytes of UTF-8.
        length: usize,
    },
    /// The text holds a character outside of `[A-Za-z0-9_-]`.
    #[error("{character:?} at byte {at} is not allowed; use letters A-Z a-z, digits, '_' and '-'")]
    Character {
        /// The first character that is not allowed.
        character: char,
        /// Its position, in bytes.
        at: usize,
    },
}

/// Checks that `text` is a name: 1 to [`NAME_MAX`] characters of `[A-Za-z0-9_-]`.
pub fn check_name(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > NAME_MAX {
        return Err(NameError::TooLong { length: text.len() });
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match text.char_indices().find(|&(_, c)| !allowed(c)) {
        Some((at, character)) => Err(NameError::Character { character, at }),
        None => Ok(()),
    }
}

/// The half of an address that an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What stands before the slash.
    Node,
    /// What stands after the slash, or the whole address.
    Worker,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Node => "node",
            Self::Worker => "worker",
        })
    }
}

/// Why a text is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {part} name of an address is invalid: {reason}")]
pub struct AddressError {
    /// Which half is wrong.
    pub part: Part,
    /// What is wrong with it.
    pub reason: NameError,
}

/// Where a worker is: on a given node, or wherever its name is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address<'a> {
    /// The node, when the address names one.
    pub node: Option<&'a str>,
    /// The worker.
    pub worker: &'a str,
}

impl<'a> Address<'a> {
    /// Reads `worker` or `node/worker`. Both halves are checked; a second slash is an invalid character of the worker's name.
    pub fn parse(text: &'a str) -> Result<Self, AddressError> {
        let (node, worker) = match text.split_once('/') {
            Some((node, worker)) => (Some(node), worker),
            None => (None, text),
        };
        if let Some(node) = node {
            check_name(node).map_err(|reason| AddressError { part: Part::Node, reason })?;
        }
        check_name(worker).map_err(|reason| AddressError { part: Part::Worker, reason })?;
        Ok(Self { node, worker })
    }
}

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.node {
            Some(node) => write!(f, "{node}/{}", self.worker),
            None => f.write_str(self.worker),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_plain_name_is_an_address_without_a_node() {
        let address = Address::parse("counter").unwrap();
        assert_eq!((address.node, address.worker), (None, "counter"));
    }

    #[test]
    fn a_slash_separates_node_and_worker() {
        let address = Address::parse("runner-1/counter_2").unwrap();
        assert_eq!((address.node, address.worker), (Some("runner-1"), "counter_2"));
        assert_eq!(address.to_string(), "runner-1/counter_2");
    }

    #[test]
    fn names_end_at_128_characters() {
        assert_eq!(check_name(&"a".repeat(128)), Ok(()));
        assert_eq!(check_name(&"a".repeat(129)), Err(NameError::TooLong { length: 129 }));
        assert_eq!(check_name(""), Err(NameError::Empty));
    }

    #[test]
    fn an_error_names_the_half_and_the_character() {
        let error = Address::parse("runner/a/b").unwrap_err();
        assert_eq!(error.part, Part::Worker);
        assert_eq!(error.reason, NameError::Character { character: '/', at: 1 });
        let error = Address::parse("/worker").unwrap_err();
        assert_eq!((error.part, error.reason), (Part::Node, NameError::Empty));
        let error = Address::parse("nöde/worker").unwrap_err();
        assert_eq!(error.reason, NameError::Character { character: 'ö', at: 1 });
    }

    proptest! {
        #[test]
        fn only_the_documented_characters_pass(text in "\\PC{0,140}") {
            let documented = (1..=NAME_MAX).contains(&text.len())
                && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-'));
            prop_assert_eq!(check_name(&text).is_ok(), documented);
        }

        #[test]
        fn what_parses_prints_the_same(text in "([A-Za-z0-9_-]{1,128}/)?[A-Za-z0-9_-]{1,128}") {
            prop_assert_eq!(Address::parse(&text).unwrap().to_string(), text);
        }
    }
}
