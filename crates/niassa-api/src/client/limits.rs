//! Calls about limits.

use reqwest::Method;

use super::{Client, ClientError};
use crate::limits::{RunLimit, SetLimit};
use crate::page::Page;
use crate::paths;

impl Client {
    /// Lists all limits.
    pub async fn limits(&self) -> Result<Page<RunLimit>, ClientError> {
        self.get(paths::LIMITS).await
    }

    /// Sets or removes a limit.
    pub async fn set_limit(&self, request: &SetLimit) -> Result<(), ClientError> {
        self.change(Method::PUT, paths::LIMITS, request).await
    }
}
