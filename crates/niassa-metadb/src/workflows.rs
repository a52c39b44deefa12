//! Workflows: one name and version each. Every account sees all of them; a name has one owner.

use niassa_model::accession::{Accession, ObjectKind};
use niassa_model::time::Timestamp;
use sqlx::any::AnyRow;

use crate::access::Sees;
use crate::creating::Begun;
use crate::error::{During, Result, decode};
use crate::events::accession;
use crate::idempotency::{Once, OnceKey};
use crate::metadata::objects::{Studies, register};
use crate::pool::{Writing, column};
use crate::{Access, MetaDb};

/// A workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredWorkflow {
    /// Its accession.
    pub swid: Accession,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it does.
    pub description: String,
    /// The digest of its archive; nothing for a workflow whose runs happen elsewhere.
    pub bundle_sha256: Option<String>,
    /// What can be done with it.
    pub state: WorkflowState,
    /// The account that owns the name.
    pub owner: String,
    /// When it was installed.
    pub created_at: Timestamp,
}

/// What can be done with a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkflowState {
    /// It can be scheduled.
    Installed,
    /// It can be scheduled, and is hidden from lists.
    Development,
    /// It cannot be scheduled any more, and is hidden from lists.
    Retired,
    /// Its runs happen elsewhere.
    External,
}

/// Which workflows to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowFilter {
    /// Only those of this name.
    pub name: Option<String>,
    /// Whether hidden ones are listed as well.
    pub shown: Shown,
    /// Only those before this one: the list begins with the newest.
    pub before: Option<i64>,
    /// Most rows.
    pub limit: u32,
}

/// Whether development versions and retired workflows are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// They are not.
    Usual,
    /// They are.
    All,
}

/// A workflow to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWorkflow {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it does.
    pub description: String,
}

/// The outcome of recording a workflow whose runs happen elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkflowMade {
    /// It is there.
    Made(Accession),
    /// The name belongs to another account: this one.
    NotOwner(String),
    /// This name and version is there already.
    Exists(Accession),
}

sql! {
    /// A page of workflows, newest first. `$1`: name; `$2`: 1 for hidden ones too; `$3`: before;
    /// `$4`: rows.
    LIST = "select w.swid, w.name, w.version, w.description, w.bundle_sha256, w.state, \
            a.email, o.created_at \
        from workflow w join object o on o.swid = w.swid \
            join workflow_name n on n.name = w.name join account a on a.id = n.owner \
        where (cast($1 as text) is null or w.name = $1) \
            and (cast($2 as bigint) = 1 or w.state in ('installed', 'external')) \
            and (cast($3 as bigint) is null or w.swid < $3) \
        order by w.swid desc limit $4";
    /// One workflow.
    ONE = "select w.swid, w.name, w.version, w.description, w.bundle_sha256, w.state, \
            a.email, o.created_at \
        from workflow w join object o on o.swid = w.swid \
            join workflow_name n on n.name = w.name join account a on a.id = n.owner \
        where w.swid = $1";
    /// Takes a name, or its row's lock, and tells whose it is. `$1`: name; `$2`: the caller.
    TAKE_NAME = "insert into workflow_name (name, owner) values ($1, $2) \
        on conflict (name) do update set owner = workflow_name.owner returning owner";
    /// The address of an account.
    ADDRESS = "select email from account where id = $1";
    /// A version of a name.
    VERSION = "select swid, bundle_sha256 from workflow where name = $1 and version = $2";
    /// Adds a workflow.
    INSERT = "insert into workflow (swid, name, version, description, bundle_sha256, state) \
        values ($1, $2, $3, $4, $5, $6)";
}

impl MetaDb {
    /// Lists workflows, newest first.
    pub async fn workflows(&self, filter: &WorkflowFilter) -> Result<Vec<StoredWorkflow>> {
        const OPERATION: &str = "list workflows";
        let all: i64 = match filter.shown {
            Shown::Usual => 0,
            Shown::All => 1,
        };
        let rows = sqlx::query(LIST)
            .bind(filter.name.as_deref())
            .bind(all)
            .bind(filter.before)
            .bind(i64::from(filter.limit))
            .fetch_all(self.reader())
            .await
            .during(OPERATION)?;
        rows.iter().map(|row| workflow(row, OPERATION)).collect()
    }

    /// Returns a workflow.
    pub async fn workflow(&self, swid: Accession) -> Result<Option<StoredWorkflow>> {
        const OPERATION: &str = "find a workflow";
        let row = sqlx::query(ONE)
            .bind(swid.get())
            .fetch_optional(self.reader())
            .await
            .during(OPERATION)?;
        row.map(|row| workflow(&row, OPERATION)).transpose()
    }

