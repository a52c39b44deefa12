//! Runs that happened elsewhere: completed, with one processing and the files it made.
//!
//! Such a run has no values, no directory and no attempt: nothing of ours ever ran.

use niassa_model::accession::{Accession, ObjectKind};
use niassa_model::plan::RetryPolicy;
use niassa_model::run::{RunStatus, RunTag};
use niassa_model::step::StepStatus;
use serde::{Deserialize, Serialize};

use super::objects::{Creation, Studies, refuse_parents, register};
use crate::creating::{Begun, Creating};
use crate::error::{During, Result};
use crate::events::{self, NewEntry};
use crate::files::{NewFile, record};
use crate::idempotency::{Once, OnceKey};
use crate::{Access, MetaDb, bulk};

/// Where runs of elsewhere are said to have run: no launcher serves this label.
const ELSEWHERE: &str = "elsewhere";
/// The name of their one step.
const STEP: &str = "import";

/// A run to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewImport {
    /// Its tag, freshly drawn.
    pub tag: RunTag,
    /// The workflow that was run.
    pub workflow: Accession,
    /// What it descends from.
    pub parents: Vec<Accession>,
    /// Files that were its inputs.
    pub input_files: Vec<Accession>,
    /// Files that it made.
    pub files: Vec<NewFile>,
}

/// A run that was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// The run.
    pub run: Accession,
    /// Its processing.
    pub processing: Accession,
}

/// The outcome of recording a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportMade {
    /// It is there.
    Made(Imported),
    /// It cannot descend from one of what was named, or that cannot be its workflow or input.
    Refused(Creation),
}

sql! {
    /// Makes a run that is over. `$1`: run; `$2`: tag; `$3`: owner; `$4`: workflow; `$5`: label;
    /// `$6`: status; `$7`: time.
    RUN = "insert into run (swid, tag, owner, workflow, host, options, status, claim_epoch, \
            claim_until, claims_without_record, offered_after, steps_total, steps_pending, \
            steps_running, steps_success, steps_failed, steps_skipped, steps_cancelled, steps_lost, \
            needs_action, created_at, updated_at, priority) \
        values ($1, $2, $3, $4, $5, '{}', $6, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, $7, $7, 0)";
    /// Makes its step. `$1`: run; `$2`: processing; `$3`: name; `$4`: policy; `$5`: status.
    PROCESSING = "insert into step (run, idx, swid, name, after_steps, threads, retry, attempt, \
            status) values ($1, 0, $2, $3, '[]', 1, $4, 0, $5)";
    /// Joins it to what it descends from. `$1`: run; `$2`: rows of one parent each.
    PARENTS = "insert into run_parent (run, parent) \
        select distinct cast($1 as bigint), cast(value ->> 0 as bigint) from json_each($2)";
    /// Joins it to its inputs. `$1`: run; `$2`: rows of one file each.
    INPUT_FILES = "insert into run_input_file (run, file) \
        select distinct cast($1 as bigint), cast(value ->> 0 as bigint) from json_each($2)";
}

impl MetaDb {
    /// Records a run that happened elsewhere.
    pub async fn import_run(
        &self,
        access: &Access,
        import: &NewImport,
        once: Option<&OnceKey>,
    ) -> Result<Once<ImportMade>> {
        const OPERATION: &str = "record a run of elsewhere";
        let mut creating = match self.begin_creating(access, once, OPERATION).await? {
            Begun::Creating(creating) => creating,
            Begun::Answered(imported) => return Ok(Once::Done(ImportMade::Made(imported))),
            Begun::Mismatch => return Ok(Once::Mismatch),
        };
        if let Some(refusal) = refusal(&mut creating, access, import, OPERATION).await? {
            return Ok(Once::Done(ImportMade::Refused(refusal)));
        }
        let run = write_run(&mut creating, access, import, OPERATION).await?;
        let processing = write_processing(&mut creating, access, run, import, OPERATION).await?;
        let entry = NewEntry {
            run,
            event: events::SCHEDULED,
            from: None,
            to: Some(RunStatus::Completed),
            account: access.email.clone(),
            detail: Some("it happened elsewhere".to_owned()),
        };
        let (dialect, now) = (self.dialect(), creating.now);
        events::write(&mut creating.tx, dialect, now, &[entry], OPERATION).await?;
        let imported = Imported { run, processing };
        creating.finish(&imported).await?;
        Ok(Once::Done(ImportMade::Made(imported)))
    }
}

async fn refusal(
    creating: &mut Creating<'_>,
    access: &Access,
    import: &NewImport,
    operation: &'static str,
) -> Result<Option<Creation>> {
    let tx = &mut creating.tx;
    let workflow = [import.workflow];
    let is_workflow = |kind| kind == ObjectKind::Workflow;
    if let Some(no) = refuse_parents(tx, access, &workflow, is_workflow, operation).await? {
        return Ok(Some(no));
    }
    let is_file = |kind| kind == ObjectKind::File;
    if let Some(no) = refuse_parents(tx, access, &import.input_files, is_file, operation).await? {
        return Ok(Some(no));
    }
    let files = import.files.iter().flat_map(|file| &file.parents);
    let parents: Vec<Accession> = import.parents.iter().chain(files).copied().collect();
    refuse_parents(tx, access, &parents, ObjectKind::can_be_parent, operation).await
}

async fn write_run(
    creating: &mut Creating<'_>,
    access: &Access,
    import: &NewImport,
    operation: &'static str,
) -> Result<Accession> {
    let (tx, now, owner) = (&mut creating.tx, creating.now, access.account);
    let mut ancestors = import.parents.clone();
    ancestors.extend(&import.input_files);
    let (kind, studies) = (ObjectKind::WorkflowRun, Studies::Of(&ancestors));
    let run = register(tx, now, owner, kind, studies, operation).await?;
    sqlx::query(RUN)
        .bind(run.get())
        .bind(import.tag.as_str())
        .bind(owner.0)
        .bind(import.workflow.get())
        .bind(ELSEWHERE)
        .bind(RunStatus::Completed.as_str())
        .bind(now)
        .execute(&mut **tx)
        .await
        .during(operation)?;
    for (statement, objects) in [(PARENTS, &import.parents), (INPUT_FILES, &import.input_files)] {
        sqlx::query(statement)
            .bind(run.get())
            .bind(bulk::numbers(objects.iter().copied()))
            .execute(&mut **tx)
            .await
            .during(operation)?;
    }
    Ok(run)
}

async fn write_processing(
    creating: &mut Creating<'_>,
    access: &Access,
    run: Accession,
    import: &NewImport,
    operation: &'static str,
) -> Result<Accession> {
    let (tx, now, owner) = (&mut creating.tx, creating.now, access.account);
    let shared = Studies::SharedWith(run);
    let processing = register(tx, now, owner, ObjectKind::Processing, shared, operation).await?;
    sqlx::query(PROCESSING)
        .bind(run.get())
        .bind(processing.get())
        .bind(STEP)
        .bind(serde_json::json!(RetryPolicy::NEVER).to_string())
        .bind(StepStatus::Success.as_str())
        .execute(&mut **tx)
        .await
        .during(operation)?;
    for file in &import.files {
        record(tx, now, owner, file, shared, Some(processing), operation).await?;
    }
    Ok(processing)
}
