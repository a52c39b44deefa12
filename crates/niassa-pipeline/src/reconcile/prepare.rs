//! Making a run's directory, its plan and its first attempts. Everything may be done twice.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use niassa_api::claims::{Claim, CouldNotPlan};
use niassa_bundle::manifest::Manifest;
use niassa_bundle::planner::{self, PlanContext};
use niassa_bundle::values::Values;
use niassa_model::place::Place;
use niassa_model::plan::{Plan, PlannedInput};
use niassa_model::step::StepReason;

use super::Refused;
use super::evidence::{OpenRun, index_of};
use crate::place::{Linked, os_user};
use crate::run_dir::{RunDir, RunDirError, RunFile, StoredPlan};

/// So many directories of steps are made before it is known how fast that goes.
const STEPS_TO_TRY: usize = 64;

/// Where one takes longer, it waits for a server, and several threads make them.
const SLOW_STEP: Duration = Duration::from_micros(500);

/// So many threads at most.
const THREADS: usize = 8;

/// A run that is ready to be handed over.
pub(super) struct Prepared {
    pub(super) claim: Claim,
    pub(super) run: OpenRun,
    pub(super) plan_sha256: String,
    /// Whether the directory was made now: then the engine cannot know the run.
    pub(super) directory: Linked,
}

/// Why a run is not ready.
pub(super) enum NotPrepared {
    /// It can never be, as it is: it fails.
    CouldNotPlan(CouldNotPlan),
    /// Not now: it is offered again, with this note.
    NotNow(String),
}

impl From<RunDirError> for NotPrepared {
    fn from(error: RunDirError) -> Self {
        Self::NotNow(crate::chain(&error))
    }
}

/// Prepares a run below `work_dir`. The unpacked `bundle` is needed only where the run has no plan.
pub(super) fn prepare(
    claim: Claim,
    work_dir: &Path,
    bundle: Option<&Path>,
    place: &Place,
) -> Result<Prepared, Refused> {
    match prepare_run(&claim, work_dir, bundle, place) {
        Ok((run, plan_sha256, directory)) => Ok(Prepared { claim, run, plan_sha256, directory }),
        Err(why) => Err(Box::new((claim, why))),
    }
}

fn prepare_run(
    claim: &Claim,
    work_dir: &Path,
    bundle: Option<&Path>,
    place: &Place,
) -> Result<(OpenRun, String, Linked), NotPrepared> {
    let dir = RunDir::of(work_dir, claim.swid, &claim.tag);
    if claim.place.is_some() && !dir.exists() {
        let path = dir.path().display();
        return Err(NotPrepared::NotNow(format!(
            "the run directory {path} is missing; it is never made again: reschedule the run"
        )));
    }
    let directory = dir.make()?;
    crate::failpoint::reach("launcher.directory");
    dir.store_run(&RunFile {
        swid: claim.swid,
        tag: claim.tag.clone(),
        workflow: claim.workflow.name.clone(),
        version: claim.workflow.version.clone(),
        bundle_sha256: claim.workflow.bundle_sha256.clone(),
        account: claim.account.clone(),
        place: place.clone(),
        values: claim.values.clone(),
        host: claim.host.clone(),
        parents: claim.parents.clone(),
        trace: claim.trace.clone(),
    })?;
    let stored = match dir.plan()? {
        Some(stored) => stored,
        None => make_plan(claim, &dir, bundle)?,
    };
    crate::failpoint::reach("launcher.planned");
    if claim.plan_sha256.as_ref().is_some_and(|known| *known != stored.sha256) {
        let path = dir.path().display();
        return Err(NotPrepared::NotNow(format!(
            "{path}/plan.json was changed after the run was launched; reschedule the run"
        )));
    }
    if directory == Linked::Now || claim.plan_sha256.is_none() {
        link_inputs(&dir, &stored.plan.inputs)?;
        make_steps(&dir, &stored.plan)?;
    }
    let run = OpenRun {
        swid: claim.swid,
        tag: claim.tag.clone(),
        trace: claim.trace.clone(),
        dir,
        plan: stored.plan,
    };
    Ok((run, stored.sha256, directory))
}

