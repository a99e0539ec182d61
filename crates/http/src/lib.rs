//! A node over HTTP: health, what it counts, messages to its workers, and the zone as it sees it.
//!
//! The server runs on a thread of its own, `troupe-http`, and so answers whatever the node's workers do. It is on no message's
//! path: a program that does not [`serve`] has neither the thread nor anything else of it.

mod app;
mod body;
mod calls;
mod connections;
mod events;
mod exposition;
mod guard;
mod health;
mod levels;
mod metrics;
mod openapi;
mod options;
mod page;
mod params;
mod patience;
mod problem;
mod reading;
mod room;
mod routes;
mod server;
mod view;
mod zone;

pub use options::{Levels, Limits, MIN_TOKEN, ServeError, ServeOptions};
pub use server::{Server, serve};
pub use troupe_node::discovery::Role;
pub use view::HistoryLimits;
pub use view::source::{Answer, Member, Source, Topic, Unanswered};
pub use zone::ZoneSource;
