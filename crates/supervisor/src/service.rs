//! What a supervisor is asked by members of its zone, and what it answers: JSON both ways.
//!
//! | asked of `O` | answer |
//! |---|---|
//! | `{"lines":{"after","limit","wait"}}` | the history behind number `after`; `covers` names the nodes whose lines are in it |
//!
//! | asked of `V` | answer |
//! |---|---|
//! | `{"plan":PLAN}` | `{"changes":[…]}`: what would be done |
//! | `{"apply":PLAN}` | the same when it is done; `{"busy":{"pid","since"}}` at once while another plan is being applied |
//! | `{"status":{}}` | how every container is |
//! | `{"delete":{}}` | `{"stopped":n}` when everything has stopped; the supervisor ends then |

use crate::history::History;
use crate::line::Line;
use crate::plan::{Plan, PlanError};
use crate::supervisor::{Refused, Supervisor};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// It is none that this version knows.
    #[error(
        "this supervisor does not know the request: {0}; use the command line and the supervisor of one version"
    )]
    Unknown(serde_json::Error),
    /// The plan is none.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The supervisor ends.
    #[error("the supervisor of the zone is ending; wait until it has ended, then deploy again")]
    Ending,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Request {
    Plan(Value),
    Apply(Value),
    Status {},
    Delete {},
}

/// The answer to a request of kind `V`. What it takes of the asker's credential has been checked.
pub async fn supervise(supervisor: &Supervisor, request: &[u8]) -> Result<Value, ServiceError> {
    match serde_json::from_slice(request).map_err(ServiceError::Unknown)? {
        Request::Plan(plan) => {
            let plan = Plan::parse(plan, supervisor.zone())?;
            Ok(json!({ "changes": supervisor.compare(&plan) }))
        }
        Request::Apply(plan) => {
            let plan = Plan::parse(plan, supervisor.zone())?;
            or_busy(supervisor.apply(plan).await.map(|changes| json!({ "changes": changes })))
        }
        Request::Status {} => Ok(json!(supervisor.report())),
        Request::Delete {} => or_busy(supervisor.delete().await.map(|stopped| json!({ "stopped": stopped }))),
    }
}

fn or_busy(done: Result<Value, Refused>) -> Result<Value, ServiceError> {
    match done {
        Ok(answer) => Ok(answer),
        Err(Refused::Busy(busy)) => Ok(json!({ "busy": busy })),
        Err(Refused::Ending) => Err(ServiceError::Ending),
    }
}

/// What one answer holds at most: bytes, about, and lines.
const PAGE: (usize, usize) = (1024 * 1024, 2000);

/// The longest that a question waits for news, in milliseconds.
const LONGEST_WAIT: u64 = 25_000;

/// Which lines are asked for.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct LinesAsked {
    /// Those behind this number; 0: all.
    #[serde(default)]
    after: u64,
    /// So many at most.
    #[serde(default = "page")]
    limit: usize,
    /// If there are none, wait so long for one: milliseconds.
    #[serde(default)]
    wait: u64,
}

const fn page() -> usize {
    PAGE.1
}

/// Lines of the history, and where to go on.
#[derive(Debug, Serialize)]
pub struct LinesTold<'a> {
    incarnation: &'a str,
    next: u64,
    dropped: u64,
    covers: Vec<String>,
    lines: Vec<Numbered>,
}

#[derive(Debug, Serialize)]
struct Numbered {
    seq: u64,
    #[serde(flatten)]
    line: Line,
}

/// The answer to a request of kind `O` for lines. `incarnation` tells this life of the supervisor from others: numbers
/// begin anew in each.
pub async fn lines<'a>(
    supervisor: &Supervisor,
    history: &History,
    incarnation: &'a str,
    asked: LinesAsked,
) -> LinesTold<'a> {
    let mut newest = history.newest();
    let wait = Duration::from_millis(asked.wait.min(LONGEST_WAIT));
    // A number beyond the newest is one of an earlier life: it is not waited for.
    let has_news = |newest: &u64| *newest != asked.after;
    let _ = timeout(wait, newest.wait_for(has_news)).await;
    let page = history.read(asked.after, asked.limit.clamp(1, PAGE.1), PAGE.0);
    let lines = page.lines.into_iter().map(|(seq, line)| Numbered { seq, line });
    LinesTold {
        incarnation,
        next: page.next,
        dropped: page.dropped,
        covers: supervisor.nodes(),
        lines: lines.collect(),
    }
}
