//! Sending a request and reading its answer, once for all routes.
//!
//! A request is sent again only where that cannot do anything twice: when no connection was made,
//! or when the connection broke before an answer and the request may safely be repeated.

use std::fs;
use std::time::Duration;

use bytes::Bytes;
use niassa_model::limits::REQUEST_TIMEOUT;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Certificate, Method, RequestBuilder, Response, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{Client, ClientError, Credentials, query};
use crate::error::{Problem, ProblemCode};

/// The pauses between the tries of one request.
const PAUSES: [Duration; 2] = [Duration::from_millis(300), Duration::from_millis(1_200)];

/// How long making a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The header by which the service knows a repeated request.
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// The header of the id under which logs find a request.
const REQUEST_ID: &str = "X-Request-Id";

/// Whether a request may be sent twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Doing it twice is the same as once.
    Safe,
    /// Only when the service cannot have seen it.
    IfUnsent,
}

/// A request without a connection.
pub(super) struct Call {
    method: Method,
    url: Url,
    body: Option<Bytes>,
    key: Option<Uuid>,
    repeat: Repeat,
}

impl Client {
    pub(super) async fn get<Answer: DeserializeOwned>(
        &self,
        route: &str,
    ) -> Result<Answer, ClientError> {
        self.answer(Call::new(Method::GET, self.route(route), Repeat::Safe)).await
    }

    pub(super) async fn list<Query: Serialize, Answer: DeserializeOwned>(
        &self,
        route: &str,
        query: &Query,
    ) -> Result<Answer, ClientError> {
        let mut url = self.route(route);
        query::append(&mut url, query);
        self.answer(Call::new(Method::GET, url, Repeat::Safe)).await
    }

    /// Posts what makes no object of its own.
    pub(super) async fn post<Body: Serialize, Answer: DeserializeOwned>(
        &self,
        route: &str,
        body: &Body,
        repeat: Repeat,
    ) -> Result<Answer, ClientError> {
        self.send_json(Method::POST, route, body, None, repeat).await
    }

    /// Posts what makes an object; with its key it makes one however often it is sent.
    pub(super) async fn create<Body: Serialize, Answer: DeserializeOwned>(
        &self,
        route: &str,
        body: &Body,
        key: Uuid,
    ) -> Result<Answer, ClientError> {
        self.send_json(Method::POST, route, body, Some(key), Repeat::Safe).await
    }

    /// Sends a change of one thing, which is the same however often it is sent.
    pub(super) async fn change<Body: Serialize, Answer: DeserializeOwned>(
        &self,
        method: Method,
        route: &str,
        body: &Body,
    ) -> Result<Answer, ClientError> {
        self.send_json(method, route, body, None, Repeat::Safe).await
    }

    pub(super) async fn delete(&self, route: &str) -> Result<(), ClientError> {
        self.answer(Call::new(Method::DELETE, self.route(route), Repeat::Safe)).await
    }

    async fn send_json<Body: Serialize, Answer: DeserializeOwned>(
        &self,
        method: Method,
        route: &str,
        body: &Body,
        key: Option<Uuid>,
        repeat: Repeat,
    ) -> Result<Answer, ClientError> {
        let mut call = Call::new(method, self.route(route), repeat);
        let text = serde_json::to_vec(body).expect("requests are made of text and numbers");
        call.body = Some(text.into());
        call.key = key;
        self.answer(call).await
    }

    /// Sends a call, again if need be, and reads its answer.
    async fn answer<Answer: DeserializeOwned>(&self, call: Call) -> Result<Answer, ClientError> {
        let mut pauses = PAUSES.into_iter();
        let response = loop {
            let error = match self.request(&call)?.timeout(REQUEST_TIMEOUT).send().await {
                Ok(response) => break response,
                Err(error) => error,
            };
            let unsent = error.is_connect() && !error.is_timeout();
            let broken = call.repeat == Repeat::Safe && !error.is_timeout();
            match pauses.next() {
                Some(pause) if unsent || broken => tokio::time::sleep(pause).await,
                _ => return Err(self.no_answer(error, REQUEST_TIMEOUT)),
            }
        };
        self.heard(response.headers());
        let (url, status) = (response.url().to_string(), response.status().as_u16());
        let response = self.accepted(response).await?;
        let body = response.bytes().await.map_err(|e| self.no_answer(e, REQUEST_TIMEOUT))?;
        let text: &[u8] = if body.is_empty() { b"null" } else { &body };
        serde_json::from_slice(text).map_err(|error| ClientError::Malformed {
            url,
            status,
            why: error.to_string(),
        })
    }

