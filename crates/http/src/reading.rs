//! What the view knows, as JSON, or as the page that shows it.

use crate::app::App;
use crate::page::page;
use crate::params::{Named, Params};
use crate::problem::Problem;
use crate::view::source::Topic;
use crate::view::{Answered, Cursor, Filter, Level, View, WORKERS};
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use troupe_node::discovery::Role;

/// Lines of one answer, unless the caller says otherwise, and at most.
const LINES: usize = 500;
const MOST_LINES: usize = 10_000;

/// A browser that asks for a page gets the page, under the address of what it shows; everybody else gets JSON.
pub(crate) async fn page_or_json(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let mut response = match &app.options.page {
        Some(folder) if wants_page(&request) => page(folder).await,
        _ => next.run(request).await,
    };
    response.headers_mut().insert(header::VARY, header::HeaderValue::from_static("accept"));
    response
}

/// Whether a browser asks, for what it shows: a link to the JSON of an address says `format=json` in its query.
pub(crate) fn wants_page(request: &Request) -> bool {
    let accepted = request.headers().get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.into_iter().any(|value| value.contains("text/html"))
        && !request.uri().query().is_some_and(|query| query.split('&').any(|field| field == "format=json"))
}

fn view(app: &App) -> Result<&Arc<View>, Problem> {
    app.view
        .as_ref()
        .ok_or_else(|| Problem::not_found("this server does not watch the zone; `troupe zone inlet` does"))
}

fn json_answer(body: impl Into<String>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}

#[derive(Debug, Deserialize)]
pub(crate) struct LogOptions {
    after: Option<String>,
    limit: Option<usize>,
    level: Option<String>,
    node: Option<String>,
    worker: Option<String>,
    text: Option<String>,
}

/// A cursor of a query; one that is none is the caller's mistake.
pub(crate) fn cursor(text: Option<&str>) -> Result<Option<Cursor>, Problem> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let cursor = Cursor::parse(text).ok_or_else(|| {
        Problem::invalid(format!("after is {text:?}; expected the \"next\" or \"id\" of an answer"))
    })?;
    Ok(Some(cursor))
}

pub(crate) async fn logs(
    State(app): State<Arc<App>>,
    Params(options): Params<LogOptions>,
) -> Result<Response, Problem> {
    let view = view(&app)?;
    let LogOptions { after, limit, level, node, worker, text } = options;
    let level = match level.as_deref() {
        None | Some("") => Level::Debug,
        Some(name) => Level::parse(name).ok_or_else(|| {
            Problem::invalid(format!("level is {name:?}; expected debug, info, warn or error"))
        })?,
    };
    let after = cursor(after.as_deref())?;
    let limit = limit.unwrap_or(LINES).clamp(1, MOST_LINES);
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let filter = Filter::new(level, given(node), given(worker), text.as_deref());
    let Answered { lines, next, more } = view.search(after, &filter, limit).await;
    Ok(json_answer(format!("{{\"next\":\"{next}\",\"more\":{more},\"lines\":[{}]}}", lines.join(","))))
}

pub(crate) async fn nodes(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    Ok(json_answer(view(&app)?.table().nodes.clone()))
}

pub(crate) async fn node(
    State(app): State<Arc<App>>,
    Named(name): Named<String>,
) -> Result<Response, Problem> {
    let node = view(&app)?.node(&name);
    let node =
        node.ok_or_else(|| Problem::not_found(format!("no node {name:?} has been seen in this zone")))?;
    Ok(json_answer(node.to_string()))
}

#[derive(Debug, Deserialize)]
pub(crate) struct WorkerOptions {
    node: Option<String>,
    find: Option<String>,
    limit: Option<usize>,
}

pub(crate) async fn workers(
    State(app): State<Arc<App>>,
    Params(WorkerOptions { node, find, limit }): Params<WorkerOptions>,
) -> Result<Response, Problem> {
    let find = find.as_deref().unwrap_or("");
    let (workers, total) = view(&app)?.workers(node.as_deref(), find, limit.unwrap_or(WORKERS));
    Ok(json_answer(json!({ "total": total, "workers": workers }).to_string()))
}

pub(crate) async fn worker(
    State(app): State<Arc<App>>,
    Named((node, name)): Named<(String, String)>,
) -> Result<Response, Problem> {
    let worker = view(&app)?.worker(&node, &name);
    let worker = worker.ok_or_else(|| {
        Problem::not_found(format!(
            "no worker {node}/{name} is known: there is none, or it is not among the {WORKERS} of its node with most waiting"
        ))
    })?;
    Ok(json_answer(worker.to_string()))
}

pub(crate) async fn dead_letters(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    Ok(json_answer(view(&app)?.table().dead_letters.clone()))
}

/// The zone as a whole: its members, and what its supervisor says of the containers.
pub(crate) async fn zone(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    view(&app)?;
    let members = app.source.members().await.map_err(|error| {
        Problem::new(axum::http::StatusCode::SERVICE_UNAVAILABLE, "ZONE_UNREADABLE", error.to_string())
    })?;
    let supervisor = match members.iter().find(|member| member.role == Role::Supervisor) {
        None => Value::Null,
        Some(member) => {
            let asked = app.ask(&member.name, Topic::Supervise, "{\"status\":{}}".to_owned()).await;
            asked.unwrap_or_else(|error| json!({ "unanswered": error.to_string() }))
        }
    };
    let list: Vec<_> = members
        .iter()
        .map(|member| {
            let role = match member.role {
                Role::Node => "node",
                Role::Observer => "observer",
                Role::Supervisor => "supervisor",
            };
            json!({ "name": member.name, "id": member.id, "role": role })
        })
        .collect();
    let zone = json!({
        "zone": app.source.zone(),
        "servedBy": app.source.own(),
        "members": list,
        "supervisor": supervisor,
    });
    Ok(json_answer(zone.to_string()))
}
