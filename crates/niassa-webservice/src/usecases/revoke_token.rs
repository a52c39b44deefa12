//! Revokes a token.

use niassa_metadb::Access;

use crate::app::App;
use crate::error::Failed;

/// Revokes one of the caller's tokens, at once: what was verified of it is forgotten.
pub(crate) async fn revoke_token(app: &App, access: &Access, id: &str) -> Result<(), Failed> {
    let missing = || Failed::not_found(format!("token {id}"));
    let number: i64 = id.parse().map_err(|_| missing())?;
    if !app.metadb.revoke_token(access, number).await? {
        return Err(missing());
    }
    app.sign_in.forget(access.account);
    Ok(())
}
