//! What handlers take out of a request, with problems instead of plain texts when it is not there.
//!
//! [`Body`] and [`Keyed`] read the body, so they stand last among a handler's arguments, behind
//! [`SignedIn`](super::auth::SignedIn): whoever is not signed in cannot make the service read much.

use std::fmt::Display;
use std::str::FromStr;

use axum::body::Body as HttpBody;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use niassa_api::error::ProblemCode;
use niassa_api::page::Page;
use niassa_metadb::idempotency::OnceKey;
use niassa_model::accession::Accession;
use niassa_model::limits::{PAGE, PAGE_MOST};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::error::Failed;
use crate::sign_in::hex;

const MIB: usize = 1024 * 1024;
/// Most bytes of a JSON body whose route says nothing else.
const BODY_BYTES: usize = MIB;
/// Most bytes of a body with a run's ini files, a launcher's actions, or the files of a run.
pub(super) const RUN_BYTES: usize = 32 * MIB;
/// Most bytes of a body with a thousand facts, with both ends of their streams.
pub(super) const FACTS_BYTES: usize = 192 * MIB;
/// Most bytes of an `Idempotency-Key`.
const KEY_BYTES: usize = 255;

/// A JSON body of at most so many bytes.
pub(crate) struct Body<T, const MOST: usize = BODY_BYTES>(pub(crate) T);

/// A JSON body of a request that creates, of at most so many bytes, with the key by which a repetition is known.
pub(crate) struct Keyed<T, const MOST: usize = BODY_BYTES> {
    /// The key, and the digest of method, path and body; nothing where the client sent no key.
    pub(crate) once: Option<OnceKey>,
    /// What is asked.
    pub(crate) request: T,
}

/// Where a page begins and how long it is, for lists that have no other conditions.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Rows of the page: 50, at most 500.
    pub(crate) limit: Option<u32>,
    /// Where the page before ended.
    pub(crate) after: Option<String>,
}

/// The query of a URL.
pub(crate) struct Params<T>(pub(crate) T);

/// What the path names, such as `{host}` or `{email}`.
pub(crate) struct Named<T>(pub(crate) T);

/// The accession in the path: `{swid}`.
pub(crate) struct Swid(pub(crate) Accession);

impl<T: DeserializeOwned, const MOST: usize> FromRequest<App> for Body<T, MOST> {
    type Rejection = Failed;

    async fn from_request(request: Request, _: &App) -> Result<Self, Failed> {
        must_be_json(request.headers())?;
        parse(&collect(request.into_body(), MOST).await?).map(Self)
    }
}

impl<T: DeserializeOwned, const MOST: usize> FromRequest<App> for Keyed<T, MOST> {
    type Rejection = Failed;

    async fn from_request(request: Request, _: &App) -> Result<Self, Failed> {
        must_be_json(request.headers())?;
        let key = key(request.headers())?;
        let (parts, body) = request.into_parts();
        let body = collect(body, MOST).await?;
        let once = key.map(|key| OnceKey { key, request_sha256: digest(&parts, &body) });
        Ok(Self { once, request: parse(&body)? })
    }
}

impl<T: DeserializeOwned> FromRequestParts<App> for Params<T> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Failed> {
        let query = Query::<T>::try_from_uri(&parts.uri);
        let query = query.map_err(|error| bad(format!("the query: {}", error.body_text())))?;
        Ok(Self(query.0))
    }
}

impl<T: FromStr<Err: Display>> FromRequestParts<App> for Named<T> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failed> {
        let text = Path::<String>::from_request_parts(parts, app).await;
        let text = text.map_err(|error| bad(error.body_text()))?.0;
        text.parse().map(Self).map_err(|error| bad(format!("{error}")))
    }
}

impl FromRequestParts<App> for Swid {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failed> {
        Named::from_request_parts(parts, app).await.map(|Named(swid)| Self(swid))
    }
}

/// Returns the rows of a page for what was asked.
pub(crate) fn page_size(limit: Option<u32>) -> u32 {
    limit.unwrap_or(PAGE).clamp(1, PAGE_MOST)
}

/// Reads where the page before ended.
pub(crate) fn page_after(after: Option<&str>) -> Result<Option<i64>, Failed> {
    let read = |text: &str| text.parse().map_err(|_| bad(format!("`{text}` ends no page")));
    after.map(read).transpose()
}

/// Makes a page of rows that were asked for one more than its size: the one tells of a next page.
pub(crate) fn page<T>(mut rows: Vec<T>, size: u32, key: impl Fn(&T) -> i64) -> Page<T> {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let has_next = rows.len() > size;
    rows.truncate(size);
    let next = rows.last().filter(|_| has_next).map(|row| key(row).to_string());
    Page { items: rows, next }
}

/// Makes a page of rows that were looked for so far back only: `behind` is the last one that was looked
/// at, unless it was the last of all. The next page goes on where this one ends, or the looking did.
pub(crate) fn page_as_far<T>(
    rows: Vec<T>,
    size: u32,
    behind: Option<i64>,
    key: impl Fn(&T) -> i64,
) -> Page<T> {
    let page = page(rows, size, key);
    let further = || behind.map(|behind| behind.saturating_add(1).to_string());
    Page { next: page.next.or_else(further), items: page.items }
}

/// Takes a text that a database can compare: PostgreSQL knows no NUL.
pub(crate) fn plain(text: String) -> Result<String, Failed> {
    if text.contains('\0') { Err(bad("a NUL character".to_owned())) } else { Ok(text) }
}

/// A web page of somebody else's can make a browser send forms, but not JSON.
fn must_be_json(headers: &HeaderMap) -> Result<(), Failed> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(bad("the body must be application/json".to_owned()))
}

/// Reads the header `Idempotency-Key`.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<String>, Failed> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    match key.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= KEY_BYTES => Ok(Some(key.to_owned())),
        _ => Err(bad(format!("an Idempotency-Key has 1 to {KEY_BYTES} plain characters"))),
    }
}

/// Returns the digest of a request.
pub(crate) fn digest(parts: &Parts, body: &[u8]) -> String {
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    let mut digest = Sha256::new();
    digest.update(parts.method.as_str());
    digest.update(b" ");
    digest.update(target);
    digest.update(b"\n");
    digest.update(body);
    hex(&digest.finalize())
}

/// Reads a body of bounded size; one that came in one piece is not copied.
pub(crate) async fn collect(body: HttpBody, most: usize) -> Result<Bytes, Failed> {
    let mut pieces = body.into_data_stream();
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| bad("the body ended early".to_owned()))?;
        if first.len() + rest.len() + piece.len() > most {
            let detail = format!("the body has more than {} MiB", most / MIB);
            return Err(Failed::new(ProblemCode::TooLarge, detail));
        }
        if first.is_empty() && rest.is_empty() {
            first = piece;
            continue;
        }
        if rest.is_empty() {
            rest.extend_from_slice(&std::mem::take(&mut first));
        }
        rest.extend_from_slice(&piece);
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failed> {
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => {
            let failed = Failed::new(ProblemCode::Invalid, format!("the body: {error}"));
            failed.errors(vec![error.to_string()])
        }
        serde_json::error::Category::Io
        | serde_json::error::Category::Syntax
        | serde_json::error::Category::Eof => bad(format!("the body is not JSON: {error}")),
    })
}

fn bad(detail: String) -> Failed {
    Failed::new(ProblemCode::BadRequest, detail)
}

#[cfg(test)]
mod tests;
