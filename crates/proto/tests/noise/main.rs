//! Channels as their users see them: credentials, handshakes, records, and everything that is refused.

#![expect(clippy::unwrap_used, reason = "what is unwrapped in a test is its claim")]

mod common;
mod credential;
mod handshake;
mod records;
mod tampering;
