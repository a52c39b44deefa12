//! Calls about host labels and their launchers.

use niassa_model::host::HostLabel;
use reqwest::Method;

use super::{Client, ClientError};
use crate::hosts::{HoldHost, Host};
use crate::page::Page;
use crate::paths::{self, fill};
use crate::runs::StepQuery;

impl Client {
    /// Lists labels with their launchers, sorted by label, a page at a time; of the query only
    /// `limit` and `after` count.
    pub async fn hosts(&self, query: &StepQuery) -> Result<Page<Host>, ClientError> {
        self.list(paths::HOSTS, query).await
    }

    /// Holds a label: it gives out no new launches.
    pub async fn hold_host(&self, host: &HostLabel, request: &HoldHost) -> Result<(), ClientError> {
        self.change(Method::PUT, &fill(paths::HOST_HOLD, host), request).await
    }

    /// Releases a label.
    pub async fn release_host(&self, host: &HostLabel) -> Result<(), ClientError> {
        self.delete(&fill(paths::HOST_HOLD, host)).await
    }
}
