//! Why bytes of a peer are no frames.

/// The peer broke the protocol; the channel is closed. Nothing was changed by the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// A frame ends beyond its record.
    #[error("a frame is longer than its record")]
    Truncated,
    /// A kind that this version does not know and must not skip.
    #[error("frame kind {0:#04x} is unknown and must not be ignored")]
    UnknownKind(u8),
    /// Flags that mean nothing for the kind.
    #[error("flags {flags:#04x} have no meaning in frame kind {kind:#04x}")]
    UnknownFlags {
        /// The frame's kind.
        kind: u8,
        /// Its flags.
        flags: u8,
    },
    /// A text that is not WTF-8.
    #[error("a text is not well-formed WTF-8")]
    BadText,
    /// A name outside `[A-Za-z0-9_-]{1,128}`.
    #[error("a name is not 1 to 128 characters of A-Z, a-z, 0-9, _ and -")]
    BadName,
    /// Anything else; says what.
    #[error("{0}")]
    Malformed(&'static str),
}
