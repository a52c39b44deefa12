//! Installing and fetching bundles through the router.

use std::fs;

use axum::body::Body;
use axum::http::Method;
use niassa_api::bundles::{Installed, InstalledBundle};
use niassa_api::error::ProblemCode;
use niassa_api::page::Page;
use niassa_api::workflows::{Workflow, WorkflowDetail};
use niassa_bundle::archive;

use crate::testing::{Answer, Asking, TestService, service};

/// Packs a bundle whose content depends on its command.
fn packed(service: &TestService, version: &str, command: &str) -> Vec<u8> {
    let dir = service.folder(&format!("{version}-{command}"));
    fs::create_dir_all(&dir).unwrap();
    let manifest = format!(
        "niassa: 1\nname: Hello\nversion: \"{version}\"\ndescription: Says hello\n\
         parameters:\n  greeting: {{type: string, default: hi, help: what to say}}\n  times: {{type: int}}\n\
         steps:\n  - name: say\n    command: |\n      {command}\n"
    );
    fs::write(dir.join("workflow.yaml"), manifest).unwrap();
    let zip = dir.with_extension("zip");
    archive::pack(&dir, &zip).unwrap();
    fs::read(zip).unwrap()
}

async fn install(asking: Asking<'_>, query: &str, zip: Vec<u8>) -> Answer {
    let path = format!("/v1/bundles{query}");
    asking
        .header("content-type", "application/zip")
        .send(Method::POST, &path, Body::from(zip))
        .await
}

fn archives(service: &TestService) -> usize {
    fs::read_dir(service.folder("bundles")).unwrap().count()
}

#[tokio::test]
async fn the_same_content_again_is_the_same_workflow() {
    let service = service().await;
    let zip = packed(&service, "1.0", "true");
    let answer = install(service.user("bob"), "", zip.clone()).await;
    assert_eq!(answer.status, 201);
    let first: InstalledBundle = answer.json();
    assert_eq!((first.name.as_str(), first.version.as_str()), ("Hello", "1.0"));
    assert_eq!((first.swid.get(), first.installed), (1, Installed::Now));
    // Whoever installs it: nothing is added.
    for name in ["bob", "eve"] {
        let answer = install(service.user(name), "", zip.clone()).await;
        assert_eq!(answer.status, 200);
        let again: InstalledBundle = answer.json();
        assert_eq!((again.swid, again.installed), (first.swid, Installed::Before));
    }
    assert_eq!(archives(&service), 1);
    let fetched = service.user("eve").get(&format!("/v1/bundles/{}", first.sha256)).await;
    assert_eq!(fetched.headers.get("content-type").unwrap(), "application/zip");
    assert_eq!(fetched.body, zip);
}

#[tokio::test]
async fn a_version_never_changes_and_a_name_has_one_owner() {
    let service = service().await;
    install(service.user("bob"), "", packed(&service, "1.0", "true"))
        .await
        .json::<InstalledBundle>();
    let answer = install(service.user("bob"), "", packed(&service, "1.0", "false")).await;
    let problem = answer.problem(ProblemCode::Conflict);
    assert!(problem.hint.unwrap().contains("version"));
    let second = packed(&service, "2.0", "true");
    let answer = install(service.user("eve"), "", second.clone()).await;
    assert!(answer.problem(ProblemCode::NotAllowed).detail.contains("bob@lab.net"));
    assert_eq!(archives(&service), 1, "what was refused is not kept");
    assert_eq!(install(service.user("ann"), "", second).await.status, 201);
    assert_eq!(archives(&service), 2);
    let reads = service.token_of_bob(&["read"]).await;
    let answer = install(service.token(&reads), "", packed(&service, "3.0", "true")).await;
    answer.problem(ProblemCode::NotAllowed);
}

