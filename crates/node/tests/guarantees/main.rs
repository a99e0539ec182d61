//! What a node promises of its workers, one file a guarantee: on a port whose time is a number, and through the Rust API.

#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]

mod backpressure;
mod callers;
mod cancellation;
mod deadlines;
mod failures;
mod fairness;
mod one_at_a_time;
mod ordering;
mod outcomes;
mod restarting;
mod stopping;
mod stopping_in_rust;
mod support;
