//! Workflow runs as people and launchers look at them.

pub(crate) mod asked;
pub(crate) mod list;
pub(crate) mod marks;
pub(crate) mod row;

pub use asked::{Asked, RunValues};
pub use list::{Found, RunFilter, Whose};
pub use marks::{GivenMark, MarkChange};
pub use row::{Run, StepCounts};

use niassa_model::accession::Accession;
use niassa_model::run::RunStatus;

use crate::error::{During, Result};
use crate::{Access, MetaDb};

sql! {
    /// Whether the caller may see a run. `$3`: labels; `$4`: run.
    SEES = concat!("select r.swid from run r join object o on o.swid = r.swid \
        where ", readable_run!(), " and r.swid = $4");
    /// A run that the caller may see. `$3`: labels; `$4`: run.
    RUN = concat!("select ", run_columns!(), " from ", run_tables!(),
        " where ", readable_run!(), " and r.swid = $4");
}

impl MetaDb {
    /// Tells whether there is such a run and the caller may see it.
    pub async fn sees_run(&self, access: &Access, run: Accession) -> Result<bool> {
        sqlx::query(SEES)
            .bind(access.everything())
            .bind(access.account.0)
            .bind(access.hosts_json())
            .bind(run.get())
            .fetch_optional(self.reader())
            .await
            .during("look for a run")
            .map(|row| row.is_some())
    }

    /// Returns a run; `None` where the caller may not see it.
    pub async fn run(&self, access: &Access, run: Accession) -> Result<Option<Run>> {
        const OPERATION: &str = "read a run";
        let found = sqlx::query(RUN)
            .bind(access.everything())
            .bind(access.account.0)
            .bind(access.hosts_json())
            .bind(run.get())
            .fetch_optional(self.reader())
            .await
            .during(OPERATION)?;
        let Some(found) = found else { return Ok(None) };
        let mut run = row::read(&found, OPERATION)?;
        self.add_marks(std::slice::from_mut(&mut run), OPERATION).await?;
        if matches!(run.status, RunStatus::Submitted | RunStatus::SubmittedRetry) {
            run.full_limit = self.full_limit_of(run.swid, OPERATION).await?;
        }
        Ok(Some(run))
    }
}

#[cfg(test)]
pub(crate) mod tests;
