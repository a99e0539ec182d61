//! A node: mailboxes, routing, requests, workers in Rust, channels and zones.

pub mod channel;
pub mod discovery;
pub mod link;
pub mod transport;
pub mod zone;
