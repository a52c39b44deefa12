//! The audit log through the router.

use axum::http::Method;
use niassa_api::audit::{AuditChecked, AuditEntry};
use niassa_api::error::ProblemCode;
use niassa_api::page::Page;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::testing::service;

#[tokio::test]
async fn administrators_read_who_did_what_from_where() {
    let service = service().await;
    let guess = service.basic("bob@lab.net", "guess").from("192.0.2.7").get("/v1/runs").await;
    guess.problem(ProblemCode::NotSignedIn);
    let why = json!({"reason": "disks"});
    let asked = service.user("ann").from("192.0.2.8").json(Method::PUT, "/v1/hosts/h/hold", &why);
    assert_eq!(asked.await.status, 204);
    service.token_of_bob(&["read"]).await;
    service.user("bob").get("/v1/audit").await.problem(ProblemCode::NotAllowed);
    service.user("bob").get("/v1/audit/check").await.problem(ProblemCode::NotAllowed);

    let mut entries: Vec<AuditEntry> = Vec::new();
    let mut path = "/v1/audit?limit=2".to_owned();
    loop {
        let page: Page<AuditEntry> = service.user("ann").get(&path).await.json();
        entries.extend(page.items);
        let Some(next) = page.next else { break };
        path = format!("/v1/audit?limit=2&after={next}");
    }
    let told = &entries[entries.len() - 3..];
    let of = |entry: &AuditEntry| (entry.account.clone(), entry.action.clone());
    assert_eq!(of(&told[0]), ("nobody".to_owned(), "sign_in_failed".to_owned()));
    assert_eq!(told[0].subject, "account bob@lab.net");
    assert_eq!(told[0].origin.as_deref(), Some("192.0.2.7"));
    assert_eq!(of(&told[1]), ("ann@lab.net".to_owned(), "host_hold".to_owned()));
    assert_eq!(told[1].origin.as_deref(), Some("192.0.2.8"));
    assert_eq!(of(&told[2]), ("bob@lab.net".to_owned(), "token_create".to_owned()));

    // The document says how a digest is made: whoever reads it can check an export.
    let mut head = String::new();
    for entry in &entries {
        let content: Value = json!([
            entry.previous,
            entry.at,
            entry.account,
            entry.action,
            entry.subject,
            entry.detail,
            entry.origin,
        ]);
        assert_eq!(entry.previous, head);
        head = crate::sign_in::hex(&Sha256::digest(content.to_string().as_bytes()));
        assert_eq!(entry.sha256, head);
    }
    let checked: AuditChecked = service.user("ann").get("/v1/audit/check").await.json();
    let whole = AuditChecked { entries: entries.len() as u64, head, broken_at: None };
    assert_eq!(checked, whole);
}
