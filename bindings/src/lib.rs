//! The bridge: converts and forwards between JavaScript and `troupe-node`. It decides nothing.
//!
//! `port` holds the one hot call, written against raw N-API, `isolate` what it works on; the other files hold the
//! cold calls, one noun each.
//! Every entry catches panics: a defect of ours must not take the user's process down.

mod address;
mod control;
mod counters;
mod http;
mod isolate;
mod log;
mod node;
mod port;
mod supervised;
mod worker;
mod zone;
