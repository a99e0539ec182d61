//! Bodies of messages on their way through a port.

use troupe_proto::codec::Traceparent;
use troupe_proto::text::Text;

/// A body that somebody else holds.
#[derive(Clone, Copy, Debug)]
pub enum BodyRef<'a> {
    /// There is none.
    None,
    /// It never left the isolate: an index into its slab.
    Slab(u32),
    /// Text.
    Text(Text<'a>),
}

/// A body that waits in the port.
#[derive(Debug, Default)]
pub enum Body {
    /// There is none.
    #[default]
    None,
    /// It never left the isolate: an index into its slab.
    Slab(u32),
    /// Text, bytes below 128 only.
    Ascii(Box<[u8]>),
    /// Text as JavaScript holds it.
    Utf16(Box<[u16]>),
    /// Text as the wire carries it.
    Wtf8(Box<[u8]>),
    /// One of the others, of a message that belongs to a trace: a pointer beside it would cost every message that waits.
    Traced(Box<Traced>),
}

/// The body of a message that belongs to a trace. Not a [`Body`] in a body: what calls itself is not inlined.
#[derive(Debug)]
pub struct Traced {
    trace: Traceparent,
    body: Kept,
}

#[derive(Debug)]
enum Kept {
    Slab(u32),
    Ascii(Box<[u8]>),
    Wtf8(Box<[u8]>),
}

impl Traced {
    fn of(trace: Traceparent, body: BodyRef<'_>) -> Self {
        let body = match body {
            BodyRef::Slab(index) => Kept::Slab(index),
            BodyRef::None => Kept::Ascii(Box::default()),
            BodyRef::Text(Text::Ascii(bytes)) => Kept::Ascii(bytes.into()),
            BodyRef::Text(text) => {
                let mut bytes = Vec::new();
                text.write_wtf8(&mut bytes);
                Kept::Wtf8(bytes.into())
            }
        };
        Self { trace, body }
    }

    #[cold]
    fn borrow(&self) -> BodyRef<'_> {
        match &self.body {
            Kept::Slab(index) => BodyRef::Slab(*index),
            Kept::Ascii(bytes) => BodyRef::Text(Text::Ascii(bytes)),
            Kept::Wtf8(bytes) => BodyRef::Text(Text::Wtf8(bytes)),
        }
    }
}

impl BodyRef<'_> {
    /// Copies text that only lives as long as the batch it came in.
    #[must_use]
    pub fn into_owned(self) -> Body {
        match self {
            BodyRef::None => Body::None,
            BodyRef::Slab(index) => Body::Slab(index),
            BodyRef::Text(Text::Ascii(bytes)) => Body::Ascii(bytes.into()),
            BodyRef::Text(Text::Utf16(units)) => Body::Utf16(units.into()),
            BodyRef::Text(Text::Wtf8(bytes)) => Body::Wtf8(bytes.into()),
        }
    }

    /// The same, with the trace of the message.
    #[must_use]
    pub(crate) fn into_traced(self, trace: Option<&Traceparent>) -> Body {
        match trace {
            Some(trace) => Body::Traced(Box::new(Traced::of(*trace, self))),
            None => self.into_owned(),
        }
    }

    /// Bytes that the body counts in a bound: two for each UTF-16 unit. `slab_size` is that of a body in the slab.
    #[must_use]
    pub fn size(&self, slab_size: u32) -> u32 {
        match self {
            BodyRef::None => 0,
            BodyRef::Slab(_) => slab_size,
            BodyRef::Text(Text::Utf16(units)) => units.len() as u32 * 2,
            // WTF-8 has one to three bytes a unit: the bound errs on the side of the memory held.
            BodyRef::Text(Text::Ascii(bytes) | Text::Wtf8(bytes)) => bytes.len() as u32 * 2,
        }
    }
}

impl Body {
    /// Lends the body.
    #[must_use]
    pub fn borrow(&self) -> BodyRef<'_> {
        match self {
            Body::None => BodyRef::None,
            Body::Slab(index) => BodyRef::Slab(*index),
            Body::Ascii(bytes) => BodyRef::Text(Text::Ascii(bytes)),
            Body::Utf16(units) => BodyRef::Text(Text::Utf16(units)),
            Body::Wtf8(bytes) => BodyRef::Text(Text::Wtf8(bytes)),
            Body::Traced(traced) => traced.borrow(),
        }
    }

    /// The trace of the message whose body it is.
    pub(crate) fn trace(&self) -> Option<&Traceparent> {
        if let Body::Traced(traced) = self { Some(&traced.trace) } else { None }
    }
}
