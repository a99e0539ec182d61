//! Identity, credentials, handshake and records of a channel.
