//! Metadata objects and runs of elsewhere through the router.

use niassa_api::error::ProblemCode;
use niassa_api::metadata::objects::{Created, ImportedRun, Object};
use niassa_model::accession::ObjectKind;
use serde_json::{Value, json};

use crate::testing::{Answer, TestService, service};

async fn made(service: &TestService, path: &str, body: Value) -> i64 {
    let answer = service.user("bob").post(path, &body).await;
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    answer.json::<Created>().swid.get()
}

async fn look(service: &TestService, name: &str, swid: i64) -> Answer {
    service.user(name).get(&format!("/v1/objects/{swid}")).await
}

/// Makes a study of `bob`'s with an experiment, a sample of a sample, and a file.
async fn hierarchy(service: &TestService) -> [i64; 5] {
    let study = service.study_of("bob").await;
    let asked = json!({ "study": study, "title": "Lanes", "description": "", "platform_id": 20 });
    let experiment = made(service, "/v1/experiments", asked).await;
    let asked = json!({ "experiment": experiment, "title": "Blood", "description": "d" });
    let sample = made(service, "/v1/samples", asked).await;
    let asked =
        json!({ "experiment": experiment, "parent": sample, "title": "L1", "description": "" });
    let library = made(service, "/v1/samples", asked).await;
    let asked = json!({ "path": "/data/a.fq.gz", "meta_type": "chemical/seq-na-fastq-gzip",
        "size": 10, "md5": "0".repeat(32), "parents": [library] });
    let file = made(service, "/v1/files", asked).await;
    [study, experiment, sample, library, file]
}

#[tokio::test]
async fn objects_are_read_back_as_they_were_made() {
    let service = service().await;
    let [study, experiment, sample, library, file] = hierarchy(&service).await;
    let object: Object = look(&service, "bob", study).await.json();
    assert_eq!((object.swid.get(), object.kind), (study, ObjectKind::Study));
    assert_eq!(object.fields["title"], "Phages");
    assert_eq!(object.fields["owner"], "bob@lab.net");
    assert!(object.fields.get("center_name").is_none());
    let object: Object = look(&service, "bob", experiment).await.json();
    assert_eq!(object.fields["study"], study);
    assert_eq!(object.fields["platform_id"], 20);
    let object: Object = look(&service, "bob", library).await.json();
    assert_eq!(object.fields["parent"], sample);
    let object: Object = look(&service, "bob", file).await.json();
    assert_eq!(object.kind, ObjectKind::File);
    assert_eq!(object.fields["path"], "/data/a.fq.gz");
    assert_eq!(object.fields["parents"], json!([library]));
}

#[tokio::test]
async fn a_shared_study_shares_all_below_it_and_nothing_else() {
    let service = service().await;
    let below = hierarchy(&service).await;
    let other = service.study_of("bob").await;
    for swid in below {
        look(&service, "eve", swid).await.problem(ProblemCode::NotFound);
        assert!(look(&service, "ann", swid).await.status.is_success());
    }
    let readers = format!("/v1/studies/{}/readers", below[0]);
    let eve = json!({ "email": "eve@lab.net" });
    service.user("eve").post(&readers, &eve).await.problem(ProblemCode::NotFound);
    let kim = json!({ "email": "kim@lab.net" });
    service.user("bob").post(&readers, &kim).await.problem(ProblemCode::NotFound);
    for _ in 0..2 {
        assert_eq!(service.user("bob").post(&readers, &eve).await.status, 204);
    }
    for swid in below {
        assert!(look(&service, "eve", swid).await.status.is_success(), "{swid}");
    }
    look(&service, "eve", other).await.problem(ProblemCode::NotFound);
    // Who may read may not share.
    service.user("eve").post(&readers, &kim).await.problem(ProblemCode::NotAllowed);
}

#[tokio::test]
async fn parents_must_be_there_visible_and_of_the_right_kind() {
    let service = service().await;
    let [study, experiment, sample, ..] = hierarchy(&service).await;
    let hidden = service.study_of("eve").await;
    let workflow = json!({ "name": "W", "version": "1", "description": "" });
    let workflow = made(&service, "/v1/workflows", workflow).await;
    let experiment_of = |study: i64| json!({ "study": study, "title": "t", "description": "" });
    let sample_of = |experiment: i64, parent: Option<i64>| json!({ "experiment": experiment, "parent": parent, "title": "t", "description": "" });
    let file_of = |parent: i64| json!({ "path": "/a", "meta_type": "t", "parents": [parent] });
    for (path, body, code) in [
        ("/v1/experiments", experiment_of(999), ProblemCode::NotFound),
        ("/v1/experiments", experiment_of(hidden), ProblemCode::NotFound),
        ("/v1/experiments", experiment_of(sample), ProblemCode::Invalid),
        ("/v1/samples", sample_of(study, None), ProblemCode::Invalid),
        ("/v1/samples", sample_of(experiment, Some(study)), ProblemCode::Invalid),
        ("/v1/samples", sample_of(experiment, Some(999)), ProblemCode::NotFound),
        ("/v1/files", file_of(workflow), ProblemCode::Invalid),
        ("/v1/files", file_of(hidden), ProblemCode::NotFound),
        ("/v1/studies", json!({ "title": "", "description": "" }), ProblemCode::Invalid),
        ("/v1/studies", json!({ "title": "t" }), ProblemCode::Invalid),
        ("/v1/files", json!({ "path": "a", "meta_type": "t" }), ProblemCode::Invalid),
    ] {
        service.user("bob").post(path, &body).await.problem(code);
    }
}

