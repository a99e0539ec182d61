//! Which address leads where.

use crate::app::App;
use crate::guard::guard;
use crate::problem::Problem;
use crate::{calls, events, health, levels, metrics, openapi, page, reading};
use axum::Router;
use axum::body::Body;
use axum::http::{Response, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use std::any::Any;
use std::sync::Arc;
use tower_http::catch_panic::CatchPanicLayer;

pub(crate) fn router(app: Arc<App>) -> Router {
    let shown = Router::new()
        .route("/", get(reading::zone))
        .route("/zone", get(reading::zone))
        .route("/logs", get(reading::logs))
        .route("/nodes", get(reading::nodes))
        .route("/nodes/{name}", get(reading::node))
        .route("/workers", get(reading::workers))
        .route("/workers/{node}/{name}", get(reading::worker))
        .route("/dead-letters", get(reading::dead_letters))
        .layer(from_fn_with_state(app.clone(), reading::page_or_json));
    let called = Router::new()
        .route("/workers/{name}", post(calls::ask))
        .route("/workers/{node}/{name}", post(calls::ask))
        .route("/workers/{name}/send", post(calls::send))
        .route("/workers/{node}/{name}/send", post(calls::send))
        .route("/logs/levels", get(levels::levels).put(levels::set_levels))
        .layer(from_fn_with_state(app.clone(), calls::admit));
    Router::new()
        .merge(shown)
        .merge(called)
        .route("/events", get(events::events))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics))
        .route("/openapi.json", get(openapi::openapi))
        .fallback(page::file)
        .method_not_allowed_fallback(async || {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "INVALID_ARGUMENT",
                "this address takes no such request",
            )
        })
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(app.clone(), guard))
        .with_state(app)
}

/// A defect of ours ends one request and nothing else.
fn panicked(_: Box<dyn Any + Send>) -> Response<Body> {
    log::error!(target: "http", "a request made the server panic; please report what it was");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "the server failed; its log says more")
        .into_response()
}
