//! What went wrong, as `application/problem+json`, with the code by which a program matches it.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};
use troupe_node::{Error, Stage, code};

/// After so many seconds it is worth while to try again what was refused for want of room.
const RETRY_AFTER: u32 = 1;

/// An answer that is no success.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    more: Map<String, Value>,
    retry_after: bool,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let retry_after = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        Self { status, code, detail: detail.into(), more: Map::new(), retry_after }
    }

    /// The caller said something that makes no sense.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", detail)
    }

    /// There is nothing at that address.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", detail)
    }

    /// It is there, and not for this caller.
    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "NOT_PERMITTED", detail)
    }

    /// Something that a program may want to know.
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.more.insert(key.to_owned(), value.into());
        self
    }

    /// How a message fared.
    pub(crate) fn of(error: &Error) -> Self {
        let code = code::NAMES.iter().find(|(number, _)| *number == error.code()).map(|(_, name)| *name);
        let status = match error {
            Error::InvalidArgument { .. } => StatusCode::BAD_REQUEST,
            Error::NotPermitted { .. } => StatusCode::FORBIDDEN,
            Error::NoSuchWorker { .. } => StatusCode::NOT_FOUND,
            Error::WorkerStopped { .. } | Error::NameTaken { .. } => StatusCode::CONFLICT,
            Error::MessageTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Error::MailboxFull { .. } => StatusCode::TOO_MANY_REQUESTS,
            Error::NodeUnreachable { .. } | Error::NodeStopped | Error::GivenUp | Error::Zone { .. } => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Error::Timeout { .. } | Error::NothingReceived { .. } => StatusCode::GATEWAY_TIMEOUT,
            Error::WorkerFailed { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let code =
            code.unwrap_or(if status == StatusCode::BAD_REQUEST { "INVALID_ARGUMENT" } else { "INTERNAL" });
        let mut problem = Self::new(status, code, error.to_string());
        problem = problem.with("maybeExecuted", error.maybe_executed());
        match error {
            Error::Timeout { worker, stage } => {
                problem.with("worker", &**worker).with("stage", stage_name(*stage))
            }
            Error::WorkerFailed { worker, cause } => {
                let mut told = Map::new();
                told.insert("message".into(), cause.message.clone().into());
                problem.with("worker", &**worker).with("cause", told)
            }
            Error::NoSuchWorker { worker }
            | Error::MailboxFull { worker, .. }
            | Error::WorkerStopped { worker, .. }
            | Error::NodeUnreachable { worker, .. }
            | Error::MessageTooLarge { worker } => problem.with("worker", &**worker),
            _ => problem,
        }
    }
}

/// As `TimeoutError.stage` has it.
pub(crate) fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::InTransit => "in-transit",
        Stage::Queued => "queued",
        Stage::Running => "running",
        Stage::Handled => "handled",
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, code, detail, more, retry_after } = self;
        let mut body = Map::new();
        body.insert("type".into(), "about:blank".into());
        body.insert("title".into(), status.canonical_reason().unwrap_or("Problem").into());
        body.insert("status".into(), status.as_u16().into());
        body.insert("code".into(), code.into());
        body.insert("detail".into(), detail.into());
        body.extend(more);
        let json = HeaderValue::from_static("application/problem+json");
        let mut response =
            (status, [(header::CONTENT_TYPE, json)], Value::Object(body).to_string()).into_response();
        if retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER.into());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;
    use troupe_node::{Cause, Full};

    /// What is said of each failure: its status, and its code.
    type Told = BTreeSet<(u16, String)>;

    /// Of the table in docs/http.md: the first column has the status, the second one the codes.
    fn documented() -> Told {
        let mut told = Told::new();
        for row in include_str!("../../../docs/http.md").lines() {
            let mut cells = row.split('|').skip(1);
            let Some(Ok(status)) = cells.next().map(|cell| cell.trim().parse()) else { continue };
            let codes = cells.next().unwrap().split('`').skip(1).step_by(2);
            told.extend(codes.map(|code| (status, code.to_owned())));
        }
        told
    }

    /// `Problem::new(StatusCode::STATUS, "CODE"`, wherever the code of this crate says it.
    fn written(folder: &Path, told: &mut Told) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                written(&path, told);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap();
            for behind in text.split("StatusCode::").skip(1) {
                let Some((status, rest)) = behind.split_once(',') else { continue };
                let Some(rest) = rest.trim_start().strip_prefix('"') else { continue };
                let (code, _) = rest.split_once('"').unwrap();
                told.insert((numbered(status), code.to_owned()));
            }
        }
    }

    /// The number of `NOT_FOUND`.
    fn numbered(constant: &str) -> u16 {
        let is_it = |status: &StatusCode| {
            let name = status.canonical_reason().unwrap_or("");
            name.to_uppercase().replace([' ', '-'], "_") == constant
        };
        let mut all = (100..600).filter_map(|number| StatusCode::from_u16(number).ok());
        all.find(is_it).unwrap_or_else(|| panic!("{constant} is no status")).as_u16()
    }

    /// What may become of a message.
    fn outcomes() -> Vec<Error> {
        let worker = || "w".to_owned();
        vec![
            Error::InvalidArgument { text: worker(), what: "name", reason: worker() },
            Error::MailboxFull { worker: worker(), full: Full::Mailbox },
            Error::MessageTooLarge { worker: worker() },
            Error::NoSuchWorker { worker: worker() },
            Error::NodeStopped,
            Error::NodeUnreachable { worker: worker(), maybe_executed: true },
            Error::NotPermitted { reason: worker() },
            Error::Timeout { worker: worker(), stage: Stage::Running },
            Error::WorkerFailed { worker: worker(), cause: Cause::new("no") },
            Error::WorkerStopped { worker: worker(), maybe_executed: false },
        ]
    }

    #[test]
    fn every_status_and_code_stands_in_the_table_for_people_and_no_other_does() {
        let mut told = Told::from([(503, "TOO_MANY_CONNECTIONS".to_owned())]);
        written(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut told);
        assert!(told.len() > 10, "{told:?}");
        told.extend(outcomes().iter().map(Problem::of).map(|it| (it.status.as_u16(), it.code.to_owned())));
        let documented = documented();
        let missing: Vec<_> = told.difference(&documented).collect();
        let invented: Vec<_> = documented.difference(&told).collect();
        assert!(missing.is_empty() && invented.is_empty(), "missing: {missing:?}, invented: {invented:?}");
    }
}
