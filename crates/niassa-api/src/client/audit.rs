//! Calls about the audit log.

use super::{Client, ClientError};
use crate::audit::{AuditChecked, AuditEntry};
use crate::page::Page;
use crate::paths;
use crate::runs::StepQuery;

impl Client {
    /// Lists entries of the audit log, oldest first, a page at a time; of the query only `limit` and
    /// `after` count.
    pub async fn audit(&self, query: &StepQuery) -> Result<Page<AuditEntry>, ClientError> {
        self.list(paths::AUDIT, query).await
    }

    /// Looks whether the audit log is whole.
    pub async fn check_audit(&self) -> Result<AuditChecked, ClientError> {
        self.get(paths::AUDIT_CHECK).await
    }
}
