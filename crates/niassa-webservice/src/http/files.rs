//! The route of files that are recorded by hand.

use axum::extract::State;
use axum::{Json, http::StatusCode};
use niassa_api::error::Problem;
use niassa_api::files::CreateFile;
use niassa_api::metadata::objects::Created;
use niassa_api::paths;
use niassa_model::account::Action;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::SignedIn;
use super::extract::Keyed;
use crate::app::App;
use crate::error::Failed;
use crate::usecases::record_file;

/// Returns the routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create))
}

/// Records a file. Nobody looks whether it is there.
#[utoipa::path(post, path = paths::FILES, tag = "metadata", request_body = CreateFile,
    responses((status = 201, description = "The file's accession.", body = Created),
        (status = 404, description = "There is no such parent.", body = Problem)))]
async fn create(
    State(app): State<App>,
    signed_in: SignedIn,
    Keyed { once, request }: Keyed<CreateFile>,
) -> Result<(StatusCode, Json<Created>), Failed> {
    let access = signed_in.may(Action::Schedule)?;
    let swid = record_file::record_file(&app, &access, request, once).await?;
    Ok((StatusCode::CREATED, Json(Created { swid })))
}
