//! `/events`: the view as a stream, as browsers read it with `EventSource`.

use crate::app::App;
use crate::connections::closed;
use crate::params::Params;
use crate::problem::Problem;
use crate::reading::cursor;
use crate::view::Reader;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::convert::Infallible;
use std::sync::Arc;

/// Lines before the end that a reader begins with, unless it says otherwise.
const HISTORY: u64 = 500;

#[derive(Debug, Deserialize)]
pub(crate) struct Options {
    after: Option<String>,
    history: Option<u64>,
}

/// Each event is made when the connection has room for it, and not before; see [`Reader`].
pub(crate) async fn events(
    State(app): State<Arc<App>>,
    Params(Options { after, history }): Params<Options>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let view = app
        .view
        .as_ref()
        .ok_or_else(|| Problem::not_found("this server does not watch the zone; `troupe zone inlet` does"))?;
    let permit = app.streams.clone().try_acquire_owned().map_err(|_| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "TOO_MANY_REQUESTS",
            "too many readers; close some pages",
        )
    })?;
    // A browser that lost its connection says where it was.
    let resumed = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let after = cursor(resumed.or(after.as_deref()))?;
    let reader = Reader::new(view, after, history.unwrap_or(HISTORY));
    let stream = futures_util::stream::unfold((reader, app.is_closing.clone(), permit), async |state| {
        let (mut reader, mut is_closing, permit) = state;
        let event = tokio::select! {
            event = reader.next() => event,
            () = closed(&mut is_closing) => return None,
        };
        Some((Ok::<_, Infallible>(Bytes::from(event)), (reader, is_closing, permit)))
    });
    Ok(([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(stream)).into_response())
}
