//! Tells an open page when to look again, by server-sent events.
//!
//! A stream holds no data: `changed` says that what the page shows is not what is, its id what is;
//! `tick` says that the stream is alive. So a page that comes back with the last id is told whatever
//! it missed, and whoever may not see anything any more learns nothing. Those who watch one run
//! share a look at it, and those who watch lists a look at the end of the log.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use niassa_api::error::ProblemCode;
use niassa_metadb::Access;
use niassa_metadb::access::Sees;
use niassa_model::accession::Accession;
use niassa_model::account::{AccountId, Action};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

use super::answer::Unanswered;
use super::run;
use super::visitor::Visitor;
use crate::app::App;
use crate::error::{Failed, chain};
use crate::usecases::look;

/// Pages that listen at once.
const MOST: usize = 512;
/// How often a page's matter is looked at when nobody wakes us.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How old a look that is shared may be.
const SHARED_FOR: Duration = Duration::from_millis(500);
/// How often a silent stream shows that it is alive.
const TICK: Duration = Duration::from_secs(5);
/// How long one stream lasts: then who listens is asked anew who it is.
const LASTS: Duration = Duration::from_mins(10);
/// How long a browser waits before it comes back.
const COMES_BACK: Duration = Duration::from_secs(1);
/// Runs of which a look is remembered.
const REMEMBERED: usize = 1_024;

/// What a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Matter {
    Runs,
    Run(Accession),
}

type Look = Arc<tokio::sync::Mutex<Option<(Instant, String)>>>;

/// What pages that listen share.
pub(crate) struct Listeners {
    places: Arc<Semaphore>,
    runs: Mutex<HashMap<Accession, Look>>,
}

/// A page that listens.
struct Listener {
    app: App,
    matter: Matter,
    /// What the page knows; nothing before it was told.
    known: Option<String>,
    changed: watch::Receiver<()>,
    /// Whether a request changed something since the last look.
    is_woken: bool,
    until: Instant,
    told: Instant,
    _place: OwnedSemaphorePermit,
}

/// Begins a stream: of one run with `run` in the query, else of all runs.
pub(super) async fn follow(
    State(app): State<App>,
    visitor: Visitor,
    headers: HeaderMap,
) -> Result<Response, Unanswered> {
    let access = visitor.may(Action::Read)?;
    let matter = match visitor.query.get("run").map(str::parse) {
        None => Matter::Runs,
        Some(Ok(run)) => Matter::Run(look::run(&app, &access, run).await?.swid),
        Some(Err(_)) => return Err(Failed::not_found("such run").into()),
    };
    let place = Arc::clone(&app.listeners.places).try_acquire_owned().map_err(|_| {
        let detail = format!("{MOST} pages listen already; this one asks from time to time");
        Failed::new(ProblemCode::Unavailable, detail)
    })?;
    let known = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let (changed, now) = (app.changed.subscribe(), Instant::now());
    let listener = Listener {
        app,
        matter,
        known,
        changed,
        is_woken: false,
        until: now + LASTS,
        told: now,
        _place: place,
    };
    let events = stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok::<_, Infallible>(event), listener))
    });
    let mut response = Sse::new(events).into_response();
    // Proxies that collect answers before they pass them on would hold events back.
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    response.headers_mut().insert(unbuffered, HeaderValue::from_static("no"));
    Ok(response)
}

impl Listener {
    /// Waits until there is something to tell; `None` ends the stream.
    async fn next(&mut self) -> Option<Event> {
        while Instant::now() < self.until && !self.app.stopping.is_cancelled() {
            let state = match self.state().await {
                Ok(state) => state,
                // The run is gone, or the MetaDB does not answer: the page asks by itself.
                Err(failed) => {
                    tracing::debug!("a page's stream ends: {}", failed.0.detail);
                    return None;
                }
            };
            let is_new = self.known.as_ref() != Some(&state);
            // A list shows numbers of steps, which the log does not have.
            if is_new || self.is_woken && self.matter == Matter::Runs {
                self.is_woken = false;
                self.known = Some(state.clone());
                return Some(self.tell("changed", &state));
            }
            if self.told.elapsed() >= TICK {
                return Some(self.tell("tick", &state));
            }
            self.wait().await;
        }
        None
    }

    fn tell(&mut self, event: &str, state: &str) -> Event {
        self.told = Instant::now();
        // Browsers pass over an event without data.
        Event::default().event(event).id(state).retry(COMES_BACK).data(state)
    }

    /// Waits for the next look: a moment after something changed, else for its time.
    async fn wait(&mut self) {
        let begun = Instant::now();
        tokio::select! {
            () = self.app.stopping.cancelled() => return,
            () = tokio::time::sleep_until(begun + LOOK_EVERY) => return,
            woken = self.changed.changed() => self.is_woken = woken.is_ok(),
        }
        // However much happens, looks are apart.
        tokio::select! {
            () = self.app.stopping.cancelled() => {}
            () = tokio::time::sleep_until(begun + LOOK_EVERY) => {}
        }
        self.changed.mark_unchanged();
    }

    /// What is, as a word that changes with it.
    async fn state(&self) -> Result<String, Failed> {
        match self.matter {
            Matter::Runs => {
                let newest = self.app.newest.within(SHARED_FOR, &self.app).await;
                newest.map(|newest| newest.to_string()).map_err(|error| {
                    tracing::warn!("{}", chain(&error));
                    error.into()
                })
            }
            Matter::Run(run) => self.app.listeners.of_run(&self.app, run).await,
        }
    }
}

impl Default for Listeners {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(MOST)), runs: Mutex::default() }
    }
}

impl Listeners {
    /// Looks at a run, unless somebody did just now. Who listens has been asked who it is before.
    async fn of_run(&self, app: &App, run: Accession) -> Result<String, Failed> {
        let look = self.look_at(run);
        let mut look = look.lock().await;
        if let Some((at, digest)) = &*look
            && at.elapsed() < SHARED_FOR
        {
            return Ok(digest.clone());
        }
        let everything = Access {
            account: AccountId(0),
            email: String::new(),
            sees: Sees::Everything,
            hosts: None,
            origin: None,
        };
        let run = look::run(app, &everything, run).await?;
        let digest = run::digest(&run, app.clock.now());
        *look = Some((Instant::now(), digest.clone()));
        Ok(digest)
    }

    fn look_at(&self, run: Accession) -> Look {
        // A panic elsewhere leaves nothing half-written here.
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if runs.len() >= REMEMBERED {
            // Those that nobody holds now are of no use any more.
            runs.retain(|_, look| Arc::strong_count(look) > 1);
        }
        Arc::clone(runs.entry(run).or_default())
    }
}

#[cfg(test)]
mod tests;
