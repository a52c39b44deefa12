//! Takes in a run that only its directory knows, with what is known of its attempts.

use niassa_api::error::ProblemCode;
use niassa_api::facts::RecordFacts;
use niassa_api::recovery::{FindRuns, FoundRun, FoundRuns, RecoverRun, RecoveredRun};
use niassa_api::runs::{SourceFormat, ValueSource};
use niassa_metadb::Access;
use niassa_metadb::recovery::{ForgottenRun, Recovery};
use niassa_model::account::LaunchHosts;
use niassa_model::run::RunTag;
use serde_json::{Value, json};

use super::act::step;
use super::claim::check_number;
use super::record;
use crate::app::App;
use crate::error::Failed;

/// Says which runs are known.
pub(crate) async fn find(
    app: &App,
    access: &Access,
    request: &FindRuns,
) -> Result<FoundRuns, Failed> {
    check_number(request.tags.len())?;
    let known = app.metadb.runs_of_tags(access, &request.tags).await?;
    let found =
        known.into_iter().map(|run| FoundRun { tag: run.tag, swid: run.swid, status: run.status });
    Ok(FoundRuns { runs: found.collect() })
}

/// Takes in a run.
pub(crate) async fn recover(
    app: &App,
    access: &Access,
    mut request: RecoverRun,
) -> Result<RecoveredRun, Failed> {
    let facts = std::mem::take(&mut request.facts);
    let tag = request.tag.clone();
    let (account, workflow) =
        (request.account.clone(), format!("{} {}", request.workflow, request.version));
    let (swid, owners) = match app.metadb.recover_run(access, &forgotten(request)).await? {
        Recovery::There(swid, owners) => (swid, owners),
        Recovery::NoAccount => {
            let hint = format!("seqware account create {account}");
            return Err(Failed::not_found(format_args!("account {account}")).hint(hint));
        }
        Recovery::NoWorkflow => {
            let detail = format!("workflow {workflow} of this archive is not installed");
            let hint = "install the same bundle, then reconcile again";
            return Err(Failed::new(ProblemCode::NotFound, detail).hint(hint));
        }
    };
    let facts = facts.into_iter().map(|fact| niassa_api::facts::AttemptFact { run: swid, ..fact });
    let request = RecordFacts { facts: facts.collect(), ..RecordFacts::default() };
    let recorded = record::facts(app, &owners, &LaunchHosts::Any, request).await?;
    let refused = recorded.refused.into_iter().map(|refused| refused.why).collect();
    Ok(RecoveredRun { swid, status: status(app, access, &tag).await?, refused })
}

async fn status(
    app: &App,
    access: &Access,
    tag: &RunTag,
) -> Result<niassa_model::run::RunStatus, Failed> {
    let known = app.metadb.runs_of_tags(access, std::slice::from_ref(tag)).await?;
    let run = known.into_iter().next();
    run.map(|run| run.status).ok_or_else(|| Failed::not_found(format_args!("run with tag {tag}")))
}

fn forgotten(request: RecoverRun) -> ForgottenRun {
    ForgottenRun {
        swid: request.swid,
        tag: request.tag,
        account: request.account,
        workflow: request.workflow,
        version: request.version,
        bundle_sha256: request.bundle_sha256,
        host: request.host,
        parents: request.parents,
        sources: sources(&request.values),
        values: request.values.to_string(),
        place: request.place,
        directory: request.directory,
        launched_on: request.launched_on,
        epoch: request.epoch,
        plan_sha256: request.plan_sha256,
        steps: request.steps.into_iter().map(step).collect(),
        accessions: request.accessions,
    }
}

/// What was asked is lost; what it resolved to is as good to schedule the run anew.
fn sources(values: &Value) -> String {
    let mut asked = values["parameters"].as_object().cloned().unwrap_or_default();
    for name in ["output_prefix", "output_dir"] {
        if let Some(value) = values.get(name) {
            asked.insert(name.to_owned(), value.clone());
        }
    }
    let source = ValueSource {
        name: "values as resolved".to_owned(),
        format: SourceFormat::Json,
        text: Value::Object(asked).to_string(),
    };
    json!({"sources": [source], "overrides": []}).to_string()
}
