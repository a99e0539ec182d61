//! What a supervisor is asked by members of its zone beside what every member is, and what it answers: JSON both ways.
//!
//! | asked of `V` | answer |
//! |---|---|
//! | `{"plan":PLAN}` | `{"changes":[…]}`: what would be done |
//! | `{"apply":PLAN}` | the same when it is done; `{"busy":{"pid","since"}}` at once while another plan is being applied, `{"ending":{}}` once it ends |
//! | `{"status":{}}` | how every container is |
//! | `{"delete":{}}` | `{"stopped":n}` when everything has stopped; the supervisor ends then |

use crate::plan::{Plan, PlanError};
use crate::supervisor::{Refused, Supervisor};
use serde::Deserialize;
use serde_json::{Value, json};

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
    /// The plan is another project's.
    #[error(transparent)]
    Project(Refused),
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
            or_busy(supervisor.compare(&plan).map(|changes| json!({ "changes": changes })))
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
        // Whoever asks may wait for the end and begin anew.
        Err(Refused::Ending) => Ok(json!({ "ending": {} })),
        Err(refused @ Refused::Project { .. }) => Err(ServiceError::Project(refused)),
    }
}
