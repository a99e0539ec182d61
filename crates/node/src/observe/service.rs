//! The service `O`: what a member may ask of a node it observes, as JSON.

use super::SUPERVISOR;
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
            "lines" => lines(&node, by.name == SUPERVISOR, about).await.map_err(|what| wrong(&what)),
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

async fn lines(node: &Shared, is_supervisor: bool, about: &Map<String, Value>) -> Result<Vec<u8>, String> {
    let after = number(about, "after", 0)?;
    let limit = number(about, "limit", LIMIT as u64)?;
    let limit = usize::try_from(limit).unwrap_or(LIMIT).clamp(1, LIMIT);
    let wait = Duration::from_millis(number(about, "wait", 0)?.min(LONGEST_WAIT));
    let ring = node.ring();
    // Nothing has come: that is an answer, too.
    let _ = tokio::time::timeout(wait, ring.has_news(after)).await;
    let pulled = ring.pull_for(after, limit, node.name(), is_supervisor);
    let answer = json!({
        "incarnation": node.incarnation(),
        "next": pulled.next,
        "dropped": pulled.dropped,
        "covers": node.covered(),
        "lines": pulled.lines,
    });
    Ok(answer.to_string().into_bytes())
}
