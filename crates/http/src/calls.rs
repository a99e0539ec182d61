//! The interface to workers: a message in, its outcome out. What becomes of it is the port's business; see `Shared::request`.

use crate::app::App;
use crate::params::Params;
use crate::problem::Problem;
use crate::room::{kib, measured};
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use troupe_node::MAX_MESSAGE;
use troupe_node::node::Call;

/// The header by which the message belongs to a trace: W3C Trace Context.
const TRACEPARENT: &str = "traceparent";

/// How long a message may take unless the caller says otherwise, and what it may say at most.
const TIMEOUT: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(3_600);

/// A caller whose time is over is answered so much later at the latest, also when the isolate is held up and its own clock with it.
const GRACE: Duration = Duration::from_millis(500);

/// A message that is not taken is read for so long, at most.
const DISCARD_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Options {
    timeout: Option<String>,
}

/// Lets calls through when they are enabled, and as long as their messages fit into memory together.
pub(crate) async fn admit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()).and_then(|value| value.parse().ok());
    // A message whose length nobody said may be as long as any.
    let length: usize = length.unwrap_or(MAX_MESSAGE);
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
            Err(_) => Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "TOO_MANY_REQUESTS",
                "128 MiB of messages are under way; try again",
            ),
        }
    };
    // Who still sends would otherwise see the connection break, and not the answer.
    let _ = tokio::time::timeout(DISCARD_WITHIN, discard(request.into_body())).await;
    refused.into_response()
}

/// Reads a body that nobody wants, as far as it is not much longer than a message.
async fn discard(body: Body) {
    let (mut chunks, mut left) = (body.into_data_stream(), 2 * MAX_MESSAGE);
    while let Some(Ok(chunk)) = chunks.next().await {
        if chunk.len() > left {
            return;
        }
        left -= chunk.len();
    }
}

/// The text of a body.
async fn message(body: Body) -> Result<String, Problem> {
    let (mut chunks, mut bytes) = (body.into_data_stream(), Vec::new());
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| Problem::invalid(format!("the message did not come: {error}")))?;
        if bytes.len() + chunk.len() > MAX_MESSAGE {
            drop(bytes);
            let rest = discard(Body::from_stream(chunks));
            let _ = tokio::time::timeout(DISCARD_WITHIN, rest).await;
            return Err(too_large("more than 16 MiB"));
        }
        bytes.extend_from_slice(&chunk);
    }
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

/// Asks a worker by its name, or by node and name in one, as `node%2Fworker`.
pub(crate) async fn ask(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Params(options): Params<Options>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    call(&app, &name, &options, &headers, body, false).await
}

/// Asks a worker of one node.
pub(crate) async fn ask_at(
    State(app): State<Arc<App>>,
    Path((node, name)): Path<(String, String)>,
    Params(options): Params<Options>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    call(&app, &format!("{node}/{name}"), &options, &headers, body, false).await
}

/// Hands a message over.
pub(crate) async fn send(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Params(options): Params<Options>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    call(&app, &name, &options, &headers, body, true).await
}

/// Hands a message over to a worker of one node.
pub(crate) async fn send_at(
    State(app): State<Arc<App>>,
    Path((node, name)): Path<(String, String)>,
    Params(options): Params<Options>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    call(&app, &format!("{node}/{name}"), &options, &headers, body, true).await
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
    // A form of a page would otherwise be a message; scripts say what they send, or nothing.
    if let Some(kind) = headers.get(header::CONTENT_TYPE)
        && kind.as_bytes().starts_with(b"multipart/")
    {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "INVALID_ARGUMENT",
            "a message is text, not a form",
        ));
    }
    // What is no header of Trace Context is ignored, and so are two: they say nothing about which one holds.
    let mut traces = headers.get_all(TRACEPARENT).iter();
    let trace = traces.next().filter(|_| traces.next().is_none());
    let message = Call::from(message(body).await?).with_trace(trace.map_or(&[], HeaderValue::as_bytes));
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
        Ok(Ok(reply)) => Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], reply).into_response()),
        Ok(Err(error)) => Err(Problem::of(&error)),
        Err(_) => Err(held_up(to)),
    }
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
