//! The description of this interface, as other programs read it.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// Checked by a test against the routes.
const DESCRIPTION: &str = include_str!("openapi.json");

pub(crate) async fn openapi() -> Response {
    let text = DESCRIPTION.replace("VERSION", env!("CARGO_PKG_VERSION"));
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}
