//! Following a run to its end: drawn anew on a terminal, told change by change elsewhere.
//!
//! A service that goes away for a while ends nothing: the run goes on without it, and so does whoever
//! follows.

use std::time::{Duration, Instant};

use niassa_api::client::{Client, ClientError};
use niassa_api::runs::{Run, Step, StepQuery};
use niassa_model::accession::Accession;
use niassa_model::run::RunStatus;
use niassa_model::step::StepStatus;
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::settings::MetadataMethod;
use crate::ui::Format;
use crate::ui::live::Live;
use crate::ui::run_view::{self, STEPS_SHOWN};

/// How often the run is looked at while nothing is heard.
const LOOK: Duration = Duration::from_millis(500);

/// How long to wait before a service that went away is asked again.
const AWAY: Duration = Duration::from_secs(1);

/// The most steps without success that are told at the end.
const TROUBLED: usize = 3;

/// What was heard between two looks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heard {
    /// Whether it is worth looking at the run.
    pub news: News,
    /// What keeps the run from going on, in words.
    pub problems: Vec<String>,
}

/// Whether the run may stand elsewhere than when it was last looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum News {
    /// Its status may be another one.
    Status,
    /// Some of its steps may have moved on.
    Steps,
    /// Nothing was heard.
    #[default]
    None,
}

/// Which run is followed, for how long, and who will know of it afterwards.
#[derive(Debug)]
pub struct Following {
    /// The run.
    pub run: Accession,
    /// When to give up.
    pub deadline: Option<Instant>,
    /// Whether a service knows the run once this process has ended.
    pub metadata: MetadataMethod,
    /// Ctrl-C, as [`interrupts`] hears it: from now on it ends the following and not the process.
    pub interrupt: Signal,
}

/// Follows a run until it is over, or the time is. Between two looks `wait` is awaited; it may do
/// work that moves the run on.
pub async fn follow(
    mut following: Following,
    client: &Client,
    context: &mut Context,
    mut wait: impl AsyncFnMut() -> Result<Heard, Failure>,
) -> Result<Exit, Failure> {
    let mut screen = Screen::default();
    let mut looked_at = None;
    let mut news = News::Status;
    loop {
        let stale = looked_at.is_none_or(|at: Instant| at.elapsed() >= LOOK);
        if news == News::Status || stale || (news == News::Steps && context.ui.look().live) {
            if let Some(run) = screen.look(following.run, client, context).await?
                && !run.status.is_active()
            {
                return finish(&run, following.metadata, client, context).await;
            }
            looked_at = Some(Instant::now());
        }
        if following.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            let run = following.run;
            context.ui.note(&format!("the time is over; run {run} goes on"));
            return Ok(Exit::TimeOver);
        }
        news = tokio::select! {
            heard = wait() => screen.hear(heard, context).await?,
            _ = following.interrupt.recv() => {
                screen.interrupted(&following, context);
                return Ok(Exit::Interrupted);
            }
        };
    }
}

/// Listens to Ctrl-C from now on: one that comes before it is asked for is not lost.
pub fn interrupts() -> Result<Signal, Failure> {
    signal(SignalKind::interrupt()).map_err(|error| Failure::io("wait for signals", error))
}

/// What was shown and told so far.
#[derive(Default)]
struct Screen {
    live: Live,
    status: Option<RunStatus>,
    directory: Option<String>,
    problems: Vec<String>,
    away_since: Option<Instant>,
}

