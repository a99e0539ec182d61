//! Further fields of a message, for readers that know them: type, length, value.

use super::CodecError;

/// Bytes of all extensions of one message, at most.
const EXTENSIONS_MAX: usize = 512;

/// Type-length-value fields, checked and borrowed: `type: u8, length: u8, bytes`.
///
/// A reader skips types it does not know. Types 0 to 127 are the protocol's, the rest the users'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Extensions<'a>(pub(super) &'a [u8]);

impl<'a> Extensions<'a> {
    /// W3C trace context, as its header's ASCII text.
    pub const TRACEPARENT: u8 = 1;
    /// No fields.
    pub const NONE: Extensions<'static> = Extensions(&[]);

    /// Fields from their bytes.
    pub fn from_wire(bytes: &'a [u8]) -> Result<Self, CodecError> {
        if bytes.len() > EXTENSIONS_MAX {
            return Err(CodecError::Malformed("the extensions of a message are longer than 512 bytes"));
        }
        let mut rest = bytes;
        while let Some((_, tail)) = split(rest) {
            rest = tail;
        }
        if rest.is_empty() {
            Ok(Self(bytes))
        } else {
            Err(CodecError::Malformed("an extension of a message is cut off"))
        }
    }

    /// The fields as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Type and value of each field, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (field, tail) = split(rest)?;
            rest = tail;
            Some(field)
        })
    }
}

type Field<'a> = (u8, &'a [u8]);

fn split(bytes: &[u8]) -> Option<(Field<'_>, &[u8])> {
    let [kind, len, rest @ ..] = bytes else { return None };
    let (value, tail) = rest.split_at_checked(usize::from(*len))?;
    Some(((*kind, value), tail))
}
