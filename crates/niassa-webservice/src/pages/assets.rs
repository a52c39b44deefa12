//! The style sheet and the scripts: part of the executable, cached by their content.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::app::App;
use crate::error::Failed;
use crate::sign_in::sha256_hex;

/// Hexadecimal digits of the digest that stand in a path.
const DIGITS: usize = 16;
/// What lies under a digest never changes.
const FOREVER: &str = "public, max-age=31536000, immutable";

/// A file that pages refer to.
struct Asset {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
}

const STYLE: Asset = Asset {
    name: "pages.css",
    kind: "text/css; charset=utf-8",
    text: include_str!("../../assets/pages.css"),
};
const SCRIPT: Asset = Asset {
    name: "pages.js",
    kind: "text/javascript; charset=utf-8",
    text: include_str!("../../assets/pages.js"),
};
const HTMX: Asset = Asset {
    name: "htmx.min.js",
    kind: "text/javascript; charset=utf-8",
    text: include_str!("../../assets/vendor/htmx.min.js"),
};

/// Where the files lie.
pub(super) struct Paths {
    pub(super) style: String,
    pub(super) script: String,
    pub(super) htmx: String,
}

/// The paths of the files, with the digests of their contents.
pub(super) static PATHS: LazyLock<Paths> =
    LazyLock::new(|| Paths { style: STYLE.path(), script: SCRIPT.path(), htmx: HTMX.path() });

/// Returns the routes.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/assets/{digest}/{name}", get(asset))
}

impl Asset {
    fn digest(&self) -> String {
        sha256_hex(self.text.as_bytes()).chars().take(DIGITS).collect()
    }

    fn path(&self) -> String {
        format!("/assets/{}/{}", self.digest(), self.name)
    }
}

async fn asset(Path((digest, name)): Path<(String, String)>) -> Result<Response, Failed> {
    let path = format!("/assets/{digest}/{name}");
    let paths = &*PATHS;
    let found = [(&paths.style, &STYLE), (&paths.script, &SCRIPT), (&paths.htmx, &HTMX)];
    let asset = found.into_iter().find(|(known, _)| **known == path).map(|(_, asset)| asset);
    let asset = asset.ok_or_else(|| Failed::not_found(format!("file {name} of this content")))?;
    let mut response = (StatusCode::OK, asset.text).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(FOREVER));
    Ok(response)
}
