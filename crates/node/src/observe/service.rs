//! The service `O`: what a member may ask of a node it observes, as JSON.

use super::SUPERVISOR;
use super::line::{Level, Wanted};
use super::past::Point;
use super::ring::LIMIT;
use super::state;
use crate::node::{Asked, Refusal, Shared};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// A reader waits for lines at most so long, in ms: less than requests have.
const LONGEST_WAIT: u64 = 25_000;
/// Workers that are told one by one, unless something else is asked for, and at most: the answer has a few hundred bytes
/// for each.
const DEFAULT_WORKERS: u64 = 1000;
const MOST_WORKERS: u64 = 10_000;
/// Bytes of a request; those that make sense have a hundred.
const MAX_REQUEST: usize = 4096;

/// Answers a request to observe.
pub(crate) async fn answer(node: Arc<Shared>, Asked { by, body }: Asked) -> Result<Vec<u8>, Refusal> {
    let name = node.name();
    let wrong = |what: &str| {
        Refusal::not_permitted(format!(
            "node {name} was asked for what it does not know ({what}); run the same version on both nodes"
        ))
    };
    if body.len() > MAX_REQUEST {
        return Err(wrong("the request is too long"));
    }
    let Ok(Value::Object(request)) = serde_json::from_slice(&body) else {
        return Err(wrong("the request is no JSON object"));
    };
    match request.iter().next() {
        Some((what, Value::Object(about))) if request.len() == 1 => match what.as_str() {
            "lines" => lines(&node, by.name == SUPERVISOR, about).await.map_err(|refused| match refused {
                Refused::Wrong(what) => wrong(&what),
                Refused::Failed(what) => Refusal::failed(what),
            }),
            "state" => {
                let limit = number(about, "workers", DEFAULT_WORKERS).map_err(|what| wrong(&what))?;
                Ok(state::told(&node, limit.min(MOST_WORKERS) as usize).await.to_string().into_bytes())
            }
            _ => Err(wrong("neither lines nor state are asked for")),
        },
        _ => Err(wrong("the request asks for nothing, or for several things")),
    }
}

/// A number of a request.
fn number(about: &Map<String, Value>, key: &str, default: u64) -> Result<u64, String> {
    match about.get(key) {
        None => Ok(default),
        Some(value) => value.as_u64().ok_or_else(|| format!("{key:?} is no whole number from 0 on")),
    }
}

/// Answers who wants what comes behind a line, and who wants the last ones: `{"after":N,"wait":MS}` or `{"last":N,"before":POINT}`,
/// both with `"limit"`, `"level"` and `"node"`.
async fn lines(node: &Shared, is_supervisor: bool, about: &Map<String, Value>) -> Result<Vec<u8>, Refused> {
    let wanted = wanted(about)?;
    if about.contains_key("last") {
        return last(node, about, wanted).await;
    }
    let mut after = number(about, "after", 0)?;
    let limit = number(about, "limit", LIMIT as u64)?;
    let limit = usize::try_from(limit).unwrap_or(LIMIT).clamp(1, LIMIT);
    let wait = Duration::from_millis(number(about, "wait", 0)?.min(LONGEST_WAIT));
    let until = tokio::time::Instant::now() + wait;
    let ring = node.ring();
    let mut dropped = 0;
    let pulled = loop {
        // Nothing has come: that is an answer, too.
        let is_late = tokio::time::timeout_at(until, ring.has_news(after)).await.is_err();
        let pulled = ring.pull_for(after, limit, &wanted, node.name(), is_supervisor);
        dropped += pulled.dropped;
        // What has come may be nothing that is wanted.
        if is_late || !pulled.lines.is_empty() || tokio::time::Instant::now() >= until {
            break pulled;
        }
        after = pulled.next;
    };
    let answer = json!({
        "incarnation": node.incarnation(),
        "next": pulled.next,
        "dropped": dropped,
        "covers": node.covered(),
        "lines": pulled.lines,
    });
    Ok(answer.to_string().into_bytes())
}

/// The newest lines, in front of a point where there is one. The answer's `before` is where the next question goes on, null
/// when there is nothing older; it may hold none, where none of many was wanted.
async fn last(node: &Shared, about: &Map<String, Value>, wanted: Wanted) -> Result<Vec<u8>, Refused> {
    let limit = usize::try_from(number(about, "last", 0)?).unwrap_or(LIMIT).min(LIMIT);
    let point = match about.get("before") {
        None => Point::Number(u64::MAX),
        Some(text) => text.as_str().and_then(Point::parse).ok_or("\"before\" is none that was answered")?,
    };
    let (mut newest, mut from) = (None, point);
    if let Point::Number(number) = point {
        let last = node.ring().last(number, limit, &wanted, node.name());
        (newest, from) = (Some(last.newest), Point::Number(last.from));
        if !last.is_all || !last.lines.is_empty() {
            let has_more = !last.is_all || node.past().is_some();
            return Ok(told(node, newest, &last.lines, has_more.then_some(from)));
        }
    }
    let Some(past) = node.past() else { return Ok(told(node, newest, &[], None)) };
    let older = past.older(from, limit, wanted).await.map_err(Refused::Failed)?;
    Ok(told(node, newest, &older.lines, older.before))
}

fn told(node: &Shared, newest: Option<u64>, lines: &[Value], before: Option<Point>) -> Vec<u8> {
    let answer = json!({
        "incarnation": node.incarnation(),
        "next": newest,
        "dropped": 0,
        "covers": node.covered(),
        "lines": lines,
        "before": before.map(|point| point.to_string()),
    });
    answer.to_string().into_bytes()
}

/// Which lines are wanted.
fn wanted(about: &Map<String, Value>) -> Result<Wanted, Refused> {
    let text = |key: &str| match about.get(key) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or_else(|| format!("{key:?} is no text")),
    };
    let level = match text("level")? {
        None => Level::Debug,
        Some(name) => Level::from_name(name).ok_or_else(|| format!("{name:?} is no level"))?,
    };
    Ok(Wanted { level, node: text("node")?.map(Into::into) })
}

/// Why there is no answer.
enum Refused {
    /// The question is none.
    Wrong(String),
    /// It could not be answered.
    Failed(String),
}

impl From<String> for Refused {
    fn from(what: String) -> Self {
        Self::Wrong(what)
    }
}

impl From<&str> for Refused {
    fn from(what: &str) -> Self {
        Self::Wrong(what.to_owned())
    }
}
