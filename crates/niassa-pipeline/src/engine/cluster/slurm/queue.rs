//! What `squeue` shows, as jobs.
//!
//! Columns are closed by a byte that no name of ours and no word of Slurm holds, and each job by
//! another: a name of a stranger's making, even one of several lines, cannot pass for a job of ours
//! by chance. The last column is the name. An answer that is cut short is an error.

use std::time::Duration;

use niassa_model::job::{JobId, JobName, SeenJob};

use super::super::SchedulerError;
use super::state::{ExitStatus, Words, job_state};
use super::{SQUEUE, is_number, not_understood};

/// Closes a column.
const COLUMN_END: char = '\u{1f}';
/// Closes a job, before the line's end.
const JOB_END: &str = "\u{1e}\n";

const COLUMNS: [&str; 8] =
    ["jobarrayid", "arraytaskid", "state", "reason", "exit_code", "timeused", "nodelist", "name"];

/// Returns what `squeue -O` is told.
///
/// A column with an end of its own and without a width is never cut.
pub(super) fn columns() -> String {
    let between = format!(":{COLUMN_END},");
    format!("{}:{}", COLUMNS.join(&between), JOB_END.trim_end())
}

/// Reads the whole answer; jobs whose name is not ours are passed over.
pub(super) fn parse(shown: &str) -> Result<Vec<SeenJob>, SchedulerError> {
    let mut jobs = Vec::new();
    let mut rest = shown;
    while !rest.is_empty() {
        let (job, after) = rest
            .split_once(JOB_END)
            .ok_or_else(|| not_understood(SQUEUE, format!("the job `{}` is cut off", few(rest))))?;
        jobs.extend(parse_job(job)?);
        rest = after;
    }
    Ok(jobs)
}

fn parse_job(job: &str) -> Result<Option<SeenJob>, SchedulerError> {
    let wrong = |what: &str| not_understood(SQUEUE, format!("{what} of the job `{}`", few(job)));
    let columns: Vec<&str> = job.splitn(COLUMNS.len(), COLUMN_END).collect();
    let [id, element, state, reason, exit, elapsed, nodes, name] = columns[..] else {
        return Err(wrong("the columns"));
    };
    let Ok(name) = name.parse::<JobName>() else { return Ok(None) };
    if !is_number(id) {
        return Err(wrong("the number"));
    }
    let element = match element {
        "N/A" => None,
        number => Some(number.parse().map_err(|_| wrong("the element"))?),
    };
    let status = exit.parse().map_err(|_| wrong("the exit code"))?;
    let elapsed = parse_elapsed(elapsed).ok_or_else(|| wrong("the time"))?;
    let exit = ExitStatus::of_wait(status);
    if state.is_empty() {
        return Err(wrong("the state"));
    }
    Ok(Some(SeenJob {
        id: JobId(id.to_owned()),
        name,
        element,
        state: job_state(Words { state, reason, exit, elapsed, nodes }),
        words: if matches!(reason, "" | "None") {
            state.to_owned()
        } else {
            format!("{state} {reason}")
        },
        node: (!nodes.is_empty()).then(|| nodes.to_owned()),
    }))
}

/// Reads `[days-][hours:]minutes:seconds`; a job that never ran can have `INVALID` there.
fn parse_elapsed(text: &str) -> Option<Duration> {
    if matches!(text, "INVALID" | "N/A") {
        return Some(Duration::ZERO);
    }
    let (days, clock) = text.split_once('-').unwrap_or(("0", text));
    let mut seconds = days.parse::<u64>().ok()?;
    let parts: Vec<&str> = clock.split(':').collect();
    let [hours, minutes, rest] = match parts[..] {
        [minutes, seconds] => ["0", minutes, seconds],
        [hours, minutes, seconds] => [hours, minutes, seconds],
        _ => return None,
    };
    for (part, units) in [(hours, 24), (minutes, 60), (rest, 60)] {
        seconds = seconds.checked_mul(units)?.checked_add(part.parse().ok()?)?;
    }
    Some(Duration::from_secs(seconds))
}

