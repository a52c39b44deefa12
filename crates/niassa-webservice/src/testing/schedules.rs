//! A workflow in a service for tests, and runs of it.

use niassa_api::claims::Claim;
use niassa_api::runs::ScheduledRun;
use niassa_metadb::Access;
use niassa_metadb::access::Sees;
use niassa_metadb::bundles::{BundleInstalled, NewBundle};
use niassa_metadb::idempotency::Once;
use niassa_metadb::workflows::{NewWorkflow, WorkflowState};
use serde_json::{Value, json};

use super::{Answer, TestService};

const MANIFEST: &str = r#"
niassa: 1
name: Greet
version: "1.0"
description: Greets
parameters:
  greeting: {type: string}
  times: {type: int, default: 2, min: 1, max: 9}
steps:
  - name: greet
    command: echo "$greeting"
"#;

impl TestService {
    /// Installs a workflow of bob's that takes a `greeting`, and how many `times`.
    pub(crate) async fn workflow(&self) -> i64 {
        let metadb = &self.app.metadb;
        let email = "bob@lab.net".parse().unwrap();
        let bob = metadb.account_to_sign_in(&email).await.unwrap().unwrap();
        let access = Access {
            account: bob.id,
            email: "bob@lab.net".to_owned(),
            sees: Sees::Own,
            hosts: None,
            origin: None,
        };
        let bundle = NewBundle {
            workflow: NewWorkflow {
                name: "Greet".to_owned(),
                version: "1.0".to_owned(),
                description: "Greets".to_owned(),
            },
            state: WorkflowState::Installed,
            sha256: "a".repeat(64),
            size: 1,
            manifest: MANIFEST.to_owned(),
            config: Vec::new(),
        };
        match metadb.install_bundle(&access, &bundle, None).await.unwrap() {
            Once::Done(BundleInstalled::Now(swid)) => swid.get(),
            other => panic!("{other:?}"),
        }
    }

    /// Schedules a run as somebody.
    pub(crate) async fn schedule(&self, name: &str, request: &Value) -> Answer {
        self.user(name).post("/v1/runs", request).await
    }

    /// Schedules a run of bob's that is accepted.
    pub(crate) async fn run_of_bob(&self, workflow: i64) -> ScheduledRun {
        self.schedule("bob", &greeting(workflow)).await.json()
    }
}

/// A request for a run of [`TestService::workflow`] that is good.
pub(crate) fn greeting(workflow: i64) -> Value {
    json!({
        "workflow": workflow,
        "host": "server2",
        "sources": [{"name": "workflow.ini", "format": "ini", "text": "greeting=Hello\n"}],
    })
}

/// The same with other fields.
pub(crate) fn greeting_with(workflow: i64, fields: &Value) -> Value {
    let mut request = greeting(workflow);
    for (name, value) in fields.as_object().unwrap() {
        request[name] = value.clone();
    }
    request
}

/// A launcher's request for the runs of a label.
pub(crate) fn claim_at(host: &str, holder: &str) -> Value {
    let place = json!({"work_dir_id": "w", "os_user": "bob", "engine": "local", "cluster": "c"});
    json!({"holder": holder, "want": "launch", "host": host, "places": [place], "limit": 50})
}

/// What a launcher records of a run of [`TestService::workflow`].
pub(crate) fn launched(run: &Claim) -> Vec<Value> {
    let place = claim_at("x", "x")["places"][0].clone();
    let placed = json!({"place": place, "directory": "/runs/1", "launched_on": "server2"});
    let steps = json!([{"index": 0, "name": "greet", "resources": {"threads": 1}}]);
    let done = [
        json!({"placed": placed}),
        json!({"planned": {"sha256": "b".repeat(64), "steps": 1}}),
        json!({"steps": steps}),
        json!({"launched": {}}),
    ];
    let action = |done| json!({"swid": run.swid, "epoch": run.epoch, "done": done});
    done.into_iter().map(action).collect()
}
