//! Sessions between nodes of a zone: they outlive their connections, and end when they have to.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails a test")]

mod by_hand;
mod moves;
mod pair;
mod reset;
mod resume;
#[path = "../support/mod.rs"]
mod support;
