//! Grid Engine through its command lines: `qsub`, `qstat`, `qrls`, `qdel`, `qconf` and the accounting.
//!
//! Written for Son of Grid Engine 8.1.9. What is said to a program and what its words mean are pure
//! functions in the files beneath; here they meet the program. No program is started per job, but for
//! `qsub` and, where the accounting file cannot be read, `qacct`.

mod accounting;
mod accounting_file;
mod environment;
mod qacct;
mod queue;
mod release_cancel;
mod submit;

use std::collections::HashSet;
use std::time::{SystemTime, UNIX_EPOCH};

use niassa_model::job::{EndedJob, JobId};
use niassa_model::place::EngineKind;
use niassa_model::time::{Clock, Timestamp};

use super::command::{Answer, ask};
use super::{ClusterSettings, JobRequest, Queue, Scheduler, SchedulerError, SubmitError};
use environment::Environment;

/// Elements an array may have where the cluster sets no limit: Grid Engine's own default.
const ARRAY_ELEMENTS: u32 = 75_000;
/// Jobs that one call of `qrls` or `qdel` is given.
const JOBS_PER_CALL: usize = 200;
/// Jobs that `qacct` is asked about in one go; it reads the whole accounting for each.
const QACCT_CALLS: usize = 20;

/// A Grid Engine cluster.
#[derive(Debug)]
pub struct GridEngine {
    settings: ClusterSettings,
    environment: Environment,
    clock: MachineClock,
}

/// The machine's own time; only durations and the moments of delayed jobs are reckoned by it.
#[derive(Debug)]
struct MachineClock;

impl Clock for MachineClock {
    #[expect(clippy::disallowed_methods, reason = "an implementation of Clock, as the rule asks")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

impl GridEngine {
    /// Makes the face of the cluster that the settings' environment names: by `SGE_ROOT`, `SGE_CELL`
    /// and the ports, or by what its programs in PATH know themselves.
    pub fn new(settings: ClusterSettings) -> Self {
        let environment = Environment::new(&settings.environment);
        Self { settings, environment, clock: MachineClock }
    }

    fn ask(&self, program: &'static str, arguments: &[&str]) -> Result<Answer, SchedulerError> {
        ask(program, arguments, self.environment.of_programs())
    }

    fn qstat(&self, states: &str) -> Result<String, SchedulerError> {
        // `$user` is not for a shell: Grid Engine itself puts the name of the caller there. Said
        // always, because a site's defaults may show everybody's jobs.
        self.ask("qstat", &["-xml", "-r", "-s", states, "-u", "$user"])?.success("qstat")
    }

    /// Gives jobs to a program in bounded parts, in their order. A part that fails does not keep back
    /// the next, a program that does not answer does; the first failure is told. What is no number of
    /// a job is not there either.
    fn for_jobs(
        &self,
        program: &'static str,
        options: &[&str],
        jobs: &[JobId],
    ) -> Result<(), SchedulerError> {
        let mut first = Ok(());
        let ids = jobs.iter().filter(|job| release_cancel::is_id(job)).map(|job| job.0.as_str());
        for part in ids.collect::<Vec<_>>().chunks(JOBS_PER_CALL) {
            let arguments: Vec<&str> = options.iter().chain(part).copied().collect();
            let answer = self.ask(program, &arguments)?;
            first = first.and(release_cancel::check(program, &answer));
        }
        first
    }
}

impl Scheduler for GridEngine {
    fn kind(&self) -> EngineKind {
        EngineKind::Sge
    }

    /// Returns `<host of the qmaster>.<cell>`; with a shadow master, the host is the present one.
    fn cluster_name(&self) -> Result<String, SchedulerError> {
        let said = self.ask("qconf", &["-sss"])?.success("qconf")?;
        queue::cluster_name(&said, self.environment.cell())
    }

    fn array_limit(&self) -> Result<u32, SchedulerError> {
        let said = self.ask("qconf", &["-sconf"])?.success("qconf")?;
        Ok(match queue::setting(&said, "max_aj_tasks").and_then(|value| value.parse().ok()) {
            None => {
                let what = "`max_aj_tasks` is missing".to_owned();
                return Err(SchedulerError::NotUnderstood { program: "qconf", what });
            }
            Some(0) => ARRAY_ELEMENTS,
            Some(limit) => limit,
        })
    }

    fn submit(&self, job: &JobRequest) -> Result<JobId, SubmitError> {
        let exported = self.environment.exported();
        let arguments = submit::arguments(job, &self.settings, exported, self.clock.now())?;
        submit::outcome(ask("qsub", arguments, self.environment.of_programs()))
    }

    fn look(&self) -> Result<Queue, SchedulerError> {
        let seen = queue::read(&self.qstat("a")?, self.clock.now())?;
        // Jobs held by us and jobs that wait for others look alike; only where a job could be both
        // is a second question asked.
        let held = match seen.has_doubtful() {
            true => queue::read_ids(&self.qstat("hu")?)?,
            false => HashSet::new(),
        };
        // Grid Engine keeps the next number on disk, so its start says nothing about numbers.
        Ok(Queue { scheduler_started: None, jobs: seen.settle(&held) })
    }

    fn release(&self, jobs: &[JobId]) -> Result<(), SchedulerError> {
        self.for_jobs("qrls", &["-h", "u"], jobs)
    }

    fn cancel(&self, jobs: &[JobId]) -> Result<(), SchedulerError> {
        self.for_jobs("qdel", &[], jobs)
    }

    /// Reads the end of the accounting file, or asks `qacct`. Asked about a whole array, it tells of
    /// each element.
    fn ends(&self, jobs: &[JobId]) -> Result<Vec<EndedJob>, SchedulerError> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let file = self.environment.accounting_file();
        match file.map(|file| accounting_file::ends(&file, jobs)) {
            Some(Ok(ends)) => Ok(ends),
            Some(Err(error)) => {
                tracing::debug!(%error, "the accounting file cannot be read");
                self.ask_accounting(jobs)
            }
            None => self.ask_accounting(jobs),
        }
    }
}

impl GridEngine {
    fn ask_accounting(&self, jobs: &[JobId]) -> Result<Vec<EndedJob>, SchedulerError> {
        let mut wanted = accounting::Wanted::new(jobs);
        let ids = jobs.iter().filter(|job| release_cancel::is_id(job));
        let mut numbers: Vec<&str> = ids.map(JobId::whole).collect();
        numbers.sort_unstable();
        numbers.dedup();
        for number in numbers.into_iter().take(QACCT_CALLS) {
            let answer = match self.ask("qacct", &["-j", number]) {
                Err(SchedulerError::NotThere { .. }) => break,
                answer => answer?,
            };
            for record in qacct::read(&answer)? {
                wanted.take_later(&record);
            }
        }
        Ok(wanted.into_ends())
    }
}
