//! What a handler failed with: kept as a value, and the same on this node and across a channel.

use serde_json::{Map, Value};
use std::fmt;

/// More than this of a text is cut before it travels: it is for people to read, and frames are bounded.
const MAX_CHARACTERS: usize = 8192;

/// What a handler failed with: name, message and code, as an `Error` has them in TypeScript.
///
/// Every error converts into it, so that `?` works in a handler; for a failure in words there is [`Cause::new`].
#[derive(Clone, PartialEq, Eq)]
pub struct Cause {
    /// What kind of failure it is: the name of the error's type. `"Error"` by default.
    pub name: String,
    /// What happened.
    pub message: String,
    /// A code that callers may match on; numbers of other languages arrive as their digits.
    pub code: Option<String>,
}

impl Cause {
    /// A failure in words.
    pub fn new(message: impl Into<String>) -> Self {
        Self { name: "Error".into(), message: message.into(), code: None }
    }

    /// The same with a code that callers may match on.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// The JSON text that travels to the asker; `lib/failures.ts` reads and writes the same.
    pub(crate) fn encode(&self) -> String {
        let mut parts = Map::new();
        parts.insert("name".into(), shortened(&self.name).into());
        parts.insert("message".into(), shortened(&self.message).into());
        if let Some(code) = &self.code {
            parts.insert("code".into(), shortened(code).into());
        }
        Value::Object(parts).to_string()
    }

    /// The reverse of [`Cause::encode`]. Text that is not of that form becomes the message.
    pub(crate) fn decode(text: &str) -> Self {
        let Ok(Value::Object(parts)) = serde_json::from_str(text) else { return Self::new(text) };
        let part = |name: &str| match parts.get(name) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        Self {
            name: part("name").unwrap_or_else(|| "Error".into()),
            message: part("message").unwrap_or_default(),
            code: part("code"),
        }
    }

    /// What a panic left behind.
    pub(crate) fn of_panic(payload: &(dyn std::any::Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned());
        Self {
            name: "panic".into(),
            message: text.unwrap_or_else(|| "a panic without words".into()),
            code: None,
        }
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_CHARACTERS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.message)?;
        self.code.as_ref().map_or(Ok(()), |code| write!(f, " ({code})"))
    }
}

impl<E: std::error::Error> From<E> for Cause {
    fn from(error: E) -> Self {
        Self { name: short_type_name::<E>().to_owned(), message: error.to_string(), code: None }
    }
}

/// Name of a type without the modules it is in and the types it is of.
pub(crate) fn short_type_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    let name = name.split_once('<').map_or(name, |(name, _)| name);
    name.rsplit_once("::").map_or(name, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_survives_the_way_to_its_asker() {
        let cause = Cause { name: "RangeError".into(), message: "no \"x\" \u{1f980}".into(), code: None };
        assert_eq!(Cause::decode(&cause.encode()), cause);
        let coded = cause.with_code("E_RANGE");
        assert_eq!(Cause::decode(&coded.encode()), coded);
        assert_eq!(Cause::decode("plain words"), Cause::new("plain words"));
        assert_eq!(Cause::decode(r#"{"message":"m","code":7}"#).code.as_deref(), Some("7"));
    }

    #[test]
    fn an_error_becomes_a_cause_that_names_its_type() {
        let cause = Cause::from("x".parse::<u8>().unwrap_err());
        assert_eq!(
            (cause.name.as_str(), cause.message.as_str()),
            ("ParseIntError", "invalid digit found in string")
        );
    }

    #[test]
    fn a_long_message_is_cut_before_it_travels() {
        let decoded = Cause::decode(&Cause::new("é".repeat(20_000)).encode());
        assert_eq!(decoded.message.chars().count(), MAX_CHARACTERS + 1);
    }
}
