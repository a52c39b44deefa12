//! Requests that another site made a browser send: none of them changes anything.
//!
//! Browsers say where a request comes from, and scripts cannot make them say otherwise. Whoever says
//! nothing at all is no browser of these years, and has the API.

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use niassa_api::error::ProblemCode;

use super::answer::Unanswered;
use crate::app::App;
use crate::error::Failed;

/// Refuses requests that would change something and come from another site.
pub(super) async fn refuse_others(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Response {
    // HTTP/2 names the host in the target instead of the header.
    let target = request.uri().authority().map(Authority::as_str);
    let hosts = [target, app.public_host.as_deref()];
    if request.method().is_safe() || is_own(request.headers(), hosts) {
        return next.run(request).await;
    }
    let failed = Failed::new(ProblemCode::NotAllowed, "this request came from another site")
        .hint("open the page here and try again");
    super::answer::seal(Unanswered::from(failed).into_response()).await
}

/// Tells whether a request comes from a page of this service, as far as the browser says.
fn is_own(headers: &HeaderMap, hosts: [Option<&str>; 2]) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("other"));
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = text(ORIGIN.as_str()) else { return false };
    let Some((_, from)) = origin.split_once("://") else { return false };
    text(HOST.as_str()) == Some(from) || hosts.contains(&Some(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(headers: &[(&'static str, &'static str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        is_own(&map, [Some("server2:8443"), Some("niassa.lab.net")])
    }

    #[test]
    fn what_the_browser_says_of_the_site_counts() {
        assert!(own(&[("sec-fetch-site", "same-origin")]));
        assert!(own(&[("sec-fetch-site", "none")]));
        assert!(!own(&[("sec-fetch-site", "same-site")]));
        assert!(!own(&[("sec-fetch-site", "cross-site")]));
        let both = [
            ("sec-fetch-site", "cross-site"),
            ("origin", "http://localhost:80"),
            ("host", "localhost:80"),
        ];
        assert!(!own(&both));
    }

    #[test]
    fn else_the_origin_must_be_this_host() {
        assert!(own(&[("origin", "http://server1:8080"), ("host", "server1:8080")]));
        assert!(own(&[("origin", "https://niassa.lab.net"), ("host", "127.0.0.1:8080")]));
        assert!(own(&[("origin", "https://server2:8443")]));
        assert!(!own(&[("origin", "http://evil.net"), ("host", "server1:8080")]));
        assert!(!own(&[("origin", "null"), ("host", "server1:8080")]));
        assert!(!own(&[("host", "server1:8080")]));
        assert!(!own(&[]));
    }
}
