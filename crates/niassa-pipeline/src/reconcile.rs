//! Doing for a batch of claimed runs whatever is missing: launch, retry, recovery and cancel.
//!
//! The order is what makes it safe to be killed anywhere. Directories, plans and attempts are made
//! and made durable; one call records them; the service's word permits; then one inbox file hands
//! everything to the supervisor. Whoever claims the runs next finds what was done and goes on.

mod bundles;
pub(crate) mod cluster;
mod clusters;
pub(crate) mod evidence;
pub(crate) mod handover;
mod lease;
mod prepare;
mod withdrawn;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::try_join;
use niassa_api::claims::{Claim, Claimed, Done, HeldClaim, RecordActions, RunAction};
use niassa_api::client::{Client, ClientError};
use niassa_api::facts::RecordFacts;
use niassa_model::accession::Accession;
use niassa_model::place::{EngineKind, Place};
use niassa_model::time::{Clock, Timestamp};

use crate::engine::cluster::{ClusterSettings, calls};
use crate::engine::local::{LocalError, LocalHome};
use crate::place::{Linked, WorkDir, WorkDirError, machine};
use crate::run_dir::{RunDir, RunDirError};

use clusters::Clusters;
pub(crate) use clusters::program as step_program;
pub(crate) use evidence::Snapshot;
use evidence::{decide_run, make_attempts};
use handover::Ready;
use lease::Lease;
use prepare::{NotPrepared, Prepared, prepare};

/// What a pipeline host needs to know beside its service.
#[derive(Debug, Clone)]
pub struct PipelineSettings {
    /// Where run directories are made.
    pub work_dir: PathBuf,
    /// A file that remembers which work directories were used here, where they are to be remembered.
    pub known_work_dirs: Option<PathBuf>,
    /// Where fetched bundles are unpacked; without it `.bundles` in the work directory.
    pub bundle_dir: Option<PathBuf>,
    /// The engine of runs that demand none.
    pub default_engine: EngineKind,
    /// The executable that supervises steps: usually this one.
    pub executable: PathBuf,
    /// What this site says of its schedulers.
    pub clusters: ClusterSettings,
    /// Jobs of one run in a cluster's queue.
    pub max_jobs: usize,
    /// Where cluster nodes already have this program; else a copy in the work directory is used.
    pub step_runner: Option<PathBuf>,
}

/// Why runs could not be worked on. Those that were claimed are offered again.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The work directory is not usable.
    #[error(transparent)]
    WorkDir(#[from] WorkDirError),
    /// The local engine is not usable.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// The service did not answer, or refused.
    #[error(transparent)]
    Service(#[from] ClientError),
    /// Something about a run directory did not work.
    #[error(transparent)]
    RunDir(#[from] RunDirError),
    /// A part of the program panicked.
    #[error("a worker thread ended unexpectedly")]
    Broken,
}

/// What is told while runs are worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkEvent {
    /// So many runs were waiting when the tick began.
    Waiting(u64),
    /// This run is being worked on.
    Working(Accession),
    /// Everything that was made for the runs of a batch is durable; now they are handed over.
    Made,
    /// Something about this run keeps it from going on now.
    Problem(Accession, String),
    /// This engine does not answer; runs on it stay as they are.
    Engine(EngineKind, String),
}

/// Who is told.
pub type Listener<'listener> = &'listener mut (dyn FnMut(WorkEvent) + Send);

/// Works on claimed runs, for one account, on one machine, in one work directory.
#[derive(Clone)]
pub(crate) struct Reconciler {
    pub(crate) client: Client,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) home: LocalHome,
    pub(crate) place: Place,
    pub(crate) clusters: Clusters,
    pub(crate) holder: String,
    work_dir: WorkDir,
    settings: PipelineSettings,
}