/// Returns the beginning of a text, readable on one line.
fn few(text: &str) -> String {
    text.chars().take(80).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use niassa_model::job::{JobEnd, JobState};
    use proptest::prelude::*;

    /// As recorded from 22.05, with `^` and `$` for the two ends.
    fn recorded(text: &str) -> String {
        text.lines()
            .map(|line| line.trim().replace('^', "\u{1f}").replace('$', "\u{1e}") + "\n")
            .collect()
    }

    const WAITING: &str = "6^N/A^PENDING^PartitionDown^0^0:00^^nia-7-abcdefghij-s0-a1$";

    #[test]
    fn the_columns_are_asked_for_without_a_width() {
        assert!(columns().starts_with("jobarrayid:\u{1f},arraytaskid:\u{1f},"));
        assert!(columns().ends_with(",nodelist:\u{1f},name:\u{1e}"));
    }

    #[test]
    fn a_recorded_answer() {
        let shown = recorded(
            "4^N/A^CANCELLED^PartitionConfig^0^0:00^^ok.sh$
            6^N/A^PENDING^PartitionDown^0^0:00^^nia-7-abcdefghij-s0-a1$
            14^N/A^FAILED^NonZeroExitCode^1792^0:00^n1^nia-7-abcdefghij-s1-a1$
            15^N/A^RUNNING^None^0^1-02:03:04^n2^nia-7-abcdefghij-s2-a1$
            7_12^12^PENDING^JobHeldUser^0^0:00^^nia-7-abcdefghij-e3-l0$",
        );
        let jobs = parse(&shown).unwrap();
        let seen: Vec<_> =
            jobs.iter().map(|job| (job.id.0.as_str(), job.element, &job.state)).collect();
        let day = Duration::from_secs(86_400 + 2 * 3_600 + 3 * 60 + 4);
        assert_eq!(
            seen,
            [
                ("6", None, &JobState::Waiting),
                ("14", None, &JobState::Ended(JobEnd::Exited(7))),
                ("15", None, &JobState::Running(day)),
                ("7_12", Some(12), &JobState::Held),
            ]
        );
        assert_eq!(jobs[0].words, "PENDING PartitionDown");
        assert_eq!((jobs[0].node.as_deref(), jobs[2].node.as_deref()), (None, Some("n2")));
        assert_eq!(jobs[2].words, "RUNNING");
    }

    #[test]
    fn names_of_strangers_are_passed_over() {
        // Recorded: a name of two lines with both kinds of ends in it.
        let shown = "13\u{1f}N/A\u{1f}COMPLETED\u{1f}None\u{1f}0\u{1f}0:00\u{1f}n1\u{1f}a\nb|\u{1f}\u{1e}c\u{1e}\n";
        let shown = format!("{shown}{}", recorded(WAITING));
        assert_eq!(parse(&shown).unwrap().len(), 1);
        // A part of another kind of job, in words that we do not know, is no concern of ours.
        let strange = recorded("12+1^N/A^ODD^None^x^?^n1^theirs$");
        assert_eq!(parse(&strange).unwrap(), []);
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn an_answer_that_is_not_whole_is_an_error() {
        let whole = recorded(WAITING);
        for cut in 1..whole.len() {
            assert!(parse(&whole[..cut]).is_err(), "cut at {cut}");
        }
        for garbled in [
            "slurm_load_jobs error: Unable to contact slurm controller\n",
            "\n",
            &recorded("6^N/A^PENDING^nia-7-abcdefghij-s0-a1$"),
            &recorded("7_[1-4]^N/A^PENDING^None^0^0:00^^nia-7-abcdefghij-e3-l0$"),
            &recorded("7_1^1-4^PENDING^None^0^0:00^^nia-7-abcdefghij-e3-l0$"),
            &recorded("6^N/A^^None^0^0:00^^nia-7-abcdefghij-s0-a1$"),
            &recorded("6^N/A^RUNNING^None^0^soon^^nia-7-abcdefghij-s0-a1$"),
            &recorded("6^N/A^RUNNING^None^^0:00^^nia-7-abcdefghij-s0-a1$"),
        ] {
            assert!(parse(garbled).is_err(), "{garbled}");
        }
    }

    #[test]
    fn times_as_slurm_writes_them() {
        let seconds = |text| parse_elapsed(text).map(|elapsed| elapsed.as_secs());
        assert_eq!(seconds("0:43"), Some(43));
        assert_eq!(seconds("12:00"), Some(720));
        assert_eq!(seconds("1:00:01"), Some(3_601));
        assert_eq!(seconds("1-02:03:04"), Some(93_784));
        assert_eq!(seconds("INVALID"), Some(0));
        for text in ["", "5", "1:2:3:4", "x:y", "-1:00", "99999999999999999999-00:00:00"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_answer_or_an_error(text in "(?s).{0,200}", line in "[0-9_N/A^$A-Z:-]{0,60}") {
            drop(parse(&text));
            let name = "^nia-7-abcdefghij-s0-a1$";
            drop(parse(&recorded(&format!("{line}{name}"))));
            let _ = parse_elapsed(&line);
        }
    }
}
