//! Routes of bundles: archives come and go as streams.

use std::time::Duration;

use axum::Json;
use axum::body::Body as HttpBody;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use niassa_api::bundles::{InstallQuery, Installed, InstalledBundle};
use niassa_api::error::{Problem, ProblemCode};
use niassa_api::paths;
use niassa_metadb::idempotency::OnceKey;
use niassa_model::account::Action;
use niassa_model::limits::{ARCHIVE_BYTES, REQUEST_TIMEOUT};
use tokio_util::io::ReaderStream;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::SignedIn;
use super::extract::{Params, digest, key};
use crate::app::App;
use crate::bundle_store::Received;
use crate::error::Failed;
use crate::usecases::install_bundle::{As, install_bundle};

/// The media type of an archive.
const ZIP: &str = "application/zip";
/// Bytes of an archive that are read and sent at once.
const PIECE: usize = 64 * 1024;

/// An archive, as the document shows it.
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "it only describes a body that is never held")]
struct Archive(Vec<u8>);

/// Returns the routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(install)).routes(routes!(fetch))
}

/// Installs a bundle: the body is its archive. The same content again is the same workflow.
#[utoipa::path(post, path = paths::BUNDLES, tag = "bundles", params(InstallQuery),
    request_body(content = Archive, content_type = "application/zip"),
    responses((status = 201, description = "It is a new workflow.", body = InstalledBundle),
        (status = 200, description = "The same content was there before.", body = InstalledBundle),
        (status = 403, description = "The name is another account's.", body = Problem),
        (status = 409, description = "The version has other content.", body = Problem),
        (status = 413, description = "The archive is too large.", body = Problem),
        (status = 422, description = "It is not a bundle; `errors` says why.", body = Problem)))]
async fn install(
    State(app): State<App>,
    signed_in: SignedIn,
    Params(query): Params<InstallQuery>,
    request: Request,
) -> Result<(StatusCode, Json<InstalledBundle>), Failed> {
    let access = signed_in.may(Action::Schedule)?;
    let key = key(request.headers())?;
    let (parts, body) = request.into_parts();
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if kind != Some(ZIP) {
        return Err(Failed::new(ProblemCode::BadRequest, format!("the body must be {ZIP}")));
    }
    let length = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if length
        .and_then(|length| length.parse().ok())
        .is_some_and(|length: u64| length > ARCHIVE_BYTES)
    {
        return Err(too_large());
    }
    let received = receive(&app, body).await?;
    let once =
        key.map(|key| OnceKey { key, request_sha256: digest(&parts, received.sha256.as_bytes()) });
    let install_as = if query.development == Some(1) { As::Development } else { As::Version };
    let installed = install_bundle(&app, &access, received, install_as, once).await?;
    let status = match installed.installed {
        Installed::Now => StatusCode::CREATED,
        Installed::Before => StatusCode::OK,
    };
    Ok((status, Json(installed)))
}

/// Returns the archive with this SHA-256.
#[utoipa::path(get, path = paths::BUNDLE, tag = "bundles",
    params(("sha256" = String, Path, description = "The archive's digest.")),
    responses((status = 200, description = "The archive.", body = Archive,
            content_type = "application/zip"),
        (status = 404, description = "There is no such archive.", body = Problem)))]
async fn fetch(
    State(app): State<App>,
    signed_in: SignedIn,
    Path(sha256): Path<String>,
) -> Result<Response, Failed> {
    signed_in.may(Action::Read)?;
    let none = || Failed::not_found(format!("bundle {sha256}"));
    let is_digest = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
    let bundle = if is_digest { app.metadb.bundle(&sha256).await? } else { None };
    let bundle = bundle.ok_or_else(none)?;
    let path = app.store.path(&bundle.sha256);
    let missing = |error| missing_archive(&path, error);
    let file = tokio::fs::File::open(&path).await.map_err(missing)?;
    let length = file.metadata().await.map_err(missing)?.len();
    let body = HttpBody::from_stream(ReaderStream::with_capacity(file, PIECE));
    let headers = [(CONTENT_TYPE, ZIP.to_owned()), (CONTENT_LENGTH, length.to_string())];
    Ok((headers, body).into_response())
}

/// Receives an archive of bounded size from a client that keeps sending.
async fn receive(app: &App, body: HttpBody) -> Result<Received, Failed> {
    let mut upload = app.store.receive().map_err(|error| Failed::internal(&error))?;
    let mut pieces = body.into_data_stream();
    loop {
        let next = tokio::time::timeout(idle(), pieces.next()).await;
        let next = next.map_err(|_| bad("the archive stopped coming"))?;
        let Some(piece) = next else { return Ok(upload.end()) };
        let piece = piece.map_err(|_| bad("the archive ended early"))?;
        if upload.size().saturating_add(piece.len() as u64) > ARCHIVE_BYTES {
            return Err(too_large());
        }
        upload = upload.write(piece).await.map_err(|error| Failed::internal(&error))?;
    }
}

/// How long a client may send nothing.
fn idle() -> Duration {
    REQUEST_TIMEOUT
}

fn bad(detail: &str) -> Failed {
    Failed::new(ProblemCode::BadRequest, detail)
}

fn too_large() -> Failed {
    let gibibytes = ARCHIVE_BYTES / (1024 * 1024 * 1024);
    Failed::new(ProblemCode::TooLarge, format!("an archive has at most {gibibytes} GiB"))
        .hint("large data is better a `file` parameter than part of the bundle")
}

/// The MetaDB knows an archive that is not on disk: a backup without the data directory, perhaps.
#[derive(Debug, thiserror::Error)]
#[error("open the archive {}", path.display())]
struct MissingArchive {
    path: std::path::PathBuf,
    #[source]
    source: std::io::Error,
}

fn missing_archive(path: &std::path::Path, source: std::io::Error) -> Failed {
    Failed::internal(&MissingArchive { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
