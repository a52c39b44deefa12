//! The route of the service itself.

use axum::Json;
use axum::extract::State;
use niassa_api::paths;
use niassa_api::service::ServiceState;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::SignedIn;
use crate::app::App;
use crate::error::Failed;

/// Returns the routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(service))
}

/// Says what the service is, and when the last backup of its MetaDB was made.
#[utoipa::path(get, path = paths::SERVICE, tag = "service",
    responses((status = 200, description = "The service.", body = ServiceState)))]
async fn service(State(app): State<App>, _: SignedIn) -> Result<Json<ServiceState>, Failed> {
    Ok(Json(ServiceState {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        deployment: Some(app.deployment.clone()),
        schema_version: app.metadb.schema_version(),
        now: app.metadb.now().await?,
        last_backup_at: app.metadb.last_backup().await?.map(|backup| backup.taken_at),
    }))
}

#[cfg(test)]
mod tests {
    use niassa_api::error::ProblemCode;
    use niassa_api::service::DEPLOYMENT_HEADER;
    use niassa_metadb::backup::BackupMade;

    use super::*;
    use crate::testing::service as started;

    #[tokio::test]
    async fn each_answer_tells_its_deployment() {
        let (service, other) = (started().await, started().await);
        let answer = service.user("bob").get(paths::SERVICE).await;
        let told = answer.headers.get(DEPLOYMENT_HEADER).unwrap().to_str().unwrap().to_owned();
        assert_eq!(answer.json::<ServiceState>().deployment, Some(told.clone()));
        let refused = service.nobody().get(paths::SERVICE).await;
        assert_eq!(refused.headers.get(DEPLOYMENT_HEADER).unwrap(), told.as_str());
        let others: ServiceState = other.user("bob").get(paths::SERVICE).await.json();
        assert_ne!(others.deployment, Some(told));
    }

    #[tokio::test]
    async fn whoever_signed_in_is_told_of_the_last_backup() {
        let service = started().await;
        service.nobody().get(paths::SERVICE).await.problem(ProblemCode::NotSignedIn);
        let state: ServiceState = service.user("bob").get(paths::SERVICE).await.json();
        assert_eq!((state.schema_version, state.last_backup_at), (1, None));
        let backup = BackupMade {
            taken_at: state.now,
            written_to: "/backup".to_owned(),
            manifest_sha256: "ab".to_owned(),
        };
        service.app.metadb.record_backup(&backup).await.unwrap();
        let told: ServiceState = service.user("bob").get(paths::SERVICE).await.json();
        assert_eq!(told.last_backup_at, Some(state.now));
        assert_eq!(told.version, env!("CARGO_PKG_VERSION"));
    }
}
