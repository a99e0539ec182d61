//! A node: mailboxes, routing, requests, workers in Rust, channels and zones.

pub mod channel;
pub mod code;
pub mod discovery;
pub mod link;
pub mod node;
pub mod port;
pub mod transport;
pub mod zone;
