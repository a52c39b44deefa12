//! A service for tests: the real router over a real SQLite, asked without a network.

pub(crate) mod browsing;
pub(crate) mod launched;
pub(crate) mod schedules;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use niassa_api::error::{PROBLEM_JSON, Problem, ProblemCode};
use niassa_metadb::access::Sees;
use niassa_metadb::accounts::NewAccount;
use niassa_metadb::{Access, MetaDb};
use niassa_model::account::{AccountId, Role};
use niassa_model::time::{Clock, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower::ServiceExt;

use crate::app::App;
use crate::config::ServiceConfig;
use crate::http::auth::Peer;
use crate::sign_in::password::Hashing;

/// The password of every account that [`service`] makes.
pub(crate) const PASSWORD: &str = "correct horse";

/// A service with an administrator, `ann@lab.net`, and two members, `bob@` and `eve@lab.net`.
pub(crate) struct TestService {
    pub(crate) app: App,
    router: Router,
    folder: tempfile::TempDir,
}

/// A request to be sent.
pub(crate) struct Asking<'service> {
    service: &'service TestService,
    authorization: Option<String>,
    headers: Vec<(&'static str, String)>,
    peer: Option<IpAddr>,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// A clock that stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_800_000_000_000_000)
    }
}

/// Makes a service over a MetaDB of its own.
pub(crate) async fn service() -> TestService {
    let service = empty_service().await;
    for (email, role) in [
        ("ann@lab.net", Role::Administrator),
        ("bob@lab.net", Role::Member),
        ("eve@lab.net", Role::Member),
    ] {
        make_account(&service.app.metadb, email, role).await;
    }
    service
}

/// Makes a service without accounts.
pub(crate) async fn empty_service() -> TestService {
    let folder = tempfile::tempdir().unwrap();
    let config = ServiceConfig::embedded(folder.path());
    let app = crate::start::app(&config, Arc::new(Still)).await.unwrap();
    TestService { router: crate::http::router(app.clone()), app, folder }
}

impl TestService {
    /// Asks as `ann`, `bob` or `eve`, with the password.
    pub(crate) fn user(&self, name: &str) -> Asking<'_> {
        self.basic(&format!("{name}@lab.net"), PASSWORD)
    }

    /// Asks with an address and a password.
    pub(crate) fn basic(&self, email: &str, password: &str) -> Asking<'_> {
        let pair = STANDARD.encode(format!("{email}:{password}"));
        self.with(Some(format!("Basic {pair}")))
    }

    /// Asks with a token.
    pub(crate) fn token(&self, secret: &str) -> Asking<'_> {
        self.with(Some(format!("Bearer {secret}")))
    }

    /// Asks without credentials.
    pub(crate) fn nobody(&self) -> Asking<'_> {
        self.with(None)
    }

    /// Makes a token of `bob`'s with these scopes and returns its secret.
    pub(crate) async fn token_of_bob(&self, scopes: &[&str]) -> String {
        let asked = serde_json::json!({ "scopes": scopes, "seconds": 3_600 });
        let answer = self.user("bob").post("/v1/tokens", &asked).await;
        answer.json::<Value>()["secret"].as_str().unwrap().to_owned()
    }

    /// Makes a study of `name`'s and returns its accession.
    pub(crate) async fn study_of(&self, name: &str) -> i64 {
        let asked = serde_json::json!({ "title": "Phages", "description": "" });
        let answer = self.user(name).post("/v1/studies", &asked).await;
        answer.json::<Value>()["swid"].as_i64().unwrap()
    }

    /// Returns a path in a folder that goes away with the service.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn with(&self, authorization: Option<String>) -> Asking<'_> {
        Asking { service: self, authorization, headers: Vec::new(), peer: None }
    }
}

impl Asking<'_> {
    /// Adds a header.
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sends an `Idempotency-Key`.
    pub(crate) fn once(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// Comes from another machine.
    pub(crate) fn from(mut self, peer: &str) -> Self {
        self.peer = Some(peer.parse().unwrap());
        self
    }

    pub(crate) async fn get(self, path: &str) -> Answer {
        self.send(Method::GET, path, Body::empty()).await
    }

    pub(crate) async fn post(self, path: &str, body: &impl Serialize) -> Answer {
        self.json(Method::POST, path, body).await
    }

    /// Sends a JSON body.
    pub(crate) async fn json(self, method: Method, path: &str, body: &impl Serialize) -> Answer {
        let body = Body::from(serde_json::to_vec(body).unwrap());
        self.header(CONTENT_TYPE.as_str(), "application/json").send(method, path, body).await
    }

    /// Sends anything.
    pub(crate) async fn send(self, method: Method, path: &str, body: Body) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        if let Some(peer) = self.peer {
            request = request.extension(Peer(peer));
        }
        let router = self.service.router.clone();
        let response = router.oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

impl Answer {
    /// Reads what was answered to a request that was done.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> T {
        let text = String::from_utf8_lossy(&self.body);
        assert!(self.status.is_success(), "{}: {text}", self.status);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Reads a problem, and checks that its form is right and its code this one.
    pub(crate) fn problem(&self, code: ProblemCode) -> Problem {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.headers.get(CONTENT_TYPE).unwrap(), PROBLEM_JSON, "{text}");
        let problem: Problem = serde_json::from_str(&text).unwrap();
        assert_eq!(problem.code, code, "{text}");
        assert_eq!(self.status.as_u16(), code.status());
        assert_eq!(problem.status, code.status());
        let id = self.headers.get("x-request-id").unwrap().to_str().unwrap();
        assert_eq!(problem.request_id.as_deref(), Some(id));
        problem
    }
}

/// Makes an account with the password of tests, which is hashed once.
pub(crate) async fn make_account(metadb: &MetaDb, email: &str, role: Role) {
    static HASH: OnceLock<String> = OnceLock::new();
    if HASH.get().is_none() {
        let hash = Hashing::default().hash(PASSWORD).await.unwrap();
        // Another test may have been faster; its hash is as good.
        drop(HASH.set(hash));
    }
    let access = Access {
        account: AccountId(0),
        email: "test".to_owned(),
        sees: Sees::Everything,
        hosts: None,
        origin: None,
    };
    let password_hash = HASH.get().unwrap().clone();
    let new = NewAccount { email: email.parse().unwrap(), role, password_hash };
    metadb.create_account(&access, &new, None).await.unwrap();
}
