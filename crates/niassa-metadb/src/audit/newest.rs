//! The audit log as people look at it: the newest first, and of these the ones they mean.

use super::{AuditEntry, entry};
use crate::error::{During, Result};
use crate::{Access, MetaDb};

/// Which entries to list. All conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFilter {
    /// Only what this account did.
    pub account: Option<String>,
    /// Only what is called so.
    pub action: Option<String>,
    /// Only what was done to this.
    pub subject: Option<String>,
    /// Only entries with a smaller number: where the page before ended.
    pub before: Option<i64>,
}

sql! {
    /// Entries, newest first, for administrators. `$1`: 1 for who sees everything; `$2`: before;
    /// `$3`: account; `$4`: action; `$5`: subject; `$6`: rows.
    NEWEST = "select sequence, at, account, action, subject, detail, origin, previous, sha256 \
        from audit where cast($1 as bigint) = 1 and sequence < $2 \
            and (cast($3 as text) is null or account = $3) \
            and (cast($4 as text) is null or action = $4) \
            and (cast($5 as text) is null or subject = $5) \
        order by sequence desc limit $6";
}

impl MetaDb {
    /// Returns entries of the audit log, newest first; for administrators.
    pub async fn newest_audit_entries(
        &self,
        access: &Access,
        filter: &AuditFilter,
        limit: u32,
    ) -> Result<Vec<AuditEntry>> {
        const OPERATION: &str = "read the newest of the audit log";
        let rows = sqlx::query(NEWEST)
            .bind(access.everything())
            .bind(filter.before.unwrap_or(i64::MAX))
            .bind(filter.account.clone())
            .bind(filter.action.clone())
            .bind(filter.subject.clone())
            .bind(i64::from(limit))
            .fetch_all(self.reader())
            .await
            .during(OPERATION)?;
        rows.iter().map(|row| entry(row, OPERATION)).collect()
    }
}