    fn request(&self, call: &Call) -> Result<RequestBuilder, ClientError> {
        let mut request = self.begin(call.method.clone(), call.url.clone())?;
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        if let Some(key) = call.key {
            request = request.header(IDEMPOTENCY_KEY, key.to_string());
        }
        Ok(request)
    }

    /// Begins a request with the caller's credentials.
    pub(super) fn begin(&self, method: Method, url: Url) -> Result<RequestBuilder, ClientError> {
        let mut request = self.http()?.request(method, url).header(ACCEPT, "application/json");
        if let Some(trace) = self.shared.config.trace {
            request = request.header(REQUEST_ID, trace.to_string());
        }
        Ok(match &self.shared.config.credentials {
            Credentials::Basic { user, password } => request.basic_auth(user, Some(password)),
            Credentials::Token(token) => request.bearer_auth(token),
            Credentials::None => request,
        })
    }

    /// Returns the address of a route whose placeholder is filled.
    pub(super) fn route(&self, route: &str) -> Url {
        let mut url = self.shared.base.clone();
        let path = format!("{}{route}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }

    /// Returns the response if the service did what was asked, else what it said.
    pub(super) async fn accepted(&self, response: Response) -> Result<Response, ClientError> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let url = response.url().to_string();
        let body = response.bytes().await.map_err(|e| self.no_answer(e, REQUEST_TIMEOUT))?;
        if let Ok(problem) = serde_json::from_slice::<Problem>(&body) {
            return Err(problem.into());
        }
        if matches!(status.as_u16(), 502..=504) {
            let detail = format!("what stands before the Web Service answered {status}");
            return Err(Problem::new(ProblemCode::Unavailable, detail).into());
        }
        let why = match status.is_redirection() {
            true => "a redirection; is the address of the service right?".to_owned(),
            false => "no explanation came with it".to_owned(),
        };
        Err(ClientError::Malformed { url, status: status.as_u16(), why })
    }

    /// Names what a request without an answer failed of.
    pub(super) fn no_answer(&self, error: reqwest::Error, limit: Duration) -> ClientError {
        let url = self.url().to_owned();
        if error.is_timeout() && !error.is_connect() {
            return ClientError::TimedOut { url, seconds: limit.as_secs() };
        }
        ClientError::Unreachable { url, source: error.without_url() }
    }

    fn http(&self) -> Result<&reqwest::Client, ClientError> {
        if let Some(http) = self.shared.http.get() {
            return Ok(http);
        }
        let made = self.make_http(TlsFacts::Forgotten)?;
        Ok(self.shared.http.get_or_init(|| made))
    }

    /// Returns the certificate (DER) that the service shows, which was found good; `None` where no
    /// TLS is spoken. It makes a connection of its own.
    pub async fn shown_certificate(&self) -> Result<Option<Vec<u8>>, ClientError> {
        let limit = niassa_model::limits::REQUEST_TIMEOUT;
        let http = self.make_http(TlsFacts::Kept)?;
        let asked = http.get(self.route(crate::paths::LIVEZ)).timeout(limit).send().await;
        let answer = asked.map_err(|error| self.no_answer(error, limit))?;
        let facts = answer.extensions().get::<reqwest::tls::TlsInfo>();
        Ok(facts.and_then(|facts| facts.peer_certificate()).map(<[u8]>::to_vec))
    }

    fn make_http(&self, facts: TlsFacts) -> Result<reqwest::Client, ClientError> {
        let config = &self.shared.config;
        let mut builder = reqwest::Client::builder()
            .user_agent(&config.user_agent)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .tls_info(facts == TlsFacts::Kept)
            .no_proxy();
        if let Some(path) = &config.ca {
            let pem = fs::read(path)
                .map_err(|source| ClientError::ReadCa { path: path.clone(), source })?;
            let certificates = Certificate::from_pem_bundle(&pem).map_err(ClientError::SetUp)?;
            builder = builder.tls_certs_only(certificates);
        } else if self.shared.base.scheme() == "http" {
            // Reading the system's certificates takes longer than a whole call to this machine.
            builder = builder.tls_certs_only([]);
        }
        builder.build().map_err(ClientError::SetUp)
    }
}

/// Whether what was agreed on at the beginning of a TLS connection is kept with each answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TlsFacts {
    Kept,
    Forgotten,
}

impl Call {
    fn new(method: Method, url: Url, repeat: Repeat) -> Self {
        Self { method, url, body: None, key: None, repeat }
    }
}

#[cfg(test)]
mod tests;
