//! Routes of the audit log. Only for administrators.

use axum::Json;
use axum::extract::State;
use niassa_api::audit::{AuditChecked, AuditEntry};
use niassa_api::page::Page;
use niassa_api::paths;
use niassa_metadb::audit;
use niassa_model::account::Action;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::SignedIn;
use super::extract::{PageQuery, Params, page, page_after, page_size};
use crate::app::App;
use crate::error::Failed;

/// Returns the routes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(check))
}

/// Lists entries, oldest first.
#[utoipa::path(get, path = paths::AUDIT, tag = "audit", params(PageQuery),
    responses((status = 200, description = "Entries.", body = Page<AuditEntry>)))]
async fn list(
    State(app): State<App>,
    signed_in: SignedIn,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<AuditEntry>>, Failed> {
    let access = signed_in.may(Action::Administer)?;
    let (size, after) = (page_size(query.limit), page_after(query.after.as_deref())?);
    let rows = app.metadb.audit_entries(&access, after.unwrap_or(0), size + 1).await?;
    Ok(Json(page(rows, size, |entry| entry.sequence).map(shown)))
}

/// Looks through the whole log: each entry has to hold its own digest and that of the one before.
#[utoipa::path(get, path = paths::AUDIT_CHECK, tag = "audit",
    responses((status = 200, description = "What was found.", body = AuditChecked)))]
async fn check(State(app): State<App>, signed_in: SignedIn) -> Result<Json<AuditChecked>, Failed> {
    signed_in.may(Action::Administer)?;
    let audit::AuditChecked { entries, head, broken_at } = app.metadb.check_audit().await?;
    Ok(Json(AuditChecked { entries, head, broken_at }))
}

/// Writes an entry.
pub(crate) fn shown(entry: audit::AuditEntry) -> AuditEntry {
    AuditEntry {
        sequence: entry.sequence,
        at: entry.at,
        account: entry.account,
        action: entry.action,
        subject: entry.subject,
        detail: entry.detail,
        origin: entry.origin,
        previous: entry.previous,
        sha256: entry.sha256,
    }
}

#[cfg(test)]
mod tests;
