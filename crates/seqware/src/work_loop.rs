//! Launching and propagating in one process, for `agent`, `up` and `bundle launch`.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use niassa_api::client::Client;
use niassa_model::accession::Accession;
use niassa_model::host::HostLabel;
use niassa_pipeline::agent::LogReader;
use niassa_pipeline::launcher::{LaunchFilter, Launcher};
use niassa_pipeline::propagator::{PropagateFilter, Propagator};
use niassa_pipeline::reconcile::{PipelineSettings, WorkEvent};

use crate::exit::Failure;
use crate::pipeline;

/// How long to wait for a change of the journal while something is active.
const ACTIVE: Duration = Duration::from_millis(50);

/// How long to wait while nothing is.
const IDLE: Duration = Duration::from_secs(1);

/// How soon runs to launch are asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Often: nobody says when there are some.
    Polling,
    /// Seldom: the loop is woken when there are some.
    Woken,
}

impl Pace {
    fn launch_every(self) -> Duration {
        match self {
            Self::Polling => Duration::from_millis(500),
            Self::Woken => Duration::from_secs(10),
        }
    }
}

/// How many run directories are read at a time.
const THREADS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(3);

/// A launcher and a propagator that take turns.
pub struct WorkLoop {
    launcher: Launcher,
    launch: LaunchFilter,
    propagator: Propagator,
    launched_at: Option<Instant>,
    active: u64,
    pace: Pace,
}

/// What one turn came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Turn {
    /// What keeps runs from going on, in words.
    pub problems: Vec<String>,
    /// Runs whose status is another one now, and those that were launched.
    pub changed: Vec<Accession>,
    /// What was heard of steps.
    pub facts: u64,
    /// Runs that are not over.
    pub active: u64,
}

impl WorkLoop {
    /// Looks after every run of a label. `identity` names the account and the service.
    pub fn of_host(
        client: &Client,
        identity: &str,
        settings: PipelineSettings,
        label: HostLabel,
        pace: Pace,
    ) -> Result<Self, Failure> {
        let launcher = Launcher::new(client.clone(), settings.clone(), pipeline::clock())?;
        let launch = LaunchFilter::Host(label);
        let filter = PropagateFilter::default();
        let work = Self::new(launcher, launch, filter, client, identity, settings)?;
        Ok(Self { pace, ..work })
    }

    /// Makes the next turn ask for everything anew.
    pub fn look_now(&mut self) {
        self.launched_at = None;
        self.propagator.look_now();
    }

    /// Returns what reads the logs of runs that are looked after from here.
    pub fn log_reader(&self) -> LogReader {
        self.launcher.log_reader()
    }

    /// Tells whether a run that this loop looks after is not over.
    pub fn is_active(&self) -> bool {
        self.active > 0
    }

    /// Looks after one run that was scheduled as claimed by the launcher.
    pub fn of_run(
        launcher: Launcher,
        run: Accession,
        client: &Client,
        identity: &str,
        settings: PipelineSettings,
    ) -> Result<Self, Failure> {
        let filter = PropagateFilter { host: None, accessions: Some(vec![run]) };
        let launch = LaunchFilter::Accessions(vec![run]);
        let mut work = Self::new(launcher, launch, filter, client, identity, settings)?;
        // It was not launched yet: what the journals say so far is not about it.
        work.propagator.begin_here()?;
        Ok(work)
    }

    fn new(
        launcher: Launcher,
        launch: LaunchFilter,
        filter: PropagateFilter,
        client: &Client,
        identity: &str,
        settings: PipelineSettings,
    ) -> Result<Self, Failure> {
        let clock = pipeline::clock();
        let propagator =
            Propagator::new(client.clone(), identity, settings, filter, THREADS, clock)?;
        let (launched_at, active, pace) = (None, 0, Pace::Polling);
        Ok(Self { launcher, launch, propagator, launched_at, active, pace })
    }

    /// Launches what waits and propagates what happened.
    pub async fn turn(&mut self) -> Result<Turn, Failure> {
        let mut turn = Turn::default();
        let problems = &mut turn.problems;
        let mut on = |event: WorkEvent| match event {
            WorkEvent::Problem(run, what) => problems.push(format!("run {run}: {what}")),
            WorkEvent::Engine(engine, what) => problems.push(format!("{engine}: {what}")),
            WorkEvent::Waiting(_) | WorkEvent::Working(_) => {}
        };
        if self.launched_at.is_none_or(|at| at.elapsed() >= self.pace.launch_every()) {
            self.launched_at = Some(Instant::now());
            let report = self.launcher.launch_tick(&self.launch, &mut on).await?;
            turn.changed.extend(report.launched);
        }
        let report = self.propagator.propagate_tick(&mut on).await?;
        turn.changed.extend(report.changed.into_iter().map(|(run, _)| run));
        turn.facts = report.facts;
        turn.active = report.active;
        self.active = report.active;
        Ok(turn)
    }

    /// Waits until the engine has something to tell, or it is time to look again.
    pub async fn wait(&mut self) -> Result<(), Failure> {
        let at_most = if self.active > 0 { ACTIVE } else { IDLE };
        Ok(self.propagator.wait_for_change(at_most).await?)
    }
}
