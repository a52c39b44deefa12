//! A browser in front of a service for tests: it keeps its cookie and says where it comes from.

use axum::body::Body;
use axum::http::Method;
use axum::http::header::{CONTENT_TYPE, COOKIE, HOST, LOCATION, SET_COOKIE};
use form_urlencoded::Serializer;

use super::{Answer, PASSWORD, TestService};

/// A browser on the machine of the service.
pub(crate) struct Browser<'service> {
    service: &'service TestService,
    pub(crate) cookie: Option<String>,
}

impl TestService {
    /// Opens a browser in which nobody is signed in.
    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser { service: self, cookie: None }
    }

    /// Opens a browser in which `ann`, `bob` or `eve` is signed in.
    pub(crate) async fn browse(&self, name: &str) -> Browser<'_> {
        let mut browser = self.browser();
        let email = format!("{name}@lab.net");
        let answer = browser.post("/sign-in", &[("email", &email), ("password", PASSWORD)]).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        browser.keep(&answer);
        browser
    }
}

impl Browser<'_> {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.asking().send(Method::GET, path, Body::empty()).await
    }

    /// Asks for a part of a page, as its script does.
    pub(crate) async fn refresh(&self, path: &str) -> Answer {
        self.asking().header("hx-request", "true").send(Method::GET, path, Body::empty()).await
    }

    /// Listens as a page does, having heard `last` before.
    pub(crate) async fn listen(&self, path: &str, last: Option<&str>) -> Answer {
        let asking = match last {
            Some(last) => self.asking().header("last-event-id", last),
            None => self.asking(),
        };
        asking.send(Method::GET, path, Body::empty()).await
    }

    /// Sends a form of one of the service's pages.
    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.post_from("same-origin", path, form).await
    }

    /// Sends a form of a page of another site.
    pub(crate) async fn post_from(&self, site: &str, path: &str, form: &[(&str, &str)]) -> Answer {
        let body = Serializer::new(String::new()).extend_pairs(form).finish();
        self.asking()
            .header(CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded")
            .header("sec-fetch-site", site)
            .send(Method::POST, path, Body::from(body))
            .await
    }

    /// Keeps the cookie of an answer.
    pub(crate) fn keep(&mut self, answer: &Answer) {
        let set = answer.headers.get(SET_COOKIE).expect("a cookie").to_str().unwrap();
        self.cookie = set.split(';').next().map(str::to_owned);
    }

    fn asking(&self) -> super::Asking<'_> {
        let asking = self.service.nobody().header(HOST.as_str(), "localhost:8080");
        match &self.cookie {
            Some(cookie) => asking.header(COOKIE.as_str(), cookie),
            None => asking,
        }
    }
}

impl Answer {
    /// Returns the body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the body of a page that is shown.
    pub(crate) fn page(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.text());
        self.text()
    }

    /// Returns where the browser is sent.
    pub(crate) fn location(&self) -> &str {
        assert_eq!(self.status, 303, "{}", self.text());
        self.headers.get(LOCATION).unwrap().to_str().unwrap()
    }
}