#[tokio::test]
async fn a_development_version_is_named_by_its_content_and_hidden() {
    let service = service().await;
    let zip = packed(&service, "1.0", "true");
    let made: InstalledBundle =
        install(service.user("bob"), "?development=1", zip.clone()).await.json();
    assert_eq!(made.version, format!("1.0+dev.{}", &made.sha256[..8]));
    let again: InstalledBundle = install(service.user("bob"), "?development=1", zip).await.json();
    assert_eq!((again.swid, again.installed), (made.swid, Installed::Before));
    let other = packed(&service, "1.0", "false");
    let other: InstalledBundle = install(service.user("bob"), "?development=1", other).await.json();
    assert_ne!(other.swid, made.swid);
    let usual: Page<Workflow> = service.user("bob").get("/v1/workflows").await.json();
    assert!(usual.items.is_empty());
    let all: Page<Workflow> = service.user("bob").get("/v1/workflows?all=1").await.json();
    assert_eq!(all.items.len(), 2);
}

#[tokio::test]
async fn a_workflow_tells_its_parameters() {
    let service = service().await;
    let made: InstalledBundle =
        install(service.user("bob"), "", packed(&service, "1.0", "true")).await.json();
    let path = format!("/v1/workflows/{}", made.swid);
    let detail: WorkflowDetail = service.user("eve").get(&path).await.json();
    assert_eq!(detail.workflow.bundle_sha256, Some(made.sha256));
    let [greeting, times] = &detail.parameters[..] else { panic!("{:?}", detail.parameters) };
    assert_eq!((greeting.name.as_str(), greeting.default.as_deref()), ("greeting", Some("hi")));
    assert_eq!((times.name.as_str(), times.kind.as_str()), ("times", "int"));
    assert!(times.required && !greeting.required);
}

#[tokio::test]
async fn what_is_no_bundle_is_refused_and_leaves_nothing() {
    let service = service().await;
    let zip = packed(&service, "1.0", "true");
    for broken in [Vec::new(), b"nonsense".to_vec(), zip[..zip.len() / 2].to_vec()] {
        let answer = install(service.user("bob"), "", broken).await;
        assert!(!answer.problem(ProblemCode::Invalid).errors.is_empty());
    }
    let dir = service.folder("bad");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("workflow.yaml"), "niassa: 1\nname: Bad\nversion: \"1\"\nsteps: 7\n")
        .unwrap();
    let bad = service.folder("bad.zip");
    if archive::pack(&dir, &bad).is_ok() {
        let answer = install(service.user("bob"), "", fs::read(bad).unwrap()).await;
        assert!(!answer.problem(ProblemCode::Invalid).errors.is_empty());
    }
    let path = "/v1/bundles";
    let answer = service.user("bob").send(Method::POST, path, Body::from(zip.clone())).await;
    answer.problem(ProblemCode::BadRequest);
    let asking = service.user("bob").header("content-length", (3_u64 << 30).to_string());
    install(asking, "", zip).await.problem(ProblemCode::TooLarge);
    assert_eq!(archives(&service), 0);
}

#[tokio::test]
async fn an_archive_that_nobody_installed_is_not_there() {
    let service = service().await;
    for name in ["0".repeat(64), "x".to_owned(), "..%2Fniassa.db".to_owned()] {
        let answer = service.user("bob").get(&format!("/v1/bundles/{name}")).await;
        answer.problem(ProblemCode::NotFound);
    }
}

#[tokio::test]
async fn a_key_stands_for_one_archive() {
    let service = service().await;
    let (one, two) = (packed(&service, "1.0", "true"), packed(&service, "2.0", "true"));
    let first: InstalledBundle =
        install(service.user("bob").once("k"), "", one.clone()).await.json();
    let again: InstalledBundle = install(service.user("bob").once("k"), "", one).await.json();
    assert_eq!(first, again);
    let answer = install(service.user("bob").once("k"), "", two).await;
    answer.problem(ProblemCode::IdempotencyMismatch);
    assert_eq!(archives(&service), 1);
}

#[tokio::test]
async fn an_archive_that_is_named_stays_when_it_is_refused() {
    let service = service().await;
    let zip = packed(&service, "1.0", "true");
    install(service.user("bob"), "?development=1", zip.clone()).await.json::<InstalledBundle>();
    // The name is bob's, so that eve cannot install the version, but it is the same archive.
    install(service.user("eve"), "", zip).await.problem(ProblemCode::NotAllowed);
    assert_eq!(archives(&service), 1);
}