#[tokio::test]
async fn the_same_request_twice_makes_one_object() {
    let service = service().await;
    let study = json!({ "title": "t", "description": "" });
    let ask = |name, body| {
        let asking = service.user(name).once("k");
        async move { asking.post("/v1/studies", &body).await }
    };
    let first: Created = ask("bob", study.clone()).await.json();
    let again: Created = ask("bob", study.clone()).await.json();
    assert_eq!(first, again);
    let other = json!({ "title": "u", "description": "" });
    ask("bob", other).await.problem(ProblemCode::IdempotencyMismatch);
    // Keys are each account's own.
    assert_ne!(ask("eve", study).await.json::<Created>(), first);
}

#[tokio::test]
async fn a_refused_request_frees_its_key() {
    let service = service().await;
    let asked = |study: i64| json!({ "study": study, "title": "t", "description": "" });
    let ask = |body| {
        let asking = service.user("bob").once("k");
        async move { asking.post("/v1/experiments", &body).await }
    };
    ask(asked(1)).await.problem(ProblemCode::NotFound);
    let study = service.study_of("bob").await;
    assert_eq!(ask(asked(study)).await.status, 201);
}

#[tokio::test]
async fn a_run_of_elsewhere_is_recorded_with_its_files() {
    let service = service().await;
    let [study, .., file] = hierarchy(&service).await;
    let workflow = json!({ "name": "W", "version": "1", "description": "" });
    let workflow = made(&service, "/v1/workflows", workflow).await;
    let asked = json!({ "workflow": workflow, "parents": [study], "input_files": [file],
        "files": [{ "path": "/data/out.bam", "meta_type": "application/bam" }] });
    let ask = || service.user("bob").once("k").post("/v1/runs/import", &asked);
    let answer = ask().await;
    assert_eq!(answer.status, 201);
    let imported: ImportedRun = answer.json();
    assert_eq!(ask().await.json::<ImportedRun>(), imported);

    let run: Object = look(&service, "bob", imported.swid.get()).await.json();
    assert_eq!(run.kind, ObjectKind::WorkflowRun);
    assert_eq!(run.fields["status"], "completed");
    assert_eq!(run.fields["parents"], json!([study]));
    assert_eq!(run.fields["input_files"], json!([file]));
    let processing: Object = look(&service, "bob", imported.processing.get()).await.json();
    assert_eq!(processing.fields["run"], imported.swid.get());
    let output = processing.fields["files"][0].as_i64().unwrap();
    let output: Object = look(&service, "bob", output).await.json();
    assert_eq!(output.fields["processing"], imported.processing.get());

    // What it made is shared as it is.
    look(&service, "eve", imported.processing.get()).await.problem(ProblemCode::NotFound);
    let readers = format!("/v1/studies/{study}/readers");
    service.user("bob").post(&readers, &json!({ "email": "eve@lab.net" })).await;
    for swid in [imported.swid.get(), imported.processing.get(), output.swid.get()] {
        assert!(look(&service, "eve", swid).await.status.is_success());
    }
}

#[tokio::test]
async fn a_run_of_elsewhere_needs_a_workflow_and_parents() {
    let service = service().await;
    let [study, .., file] = hierarchy(&service).await;
    let workflow = json!({ "name": "W", "version": "1", "description": "" });
    let workflow = made(&service, "/v1/workflows", workflow).await;
    for (asked, code) in [
        (json!({ "workflow": workflow, "parents": [] }), ProblemCode::Invalid),
        (json!({ "workflow": study, "parents": [study] }), ProblemCode::Invalid),
        (json!({ "workflow": 999, "parents": [study] }), ProblemCode::NotFound),
        (json!({ "workflow": workflow, "parents": [workflow] }), ProblemCode::Invalid),
        (
            json!({ "workflow": workflow, "parents": [file], "input_files": [study] }),
            ProblemCode::Invalid,
        ),
        (
            json!({ "workflow": workflow, "parents": [file],
            "files": [{ "path": "out", "meta_type": "" }] }),
            ProblemCode::Invalid,
        ),
    ] {
        service.user("bob").post("/v1/runs/import", &asked).await.problem(code);
    }
}
