//! The files of the page: one for every address a browser may open, and what that one loads.

use crate::app::App;
use crate::problem::Problem;
use crate::reading::wants_page;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::path::Path;
use std::sync::Arc;
use tower::ServiceExt;
use tower_http::services::ServeDir;

/// Its name has the hash of its content in it: it never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// The page itself: asked for each time, sent when it has changed.
const ASK_AGAIN: &str = "no-cache";

/// The page, or why there is none.
pub(crate) async fn page(folder: &Path) -> Response {
    match tokio::fs::read(folder.join("index.html")).await {
        Ok(html) => {
            let headers =
                [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, ASK_AGAIN)];
            (headers, html).into_response()
        }
        Err(error) => {
            log::warn!(target: "http", "the page can't be shown: {}: {error}", folder.join("index.html").display());
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "PAGE_MISSING",
                format!(
                    "the files of the page are not there ({}): install the package again, or build it; everything else works",
                    folder.display()
                ),
            )
            .into_response()
        }
    }
}

/// Any other address: a file of the page, or nothing.
pub(crate) async fn file(State(app): State<Arc<App>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if let Some(folder) = app.options.page.as_deref()
        && is_read
        && !has_extension(&path)
        && wants_page(&request)
    {
        // It says in its own way that there is nothing.
        let mut page = page(folder).await;
        if page.status() == StatusCode::OK {
            *page.status_mut() = StatusCode::NOT_FOUND;
        }
        return page;
    }
    let Some(folder) = app.options.page.as_deref().filter(|_| is_read && has_extension(&path)) else {
        return Problem::not_found(format!("there is nothing at {path}")).into_response();
    };
    // It answers whatever happens, and never leaves the folder.
    let Ok(response) = ServeDir::new(folder).append_index_html_on_directories(false).oneshot(request).await;
    let status = response.status();
    if status == StatusCode::NOT_FOUND || status == StatusCode::METHOD_NOT_ALLOWED {
        return Problem::not_found(format!("there is no file {path}")).into_response();
    }
    let mut response = response.map(axum::body::Body::new);
    let caching = if path.starts_with("/assets/") { FOR_EVER } else { ASK_AGAIN };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    response
}

/// Every file of a page has one; an address without is a mistake in writing, for which the page would be a strange answer.
fn has_extension(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.contains('.'))
}
