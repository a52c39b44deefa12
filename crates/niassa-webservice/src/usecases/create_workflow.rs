//! Records a workflow whose runs happen elsewhere.

use niassa_api::error::ProblemCode;
use niassa_api::workflows::CreateWorkflow;
use niassa_metadb::Access;
use niassa_metadb::idempotency::OnceKey;
use niassa_metadb::workflows::{NewWorkflow, WorkflowMade};
use niassa_model::accession::Accession;

use super::findings::Findings;
use crate::app::App;
use crate::error::{Failed, done};

/// Records a workflow under a name that is new or the caller's.
pub(crate) async fn create_workflow(
    app: &App,
    access: &Access,
    request: CreateWorkflow,
    once: Option<OnceKey>,
) -> Result<Accession, Failed> {
    let mut findings = Findings::default();
    findings.line("the name", &request.name);
    findings.line("the version", &request.version);
    findings.text("the description", &request.description);
    findings.settle()?;
    let CreateWorkflow { name, version, description } = request;
    let workflow = NewWorkflow { name, version, description };
    match done(app.metadb.create_workflow(access, &workflow, once.as_ref()).await?)? {
        WorkflowMade::Made(swid) => Ok(swid),
        WorkflowMade::NotOwner(owner) => Err(not_owner(&workflow.name, &owner)),
        WorkflowMade::Exists(swid) => {
            let NewWorkflow { name, version, .. } = workflow;
            let detail = format!("{name} {version} is there already, as SWID {swid}");
            Err(Failed::new(ProblemCode::Conflict, detail).hint("choose another version"))
        }
    }
}

/// Says that a workflow's name is somebody else's.
pub(super) fn not_owner(name: &str, owner: &str) -> Failed {
    let detail = format!("the workflow name {name} belongs to {owner}");
    Failed::new(ProblemCode::NotAllowed, detail)
        .hint(format!("choose another name, or ask {owner} or an administrator"))
}
