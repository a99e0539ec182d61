//! What the tests of several crates share: members of a zone that exists in memory only, pairs of links, a transport
//! that cuts and stalls on demand, and a recorder that tests wait on.
//!
//! Nothing here sleeps for a time: tests wait for conditions, and fail when one has not come about within
//! [`recorder::PATIENCE`].

#![expect(clippy::missing_panics_doc, reason = "what fails here fails a test")]
#![expect(clippy::expect_used, reason = "what fails here fails a test")]

pub mod driver;
mod explore;
mod faults;
mod members;
mod pair;
pub mod recorder;
mod roll;
mod told;
mod warnings;
mod wires;

pub use driver::{Driver, Source, Told};
pub use explore::{End, Random, explore, shrink};
pub use faults::{Direction, Faults, FaultyNetwork};
pub use members::{Founded, NOW};
pub use pair::{BEGINS, Pair, connection, text_message};
pub use recorder::{Event, Recorder};
pub use roll::Roll;
pub use warnings::{listen_to_warnings, warnings_with};
pub use wires::Wires;
