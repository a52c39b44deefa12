//! Checks from a node: one small job through the configured engine, in which this very program looks at
//! the node, and at the work directory from there.
//!
//! The job is handed over held, as those of runs are, and then released. Its folder is removed, and a job
//! that gave no answer in time is cancelled.

mod there;
mod verdicts;

use std::time::{Duration, Instant};

use niassa_model::job::{EndedJob, JobEnd, JobId, JobState, SeenJob};
use niassa_pipeline::engine::cluster::{Scheduler, SchedulerError, scheduler_of};
use niassa_pipeline::node_test::NodeTest;
use niassa_pipeline::place::{WorkDir, os_user};
use niassa_pipeline::reconcile::PipelineSettings;

use super::found::{Found, Section};
use crate::context::Context;
use crate::exit::chain;
use there::{Answer, Question, id_of};
pub use there::{NodeCheckArgs, on_node};

/// How often a scheduler is asked.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a job that was handed over may take to be seen held.
const HELD_WITHIN: Duration = Duration::from_secs(30);
/// How long an answer may take from the node's file system to ours once its job is over.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// How long the accounting may take to hear of the job's end.
const ACCOUNTED_WITHIN: Duration = Duration::from_secs(3);

/// Runs the test and tells what was found here, and there.
pub fn probes(settings: &PipelineSettings, patience: Duration, context: &Context) -> Vec<Section> {
    let mut found = Vec::new();
    let answer = asked(settings, patience, &mut found);
    if let Some(answer) = &answer {
        let id = id_of(&settings.work_dir);
        found.extend(verdicts::of_answer(answer, &id, &os_user(), context.now()));
    }
    let mut sections = vec![Section { title: "From a node".to_owned(), found }];
    sections.extend(answer.map(|answer| {
        let title = format!("On the node {}", answer.machine);
        Section { title, found: answer.found }
    }));
    sections
}

fn asked(
    settings: &PipelineSettings,
    patience: Duration,
    found: &mut Vec<Found>,
) -> Option<Answer> {
    let test = match prepare(settings) {
        Ok(test) => test,
        Err(why) => {
            found.push(Found::bad("step runner", why, "mend the work directory first"));
            return None;
        }
    };
    match scheduler_of(settings.default_engine, settings.clusters.clone()) {
        Some(scheduler) => {
            Trial { test: &test, scheduler: scheduler.as_ref(), found }.run(patience);
        }
        None => found.push(match test.run_here() {
            Ok(()) => Found::good("step runner", "ran on this machine, where steps run"),
            Err(error) => Found::bad("step runner", chain(&error), "install seqware anew"),
        }),
    }
    let answer = match test.answer() {
        Ok(bytes) => bytes.and_then(|bytes| understood(&bytes, found)),
        Err(error) => {
            let fix = "mend the work directory first";
            found.push(Found::bad("answer", format!("cannot be read: {error}"), fix));
            None
        }
    };
    if let Err(error) = test.remove() {
        let folder = test.folder().display();
        let finding = format!("{folder} cannot be removed: {error}");
        found.push(Found::doubtful("answer", finding, format!("rm -r '{folder}'")));
    }
    answer
}

fn prepare(settings: &PipelineSettings) -> Result<NodeTest, String> {
    let work_dir = WorkDir::open(&settings.work_dir).map_err(|error| chain(&error))?;
    let question = Question { work_dir: work_dir.path().to_owned() };
    let text = serde_json::to_vec(&question).map_err(|error| error.to_string())?;
    NodeTest::prepare(settings, &work_dir, &text).map_err(|error| chain(&error))
}

fn understood(bytes: &[u8], found: &mut Vec<Found>) -> Option<Answer> {
    match serde_json::from_slice(bytes) {
        Ok(answer) => Some(answer),
        Err(error) => {
            let finding = format!("is not understood: {error}");
            found.push(Found::bad("answer", finding, "install the same version on both sides"));
            None
        }
    }
}

/// Tells whether a job is known to have gone wrong: no answer comes from it any more.
fn is_failed(job: &SeenJob) -> bool {
    matches!(&job.state, JobState::Ended(end) if *end != JobEnd::Completed)
}

/// A test under way through a scheduler.
struct Trial<'a> {
    test: &'a NodeTest,
    scheduler: &'a dyn Scheduler,
    found: &'a mut Vec<Found>,
}

impl Trial<'_> {
    fn run(&mut self, patience: Duration) {
        let id = match self.test.submit(self.scheduler) {
            Ok(id) => id,
            Err(error) => {
                self.found.push(verdicts::not_taken(self.scheduler.kind(), &error));
                return;
            }
        };
        let held = self.look_until(HELD_WITHIN, |job| job.is_some());
        self.found.push(verdicts::holds(held.as_ref().map(Option::as_ref)));
        let ended = self.scheduler.release(std::slice::from_ref(&id)).and_then(|()| {
            self.look_until(patience, |job| {
                self.is_answered() || !job.is_some_and(|job| verdicts::can_go_on(&job.state))
            })
        });
        let job = ended.as_ref().ok().and_then(Option::as_ref);
        if self.is_answered() || (!job.is_some_and(is_failed) && self.is_answered_soon()) {
            let finding = format!("ran on a node as job {id}");
            self.found.push(Found::good("step runner", finding));
            let ends = self.ends(&id);
            self.found.push(verdicts::accounting(ends.as_deref()));
            return;
        }
        let ended = ended.as_ref().map(Option::as_ref);
        self.found.push(verdicts::no_answer(ended, &id, &self.test.printed()));
        if let Err(error) = self.scheduler.cancel(std::slice::from_ref(&id)) {
            let finding = format!("job {id} cannot be cancelled: {error}");
            self.found.push(Found::doubtful("cancel", finding, "cancel it by hand"));
        }
    }

    /// Looks until the job is as wanted, or the time is over.
    fn look_until(
        &self,
        limit: Duration,
        wanted: impl Fn(Option<&SeenJob>) -> bool,
    ) -> Result<Option<SeenJob>, SchedulerError> {
        let begun = Instant::now();
        loop {
            let job = self.test.look(self.scheduler)?;
            if wanted(job.as_ref()) || begun.elapsed() > limit {
                return Ok(job);
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn is_answered(&self) -> bool {
        self.test.answer().is_ok_and(|answer| answer.is_some())
    }

    fn is_answered_soon(&self) -> bool {
        let begun = Instant::now();
        while !self.is_answered() {
            if begun.elapsed() > ANSWER_WITHIN {
                return false;
            }
            std::thread::sleep(PAUSE);
        }
        true
    }

    /// Asks the accounting, which may need a moment.
    fn ends(&self, id: &JobId) -> Result<Vec<EndedJob>, SchedulerError> {
        let begun = Instant::now();
        loop {
            let ends = self.scheduler.ends(std::slice::from_ref(id))?;
            if !ends.is_empty() || begun.elapsed() > ACCOUNTED_WITHIN {
                return Ok(ends);
            }
            std::thread::sleep(PAUSE);
        }
    }
}
