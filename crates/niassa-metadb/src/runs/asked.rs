//! What was asked of a run when it was scheduled, and the values that came of it.

use niassa_model::accession::Accession;
use niassa_model::host::HostLabel;
use niassa_model::place::EngineKind;

use super::row::{engine, priority, word};
use crate::error::{During, Result};
use crate::events::accession;
use crate::pool::column;
use crate::{Access, MetaDb};

/// What was asked of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The workflow.
    pub workflow: Accession,
    /// The label it was scheduled for.
    pub host: HostLabel,
    /// The engine demanded, if one was.
    pub engine: Option<EngineKind>,
    /// Options for the scheduler, as JSON.
    pub options: String,
    /// Its priority.
    pub priority: i32,
    /// The sources of its values, as they were given to [`NewRun`](crate::schedule::NewRun);
    /// nothing for a run that happened elsewhere.
    pub sources: Option<String>,
    /// What it descends from.
    pub parents: Vec<Accession>,
    /// Files that were named as its inputs.
    pub input_files: Vec<Accession>,
    /// IUS and lanes it is linked to.
    pub links: Vec<Accession>,
}

/// The values of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunValues {
    /// The workflow they are values of.
    pub workflow: Accession,
    /// As resolved, as JSON; nothing for a run that happened elsewhere.
    pub resolved: Option<String>,
}

sql! {
    /// What was asked of a run. Who may only launch it learns its values with a claim. `$3`: labels;
    /// `$4`: run.
    ASKED = concat!("select r.workflow, r.host, r.engine, r.options, r.priority, v.sources, v.resolved \
        from run r join object o on o.swid = r.swid left join run_values v on v.run = r.swid \
        where ", visible!(), " and (cast($3 as text) is null \
            or r.host in (select value ->> 0 from json_each($3))) and r.swid = $4");
    /// What a run that the caller has seen is joined to, with the role. `$1`: run.
    JOINED = "select 'parent' as role, parent as object from run_parent where run = $1 \
        union all select 'input_file', file from run_input_file where run = $1 \
        union all select 'link', object from run_link where run = $1 \
        order by 2";
}

impl MetaDb {
    /// Returns what was asked of a run; `None` where the caller may not see it.
    pub async fn asked_of_run(&self, access: &Access, run: Accession) -> Result<Option<Asked>> {
        const OPERATION: &str = "read what was asked of a run";
        let Some(row) = self.asked_row(access, run, OPERATION).await? else { return Ok(None) };
        let mut asked = Asked {
            workflow: accession(&row, "workflow", OPERATION)?,
            host: word(&row, "host", OPERATION, "a host label")?,
            engine: engine(&row, OPERATION)?,
            options: column(&row, "options", OPERATION)?,
            priority: priority(&row, OPERATION)?,
            sources: column(&row, "sources", OPERATION)?,
            parents: Vec::new(),
            input_files: Vec::new(),
            links: Vec::new(),
        };
        let rows =
            sqlx::query(JOINED).bind(run.get()).fetch_all(self.reader()).await.during(OPERATION)?;
        for row in &rows {
            let role: String = column(row, "role", OPERATION)?;
            let objects = match role.as_str() {
                "parent" => &mut asked.parents,
                "input_file" => &mut asked.input_files,
                _ => &mut asked.links,
            };
            objects.push(accession(row, "object", OPERATION)?);
        }
        Ok(Some(asked))
    }

    /// Returns the values of a run; `None` where the caller may not see it.
    pub async fn values_of_run(
        &self,
        access: &Access,
        run: Accession,
    ) -> Result<Option<RunValues>> {
        const OPERATION: &str = "read the values of a run";
        let Some(row) = self.asked_row(access, run, OPERATION).await? else { return Ok(None) };
        Ok(Some(RunValues {
            workflow: accession(&row, "workflow", OPERATION)?,
            resolved: column(&row, "resolved", OPERATION)?,
        }))
    }

    async fn asked_row(
        &self,
        access: &Access,
        run: Accession,
        operation: &'static str,
    ) -> Result<Option<sqlx::any::AnyRow>> {
        sqlx::query(ASKED)
            .bind(access.everything())
            .bind(access.account.0)
            .bind(access.hosts_json())
            .bind(run.get())
            .fetch_optional(self.reader())
            .await
            .during(operation)
    }
}
