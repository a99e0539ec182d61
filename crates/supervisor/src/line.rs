//! One line of the history: what a container printed, what a node recorded, what the supervisor has to say of either.

use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};
use troupe_node::observe;

/// How much a line matters, as a node's log says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// For whoever looks for the reason of something.
    Debug,
    /// Worth knowing.
    Info,
    /// Worth a look.
    Warn,
    /// Somebody has to act.
    Error,
}

impl From<Level> for observe::Level {
    fn from(level: Level) -> Self {
        match level {
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
        }
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

/// A line as it is in the files, and as nodes send it. Its number in a ring is not part of it: every ring counts for itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Milliseconds since 1970, by the clock of who made it.
    pub time: u64,
    /// The node it is about.
    pub node: String,
    /// How much it matters.
    pub level: Level,
    /// Which part speaks: `stdout` and `stderr` for what a container printed, `supervisor` for what is said about it here.
    pub name: String,
    /// The worker it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// What happened.
    pub message: String,
    /// What a record has besides, as its node sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<serde_json::Map<String, serde_json::Value>>,
}

/// What a line costs beside its texts: the bookkeeping of a ring, and the keys of its JSON.
const OVERHEAD: usize = 160;

impl From<Line> for observe::Line {
    fn from(line: Line) -> Self {
        let fields = line.fields.map(|fields| serde_json::Value::Object(fields).to_string().into());
        Self {
            time: line.time,
            node: Some(line.node.into()),
            level: line.level.into(),
            name: line.name.into(),
            worker: line.worker.map(Into::into),
            message: line.message.into(),
            fields,
        }
    }
}

impl Line {
    /// A line of now.
    #[must_use]
    pub fn now(node: &str, level: Level, name: &str, message: String) -> Self {
        Self {
            time: unix_ms(),
            node: node.to_owned(),
            level,
            name: name.to_owned(),
            worker: None,
            message,
            fields: None,
        }
    }

    /// About how many bytes it takes, in memory as in a file.
    #[must_use]
    pub fn cost(&self) -> usize {
        let worker = self.worker.as_ref().map_or(0, String::len);
        let fields = self.fields.as_ref().map_or(0, |fields| fields.values().map(value_cost).sum());
        OVERHEAD + self.node.len() + self.name.len() + worker + self.message.len() + fields
    }

    /// Cuts what makes it longer than this many bytes, and says so: its fields first, then its message.
    pub fn bound(&mut self, longest: usize) {
        if self.cost() <= longest {
            return;
        }
        self.fields = None;
        let kept =
            (0..=self.message.len().min(longest / 2)).rev().find(|at| self.message.is_char_boundary(*at));
        let kept = kept.unwrap_or_default();
        if kept < self.message.len() {
            let cut = self.message.len() - kept;
            self.message.truncate(kept);
            // Writing to a string does not fail.
            let _ = write!(self.message, " … (cut here, {cut} more bytes)");
        } else {
            self.message.push_str(" … (its fields were too long)");
        }
    }
}

fn value_cost(value: &serde_json::Value) -> usize {
    use serde_json::Value;
    const EACH: usize = 32;
    EACH + match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(value_cost).sum(),
        Value::Object(fields) => fields.iter().map(|(key, value)| key.len() + value_cost(value)).sum(),
    }
}

/// Milliseconds since 1970.
#[must_use]
pub fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line(message: String, field: &str) -> Line {
        let fields = json!({ "field": field }).as_object().cloned();
        Line { fields, ..Line::now("api", Level::Info, "node", message) }
    }

    #[test]
    fn a_record_that_is_too_long_loses_its_fields_first_and_says_what_was_cut() {
        let mut short = line("hello".to_owned(), "kept");
        let before = short.clone();
        short.bound(1000);
        assert_eq!(short, before);
        let mut fields = line("hello".to_owned(), &"x".repeat(1000));
        fields.bound(1000);
        assert_eq!((fields.fields, fields.message.as_str()), (None, "hello … (its fields were too long)"));
        let mut long = line("\u{20ac}".repeat(1000), "kept");
        long.bound(1000);
        assert_eq!(long.message, format!("{} … (cut here, 2502 more bytes)", "\u{20ac}".repeat(166)));
    }
}