impl Reconciler {
    /// Opens the work directory and the local engine's home in it.
    pub(crate) fn new(
        client: Client,
        settings: PipelineSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, PipelineError> {
        let work_dir = match &settings.known_work_dirs {
            Some(known) => WorkDir::open_known(&settings.work_dir, known)?,
            None => WorkDir::open(&settings.work_dir)?,
        };
        let home = LocalHome::open(work_dir.path())?;
        let place = work_dir.place(EngineKind::Local, home.cluster_name());
        let clusters = Clusters::open(&settings, &work_dir);
        let holder = new_holder();
        Ok(Self { client, clock, home, place, clusters, holder, work_dir, settings })
    }

    /// Returns one that works beside this one: what this one holds is not offered to it.
    pub(crate) fn beside(&self) -> Self {
        Self { holder: new_holder(), ..self.clone() }
    }

    /// Returns every place that is served from here.
    pub(crate) fn places(&self) -> Vec<Place> {
        let clusters = self.clusters.served.iter().map(|cluster| cluster.place.clone());
        std::iter::once(self.place.clone()).chain(clusters).collect()
    }

    /// Returns the time by the service's clock, as far as it has told it.
    pub(crate) fn service_now(&self) -> Timestamp {
        self.client.service_time().unwrap_or_else(|| self.clock.now())
    }

    /// Does what is missing for a batch of claimed runs and gives the claims back. Returns the runs
    /// that were handed to the engine.
    pub(crate) async fn reconcile(
        &self,
        claimed: Claimed,
        on: Listener<'_>,
    ) -> Result<Vec<Accession>, PipelineError> {
        let held = claimed.claims.iter().map(held).collect();
        let holder = self.holder.clone();
        let lease = Lease::keep(self.client.clone(), holder, held, claimed.lease_seconds);
        for claim in &claimed.claims {
            on(WorkEvent::Working(claim.swid));
        }
        let result = self.work_on(claimed.claims, claimed.lease_seconds, on).await;
        crate::failpoint::reach("launcher.done");
        lease.release().await;
        result
    }

    async fn work_on(
        &self,
        claims: Vec<Claim>,
        lease_seconds: u64,
        on: Listener<'_>,
    ) -> Result<Vec<Accession>, PipelineError> {
        crate::failpoint::reach("launcher.claimed");
        let (claims, mut refused) = self.with_bundles(claims).await;
        let mut by_place: BTreeMap<Place, Vec<WithBundle>> = BTreeMap::new();
        for (claim, bundle) in claims {
            match self.place_of(&claim) {
                Ok(place) => by_place.entry(place.clone()).or_default().push((claim, bundle)),
                Err(why) => refused.push((claim, why)),
            }
        }
        let mut launched = Vec::new();
        for (place, claims) in by_place {
            let work_dir = self.work_dir.path().to_owned();
            let at = place.clone();
            let prepare = blocking(move || prepare_each(claims, &work_dir, &at));
            let of_place = if let Some(cluster) = self.clusters.at(&place) {
                // Directories are read after the look, and can be made beside it.
                let scheduler = Arc::clone(&cluster.scheduler);
                let look = blocking(move || scheduler.look());
                let ((prepared, refused_here), queue) = try_join(prepare, look).await?;
                refused.extend(refused_here);
                self.work_on_cluster(cluster, prepared, queue, lease_seconds, on).await?
            } else {
                let (prepared, refused_here) = prepare.await?;
                refused.extend(refused_here);
                let (home, work_dir) = (self.home.clone(), self.work_dir.path().to_owned());
                let decided = move || decide_each(prepared, &work_dir, &home);
                let (ready, refused_here) = blocking(decided).await??;
                refused.extend(refused_here);
                on(WorkEvent::Made);
                self.hand_over(ready, on).await?
            };
            launched.extend(of_place);
        }
        self.record_refusals(refused, on).await?;
        Ok(launched)
    }

    /// Tells whether runs that demand no engine go to this one.
    pub(crate) fn is_default(&self, engine: EngineKind) -> bool {
        self.settings.default_engine == engine
    }

    /// Tells whether a run is, or is to be, launched on a cluster that is served from here.
    pub(crate) fn is_for_a_cluster(&self, claim: &Claim) -> bool {
        self.place_of(claim).is_ok_and(|place| self.clusters.at(place).is_some())
    }

    /// Returns the place a run is, or is to be, launched at.
    fn place_of(&self, claim: &Claim) -> Result<&Place, NotPrepared> {
        if let Some(place) = &claim.place {
            let cluster = self.clusters.at(place).map(|cluster| &cluster.place);
            return Ok(cluster.unwrap_or(&self.place));
        }
        let engine = claim.engine.unwrap_or(self.settings.default_engine);
        if engine == EngineKind::Local {
            return Ok(&self.place);
        }
        self.clusters.of_kind(engine).map(|cluster| &cluster.place).map_err(NotPrepared::NotNow)
    }

    /// Finds the bundle of each run without a plan; a bundle that cannot be had keeps only its own
    /// runs.
    async fn with_bundles(
        &self,
        claims: Vec<Claim>,
    ) -> (Vec<(Claim, Option<PathBuf>)>, Vec<(Claim, NotPrepared)>) {
        let own = || self.work_dir.path().join(".bundles");
        let folder = self.settings.bundle_dir.clone().unwrap_or_else(own);
        let mut known: HashMap<String, Result<PathBuf, String>> = HashMap::new();
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for claim in claims {
            if RunDir::of(self.work_dir.path(), claim.swid, &claim.tag).has_plan() {
                with.push((claim, None));
                continue;
            }
            let sha256 = claim.workflow.bundle_sha256.clone();
            if !known.contains_key(&sha256) {
                let found = bundles::unpacked(&self.client, &folder, &sha256).await;
                known.insert(sha256.clone(), found.map_err(|error| crate::chain(&error)));
            }
            match &known[&sha256] {
                Ok(bundle) => with.push((claim, Some(bundle.clone()))),
                Err(why) => without.push((claim, NotPrepared::NotNow(why.clone()))),
            }
        }
        (with, without)
    }

    async fn record_refusals(
        &self,
        refused: Vec<(Claim, NotPrepared)>,
        on: Listener<'_>,
    ) -> Result<(), ClientError> {
        let mut actions = Vec::new();
        for (claim, why) in refused {
            let (done, text) = match why {
                NotPrepared::CouldNotPlan(why) => {
                    let text = why.detail.clone();
                    (Done::CouldNotPlan(why), text)
                }
                NotPrepared::NotNow(text) => (Done::Note(text.clone()), text),
            };
            on(WorkEvent::Problem(claim.swid, text));
            actions.push(action(&claim, done));
        }
        if actions.is_empty() {
            return Ok(());
        }
        let request = RecordActions { holder: self.holder.clone(), actions };
        self.client.record_actions(&request).await.map(drop)
    }

    /// Sees that a supervisor works on what was handed over.
    pub(crate) fn ensure_supervisor(&self) -> Result<(), LocalError> {
        crate::engine::local::client::ensure_supervisor(&self.home, &self.settings.executable)
    }

    /// Tells the service how often schedulers were called. What cannot be told now is told later.
    pub(crate) async fn tell_scheduler_use(&self) {
        let scheduler = calls::take_untold();
        if scheduler.is_empty() {
            return;
        }
        let request = RecordFacts { scheduler, ..RecordFacts::default() };
        if let Err(error) = self.client.record_facts(&request).await {
            tracing::debug!(%error, "the use of schedulers could not be told");
            calls::give_back(&request.scheduler);
        }
    }

    /// Returns the work directory.
    pub(crate) fn work_dir(&self) -> &Path {
        self.work_dir.path()
    }
}

/// Draws a name to hold claims under.
fn new_holder() -> String {
    format!("{}-{:016x}", machine(), rand::random::<u64>())
}

/// A claimed run, with its unpacked bundle where it has no plan yet.
type WithBundle = (Claim, Option<PathBuf>);

/// A run that is not ready, with the reason.
type Refused = Box<(Claim, NotPrepared)>;

/// Prepares runs for a place, each by itself.
fn prepare_each(
    claims: Vec<WithBundle>,
    work_dir: &Path,
    place: &Place,
) -> (Vec<Prepared>, Vec<(Claim, NotPrepared)>) {
    let (mut prepared, mut refused) = (Vec::new(), Vec::new());
    for (claim, bundle) in claims {
        match prepare(claim, work_dir, bundle.as_deref(), place) {
            Ok(run) => prepared.push(run),
            Err(why) => refused.push(*why),
        }
    }
    (prepared, refused)
}

type Decided = (Vec<Ready>, Vec<(Claim, NotPrepared)>);

/// Decides what to hand over on the local engine, makes the attempts, and makes all of it durable.
fn decide_each(
    prepared: Vec<Prepared>,
    work_dir: &Path,
    home: &LocalHome,
) -> Result<Decided, PipelineError> {
    // Only runs that were here before need a look at the engine: it cannot know a fresh one.
    let known = prepared.iter().filter(|run| run.directory == Linked::Before);
    let known = known.map(|prepared| (prepared.run.swid, prepared.run.tag.clone())).collect();
    let snapshot = Snapshot::take(home, &known)?;
    let (mut ready, mut refused) = (Vec::new(), Vec::new());
    for prepared in prepared {
        match decide_prepared(prepared, &snapshot) {
            Ok(run) => ready.push(run),
            Err(why) => refused.push(*why),
        }
    }
    sync_file_system(work_dir)?;
    crate::failpoint::reach("launcher.prepared");
    Ok((ready, refused))
}

fn decide_prepared(prepared: Prepared, snapshot: &Snapshot) -> Result<Ready, Refused> {
    let Prepared { claim, run, plan_sha256, directory } = prepared;
    let decided = || -> Result<_, NotPrepared> {
        let decision = decide_run(&run, directory, snapshot, claim.desire, &claim.retries)?;
        make_attempts(&run, &decision)?;
        Ok((decision, run.dir.accessions()?))
    };
    match decided() {
        Ok((decision, accessions)) => Ok(Ready {
            claim,
            run,
            plan_sha256,
            decision,
            accessions: accessions.unwrap_or_default(),
        }),
        Err(why) => Err(Box::new((claim, why))),
    }
}

/// Makes everything written so far durable: no intent counts before.
fn sync_file_system(work_dir: &Path) -> Result<(), RunDirError> {
    let synced =
        std::fs::File::open(work_dir).and_then(|folder| crate::place::sync_file_system(&folder));
    synced.map_err(|source| RunDirError::new("make durable", work_dir, source))
}

fn held(claim: &Claim) -> HeldClaim {
    HeldClaim { swid: claim.swid, epoch: claim.epoch }
}

fn action(claim: &Claim, done: Done) -> RunAction {
    RunAction { swid: claim.swid, epoch: claim.epoch, done }
}

/// Runs blocking work beside the asynchronous part.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, PipelineError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| PipelineError::Broken)
}

#[cfg(test)]
mod tests;
