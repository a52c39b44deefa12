//! Routes of workflows.

use axum::extract::State;
use axum::{Json, http::StatusCode};
use niassa_api::error::Problem;
use niassa_api::metadata::objects::Created;
use niassa_api::page::Page;
use niassa_api::paths;
use niassa_api::workflows::{CreateWorkflow, Workflow, WorkflowDetail, WorkflowQuery};
use niassa_metadb::workflows::{Shown, StoredWorkflow, WorkflowFilter};
use niassa_model::account::Action;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::SignedIn;
use super::extract::{Keyed, Params, Swid, page, page_after, page_size, plain};
use crate::app::App;
use crate::error::Failed;
use crate::usecases::{create_workflow, describe_workflow};

/// Returns the routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(describe))
}

/// Lists workflows, newest first. Every account sees all of them.
#[utoipa::path(get, path = paths::WORKFLOWS, tag = "workflows", params(WorkflowQuery),
    responses((status = 200, description = "Workflows.", body = Page<Workflow>)))]
async fn list(
    State(app): State<App>,
    signed_in: SignedIn,
    Params(query): Params<WorkflowQuery>,
) -> Result<Json<Page<Workflow>>, Failed> {
    signed_in.may(Action::Read)?;
    let size = page_size(query.limit);
    let filter = WorkflowFilter {
        name: query.name.map(plain).transpose()?,
        shown: if query.all == Some(1) { Shown::All } else { Shown::Usual },
        before: page_after(query.after.as_deref())?,
        limit: size + 1,
    };
    let rows = app.metadb.workflows(&filter).await?;
    Ok(Json(page(rows, size, |workflow| workflow.swid.get()).map(shown)))
}

/// Records a workflow whose runs happen elsewhere.
#[utoipa::path(post, path = paths::WORKFLOWS, tag = "workflows", request_body = CreateWorkflow,
    responses((status = 201, description = "The workflow's accession.", body = Created),
        (status = 403, description = "The name is another account's.", body = Problem),
        (status = 409, description = "The version is there already.", body = Problem)))]
async fn create(
    State(app): State<App>,
    signed_in: SignedIn,
    Keyed { once, request }: Keyed<CreateWorkflow>,
) -> Result<(StatusCode, Json<Created>), Failed> {
    let access = signed_in.may(Action::Schedule)?;
    let swid = create_workflow::create_workflow(&app, &access, request, once).await?;
    Ok((StatusCode::CREATED, Json(Created { swid })))
}

/// Returns a workflow with its parameters.
#[utoipa::path(get, path = paths::WORKFLOW, tag = "workflows",
    params(("swid" = i64, Path, description = "The workflow's accession.")),
    responses((status = 200, description = "The workflow.", body = WorkflowDetail),
        (status = 404, description = "There is no such workflow.", body = Problem)))]
async fn describe(
    State(app): State<App>,
    signed_in: SignedIn,
    Swid(swid): Swid,
) -> Result<Json<WorkflowDetail>, Failed> {
    signed_in.may(Action::Read)?;
    let (workflow, parameters) = describe_workflow::describe_workflow(&app, swid).await?;
    Ok(Json(WorkflowDetail { workflow: shown(workflow), parameters }))
}

fn shown(workflow: StoredWorkflow) -> Workflow {
    Workflow {
        swid: workflow.swid,
        name: workflow.name,
        version: workflow.version,
        description: workflow.description,
        bundle_sha256: workflow.bundle_sha256,
        owner: workflow.owner,
        created_at: workflow.created_at,
    }
}

#[cfg(test)]
mod tests;
