//! Frames: what travels inside the records of a channel.
