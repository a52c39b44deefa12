//! Calls about grants.

use uuid::Uuid;

use super::{Client, ClientError};
use crate::grants::{GrantLaunch, LaunchGrant};
use crate::page::Page;
use crate::paths::{self, fill};
use crate::runs::StepQuery;

impl Client {
    /// Lets an account launch the runs of another one.
    pub async fn grant_launch(&self, request: &GrantLaunch) -> Result<LaunchGrant, ClientError> {
        self.create(paths::LAUNCH_GRANTS, request, Uuid::new_v4()).await
    }

    /// Lists grants by and to the caller, newest first, a page at a time; of the query only `limit`
    /// and `after` count.
    pub async fn launch_grants(&self, query: &StepQuery) -> Result<Page<LaunchGrant>, ClientError> {
        self.list(paths::LAUNCH_GRANTS, query).await
    }

    /// Revokes a grant.
    pub async fn revoke_launch_grant(&self, id: i64) -> Result<(), ClientError> {
        self.delete(&fill(paths::LAUNCH_GRANT, id)).await
    }
}
