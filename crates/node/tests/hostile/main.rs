//! A stranger, or a member that breaks the rules: what it sends is not acted on, its link ends with the reason, and
//! whoever stalls is turned out in time. The peer here is made of the protocol alone, so that it can do anything.

#![expect(clippy::unwrap_used, reason = "what is unwrapped in a test is its claim")]

mod asking;
mod channel;
mod isolate;
mod member;
mod names;
mod raw;
mod stranger;
mod trace;
