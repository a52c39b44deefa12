//! Routes of metadata objects, and of runs that happened elsewhere.

use axum::extract::{Path, State};
use axum::{Json, http::StatusCode};
use niassa_api::error::Problem;
use niassa_api::metadata::experiments::CreateExperiment;
use niassa_api::metadata::objects::{Created, ImportRun, ImportedRun, Object};
use niassa_api::metadata::samples::CreateSample;
use niassa_api::metadata::studies::{AddReader, CreateStudy};
use niassa_api::paths;
use niassa_model::account::Action;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::{Origin, SignedIn};
use super::extract::{Body, Keyed, RUN_BYTES, Swid};
use crate::app::App;
use crate::error::Failed;
use crate::usecases::{create_metadata, find_object, import_run, share_study};

/// Returns the routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(study))
        .routes(routes!(reader))
        .routes(routes!(no_reader))
        .routes(routes!(experiment))
        .routes(routes!(sample))
        .routes(routes!(object))
        .routes(routes!(import))
}

/// Makes a study.
#[utoipa::path(post, path = paths::STUDIES, tag = "metadata", request_body = CreateStudy,
    responses((status = 201, description = "The study's accession.", body = Created)))]
async fn study(
    State(app): State<App>,
    signed_in: SignedIn,
    Keyed { once, request }: Keyed<CreateStudy>,
) -> Result<(StatusCode, Json<Created>), Failed> {
    let access = signed_in.may(Action::Schedule)?;
    let swid = create_metadata::create_study(&app, &access, request, once).await?;
    Ok((StatusCode::CREATED, Json(Created { swid })))
}

/// Lets an account read a study and everything below it. Only the study's owner may.
#[utoipa::path(post, path = paths::STUDY_READERS, tag = "metadata", request_body = AddReader,
    params(("swid" = i64, Path, description = "The study's accession.")),
    responses((status = 204, description = "The account may read the study."),
        (status = 403, description = "The study is another account's.", body = Problem),
        (status = 404, description = "No such study, or no such account.", body = Problem)))]
async fn reader(
    State(app): State<App>,
    signed_in: SignedIn,
    Origin(origin): Origin,
    Swid(swid): Swid,
    Body(request): Body<AddReader>,
) -> Result<StatusCode, Failed> {
    let access = signed_in.may(Action::Schedule)?.coming_from(origin);
    share_study::share_study(&app, &access, swid, &request.email).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a study back from an account. Only the study's owner may.
#[utoipa::path(delete, path = paths::STUDY_READER, tag = "metadata",
    params(("swid" = i64, Path, description = "The study's accession."),
        ("email" = String, Path, description = "The account.")),
    responses((status = 204, description = "The account may not read the study any more."),
        (status = 404, description = "No such reader of a study of the caller's.",
            body = Problem)))]
async fn no_reader(
    State(app): State<App>,
    signed_in: SignedIn,
    Origin(origin): Origin,
    Path((study, email)): Path<(String, String)>,
) -> Result<StatusCode, Failed> {
    let access = signed_in.may(Action::Schedule)?.coming_from(origin);
    let missing = || Failed::not_found(format!("reader {email} of study {study}"));
    let study = study.parse().map_err(|_| missing())?;
    let reader = email.parse().map_err(|_| missing())?;
    share_study::take_back(&app, &access, study, &reader).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes an experiment within a study.
#[utoipa::path(post, path = paths::EXPERIMENTS, tag = "metadata", request_body = CreateExperiment,
    responses((status = 201, description = "The experiment's accession.", body = Created),
        (status = 404, description = "There is no such study.", body = Problem)))]
async fn experiment(
    State(app): State<App>,
    signed_in: SignedIn,
    Keyed { once, request }: Keyed<CreateExperiment>,
) -> Result<(StatusCode, Json<Created>), Failed> {
    let access = signed_in.may(Action::Schedule)?;
    let swid = create_metadata::create_experiment(&app, &access, request, once).await?;
    Ok((StatusCode::CREATED, Json(Created { swid })))
}

/// Makes a sample of an experiment, perhaps of another sample.
#[utoipa::path(post, path = paths::SAMPLES, tag = "metadata", request_body = CreateSample,
    responses((status = 201, description = "The sample's accession.", body = Created),
        (status = 404, description = "No such experiment or sample.", body = Problem)))]
async fn sample(
    State(app): State<App>,
    signed_in: SignedIn,
    Keyed { once, request }: Keyed<CreateSample>,
) -> Result<(StatusCode, Json<Created>), Failed> {
    let access = signed_in.may(Action::Schedule)?;
    let swid = create_metadata::create_sample(&app, &access, request, once).await?;
    Ok((StatusCode::CREATED, Json(Created { swid })))
}

/// Returns any object by its accession.
#[utoipa::path(get, path = paths::OBJECT, tag = "metadata",
    params(("swid" = i64, Path, description = "The object's accession.")),
    responses((status = 200, description = "The object.", body = Object),
        (status = 404, description = "There is no such object.", body = Problem)))]
async fn object(
    State(app): State<App>,
    signed_in: SignedIn,
    Swid(swid): Swid,
) -> Result<Json<Object>, Failed> {
    let access = signed_in.may(Action::Read)?;
    let object = find_object::find_object(&app, &access, swid).await?;
    let mut fields = object.fields;
    fields.insert("owner".to_owned(), object.owner.into());
    fields.insert("created_at".to_owned(), object.created_at.as_micros().into());
    Ok(Json(Object { swid: object.swid, kind: object.kind, fields: fields.into() }))
}

/// Records a run that happened elsewhere: completed, with one processing and its files.
#[utoipa::path(post, path = paths::RUNS_IMPORT, tag = "metadata", request_body = ImportRun,
    responses((status = 201, description = "The run and its processing.", body = ImportedRun),
        (status = 404, description = "No such workflow, parent or file.", body = Problem)))]
async fn import(
    State(app): State<App>,
    signed_in: SignedIn,
    Keyed { once, request }: Keyed<ImportRun, RUN_BYTES>,
) -> Result<(StatusCode, Json<ImportedRun>), Failed> {
    let access = signed_in.may(Action::Schedule)?;
    let imported = import_run::import_run(&app, &access, request, once).await?;
    let answer = ImportedRun { swid: imported.run, processing: imported.processing };
    Ok((StatusCode::CREATED, Json(answer)))
}

#[cfg(test)]
mod tests;
