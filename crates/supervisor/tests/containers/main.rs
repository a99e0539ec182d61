//! A supervisor and its containers, which are shell programs: what it promises of them.

#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]

mod deploy;
mod output;
mod restart;
mod support;
