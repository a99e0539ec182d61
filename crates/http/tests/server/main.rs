//! The server over real sockets. The node is a real one, by itself; what a view reads is scripted, so that each test says who is in
//! the zone and what they tell.

#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]

mod events;
mod health;
mod limits;
mod metrics;
mod page;
mod script;
mod security;
mod support;
mod view;
mod workers;
