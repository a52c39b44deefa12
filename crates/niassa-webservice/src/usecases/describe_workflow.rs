//! Returns a workflow with its parameters.

use niassa_api::workflows::WorkflowParameter;
use niassa_bundle::manifest::Manifest;
use niassa_metadb::workflows::StoredWorkflow;
use niassa_model::accession::Accession;

use crate::app::App;
use crate::error::Failed;

/// A bundle that was installed cannot be read any more.
#[derive(Debug, thiserror::Error)]
enum StoredBundleError {
    #[error("the archive {0} of a workflow has no row")]
    Missing(String),
    #[error("the stored manifest of the archive {sha256} cannot be read: {}", errors.join("; "))]
    Manifest { sha256: String, errors: Vec<String> },
}

/// Returns a workflow, whoever asks.
pub(crate) async fn workflow(app: &App, swid: Accession) -> Result<StoredWorkflow, Failed> {
    let workflow = app.metadb.workflow(swid).await?;
    workflow.ok_or_else(|| Failed::not_found(format!("workflow {swid}")))
}

/// Returns a workflow, whoever asks, with what its manifest says of its parameters.
pub(crate) async fn describe_workflow(
    app: &App,
    swid: Accession,
) -> Result<(StoredWorkflow, Vec<WorkflowParameter>), Failed> {
    let workflow = workflow(app, swid).await?;
    let Some(sha256) = workflow.bundle_sha256.clone() else {
        return Ok((workflow, Vec::new()));
    };
    let Some(bundle) = app.metadb.bundle(&sha256).await? else {
        return Err(Failed::internal(&StoredBundleError::Missing(sha256)));
    };
    let manifest = Manifest::parse(&bundle.manifest).map_err(|error| {
        Failed::internal(&StoredBundleError::Manifest { sha256, errors: error.errors() })
    })?;
    let parameters = manifest.parameters.iter().map(|parameter| WorkflowParameter {
        name: parameter.name.clone(),
        kind: parameter.kind_text(),
        default: parameter.default_text(),
        help: parameter.help.clone(),
        required: parameter.is_required(),
    });
    Ok((workflow, parameters.collect()))
}
