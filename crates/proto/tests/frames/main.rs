//! Frames as their users see them: every kind survives the wire whatever it holds, and every length has its bounds.

#![expect(clippy::unwrap_used, reason = "what is unwrapped in a test is its claim")]

mod limits;
mod round_trip;

use troupe_proto::codec::{Correlation, Frame, Handle, encode};

/// Any handle.
const HANDLE: Handle = Handle { slot: 1, generation: 2 };
/// Any correlation.
const CORRELATION: Correlation = Correlation { slot: 3, generation: 4 };

fn bytes_of(frame: &Frame<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(frame, &mut bytes);
    bytes
}
