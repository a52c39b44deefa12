//! Routes of the log: of one run, a page at a time, and of all runs, as it grows.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use niassa_api::error::{Problem, ProblemCode};
use niassa_api::events::EventQuery;
use niassa_api::page::Page;
use niassa_api::paths;
use niassa_api::runs::{RunLogEntry, StepQuery};
use niassa_model::account::Action;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::SignedIn;
use super::extract::{Params, Swid, page, page_after, page_size};
use crate::app::App;
use crate::error::Failed;
use crate::usecases::look::{self, Part};
use crate::usecases::watch::Watch;

/// How often a silent stream shows that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// The name of the events, for clients that listen by name.
const EVENT: &str = "run";

/// Returns the routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(of_run)).routes(routes!(follow))
}

/// Lists the log of a run, oldest first. Of the query only `limit` and `after` count.
#[utoipa::path(get, path = paths::RUN_EVENTS, tag = "events",
    params(("swid" = i64, Path, description = "The run's accession."), StepQuery),
    responses((status = 200, description = "Entries.", body = Page<RunLogEntry>),
        (status = 404, description = "There is no such run.", body = Problem)))]
async fn of_run(
    State(app): State<App>,
    signed_in: SignedIn,
    Swid(run): Swid,
    Params(query): Params<StepQuery>,
) -> Result<Json<Page<RunLogEntry>>, Failed> {
    let access = signed_in.may(Action::Read)?;
    let size = page_size(query.limit);
    let part = Part { limit: size + 1, after: page_after(query.after.as_deref())? };
    let entries = look::log(&app, &access, run, part).await?;
    Ok(Json(page(entries, size, |entry| entry.sequence)))
}

/// Follows the log of all runs that the caller may see: server-sent events named `run`, each a
/// `RunLogEntry`, its sequence number as id. Without `after` or `Last-Event-ID` it begins now. The
/// stream ends after ten minutes; a client comes back with the last id and misses nothing.
#[utoipa::path(get, path = paths::EVENTS, tag = "events",
    params(EventQuery, ("Last-Event-ID" = Option<i64>, Header, description = "Wins over `after`.")),
    responses((status = 200, description = "Events.", content_type = "text/event-stream",
        body = String)))]
async fn follow(
    State(app): State<App>,
    signed_in: SignedIn,
    Params(query): Params<EventQuery>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let access = signed_in.may(Action::Read)?;
    let after = last_event(&headers)?.or(query.after);
    let watch = Watch::begin(&app, access, after).await?;
    let mut response =
        Sse::new(events(watch)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    // Proxies that collect answers before they pass them on would hold events back.
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    response.headers_mut().insert(unbuffered, HeaderValue::from_static("no"));
    Ok(response)
}

fn last_event(headers: &HeaderMap) -> Result<Option<i64>, Failed> {
    let Some(header) = headers.get("last-event-id") else { return Ok(None) };
    let number = header.to_str().ok().and_then(|text| text.trim().parse().ok());
    let wrong = || Failed::new(ProblemCode::BadRequest, "Last-Event-ID is a sequence number");
    number.map(Some).ok_or_else(wrong)
}

fn events(watch: Watch) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold((watch, VecDeque::new()), |(mut watch, mut entries)| async move {
        while entries.is_empty() {
            entries = watch.next().await?.into();
        }
        let event = entries.pop_front().map(|entry| event(&entry))?;
        Some((Ok(event), (watch, entries)))
    })
}

fn event(entry: &RunLogEntry) -> Event {
    let event = Event::default().id(entry.sequence.to_string()).event(EVENT);
    // Line breaks of texts are escaped in JSON, so that the data is one line.
    event.data(serde_json::to_string(entry).unwrap_or_default())
}

#[cfg(test)]
mod tests;
