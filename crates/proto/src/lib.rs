//! The protocol of a zone as pure state machines: bytes and time go in, bytes and events come out.
//! No sockets, no clock, no threads; `troupe-node` drives it.

pub mod address;
pub mod codec;
pub mod noise;
pub mod session;
pub mod text;
