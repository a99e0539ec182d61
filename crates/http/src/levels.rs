//! What the node logs, read and changed while it runs.

use crate::app::App;
use crate::body::read;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// Bytes of a body with levels; a line for each part of the runtime has some hundred.
const LONGEST: usize = 4_096;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    levels: String,
}

pub(crate) async fn levels(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    Ok(answer(&of(&app)?.levels()))
}

pub(crate) async fn set_levels(State(app): State<Arc<App>>, body: Body) -> Result<Response, Problem> {
    let levels = of(&app)?;
    let too_large =
        || Problem::invalid(format!("levels have more than {LONGEST} bytes, which make no sense"));
    let body = read(body, LONGEST, &app.options.limits, too_large).await?;
    let wanted = serde_json::from_slice::<Wanted>(&body).map_err(|error| {
        Problem::invalid(format!("expected an object such as {{\"levels\":\"info,channel=debug\"}}: {error}"))
    })?;
    levels.set_levels(&wanted.levels).map_err(Problem::invalid)?;
    Ok(answer(&levels.levels()))
}

fn of(app: &App) -> Result<&Arc<dyn crate::Levels>, Problem> {
    app.options
        .levels
        .as_ref()
        .ok_or_else(|| Problem::not_found("the levels of this node can't be changed from here"))
}

fn answer(levels: &str) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], json!({ "levels": levels }).to_string()).into_response()
}
