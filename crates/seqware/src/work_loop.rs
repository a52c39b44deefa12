//! Launching and propagating in one process, for `agent`, `up` and `bundle launch`.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use niassa_api::client::Client;
use niassa_model::accession::Accession;
use niassa_model::host::HostLabel;
use niassa_pipeline::agent::LogReader;
use niassa_pipeline::launcher::{LaunchFilter, LaunchReport, Launcher};
use niassa_pipeline::propagator::{PropagateFilter, Propagator};
use niassa_pipeline::reconcile::{PipelineSettings, WorkEvent};

use crate::deployments::Deployments;
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
    /// What kept runs from being launched when that was tried last.
    launch_problems: Vec<String>,
    /// Whether runs waited that were not launched then.
    has_left_some: bool,
    active: u64,
    pace: Pace,
    /// Where others may use the work directory too.
    deployments: Option<Deployments>,
}

/// What one turn came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Turn {
    /// What keeps runs from going on, in words.
    pub problems: Vec<String>,
    /// What keeps nothing from going on, and should be known.
    pub doubts: Vec<String>,
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
        let deployments = Some(Deployments::of(client.clone(), settings.work_dir.clone()));
        let work = Self::new(launcher, launch, filter, client, identity, settings)?;
        Ok(Self { pace, deployments, ..work })
    }

    /// Makes the next turn ask for everything anew.
    pub fn look_now(&mut self) {
        self.launched_at = None;
        self.propagator.look_now();
    }

    /// Tells whether runs waited that were not launched when that was tried last. Nobody says when they can
    /// be: a limit that other places filled has room without a word.
    pub fn has_left_some(&self) -> bool {
        self.has_left_some
    }

    /// Returns what reads the logs of runs that are looked after from here.
    pub fn log_reader(&self) -> LogReader {
        self.launcher.log_reader()
    }

    /// Tells whether a run that this loop looks after is not over, or more are to be launched at once.
    pub fn is_active(&self) -> bool {
        self.active > 0 || self.launched_at.is_none()
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
        Ok(Self {
            launcher,
            launch,
            propagator,
            launched_at: None,
            launch_problems: Vec::new(),
            has_left_some: false,
            active: 0,
            pace: Pace::Polling,
            deployments: None,
        })
    }

    /// Launches what waits and propagates what happened.
    pub async fn turn(&mut self) -> Result<Turn, Failure> {
        let mut turn = Turn::default();
        if self.launched_at.is_none_or(|at| at.elapsed() >= self.pace.launch_every()) {
            turn.changed.extend(self.launch().await?);
            if !turn.changed.is_empty() {
                // A quick run is over in a moment, and told as a whole.
                self.propagator.wait_for_change(ACTIVE).await?;
            }
        }
        // They hold until the next launch tells otherwise.
        turn.problems.clone_from(&self.launch_problems);
        let propagator = &mut self.propagator;
        let report = propagator.propagate_tick(&mut collecting(&mut turn.problems)).await?;
        turn.changed.extend(report.changed.into_iter().map(|(run, _)| run));
        turn.facts = report.facts;
        turn.active = report.active;
        self.active = report.active;
        if let Some(deployments) = &mut self.deployments {
            turn.doubts.extend(deployments.look().await.map(str::to_owned));
        }
        Ok(turn)
    }

    /// Launches what waits. Where more waited than were counted, the next turn launches again.
    async fn launch(&mut self) -> Result<Vec<Accession>, Failure> {
        let begun = Instant::now();
        self.launched_at = Some(begun);
        self.launch_problems.clear();
        let on = &mut collecting(&mut self.launch_problems);
        let report = self.launcher.launch_tick(&self.launch, on).await?;
        self.launched_at = next_after(&report, begun);
        self.has_left_some = report.has_left_some();
        Ok(report.launched)
    }

    /// Waits until the engine has something to tell, or it is time to look again.
    pub async fn wait(&mut self) -> Result<(), Failure> {
        if self.launched_at.is_none() {
            return Ok(());
        }
        let at_most = if self.active > 0 { ACTIVE } else { IDLE };
        Ok(self.propagator.wait_for_change(at_most).await?)
    }
}

/// From when on the pace of launches counts; from the beginning where the next one is due.
fn next_after(report: &LaunchReport, begun: Instant) -> Option<Instant> {
    (!report.is_one_of_several()).then_some(begun)
}

/// Collects in words what keeps runs from going on.
fn collecting(problems: &mut Vec<String>) -> impl FnMut(WorkEvent) + Send {
    |event| match event {
        WorkEvent::Problem(run, what) => problems.push(format!("run {run}: {what}")),
        WorkEvent::Engine(engine, what) => problems.push(format!("{engine}: {what}")),
        WorkEvent::Waiting(_) | WorkEvent::Working(_) | WorkEvent::Made => {}
    }
}

#[cfg(test)]
mod tests {
    use niassa_model::limits::WAITING_COUNTED;

    use super::*;

    #[test]
    fn more_than_a_claim_counts_is_gone_on_with_at_once() {
        let begun = Instant::now();
        let launched = vec![Accession::try_from(7).unwrap()];
        let report = |waiting| LaunchReport { waiting, launched: launched.clone() };
        assert_eq!(next_after(&report(3), begun), Some(begun));
        assert_eq!(next_after(&report(WAITING_COUNTED), begun), None);
    }
}
