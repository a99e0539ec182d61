//! Probes: whether the process is to be killed, and whether it is to get work.

use crate::app::{App, Loop};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;

/// Fails when the isolate's loop has been held up for too long: nothing but an end helps then.
pub(crate) async fn livez(State(app): State<Arc<App>>) -> Response {
    match app.look_at_loop().await {
        // A node that stops is well, and about to end by itself.
        Loop::Turns | Loop::Ended => answer(StatusCode::OK, &json!({ "status": "alive" })),
        Loop::Stalled(time) => stalled(time),
    }
}

/// Fails while the node drains, and whenever [`livez`] does.
pub(crate) async fn readyz(State(app): State<Arc<App>>) -> Response {
    if app.node.is_draining() {
        return answer(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "draining" }));
    }
    match app.look_at_loop().await {
        Loop::Turns => answer(StatusCode::OK, &json!({ "status": "ready" })),
        Loop::Ended => answer(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "stopped" })),
        Loop::Stalled(time) => stalled(time),
    }
}

fn stalled(time: std::time::Duration) -> Response {
    let blocked = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    answer(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "stalled", "blockedMs": blocked }))
}

fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