fn make_plan(
    claim: &Claim,
    dir: &RunDir,
    bundle: Option<&Path>,
) -> Result<StoredPlan, NotPrepared> {
    let Some(bundle) = bundle else {
        return Err(NotPrepared::NotNow("its plan vanished while it was prepared".to_owned()));
    };
    // A plan over a bound, or a template that goes wrong, fails this run only.
    let planned = catch_unwind(AssertUnwindSafe(|| plan_of(claim, dir, bundle)));
    let plan = match planned {
        Ok(Ok(plan)) => plan,
        Ok(Err(detail)) => return Err(could_not_plan(StepReason::CouldNotStart, detail)),
        Err(_) => {
            let detail = "planning the run ended unexpectedly; this is a fault of the program";
            return Err(could_not_plan(StepReason::CouldNotStart, detail.to_owned()));
        }
    };
    Ok(dir.store_plan(&plan)?)
}

fn could_not_plan(reason: StepReason, detail: String) -> NotPrepared {
    NotPrepared::CouldNotPlan(CouldNotPlan { reason, detail })
}

fn plan_of(claim: &Claim, dir: &RunDir, bundle: &Path) -> Result<Plan, String> {
    let file = bundle.join("workflow.yaml");
    let text =
        fs::read_to_string(&file).map_err(|error| format!("read {}: {error}", file.display()))?;
    let manifest = Manifest::parse(&text).map_err(|error| crate::chain(&error))?;
    let values: Values = serde_json::from_value(claim.values.clone())
        .map_err(|error| format!("read the run's values: {error}"))?;
    let context = PlanContext {
        run: claim.swid,
        run_dir: dir.path().to_owned(),
        bundle_dir: bundle.to_owned(),
    };
    planner::plan(&manifest, &values, &context).map_err(|error| crate::chain(&error))
}

/// Links local inputs into the run directory; what cannot be read fails the run.
fn link_inputs(dir: &RunDir, inputs: &[PlannedInput]) -> Result<(), NotPrepared> {
    for input in inputs {
        if input.source.contains("://") {
            return Err(could_not_plan(
                StepReason::ProvisionIn,
                format!(
                    "{}: only local inputs are supported, not {}",
                    input.parameter, input.source
                ),
            ));
        }
        if let Err(error) = File::open(&input.source) {
            return Err(could_not_plan(
                StepReason::ProvisionIn,
                format!(
                    "{}: {} cannot be read by the OS user {}: {error}",
                    input.parameter,
                    input.source,
                    os_user()
                ),
            ));
        }
        link_input(&dir.path().join(&input.link), &input.source)
            .map_err(|error| NotPrepared::NotNow(format!("link {}: {error}", input.link)))?;
    }
    Ok(())
}

fn link_input(link: &Path, source: &str) -> io::Result<()> {
    if let Some(folder) = link.parent() {
        fs::create_dir_all(folder)?;
    }
    match symlink(source, link) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

/// Makes the directory of every step: what a launch of many steps spends its time on. Over a network it is
/// spread over threads. On a disk of this machine threads would wait for each other, and gain nothing.
fn make_steps(dir: &RunDir, plan: &Plan) -> Result<(), RunDirError> {
    dir.make_step_folders(plan.steps.len())?;
    let folder = plan.output_folder.as_ref();
    let make = |position: usize| dir.make_step(index_of(position), &plan.steps[position], folder);
    let begun = Instant::now();
    let first = plan.steps.len().min(STEPS_TO_TRY);
    (0..first).try_for_each(make)?;
    if begun.elapsed() < SLOW_STEP * u32::try_from(first).unwrap_or(u32::MAX) {
        return (first..plan.steps.len()).try_for_each(make);
    }
    let next = AtomicUsize::new(first);
    thread::scope(|scope| {
        let work = || loop {
            let position = next.fetch_add(1, Ordering::Relaxed);
            if position >= plan.steps.len() {
                return Ok(());
            }
            make(position)?;
        };
        let workers: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}
