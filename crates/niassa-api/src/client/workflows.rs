//! Calls about workflows and the archives of their bundles.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use niassa_model::accession::Accession;
use niassa_model::limits::REQUEST_TIMEOUT;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, Method};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use super::{Client, ClientError, query};
use crate::bundles::{InstallQuery, InstalledBundle};
use crate::metadata::objects::Created;
use crate::page::Page;
use crate::paths::{self, fill};
use crate::reports::{ReportQuery, ReportRow};
use crate::workflows::{CreateWorkflow, Workflow, WorkflowDetail, WorkflowQuery};

/// The slowest network an archive is given time for.
const SLOWEST_BYTES_PER_SECOND: u64 = 128 * 1024;

/// An archive to install.
#[derive(Debug, Clone)]
pub enum Archive<'archive> {
    /// A file, sent as it is read.
    File(&'archive Path),
    /// Its bytes.
    Bytes(Bytes),
}

impl Client {
    /// Lists installed workflows, newest first, a page at a time.
    pub async fn workflows(&self, query: &WorkflowQuery) -> Result<Page<Workflow>, ClientError> {
        self.list(paths::WORKFLOWS, query).await
    }

    /// Returns a workflow with its parameters.
    pub async fn workflow(&self, workflow: Accession) -> Result<WorkflowDetail, ClientError> {
        self.get(&fill(paths::WORKFLOW, workflow)).await
    }

    /// Records a workflow whose runs happen elsewhere.
    pub async fn create_workflow(&self, request: &CreateWorkflow) -> Result<Created, ClientError> {
        self.create(paths::WORKFLOWS, request, Uuid::new_v4()).await
    }

    /// Returns the reports of a workflow's runs, newest first, a page at a time.
    pub async fn workflow_report(
        &self,
        workflow: Accession,
        query: &ReportQuery,
    ) -> Result<Page<ReportRow>, ClientError> {
        self.list(&fill(paths::WORKFLOW_REPORT, workflow), query).await
    }

    /// Installs a bundle. The archive is named by its content, so sending it twice installs it
    /// once; it is sent once here, because a stream cannot be rewound.
    pub async fn install_bundle(
        &self,
        archive: Archive<'_>,
        install: &InstallQuery,
    ) -> Result<InstalledBundle, ClientError> {
        let mut url = self.route(paths::BUNDLES);
        query::append(&mut url, install);
        let (body, length) = body_of(archive).await?;
        let limit =
            REQUEST_TIMEOUT.saturating_add(Duration::from_secs(length / SLOWEST_BYTES_PER_SECOND));
        let request = self
            .begin(Method::POST, url)?
            .header(CONTENT_TYPE, "application/zip")
            .header(CONTENT_LENGTH, length)
            .header("Idempotency-Key", Uuid::new_v4().to_string())
            .timeout(limit)
            .body(body);
        let response = request.send().await.map_err(|error| self.no_answer(error, limit))?;
        let (url, status) = (response.url().to_string(), response.status().as_u16());
        let response = self.accepted(response).await?;
        let body = response.bytes().await.map_err(|error| self.no_answer(error, limit))?;
        serde_json::from_slice(&body).map_err(|error| ClientError::Malformed {
            url,
            status,
            why: error.to_string(),
        })
    }

    /// Fetches the archive with this SHA-256 into a file that does not exist yet. The caller checks
    /// the digest; a file that was begun and not finished is left for the caller to remove.
    pub async fn fetch_bundle(&self, sha256: &str, to: &Path) -> Result<(), ClientError> {
        let url = self.route(&fill(paths::BUNDLE, sha256));
        let request = self.begin(Method::GET, url)?;
        let response = tokio::time::timeout(REQUEST_TIMEOUT, request.send()).await;
        let response = response
            .map_err(|_| self.timed_out())?
            .map_err(|error| self.no_answer(error, REQUEST_TIMEOUT))?;
        let mut response = self.accepted(response).await?;
        let failed = |source| ClientError::WriteFile { path: to.to_owned(), source };
        let mut file = File::create_new(to).await.map_err(failed)?;
        loop {
            let chunk = tokio::time::timeout(REQUEST_TIMEOUT, response.chunk()).await;
            let chunk = chunk
                .map_err(|_| self.timed_out())?
                .map_err(|error| self.no_answer(error, REQUEST_TIMEOUT))?;
            let Some(chunk) = chunk else { break };
            file.write_all(&chunk).await.map_err(failed)?;
        }
        file.sync_all().await.map_err(failed)
    }

    fn timed_out(&self) -> ClientError {
        ClientError::TimedOut { url: self.url().to_owned(), seconds: REQUEST_TIMEOUT.as_secs() }
    }
}

async fn body_of(archive: Archive<'_>) -> Result<(Body, u64), ClientError> {
    match archive {
        Archive::Bytes(bytes) => {
            let length = bytes.len() as u64;
            Ok((Body::from(bytes), length))
        }
        Archive::File(path) => {
            let failed = |source| ClientError::ReadFile { path: path.to_owned(), source };
            let file = File::open(path).await.map_err(failed)?;
            let length = file.metadata().await.map_err(failed)?.len();
            Ok((Body::from(file), length))
        }
    }
}
