//! What a ring no longer has: lines that a member keeps elsewhere, for readers who go back further.

use serde_json::Value;
use std::fmt::{self, Debug};
use std::future::Future;
use std::pin::Pin;

use super::line::Wanted;

/// Where a reader stands in the lines of a member: in front of it is what it has not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// The line of this number, which the ring has or had.
    Number(u64),
    /// A byte of a file of the member's own.
    File(u64, u64),
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::File(file, offset) => write!(f, "{file}:{offset}"),
        }
    }
}

impl Point {
    /// Reads what [`Point`] displays as. `None`: it is no point.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None => text.parse().ok().map(Self::Number),
            Some((file, offset)) => Some(Self::File(file.parse().ok()?, offset.parse().ok()?)),
        }
    }
}

/// Lines that are older than those of a ring.
#[derive(Clone, Debug, PartialEq)]
pub struct Older {
    /// The lines, oldest first, as JSON; they have no numbers. There may be none, and still some in front of `before`.
    pub lines: Vec<Value>,
    /// Where those begin that were not looked at; `None`: there are none.
    pub before: Option<Point>,
}

/// Keeps lines longer than a ring does.
pub trait Past: Debug + Send + Sync {
    /// The newest lines in front of a point that are wanted, at most `limit` of them. Looks at a bounded number. Fails, with words
    /// for the reader, when they can't be read. Runs on the node's I/O thread, which it must not block.
    fn older(
        &self,
        point: Point,
        limit: usize,
        wanted: Wanted,
    ) -> Pin<Box<dyn Future<Output = Result<Older, String>> + Send>>;
}
