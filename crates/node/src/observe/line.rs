//! One line of a log, and which ones are wanted.

use serde_json::{Map, Value};

/// Bytes of a message that are kept.
const MAX_MESSAGE: usize = 64 << 10;

/// How serious a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For whoever looks for a cause.
    Debug,
    /// What happens.
    Info,
    /// What someone should look at.
    Warn,
    /// What failed.
    Error,
}

impl Level {
    /// Its name: `debug`, `info`, `warn` or `error`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// The level of this name, in any case of letters.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Debug, Self::Info, Self::Warn, Self::Error]
            .into_iter()
            .find(|level| level.name().eq_ignore_ascii_case(name))
    }
}

impl From<log::Level> for Level {
    fn from(level: log::Level) -> Self {
        match level {
            log::Level::Error => Self::Error,
            log::Level::Warn => Self::Warn,
            log::Level::Info => Self::Info,
            log::Level::Debug | log::Level::Trace => Self::Debug,
        }
    }
}

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Milliseconds since 1970.
    pub time: u64,
    /// The node it is of; `None`: the one in whose ring it is.
    pub node: Option<Box<str>>,
    /// How serious it is.
    pub level: Level,
    /// Which part speaks: `node` for the user's own code, `stdout` or `stderr` for what a process printed, else a part of
    /// the runtime.
    pub name: Box<str>,
    /// The worker it is about, where that is known.
    pub worker: Option<Box<str>>,
    /// What happened.
    pub message: Box<str>,
    /// Details to search by: the JSON text of an object.
    pub fields: Option<Box<str>>,
}

impl Line {
    /// The same with a message of at most 64 KiB; what was cut is said at its end.
    pub(super) fn shortened(mut self) -> Self {
        if self.message.len() > MAX_MESSAGE {
            let end = (0..=MAX_MESSAGE).rev().find(|at| self.message.is_char_boundary(*at)).unwrap_or(0);
            let cut = self.message.len() - end;
            self.message = format!("{}… ({cut} more bytes were cut)", &self.message[..end]).into();
        }
        self
    }

    /// Bytes that it takes in a ring, about.
    pub(super) fn cost(&self) -> usize {
        let texts = [
            Some(&self.name),
            Some(&self.message),
            self.node.as_ref(),
            self.worker.as_ref(),
            self.fields.as_ref(),
        ];
        size_of::<Self>() + texts.into_iter().flatten().map(|text| text.len()).sum::<usize>()
    }

    /// As JSON, under its number, `node` being the node in whose ring it is.
    pub(super) fn to_json(&self, number: u64, node: &str) -> Value {
        let mut parts = Map::new();
        parts.insert("seq".into(), number.into());
        parts.insert("time".into(), self.time.into());
        parts.insert("node".into(), self.node.as_deref().unwrap_or(node).into());
        parts.insert("level".into(), self.level.name().into());
        parts.insert("name".into(), (*self.name).into());
        if let Some(worker) = &self.worker {
            parts.insert("worker".into(), (**worker).into());
        }
        parts.insert("message".into(), (*self.message).into());
        if let Some(fields) = &self.fields {
            parts.insert("fields".into(), object(fields));
        }
        Value::Object(parts)
    }
}

/// The object of a JSON text; anything else as its one part.
fn object(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(object @ Value::Object(_)) => object,
        Ok(other) => Value::Object(Map::from_iter([("value".into(), other)])),
        // Half of a surrogate pair, which JSON text can hold and Unicode can't.
        Err(_) => Value::Object(Map::from_iter([("value".into(), text.into())])),
    }
}

/// Which lines a reader wants. Default: all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// From which level on.
    pub level: Level,
    /// Of which node only.
    pub node: Option<Box<str>>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { level: Level::Debug, node: None }
    }
}

impl Wanted {
    /// Whether a line is wanted, `node` being the node in whose ring it is.
    pub(super) fn admits(&self, line: &Line, node: &str) -> bool {
        let of = line.node.as_deref().unwrap_or(node);
        line.level >= self.level && self.node.as_deref().is_none_or(|wanted| wanted == of)
    }
}

/// From which level on lines are wanted, of all parts and of some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Levels {
    /// `None`: nothing is wanted.
    all: Option<Level>,
    by_name: Vec<(Box<str>, Option<Level>)>,
}

/// A piece of a text that is neither a level nor `name=level`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a level (debug, info, warn, error, off) nor \"name=level\"")]
pub struct LevelsError(String);

impl Default for Levels {
    fn default() -> Self {
        Self::INFO
    }
}

impl Levels {
    /// From `info` on, of all parts.
    pub(super) const INFO: Self = Self { all: Some(Level::Info), by_name: Vec::new() };

    /// Reads `info,channel=debug`, as the variable `TROUPE_LOG` has it. Where several pieces say something of a part, the
    /// last one holds. Empty: `info`.
    pub fn parse(text: &str) -> Result<Self, LevelsError> {
        let mut levels = Self::INFO;
        for piece in text.split(',').map(str::trim).filter(|piece| !piece.is_empty()) {
            let (name, level) =
                piece.split_once('=').map_or((None, piece), |(name, level)| (Some(name), level));
            let level = match Level::from_name(level) {
                Some(level) => Some(level),
                None if level.eq_ignore_ascii_case("off") => None,
                None => return Err(LevelsError(piece.to_owned())),
            };
            match name {
                None => levels.all = level,
                Some("") => return Err(LevelsError(piece.to_owned())),
                Some(name) => {
                    levels.by_name.retain(|(known, _)| **known != *name);
                    levels.by_name.push((name.into(), level));
                }
            }
        }
        Ok(levels)
    }

    /// Whether a line of that level of that part is wanted.
    #[must_use]
    pub fn wants(&self, level: Level, name: &str) -> bool {
        let by_name = self.by_name.iter().find(|(known, _)| **known == *name);
        by_name.map_or(self.all, |(_, least)| *least).is_some_and(|least| level >= least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_hold_for_all_parts_and_for_some() {
        let levels = Levels::parse("error, channel=DEBUG,zone=off,").unwrap();
        assert!(levels.wants(Level::Error, "node") && !levels.wants(Level::Warn, "node"));
        assert!(levels.wants(Level::Debug, "channel"));
        assert!(!levels.wants(Level::Error, "zone"));
        assert_eq!(Levels::parse("").unwrap(), Levels::INFO);
        assert!(!Levels::parse("off").unwrap().wants(Level::Error, "node"));
        for wrong in ["loud", "channel=", "=info", "info=info=info"] {
            assert!(Levels::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_long_message_is_cut_and_says_by_how_much() {
        let line = Line {
            time: 0,
            node: None,
            level: Level::Info,
            name: "node".into(),
            worker: None,
            message: "é".repeat(MAX_MESSAGE).into(),
            fields: None,
        };
        let message = line.shortened().message;
        assert!(message.ends_with("… (65536 more bytes were cut)"), "{}", &message[message.len() - 60..]);
        assert!(message.len() < MAX_MESSAGE + 64);
    }

    #[test]
    fn fields_that_are_no_object_come_as_the_part_of_one() {
        assert_eq!(object(r#"{"n":1}"#).to_string(), r#"{"n":1}"#);
        assert_eq!(object("[1]").to_string(), r#"{"value":[1]}"#);
        assert_eq!(object(r#"{"half":"\ud800"}"#)["value"], r#"{"half":"\ud800"}"#);
    }
}
