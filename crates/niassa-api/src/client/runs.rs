//! Calls about runs: scheduling, looking, cancelling, retrying.

use niassa_model::accession::Accession;
use uuid::Uuid;

use super::transport::Repeat;
use super::{Client, ClientError};
use crate::metadata::objects::{ImportRun, ImportedRun};
use crate::page::Page;
use crate::paths::{self, fill};
use crate::reports::RunReport;
use crate::runs::{
    CancelRuns, EndDeadRuns, MarkRuns, PrioritizeRuns, RescheduleRun, RetryRuns, Run, RunIni,
    RunLogEntry, RunQuery, RunResults, ScheduleRun, ScheduledRun, Step, StepLog, StepQuery,
};

impl Client {
    /// Schedules a run; the same key schedules it once, however often it is asked.
    pub async fn schedule_run(
        &self,
        request: &ScheduleRun,
        key: Uuid,
    ) -> Result<ScheduledRun, ClientError> {
        self.create(paths::RUNS, request, key).await
    }

    /// Schedules a new run with the sources of an old one.
    pub async fn reschedule_run(
        &self,
        run: Accession,
        request: &RescheduleRun,
    ) -> Result<ScheduledRun, ClientError> {
        self.create(&fill(paths::RUN_RESCHEDULE, run), request, Uuid::new_v4()).await
    }

    /// Records a run that happened elsewhere.
    pub async fn import_run(&self, request: &ImportRun) -> Result<ImportedRun, ClientError> {
        self.create(paths::RUNS_IMPORT, request, Uuid::new_v4()).await
    }

    /// Lists runs, newest first, a page at a time.
    pub async fn runs(&self, query: &RunQuery) -> Result<Page<Run>, ClientError> {
        self.list(paths::RUNS, query).await
    }

    /// Returns one run.
    pub async fn run(&self, run: Accession) -> Result<Run, ClientError> {
        self.get(&fill(paths::RUN, run)).await
    }

    /// Returns steps of a run with their attempts, in the order of the plan, a page at a time.
    pub async fn steps(
        &self,
        run: Accession,
        query: &StepQuery,
    ) -> Result<Page<Step>, ClientError> {
        self.list(&fill(paths::RUN_STEPS, run), query).await
    }

    /// Returns a run's log, a page at a time; of the query only `limit` and `after` count.
    pub async fn log_entries(
        &self,
        run: Accession,
        query: &StepQuery,
    ) -> Result<Page<RunLogEntry>, ClientError> {
        self.list(&fill(paths::RUN_EVENTS, run), query).await
    }

    /// Returns the effective ini of a run.
    pub async fn run_ini(&self, run: Accession) -> Result<RunIni, ClientError> {
        self.get(&fill(paths::RUN_INI, run)).await
    }

    /// Returns the ends of the streams of a run's steps, a page at a time.
    pub async fn run_logs(
        &self,
        run: Accession,
        query: &StepQuery,
    ) -> Result<Page<StepLog>, ClientError> {
        self.list(&fill(paths::RUN_LOGS, run), query).await
    }

    /// Returns the report of a run.
    pub async fn run_report(&self, run: Accession) -> Result<RunReport, ClientError> {
        self.get(&fill(paths::RUN_REPORT, run)).await
    }

    /// Asks for runs to be cancelled.
    pub async fn cancel_runs(&self, request: &CancelRuns) -> Result<RunResults, ClientError> {
        self.post(paths::RUNS_CANCEL, request, Repeat::Safe).await
    }

    /// Ends runs whose place is gone for good, without a launcher.
    pub async fn end_dead_runs(&self, request: &EndDeadRuns) -> Result<RunResults, ClientError> {
        self.post(paths::RUNS_DEAD, request, Repeat::IfUnsent).await
    }

    /// Says how urgent runs are.
    pub async fn prioritize_runs(
        &self,
        request: &PrioritizeRuns,
    ) -> Result<RunResults, ClientError> {
        self.post(paths::RUNS_PRIORITY, request, Repeat::Safe).await
    }

    /// Gives marks to runs, and takes marks away.
    pub async fn mark_runs(&self, request: &MarkRuns) -> Result<RunResults, ClientError> {
        self.post(paths::RUNS_MARKS, request, Repeat::Safe).await
    }

    /// Asks for runs to be tried again; the request's id makes it the same request when repeated.
    pub async fn retry_runs(&self, request: &RetryRuns) -> Result<RunResults, ClientError> {
        self.post(paths::RUNS_RETRY, request, Repeat::Safe).await
    }
}
