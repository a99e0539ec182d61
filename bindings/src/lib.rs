//! The bridge: converts and forwards between JavaScript and `troupe-node`. It decides nothing.
//!
//! [`port`] holds the one hot call, written against raw N-API; [`node`] and [`log`] hold the rest.
//! Every entry catches panics: a defect of ours must not take the user's process down.

mod log;
mod node;
mod port;
