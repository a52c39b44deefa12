//! Workflows through the router.

use niassa_api::error::ProblemCode;
use niassa_api::metadata::objects::Created;
use niassa_api::page::Page;
use niassa_api::workflows::{Workflow, WorkflowDetail};
use serde_json::json;

use crate::testing::service;

#[tokio::test]
async fn a_workflow_of_elsewhere_is_everybodys_to_see_and_its_owners_to_extend() {
    let service = service().await;
    let new =
        |version: &str| json!({ "name": "Demultiplex", "version": version, "description": "" });
    let answer = service.user("bob").post("/v1/workflows", &new("1")).await;
    assert_eq!(answer.status, 201);
    let swid = answer.json::<Created>().swid;
    service.user("bob").post("/v1/workflows", &new("1")).await.problem(ProblemCode::Conflict);
    service.user("eve").post("/v1/workflows", &new("2")).await.problem(ProblemCode::NotAllowed);
    assert_eq!(service.user("ann").post("/v1/workflows", &new("2")).await.status, 201);

    let listed: Page<Workflow> = service.user("eve").get("/v1/workflows").await.json();
    let versions: Vec<_> = listed.items.iter().map(|workflow| workflow.version.as_str()).collect();
    assert_eq!(versions, ["2", "1"]);
    assert!(listed.items.iter().all(|workflow| workflow.owner == "bob@lab.net"));
    let detail: WorkflowDetail =
        service.user("eve").get(&format!("/v1/workflows/{swid}")).await.json();
    assert_eq!((detail.workflow.swid, detail.parameters.len()), (swid, 0));
}

#[tokio::test]
async fn workflows_are_listed_newest_first_a_page_at_a_time() {
    let service = service().await;
    for version in 1..=5 {
        let new = json!({ "name": "A", "version": version.to_string(), "description": "" });
        service.user("bob").post("/v1/workflows", &new).await.json::<Created>();
    }
    let mut path = "/v1/workflows?limit=2&name=A".to_owned();
    let mut versions = Vec::new();
    loop {
        let page: Page<Workflow> = service.user("bob").get(&path).await.json();
        versions.extend(page.items.into_iter().map(|workflow| workflow.version));
        let Some(next) = page.next else { break };
        path = format!("/v1/workflows?limit=2&name=A&after={next}");
    }
    assert_eq!(versions, ["5", "4", "3", "2", "1"]);
    let none: Page<Workflow> = service.user("bob").get("/v1/workflows?name=B").await.json();
    assert!(none.items.is_empty());
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused() {
    let service = service().await;
    let bad = json!({ "name": " ", "version": "a\nb", "description": "\u{0}" });
    let problem =
        service.user("bob").post("/v1/workflows", &bad).await.problem(ProblemCode::Invalid);
    assert_eq!(problem.errors.len(), 3);
    service.user("bob").get("/v1/workflows/77").await.problem(ProblemCode::NotFound);
    service.user("bob").get("/v1/workflows/x").await.problem(ProblemCode::BadRequest);
    service.user("bob").get("/v1/workflows?limit=x").await.problem(ProblemCode::BadRequest);
    service.user("bob").get("/v1/workflows?name=a%00b").await.problem(ProblemCode::BadRequest);
    let study = service.study_of("bob").await;
    let path = format!("/v1/workflows/{study}");
    service.user("bob").get(&path).await.problem(ProblemCode::NotFound);
}