impl Screen {
    /// Looks at the run and shows it. A service that was there before may be away for a while.
    async fn look(
        &mut self,
        run: Accession,
        client: &Client,
        context: &mut Context,
    ) -> Result<Option<Run>, Failure> {
        let seen = match client.run(run).await {
            Ok(seen) => seen,
            Err(error) if error.is_unreachable() && self.status.is_some() => {
                self.is_away(&error, context);
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        self.is_back(context);
        self.show(&seen, client, context).await?;
        self.status = Some(seen.status);
        self.directory.clone_from(&seen.directory);
        Ok(Some(seen))
    }

    /// Tells problems that are new. What a service that is away makes impossible is tried again.
    async fn hear(
        &mut self,
        heard: Result<Heard, Failure>,
        context: &mut Context,
    ) -> Result<News, Failure> {
        let heard = match heard {
            Err(failure) if failure.exit() == Exit::ServiceUnreachable => {
                tokio::time::sleep(AWAY).await;
                return Ok(News::Status);
            }
            heard => heard?,
        };
        for problem in heard.problems {
            if !self.problems.contains(&problem) {
                context.ui.note(&problem);
                self.problems.push(problem);
            }
        }
        Ok(heard.news)
    }

    fn is_away(&mut self, error: &ClientError, context: &mut Context) {
        if self.away_since.is_none() {
            self.away_since = Some(Instant::now());
            self.live = Live::default();
            context.ui.note(&format!("{error}; the run goes on, and it is asked again"));
        }
    }

    fn is_back(&mut self, context: &mut Context) {
        if self.away_since.take().is_some() {
            context.ui.note("the Web Service answers again");
        }
    }

    async fn show(
        &mut self,
        run: &Run,
        client: &Client,
        context: &mut Context,
    ) -> Result<(), Failure> {
        let look = context.ui.look();
        if context.ui.format() != Format::Table {
            return Ok(());
        }
        if look.live {
            let steps = steps_to_show(run, client).await?;
            let block = run_view::block(run, &steps, context.now(), look);
            return self.live.show(&mut context.ui, &block);
        }
        if self.status != Some(run.status) {
            let line = run_view::change(run, self.status, context.now(), look);
            context.ui.say(&line)?;
        }
        Ok(())
    }

    fn interrupted(&self, following: &Following, context: &mut Context) {
        let run = following.run;
        let how = match (following.metadata, &self.directory) {
            (MetadataMethod::Webservice, _) => {
                format!("seqware workflow-run watch --accession {run}")
            }
            (MetadataMethod::None, Some(directory)) => format!("its files: {directory}"),
            (MetadataMethod::None, None) => "it has no files yet".to_owned(),
        };
        context.ui.note(&format!("interrupted; run {run} goes on ({how})"));
    }
}

/// Returns all steps of a small run; of a large one those under way, failed or lost.
async fn steps_to_show(run: &Run, client: &Client) -> Result<Vec<Step>, ClientError> {
    let limit = Some(u32::try_from(STEPS_SHOWN).unwrap_or(u32::MAX));
    if run.steps.total as usize <= STEPS_SHOWN {
        let query = StepQuery { limit, ..StepQuery::default() };
        return Ok(client.steps(run.swid, &query).await?.items);
    }
    let mut steps = troubled(run, client, STEPS_SHOWN).await?;
    let query = StepQuery { status: Some(StepStatus::Running), limit, after: None };
    steps.extend(client.steps(run.swid, &query).await?.items);
    Ok(steps)
}

/// Returns the first steps that did not succeed by themselves.
async fn troubled(run: &Run, client: &Client, most: usize) -> Result<Vec<Step>, ClientError> {
    let limit = Some(u32::try_from(most).unwrap_or(u32::MAX));
    let mut steps = Vec::new();
    for (status, count) in
        [(StepStatus::Failed, run.steps.failed), (StepStatus::Lost, run.steps.lost)]
    {
        if count > 0 && most > 0 {
            let query = StepQuery { status: Some(status), limit, after: None };
            steps.extend(client.steps(run.swid, &query).await?.items);
        }
    }
    steps.truncate(most);
    Ok(steps)
}

/// Tells how a run ended, and where to look next.
async fn finish(
    run: &Run,
    metadata: MetadataMethod,
    client: &Client,
    context: &mut Context,
) -> Result<Exit, Failure> {
    let exit = exit_of(run.status);
    match context.ui.format() {
        Format::Table => {
            let look = context.ui.look();
            context.ui.say(&run_view::outcome(run, look))?;
            let told = if look.live { 0 } else { TROUBLED };
            for step in troubled(run, client, told).await? {
                context.ui.say(&run_view::trouble(&step, look))?;
            }
            if let Some(note) = run.note.as_ref().filter(|_| run.steps.total == 0) {
                context.ui.say(&format!("  {note}"))?;
            }
            context.ui.say(&next(run, exit, metadata))?;
        }
        Format::Json => {
            let steps = steps_to_show(run, client).await?;
            context.ui.json(&json!({ "run": run, "steps": steps }))?;
        }
        Format::Tsv => context.ui.text(&format!("swid\tstatus\n{}\t{}", run.swid, run.status))?,
        Format::Quiet => context.ui.text(&run.swid.to_string())?,
    }
    Ok(exit)
}

/// Says where to look next: where no service keeps the run, its files are all there is.
fn next(run: &Run, exit: Exit, metadata: MetadataMethod) -> String {
    let verb = if exit == Exit::Done { "report" } else { "explain" };
    match (metadata, &run.directory) {
        (MetadataMethod::None, Some(directory)) => format!("files: {directory}"),
        (MetadataMethod::None, None) => "it made no files".to_owned(),
        (MetadataMethod::Webservice, _) => {
            format!("next: seqware workflow-run {verb} --accession {}", run.swid)
        }
    }
}

/// Returns what the status of a run means for the command that followed it.
fn exit_of(status: RunStatus) -> Exit {
    match status {
        RunStatus::Failed => Exit::RunFailed,
        RunStatus::Cancelled => Exit::RunCancelled,
        RunStatus::Completed
        | RunStatus::Submitted
        | RunStatus::Pending
        | RunStatus::Running
        | RunStatus::SubmittedCancel
        | RunStatus::SubmittedRetry => Exit::Done,
    }
}
