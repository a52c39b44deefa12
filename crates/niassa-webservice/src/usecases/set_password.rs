//! Sets a password.

use niassa_metadb::Access;
use niassa_model::account::Email;

use crate::app::App;
use crate::error::Failed;

/// Sets the caller's own password, or as an administrator anybody's. The old one is good for
/// nothing from now on.
pub(crate) async fn set_password(
    app: &App,
    access: &Access,
    email: &Email,
    new: &str,
) -> Result<(), Failed> {
    let hash = app.sign_in.hash(new).await?;
    let changed = app.metadb.set_password(access, email, &hash).await?;
    let account = changed.ok_or_else(|| Failed::not_found(format!("account {email}")))?;
    app.sign_in.forget(account);
    Ok(())
}
