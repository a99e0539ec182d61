//! A node: mailboxes, routing, requests, workers in Rust, channels and zones.

pub mod discovery;
