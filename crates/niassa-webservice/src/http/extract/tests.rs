//! What handlers take out of a request, and what they refuse.

use axum::body::Body;
use axum::http::Method;
use bytes::Bytes;
use futures_util::stream;
use niassa_api::error::ProblemCode;

use super::{BODY_BYTES, collect, page, page_as_far, page_size};
use crate::testing::service;

#[tokio::test]
async fn a_body_that_is_not_json_is_refused() {
    let service = service().await;
    let path = "/v1/studies";
    let send = |kind: &'static str, body: &'static str| {
        let asking = service.user("bob").header("content-type", kind);
        async move { asking.send(Method::POST, path, Body::from(body)).await }
    };
    let good = r#"{"title": "t", "description": ""}"#;
    send("text/plain", good).await.problem(ProblemCode::BadRequest);
    send("application/json", "{").await.problem(ProblemCode::BadRequest);
    send("application/json", "").await.problem(ProblemCode::BadRequest);
    send("application/json", "[]").await.problem(ProblemCode::Invalid);
    assert_eq!(send("application/json; charset=utf-8", good).await.status, 201);
}

#[tokio::test]
async fn a_key_has_a_bounded_length() {
    let service = service().await;
    let study = serde_json::json!({ "title": "t", "description": "" });
    for key in [String::new(), "k".repeat(256)] {
        let answer = service.user("bob").once(&key).post("/v1/studies", &study).await;
        answer.problem(ProblemCode::BadRequest);
    }
}

#[tokio::test]
async fn a_body_in_pieces_is_put_together() {
    let pieces = ["ab", "", "c", "def"].map(|piece| Ok::<_, std::io::Error>(Bytes::from(piece)));
    let body = collect(Body::from_stream(stream::iter(pieces)), 6).await.unwrap();
    assert_eq!(body, "abcdef");
    assert!(collect(Body::empty(), 0).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_body_without_end_is_refused() {
    let piece = Bytes::from(vec![b' '; 1024 * 1024]);
    let endless = stream::repeat_with(move || Ok::<_, std::io::Error>(piece.clone()));
    let failed = collect(Body::from_stream(endless), BODY_BYTES).await.unwrap_err();
    assert_eq!(failed.0.code, ProblemCode::TooLarge);
}

#[tokio::test]
async fn a_body_is_as_large_as_its_route_takes() {
    let service = service().await;
    let letters = |mib: usize| Body::from(vec![b'x'; mib * 1024 * 1024 + 1]);
    for (path, most) in [
        ("/v1/studies", 1),
        ("/v1/runs/cancel", 1),
        ("/v1/runs", 32),
        ("/v1/runs/import", 32),
        ("/v1/actions", 32),
    ] {
        let send = |body| {
            service.user("bob").header("content-type", "application/json").send(
                Method::POST,
                path,
                body,
            )
        };
        let refused = send(letters(most)).await.problem(ProblemCode::TooLarge);
        assert!(refused.detail.contains(&format!("{most} MiB")), "{path}: {}", refused.detail);
        send(letters(most - 1)).await.problem(ProblemCode::BadRequest);
    }
}

#[test]
fn a_page_tells_where_the_next_begins() {
    let first = page(vec![9_i64, 8, 7], 2, |row| *row);
    assert_eq!((first.items, first.next), (vec![9, 8], Some("8".to_owned())));
    let last = page(vec![9_i64, 8], 2, |row| *row);
    assert_eq!((last.items.len(), last.next), (2, None));
    assert_eq!(page_size(None), 50);
    assert_eq!(page_size(Some(0)), 1);
    assert_eq!(page_size(Some(9_999)), 500);
}

/// A page goes on where its rows end, or behind what was looked through, whichever comes first.
#[test]
fn a_page_that_is_not_full_may_have_a_next_one() {
    let page = |rows: &[i64], behind| {
        let page = page_as_far(rows.to_vec(), 2, behind, |row| *row);
        (page.items, page.next)
    };
    assert_eq!(page(&[9, 8, 7], None), (vec![9, 8], Some("8".to_owned())));
    assert_eq!(page(&[9, 8, 7], Some(5)), (vec![9, 8], Some("8".to_owned())));
    assert_eq!(page(&[9], Some(5)), (vec![9], Some("6".to_owned())));
    assert_eq!(page(&[], Some(5)), (vec![], Some("6".to_owned())));
    assert_eq!(page(&[9], None), (vec![9], None));
}
