//! Archives of bundles, by content. The archive itself lies on the service's disk before its row is
//! written, so a row never names what is not there.

use niassa_model::accession::Accession;
use niassa_model::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::creating::Begun;
use crate::error::{During, Result, decode};
use crate::idempotency::{Once, OnceKey};
use crate::pool::column;
use crate::workflows::{NewWorkflow, WorkflowState, add, take_name, version};
use crate::{Access, MetaDb};

/// A bundle to be installed as a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBundle {
    /// The workflow it becomes.
    pub workflow: NewWorkflow,
    /// How it is installed.
    pub state: WorkflowState,
    /// The archive's digest.
    pub sha256: String,
    /// The archive's bytes.
    pub size: i64,
    /// The text of its `workflow.yaml`.
    pub manifest: String,
    /// Name and text of each `config/*.ini`.
    pub config: Vec<(String, String)>,
}

/// The texts of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBundle {
    /// The archive's digest.
    pub sha256: String,
    /// The archive's bytes.
    pub size: i64,
    /// The text of its `workflow.yaml`.
    pub manifest: String,
    /// Name and text of each `config/*.ini`.
    pub config: Vec<(String, String)>,
    /// When it was stored.
    pub stored_at: Timestamp,
}

/// The outcome of installing a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BundleInstalled {
    /// It is a new workflow.
    Now(Accession),
    /// The same content was this workflow before.
    Before(Accession),
    /// This name and version has other content; it never changes.
    OtherContent(Accession),
    /// The name belongs to another account: this one.
    NotOwner(String),
}

/// An installation as its answer is kept.
#[derive(Serialize, Deserialize)]
enum Kept {
    Now(Accession),
    Before(Accession),
}

sql! {
    /// Stores the texts of an archive, unless the same archive is there.
    STORE = "insert into bundle (sha256, size, manifest, config, stored_at) \
        values ($1, $2, $3, $4, $5) on conflict (sha256) do nothing";
    /// The texts of an archive.
    ONE = "select sha256, size, manifest, config, stored_at from bundle where sha256 = $1";
}

impl MetaDb {
    /// Installs a bundle whose archive is on disk. The first who installs a name owns it.
    pub async fn install_bundle(
        &self,
        access: &Access,
        bundle: &NewBundle,
        once: Option<&OnceKey>,
    ) -> Result<Once<BundleInstalled>> {
        const OPERATION: &str = "install a bundle";
        let mut creating = match self.begin_creating(access, once, OPERATION).await? {
            Begun::Creating(creating) => creating,
            Begun::Answered(Kept::Now(swid)) => return Ok(Once::Done(BundleInstalled::Now(swid))),
            Begun::Answered(Kept::Before(swid)) => {
                return Ok(Once::Done(BundleInstalled::Before(swid)));
            }
            Begun::Mismatch => return Ok(Once::Mismatch),
        };
        let (tx, now, workflow) = (&mut creating.tx, creating.now, &bundle.workflow);
        let owner = take_name(tx, access, &workflow.name, OPERATION).await?;
        let there = version(tx, &workflow.name, &workflow.version, OPERATION).await?;
        match (there, owner) {
            // The same content again adds nothing, so whose name it is does not matter.
            (Some((swid, Some(sha256))), _) if sha256 == bundle.sha256 => {
                creating.finish(&Kept::Before(swid)).await?;
                return Ok(Once::Done(BundleInstalled::Before(swid)));
            }
            (_, Some(owner)) => return Ok(Once::Done(BundleInstalled::NotOwner(owner))),
            (Some((swid, _)), None) => return Ok(Once::Done(BundleInstalled::OtherContent(swid))),
            (None, None) => {}
        }
        sqlx::query(STORE)
            .bind(&bundle.sha256)
            .bind(bundle.size)
            .bind(&bundle.manifest)
            .bind(serde_json::json!(bundle.config).to_string())
            .bind(now)
            .execute(&mut **tx)
            .await
            .during(OPERATION)?;
        let sha256 = Some(bundle.sha256.as_str());
        let swid = add(tx, now, access, workflow, sha256, bundle.state, OPERATION).await?;
        creating.finish(&Kept::Now(swid)).await?;
        Ok(Once::Done(BundleInstalled::Now(swid)))
    }

    /// Returns the texts of an archive. Workflows are for everybody, and so are their archives.
    pub async fn bundle(&self, sha256: &str) -> Result<Option<StoredBundle>> {
        const OPERATION: &str = "find a bundle";
        let row =
            sqlx::query(ONE).bind(sha256).fetch_optional(self.reader()).await.during(OPERATION)?;
        let Some(row) = row else { return Ok(None) };
        let config: String = column(&row, "config", OPERATION)?;
        Ok(Some(StoredBundle {
            sha256: column(&row, "sha256", OPERATION)?,
            size: column(&row, "size", OPERATION)?,
            manifest: column(&row, "manifest", OPERATION)?,
            config: decode(
                serde_json::from_str(&config),
                OPERATION,
                &config,
                "texts of ini files",
            )?,
            stored_at: Timestamp::from_micros(column(&row, "stored_at", OPERATION)?),
        }))
    }
}

#[cfg(test)]
mod tests;