    /// Records a workflow whose runs happen elsewhere.
    pub async fn create_workflow(
        &self,
        access: &Access,
        workflow: &NewWorkflow,
        once: Option<&OnceKey>,
    ) -> Result<Once<WorkflowMade>> {
        const OPERATION: &str = "record a workflow";
        let mut creating = match self.begin_creating(access, once, OPERATION).await? {
            Begun::Creating(creating) => creating,
            Begun::Answered(swid) => return Ok(Once::Done(WorkflowMade::Made(swid))),
            Begun::Mismatch => return Ok(Once::Mismatch),
        };
        let (tx, now) = (&mut creating.tx, creating.now);
        if let Some(owner) = take_name(tx, access, &workflow.name, OPERATION).await? {
            return Ok(Once::Done(WorkflowMade::NotOwner(owner)));
        }
        if let Some((swid, _)) = version(tx, &workflow.name, &workflow.version, OPERATION).await? {
            return Ok(Once::Done(WorkflowMade::Exists(swid)));
        }
        let state = WorkflowState::External;
        let swid = add(tx, now, access, workflow, None, state, OPERATION).await?;
        creating.finish(&swid).await?;
        Ok(Once::Done(WorkflowMade::Made(swid)))
    }
}

/// Takes a name for the caller until the end of the transaction, or for ever if it is new. Returns
/// the owner's address where the name is somebody else's and the caller no administrator.
pub(crate) async fn take_name(
    tx: &mut Writing,
    access: &Access,
    name: &str,
    operation: &'static str,
) -> Result<Option<String>> {
    let row = sqlx::query(TAKE_NAME)
        .bind(name)
        .bind(access.account.0)
        .fetch_one(&mut **tx)
        .await
        .during(operation)?;
    let owner: i64 = column(&row, "owner", operation)?;
    if owner == access.account.0 || access.sees == Sees::Everything {
        return Ok(None);
    }
    let row = sqlx::query(ADDRESS).bind(owner).fetch_one(&mut **tx).await.during(operation)?;
    column(&row, 0, operation).map(Some)
}

/// Returns the accession and the archive of a version of a name.
pub(crate) async fn version(
    tx: &mut Writing,
    name: &str,
    version: &str,
    operation: &'static str,
) -> Result<Option<(Accession, Option<String>)>> {
    let row = sqlx::query(VERSION)
        .bind(name)
        .bind(version)
        .fetch_optional(&mut **tx)
        .await
        .during(operation)?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some((accession(&row, "swid", operation)?, column(&row, "bundle_sha256", operation)?)))
}

/// Adds a version to a name that was taken.
pub(crate) async fn add(
    tx: &mut Writing,
    now: i64,
    access: &Access,
    workflow: &NewWorkflow,
    bundle_sha256: Option<&str>,
    state: WorkflowState,
    operation: &'static str,
) -> Result<Accession> {
    let (kind, studies) = (ObjectKind::Workflow, Studies::Of(&[]));
    let swid = register(tx, now, access.account, kind, studies, operation).await?;
    sqlx::query(INSERT)
        .bind(swid.get())
        .bind(&workflow.name)
        .bind(&workflow.version)
        .bind(&workflow.description)
        .bind(bundle_sha256)
        .bind(state.as_str())
        .execute(&mut **tx)
        .await
        .during(operation)?;
    Ok(swid)
}

impl WorkflowState {
    /// Returns the word used everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Installed => "installed",
            Self::Development => "development",
            Self::Retired => "retired",
            Self::External => "external",
        }
    }
}

impl std::str::FromStr for WorkflowState {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        [Self::Installed, Self::Development, Self::Retired, Self::External]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a state of a workflow"))
    }
}

fn workflow(row: &AnyRow, operation: &'static str) -> Result<StoredWorkflow> {
    let state: String = column(row, "state", operation)?;
    Ok(StoredWorkflow {
        swid: accession(row, "swid", operation)?,
        name: column(row, "name", operation)?,
        version: column(row, "version", operation)?,
        description: column(row, "description", operation)?,
        bundle_sha256: column(row, "bundle_sha256", operation)?,
        state: decode(state.parse(), operation, &state, "a state of a workflow")?,
        owner: column(row, "email", operation)?,
        created_at: Timestamp::from_micros(column(row, "created_at", operation)?),
    })
}

#[cfg(test)]
mod tests;
