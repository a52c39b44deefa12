//! Calls about host labels and their launchers.

use super::{Client, ClientError};
use crate::hosts::Host;
use crate::page::Page;
use crate::paths;
use crate::runs::StepQuery;

impl Client {
    /// Lists labels with their launchers, sorted by label, a page at a time; of the query only
    /// `limit` and `after` count.
    pub async fn hosts(&self, query: &StepQuery) -> Result<Page<Host>, ClientError> {
        self.list(paths::HOSTS, query).await
    }
}
