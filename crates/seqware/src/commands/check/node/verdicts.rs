//! What is made of a test on a node: pure judgements of what was seen.

use niassa_model::job::{EndedJob, JobId, JobState, SeenJob};
use niassa_model::place::EngineKind;
use niassa_model::time::Timestamp;
use niassa_pipeline::engine::cluster::{SchedulerError, SubmitError};

use super::super::found::Found;
use super::super::service;
use super::there::Answer;
use crate::exit::chain;

/// Where a node finds the step runner, if it finds none.
const BRING_IT: &str =
    "SW_STEP_RUNNER=/a/path/that/nodes/have, or a work directory that nodes see at the same path";

/// Judges what a node says of itself against what is known here.
pub(super) fn of_answer(
    answer: &Answer,
    work_dir_id: &str,
    os_user: &str,
    now: Timestamp,
) -> Vec<Found> {
    vec![
        match answer.work_dir_id == work_dir_id && !work_dir_id.is_empty() {
            true => Found::good("same directory", "the node sees the work directory"),
            false => Found::bad(
                "same directory",
                "under its path the node sees another directory",
                "mount the work directory at the same path everywhere, or set SW_WORK_DIR",
            ),
        },
        match answer.os_user == os_user {
            true => Found::good("same user", format!("jobs run as {os_user}")),
            false => Found::doubtful(
                "same user",
                format!("jobs run as {}, not as {os_user}", answer.os_user),
                "use the same names and numbers of users everywhere",
            ),
        },
        service::version("node version", &answer.version),
        service::clock("node clock", "this machine's", answer.now, now),
    ]
}

/// Tells that a job was not taken.
pub(super) fn not_taken(engine: EngineKind, error: &SubmitError) -> Found {
    let fix = format!("mend the settings of {engine}: seqware check --settings");
    Found::bad("step runner", format!("its job was not taken: {error}"), fix)
}

/// Tells whether the scheduler keeps a job that was handed over held.
pub(super) fn holds(seen: Result<Option<&SeenJob>, &SchedulerError>) -> Found {
    let fix = "let this user hold jobs: runs are handed over held";
    match seen {
        Ok(Some(job)) if job.state == JobState::Held => {
            Found::good("holds", "a held job waits until it is released")
        }
        Ok(Some(job)) => {
            let finding = format!("a job that was handed over held is `{}`", job.words);
            Found::bad("holds", finding, fix)
        }
        Ok(None) => Found::bad("holds", "a held job is not seen in the queue", fix),
        Err(error) => Found::bad("holds", chain(error), "seqware check"),
    }
}

/// Tells why a job gave no answer.
pub(super) fn no_answer(
    seen: Result<Option<&SeenJob>, &SchedulerError>,
    id: &JobId,
    printed: &str,
) -> Found {
    let said = if printed.is_empty() { String::new() } else { format!("; it printed: {printed}") };
    match seen {
        Ok(Some(job)) if can_go_on(&job.state) => Found::doubtful(
            "step runner",
            format!("job {id} was still `{}` and was cancelled", job.words),
            "a longer --wait, or ask the scheduler why the job waits",
        ),
        Ok(Some(job)) => {
            let finding = format!("job {id} is `{}` and gave no answer{said}", job.words);
            Found::bad("step runner", finding, BRING_IT)
        }
        Ok(None) => {
            Found::bad("step runner", format!("job {id} left and gave no answer{said}"), BRING_IT)
        }
        Err(error) => Found::bad("step runner", chain(error), "seqware check"),
    }
}

/// Tells whether a job may still run by itself.
pub(super) fn can_go_on(state: &JobState) -> bool {
    state.is_live() && !matches!(state, JobState::Stuck | JobState::NeverSatisfied)
}

/// Tells whether the accounting knows how the job ended.
pub(super) fn accounting(ends: Result<&[EndedJob], &SchedulerError>) -> Found {
    let fix = "turn the scheduler's accounting on: it tells why a job without a result ended";
    match ends {
        Ok([]) => Found::doubtful("accounting", "does not know how the job ended", fix),
        Ok(_) => Found::good("accounting", "knows how the job ended"),
        Err(error) => Found::doubtful("accounting", chain(error), fix),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::found::Verdict::{Bad, Doubtful, Good};
    use super::super::super::found::assert_verdict;
    use niassa_model::job::JobEnd;

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);

    fn job(state: JobState) -> SeenJob {
        SeenJob {
            id: JobId("17".to_owned()),
            name: "nia-7-abcdefghij-s0-a1".parse().unwrap(),
            element: None,
            state,
            words: "PENDING (Priority)".to_owned(),
            node: None,
        }
    }

    fn answer(work_dir_id: &str, os_user: &str) -> Answer {
        Answer {
            machine: "n1".to_owned(),
            os_user: os_user.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            now: NOW,
            work_dir_id: work_dir_id.to_owned(),
            found: Vec::new(),
        }
    }

    #[test]
    fn a_node_sees_what_we_see() {
        let found = of_answer(&answer("abc", "bob"), "abc", "bob", NOW);
        for found in &found {
            assert_verdict(found, Good);
        }
        let found = of_answer(&answer("xyz", "nobody"), "abc", "bob", NOW);
        assert_verdict(&found[0], Bad);
        assert_verdict(&found[1], Doubtful);
        let unseen = of_answer(&answer("", "bob"), "", "bob", NOW);
        assert_verdict(&unseen[0], Bad);
        let mut other = answer("abc", "bob");
        other.version = "99.0.0".to_owned();
        other.now = Timestamp::from_micros(NOW.as_micros() + 3_600_000_000);
        let found = of_answer(&other, "abc", "bob", NOW);
        assert_verdict(&found[2], Doubtful);
        assert_verdict(&found[3], Bad);
    }

    #[test]
    fn holds_are_kept() {
        let silent = SchedulerError::Silent("squeue");
        assert_verdict(&holds(Ok(Some(&job(JobState::Held)))), Good);
        assert_verdict(&holds(Ok(Some(&job(JobState::Waiting)))), Bad);
        assert_verdict(&holds(Ok(None)), Bad);
        assert_verdict(&holds(Err(&silent)), Bad);
    }

    #[test]
    fn a_job_that_waits_is_told_from_one_that_went_wrong() {
        let (id, silent) = (JobId("17".to_owned()), SchedulerError::Silent("squeue"));
        assert_verdict(&no_answer(Ok(Some(&job(JobState::Waiting))), &id, ""), Doubtful);
        for state in [JobState::Stuck, JobState::Ended(JobEnd::Exited(127))] {
            let found = no_answer(Ok(Some(&job(state))), &id, "seqware: not found");
            assert_verdict(&found, Bad);
            assert!(found.finding.contains("not found"), "{found:?}");
        }
        assert_verdict(&no_answer(Ok(None), &id, ""), Bad);
        assert_verdict(&no_answer(Err(&silent), &id, ""), Bad);
        let refused = SubmitError::Refused("invalid partition".to_owned());
        assert_verdict(&not_taken(EngineKind::Slurm, &refused), Bad);
    }

    #[test]
    fn accounting_is_missed_only_for_reasons() {
        let (id, name) = (JobId("17".to_owned()), "nia-7-abcdefghij-s0-a1".parse().unwrap());
        let end = [EndedJob { id, name, end: JobEnd::Completed }];
        assert_verdict(&accounting(Ok(&end)), Good);
        assert_verdict(&accounting(Ok(&[])), Doubtful);
        assert_verdict(&accounting(Err(&SchedulerError::Silent("sacct"))), Doubtful);
    }
}
