//! Revoking what an account gave out: tokens and grants.

use sqlx::Any;
use sqlx::any::AnyArguments;
use sqlx::query::Query;

use crate::audit::{self, Deed};
use crate::error::{During, Result};
use crate::pool::{commit, now_in};
use crate::{Access, MetaDb};

impl MetaDb {
    /// Revokes something, and tells the audit log. Returns whether the caller has it; what was revoked before
    /// stays so. The statement is all bound but for its last parameter, which is the time.
    pub(crate) async fn revoke(
        &self,
        access: &Access,
        statement: Query<'_, Any, AnyArguments>,
        deed: Deed,
        operation: &'static str,
    ) -> Result<bool> {
        let mut tx = self.begin(operation).await?;
        let now = now_in(&mut tx, operation).await?;
        let revoked = statement.bind(now).fetch_optional(&mut *tx).await.during(operation)?;
        if revoked.is_some() {
            audit::tell(&mut tx, self.dialect(), now, access, deed, operation).await?;
        }
        commit(tx, operation).await?;
        Ok(revoked.is_some())
    }
}
