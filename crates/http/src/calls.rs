//! The interface to workers: a message in, its outcome out. What becomes of it is the port's business; see `Shared::request`.

use crate::app::App;
use crate::body::{discard, read};
use crate::params::{Named, Params};
use crate::problem::Problem;
use crate::room::{kib, measured};
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use troupe_node::MAX_MESSAGE;
use troupe_node::node::Call;

/// The header by which the message belongs to a trace: W3C Trace Context.
const TRACEPARENT: &str = "traceparent";

/// How long a message may take unless the caller says otherwise, and what it may say at most.
const TIMEOUT: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(3_600);

/// A caller whose time is over is answered so much later at the latest, also when the isolate is held up and its own clock with it.
const GRACE: Duration = Duration::from_millis(500);

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Options {
    timeout: Option<String>,
}

/// Lets calls through when they are enabled, and as long as their messages fit into memory together.
pub(crate) async fn admit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    // A message whose length nobody said may be as long as any.
    let length = request.body().size_hint().upper().unwrap_or(MAX_MESSAGE as u64);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let refused = if !app.options.workers {
        Problem::forbidden(
            "messages to workers are not taken here: start the node with http: { listen, workers: true }",
        )
    } else if length > MAX_MESSAGE {
        too_large(&format!("{length} bytes"))
    } else {
        match app.calls.clone().try_acquire_many_owned(kib(length)) {
            Ok(held) => {
                let (head, body) = request.into_parts();
                let (body, _room) = measured(body, held);
                return next.run(Request::from_parts(head, body)).await;
            }
            Err(_) => full(),
        }
    };
    discard(request.into_body(), MAX_MESSAGE).await;
    refused.into_response()
}

/// The text of a body.
async fn message(app: &App, body: Body) -> Result<String, Problem> {
    let bytes = read(body, MAX_MESSAGE, &app.options.limits, || too_large("more than 16 MiB")).await?;
    String::from_utf8(bytes).map_err(|error| {
        Problem::invalid(format!(
            "a message is text as UTF-8; byte {} is not",
            error.utf8_error().valid_up_to()
        ))
    })
}

fn too_large(size: &str) -> Problem {
    let detail = format!("the message has {size}; at most 16 MiB travel: split it, or send where to find it");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "MESSAGE_TOO_LARGE", detail)
}

/// Whom a message is for: a worker, which may say its node as well, as `node%2Fworker`; or a worker of this node.
#[derive(Debug, Deserialize)]
pub(crate) struct Whom {
    node: Option<String>,
    name: String,
}

impl Whom {
    fn address(self) -> String {
        match self.node {
            None => self.name,
            Some(node) => format!("{node}/{}", self.name),
        }
    }
}

/// Asks a worker.
pub(crate) async fn ask(
    State(app): State<Arc<App>>,
    Named(whom): Named<Whom>,
    Params(options): Params<Options>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    call(&app, &whom.address(), &options, &headers, body, false).await
}

/// Hands a message over.
pub(crate) async fn send(
    State(app): State<Arc<App>>,
    Named(whom): Named<Whom>,
    Params(options): Params<Options>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    call(&app, &whom.address(), &options, &headers, body, true).await
}

async fn call(
    app: &App,
    to: &str,
    options: &Options,
    headers: &HeaderMap,
    body: Body,
    is_send: bool,
) -> Result<Response, Problem> {
    let timeout = options.timeout.as_deref().map_or(Ok(TIMEOUT), duration)?;
    let kind = headers.get(header::CONTENT_TYPE).map_or(vec![], |kind| kind.as_bytes().to_ascii_lowercase());
    // A form of a page would otherwise be a message; scripts say what they send, or nothing.
    if kind.starts_with(b"multipart/") {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "INVALID_ARGUMENT",
            "a message is text, not a form",
        ));
    }
    // What is no header of Trace Context is ignored, and so are two: they say nothing about which one holds.
    let mut traces = headers.get_all(TRACEPARENT).iter();
    let trace = traces.next().filter(|_| traces.next().is_none());
    let message = Call::from(message(app, body).await?).with_trace(trace.map_or(&[], HeaderValue::as_bytes));
    // Beside the port's own clock, which stands still while the isolate is held up.
    let until = timeout + GRACE;
    if is_send {
        let sent = tokio::time::timeout(until, app.node.send(to, message, timeout)).await;
        return match sent {
            Ok(Ok(())) => Ok(StatusCode::ACCEPTED.into_response()),
            Ok(Err(error)) => Err(Problem::of(&error)),
            Err(_) => Err(held_up(to)),
        };
    }
    match tokio::time::timeout(until, app.node.request(to, message, timeout)).await {
        Ok(Ok(reply)) => answer(app, reply, kind.starts_with(b"application/json")),
        Ok(Err(error)) => Err(Problem::of(&error)),
        Err(_) => Err(held_up(to)),
    }
}

/// A reply on its way to the caller, who may read it slowly: it counts as under way until it is written.
struct Reply {
    text: String,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Reply {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

/// `is_json`: the caller spoke JSON, and is told where the worker does.
fn answer(app: &App, text: String, is_json: bool) -> Result<Response, Problem> {
    let is_json = is_json && serde_json::from_str::<IgnoredAny>(&text).is_ok();
    let kind = if is_json { "application/json" } else { "text/plain; charset=utf-8" };
    let room = app.calls.clone().try_acquire_many_owned(kib(text.len()));
    let room = room.map_err(|_| full().with("maybeExecuted", true))?;
    let body = Body::from(Bytes::from_owner(Reply { text, _room: room }));
    Ok(([(header::CONTENT_TYPE, kind)], body).into_response())
}

fn full() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "TOO_MANY_REQUESTS",
        "128 MiB of messages and replies are under way; try again",
    )
}

/// The caller's time is over and the isolate says nothing.
fn held_up(to: &str) -> Problem {
    Problem::new(
        StatusCode::GATEWAY_TIMEOUT,
        "TIMEOUT",
        format!(
            "timeout: the message to {to:?} was still in transit: the event loop of this node is held up"
        ),
    )
    .with("worker", to)
    .with("stage", "in-transit")
    .with("maybeExecuted", true)
}

/// A number of milliseconds, or one with a unit: `250`, `250ms`, `10s`, `5m`, `1h`.
fn duration(text: &str) -> Result<Duration, Problem> {
    let end = text.find(|digit: char| digit.is_ascii_alphabetic()).unwrap_or(text.len());
    let unit = match &text[end..] {
        "" | "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        _ => f64::NAN,
    };
    let seconds = text[..end].parse::<f64>().unwrap_or(f64::NAN) * unit;
    Duration::try_from_secs_f64(seconds).ok().filter(|duration| *duration <= LONGEST).ok_or_else(|| {
        Problem::invalid(format!(
            "timeout is {text:?}; expected milliseconds or e.g. \"10s\", at most \"1h\""
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_the_units_of_the_library() {
        for (text, millis) in [
            ("250", 250),
            ("250ms", 250),
            ("10s", 10_000),
            ("1.5s", 1_500),
            ("2m", 120_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(duration(text).unwrap(), Duration::from_millis(millis), "{text}");
        }
        for text in ["", "s", "ten", "10 s", "10d", "-1s", "2h", "1e300s", "Infinity", "NaN", "0x10"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
