//! How commands reach the pipeline host: its settings and what its errors mean.

use std::sync::Arc;

use niassa_model::time::Clock;
use niassa_pipeline::reconcile::{PipelineError, PipelineSettings, WorkEvent};

use crate::clock::SystemClock;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::faults::{Faults, Repeat};
use crate::settings::{Surroundings, this_executable};

/// Returns what launchers and propagators need to know.
pub fn settings(context: &Context) -> Result<PipelineSettings, Failure> {
    let settings = context.settings()?;
    let executable =
        this_executable().map_err(|error| Failure::io("find this program's file", error))?;
    Ok(PipelineSettings {
        work_dir: settings.work_dir()?,
        known_work_dirs: context.surroundings.known_work_dirs(),
        bundle_dir: settings.bundle_dir()?,
        default_engine: settings.default_engine()?,
        executable,
        clusters: settings.clusters()?,
        max_jobs: settings.max_jobs()?,
        step_runner: settings.step_runner()?,
    })
}

/// Returns the clock that launchers and propagators read.
pub fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// Begins to collect the faults of a command that cron runs.
pub fn faults(command: &str, context: &Context) -> Result<Faults, Failure> {
    let settings = context.settings()?;
    let url = settings.text(crate::settings::Key::RestUrl).unwrap_or("no service");
    let scope = format!("{command} {} at {url}", settings.signed_in_as());
    let repeat = match Surroundings::errors_to_terminal() {
        true => Repeat::Always,
        false => Repeat::Never,
    };
    Ok(Faults::of(&settings.work_dir()?, scope, context.now(), repeat))
}

/// Ends a tick: what went wrong is told once, and how the command ends follows from it.
pub fn end_tick(
    result: Result<Exit, Failure>,
    problems: Vec<WorkEvent>,
    mut faults: Faults,
    context: &mut Context,
) -> Result<Exit, Failure> {
    let mut is_silent = false;
    for problem in problems {
        match problem {
            WorkEvent::Problem(run, what) => {
                faults.found(format!("run {run}"), format!("run {run}: {what}"));
            }
            WorkEvent::Engine(engine, what) => {
                is_silent = true;
                let line = format!("{engine} does not answer, its runs stay as they are: {what}");
                faults.found(format!("engine {engine}"), line);
            }
            WorkEvent::Waiting(_) | WorkEvent::Working(_) | WorkEvent::Made => {}
        }
    }
    let exit = match result {
        Ok(Exit::Done) if is_silent => Exit::SchedulerUnreachable,
        Ok(exit) => exit,
        Err(Failure::BrokenPipe) => return Err(Failure::BrokenPipe),
        Err(failure) => {
            let hint = failure.hint().map(|hint| format!(" (try: {hint})")).unwrap_or_default();
            // One fault per kind: its words may name times and ports that change.
            let key = format!("exit {}", failure.exit().code());
            faults.found(key, format!("{}{hint}", failure.explain()));
            failure.exit()
        }
    };
    faults.tell(&mut context.ui);
    Ok(exit)
}

impl From<PipelineError> for Failure {
    fn from(error: PipelineError) -> Self {
        match error {
            PipelineError::Service(error) => error.into(),
            PipelineError::WorkDir(_) => {
                Self::of(Exit::Unexpected, &error).with_hint("seqware check")
            }
            PipelineError::Local(_) | PipelineError::RunDir(_) | PipelineError::Broken => {
                Self::of(Exit::Unexpected, &error)
            }
        }
    }
}
