//! One line of a log, as members tell it.

use serde::{Deserialize, Serialize};

/// How serious a line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// For whoever looks for a defect.
    #[default]
    Debug,
    /// What happens.
    Info,
    /// What someone should look at.
    Warn,
    /// What failed.
    Error,
}

impl Level {
    /// `None`: no level has this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "debug" => Some(Self::Debug),
            "info" => Some(Self::Info),
            "warn" => Some(Self::Warn),
            "error" => Some(Self::Error),
            _ => None,
        }
    }
}

/// A line of a member, or of a node that a supervisor speaks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Line {
    /// Its number at the member that told it.
    pub(crate) seq: u64,
    /// Milliseconds since 1970.
    pub(crate) time: f64,
    pub(crate) node: String,
    pub(crate) level: Level,
    /// Which part speaks, or `stdout` and `stderr`.
    pub(crate) name: String,
    pub(crate) worker: Option<String>,
    pub(crate) message: String,
    pub(crate) fields: Option<serde_json::Value>,
}

/// What readers get.
#[derive(Serialize)]
struct Told<'a> {
    id: &'a str,
    time: u64,
    node: &'a str,
    level: Level,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<&'a str>,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<&'a serde_json::Value>,
}

impl Line {
    /// The object for readers; `id`: its cursor.
    pub(crate) fn json(&self, id: &str) -> String {
        let Line { seq: _, time, node, level, name, worker, message, fields } = self;
        let told = Told {
            id,
            time: millis(*time),
            node,
            level: *level,
            name,
            worker: worker.as_deref(),
            message,
            fields: fields.as_ref(),
        };
        // Strings and numbers: there is nothing in it that JSON has not.
        serde_json::to_string(&told).unwrap_or_default()
    }
}

/// Whole milliseconds since 1970, whatever the member said.
#[expect(clippy::cast_sign_loss, reason = "a negative number becomes 0")]
fn millis(time: f64) -> u64 {
    time as u64
}

/// What a member answers to a question for lines.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Telling {
    /// Of the process that numbered them.
    pub(crate) incarnation: String,
    /// Ask for those after this number next.
    pub(crate) next: u64,
    /// Lines between that the member no longer has.
    pub(crate) dropped: u64,
    /// Nodes whose lines a supervisor tells.
    pub(crate) covers: Vec<String>,
    pub(crate) lines: Vec<Line>,
}
