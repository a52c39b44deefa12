//! Routes of the log: of one run, a page at a time, and of all runs, as it grows.
//!
//! Agents that follow the log are told the same way which parts of logs readers want.

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
use niassa_api::events::{EventQuery, Events};
use niassa_api::logs::ReadLog;
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
use crate::log_exchange::{Credentials, Serving};
use crate::usecases::look::{self, Part};
use crate::usecases::watch::Watch;

/// How often a silent stream shows that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// The name of the events, for clients that listen by name.
const EVENT: &str = "run";
/// The name of what agents are asked to read.
const READ_LOG: &str = "read_log";
/// Most places that an agent serves.
const PLACES_MOST: usize = 64;
/// How long a client that holds no stream may wait for events, in seconds.
const WAIT_MOST: u32 = 30;

/// Somebody who follows the log, and may serve whole logs.
struct Following {
    watch: Watch,
    serving: Option<Serving>,
    /// What was heard and not told yet.
    events: VecDeque<Event>,
}

/// What was heard.
enum Heard {
    Entries(Vec<RunLogEntry>),
    Question(ReadLog),
    /// The stream ends.
    End,
}

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
///
/// An agent that says which places it serves is told `read_log` events, each a `ReadLog` without an id. With
/// `wait` the answer is an `Events` in JSON instead of a stream, for clients behind proxies that hold streams
/// back.
#[utoipa::path(get, path = paths::EVENTS, tag = "events",
    params(EventQuery, ("Last-Event-ID" = Option<i64>, Header, description = "Wins over `after`.")),
    responses((status = 200, description = "Events; with `wait`, in JSON.",
        content((String = "text/event-stream"), (Events = "application/json")))))]
async fn follow(
    State(app): State<App>,
    signed_in: SignedIn,
    Params(query): Params<EventQuery>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let access = signed_in.may(Action::Read)?;
    let after = last_event(&headers)?.or(query.after);
    let serving = serving(&app, &signed_in, query.serves.as_deref())?;
    let watch = Watch::begin(&app, access, after).await?;
    let mut following = Following { watch, serving, events: VecDeque::new() };
    if let Some(seconds) = query.wait {
        let wait = Duration::from_secs(seconds.min(WAIT_MOST).into());
        return Ok(Json(following.wait(wait).await).into_response());
    }
    // A first word, by which a client knows that nobody holds the stream back.
    following.events.push_back(Event::default().comment("begun"));
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    let mut response = Sse::new(following.stream()).keep_alive(keep_alive).into_response();
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

/// Takes an agent in that says which places it serves, if it may launch at all.
fn serving(
    app: &App,
    signed_in: &SignedIn,
    places: Option<&str>,
) -> Result<Option<Serving>, Failed> {
    let Some(places) = places else { return Ok(None) };
    let access = signed_in.may(Action::Launch)?;
    let places: Vec<String> = places.lines().take(PLACES_MOST).map(str::to_owned).collect();
    let who = Credentials { access, hosts: signed_in.0.launch_hosts() };
    Ok(Some(app.logs.serve(who, places)))
}

impl Following {
    /// Waits for whatever comes first.
    async fn hear(&mut self) -> Heard {
        let question = async {
            match &mut self.serving {
                Some(serving) => serving.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // Somebody waits for the answer.
            biased;
            question = question => Heard::Question(question),
            entries = self.watch.next() => entries.map_or(Heard::End, Heard::Entries),
        }
    }

    fn stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut following| async move {
            while following.events.is_empty() {
                match following.hear().await {
                    Heard::Entries(entries) => following.events.extend(entries.iter().map(event)),
                    Heard::Question(question) => following.events.push_back(asked(&question)),
                    Heard::End => return None,
                }
            }
            let event = following.events.pop_front()?;
            Some((Ok(event), following))
        })
    }

    /// Waits so long for the first events.
    async fn wait(&mut self, wait: Duration) -> Events {
        let mut events = Events::default();
        match tokio::time::timeout(wait, self.hear()).await {
            Ok(Heard::Entries(entries)) => events.entries = entries,
            Ok(Heard::Question(question)) => events.read_logs.push(question),
            Ok(Heard::End) | Err(_) => {}
        }
        if let Some(serving) = &mut self.serving {
            events.read_logs.extend(std::iter::from_fn(|| serving.try_next()));
        }
        events.after = self.watch.after();
        events
    }
}

fn event(entry: &RunLogEntry) -> Event {
    let event = Event::default().id(entry.sequence.to_string()).event(EVENT);
    // Line breaks of texts are escaped in JSON, so that the data is one line.
    event.data(serde_json::to_string(entry).unwrap_or_default())
}

/// A question has no id: one that was missed is not asked again.
fn asked(question: &ReadLog) -> Event {
    let event = Event::default().event(READ_LOG);
    event.data(serde_json::to_string(question).unwrap_or_default())
}

#[cfg(test)]
mod tests;
