//! Looking on at a node: the lines of its log, its state and what it has counted, for members that may observe.
//!
//! All of it is answered on the I/O thread, from what other threads have left here: a node whose isolate is blocked still
//! tells how it is. Nothing here is on the path of a message.

mod histogram;
mod line;
mod process;
mod ring;
mod service;
mod state;

pub use line::{Level, Levels, LevelsError, Line};
pub use process::{keep, line, record, set_levels, set_supervised, take_unpulled};
pub use ring::{Pulled, Ring};

pub(crate) use histogram::Histogram;
pub(crate) use process::{close, open};
pub(crate) use service::answer;
pub(crate) use state::Observed;
pub use state::now as state_now;

/// The service that every member answers: lines and state. It takes the capability `observe`.
pub const OBSERVE: u8 = b'O';

/// Name of the member that supervises a zone. What it has pulled of a log is in the history of the zone.
pub const SUPERVISOR: &str = "troupe-supervisor";
