//! Arguments word by word, and answers as a real `qsub` gave them.

use std::path::PathBuf;

use niassa_model::resources::Resources;
use proptest::prelude::*;

use super::*;
use crate::engine::cluster::JobOptions;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_123_456);

fn request() -> JobRequest {
    JobRequest {
        name: "nia-7-abcdefghij-s0-a1".parse().unwrap(),
        script: PathBuf::from("/runs/7/job.sh"),
        arguments: vec!["--attempt".into(), "nia-7-abcdefghij-s0-a1".into()],
        elements: None,
        directory: PathBuf::from("/runs/7/work"),
        output: PathBuf::from("/runs/7/job.out"),
        resources: Resources::default(),
        after: Vec::new(),
        hold: Hold::Free,
        delay_seconds: 0,
        options: JobOptions::default(),
    }
}

fn said(job: &JobRequest, settings: &ClusterSettings) -> String {
    let words = arguments(job, settings, &["PATH".to_owned(), "A".to_owned()], NOW).unwrap();
    let words: Vec<_> = words.iter().map(|word| word.to_str().unwrap()).collect();
    words.join(" ")
}

#[test]
fn a_plain_job_asks_for_nothing_but_its_place() {
    assert_eq!(
        said(&request(), &ClusterSettings::default()),
        "-terse -sync n -now n -b n -r n -j y -S /bin/bash -C #niassa-gives-no-options-here \
         -N nia-7-abcdefghij-s0-a1 -wd /runs/7/work -o :/runs/7/job.out -v PATH,A \
         /runs/7/job.sh --attempt nia-7-abcdefghij-s0-a1"
    );
}

#[test]
fn everything_that_can_be_asked_for() {
    let job = JobRequest {
        elements: Some(20),
        after: vec![JobId("17".into()), JobId("18.4".into())],
        hold: Hold::Held,
        delay_seconds: 90,
        resources: Resources { threads: 4, memory_bytes: Some(1 << 31), seconds: Some(3_600) },
        options: JobOptions { queue: Some("long.q".into()), ..JobOptions::default() },
        ..request()
    };
    let settings = ClusterSettings {
        sge: JobOptions {
            queue: Some("all.q".into()),
            project: Some("lab".into()),
            ..JobOptions::default()
        },
        sge_extra: vec!["-l".into(), "ssd=1".into()],
        sge_threads: Some("-pe serial ${threads}".into()),
        sge_memory: Some("-l h_vmem=${maxMemory}M".into()),
        ..ClusterSettings::default()
    };
    let said = said(&job, &settings);
    let expected = "-t 1-20 -hold_jid 17,18 -a 202701150801.31 -q long.q -P lab -h \
         -pe serial 4 -l h_vmem=2048M -l h_rt=3660 -l ssd=1 /runs/7/job.sh";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn what_the_site_has_no_format_for_is_not_asked() {
    let resources = Resources { threads: 4, memory_bytes: Some(1), seconds: None };
    let job = JobRequest { resources, ..request() };
    let plain = said(&request(), &ClusterSettings::default());
    assert_eq!(said(&job, &ClusterSettings::default()), plain);
    let settings = ClusterSettings {
        sge_threads: Some("-pe smp ${threads}".into()),
        sge_memory: Some("-l mem=${maxMemory}".into()),
        ..ClusterSettings::default()
    };
    assert!(said(&job, &settings).contains("-pe smp 4 -l mem=1 /runs"));
    assert_eq!(said(&request(), &settings), plain, "one thread needs no environment");
}

#[test]
fn what_grid_engine_would_misread_is_refused() {
    let refused = |job: JobRequest| {
        let outcome = arguments(&job, &ClusterSettings::default(), &[], NOW);
        assert!(matches!(outcome, Err(SubmitError::Refused(_))), "{outcome:?}");
    };
    refused(JobRequest { directory: "/runs/$HOME".into(), ..request() });
    refused(JobRequest { output: "/runs/a,b".into(), ..request() });
    refused(JobRequest { arguments: vec!["two\nlines".into()], ..request() });
    refused(JobRequest { after: vec![JobId("*".into())], ..request() });
    refused(JobRequest { delay_seconds: u64::MAX, ..request() });
    refused(JobRequest {
        options: JobOptions { queue: Some("-verify".into()), ..JobOptions::default() },
        ..request()
    });
}

fn answered(code: i32, stdout: &str, stderr: &str) -> Result<JobId, SubmitError> {
    outcome(Ok(Answer { code: Some(code), stdout: stdout.into(), stderr: stderr.into() }))
}

#[test]
fn numbers_of_jobs_and_arrays() {
    assert_eq!(answered(0, "17\n", "").unwrap().0, "17");
    assert_eq!(answered(0, "30.1-20:1\n", "").unwrap().0, "30");
    let warned = "Unable to run job: warning: root's job is not allowed to run in any queue\n\
        Your job 1 (\"nia-7-abcdefghij-s0-a1\") has been submitted\nExiting.\n";
    assert_eq!(answered(1, "", warned).unwrap().0, "1");
    let array = warned.replace("job 1 (", "job-array 4.1-20:1 (");
    assert_eq!(answered(1, "", &array).unwrap().0, "4");
}

#[test]
fn refusals_as_qsub_words_them() {
    for said in [
        "Unable to run job: Job was rejected because job requests unknown queue \"nothere.q\"",
        "Unable to run job: job rejected: the requested project \"nothere\" does not exist",
        "Unable to run job: unknown resource \"nothere\"",
        "Unable to run job: job rejected: the requested parallel environment \"x\" does not exist",
        "Unable to run job: error: no suitable queues",
        "Unable to run job: attribute \"h_rt\" is not a time value",
        "qsub: invalid option argument \"-zz\"",
        "Unable to read script file because of error: error opening /no/script: No such file",
        "Unable to run job: job rejected: you tried to submit a job with more than 75000 tasks",
        "Unable to run job: job rejected: bob@vm is not allowed to submit jobs",
        "qsub: argument to -N option must not contain /",
    ] {
        let outcome = answered(1, "", &format!("{said}\nExiting.\n"));
        assert!(matches!(outcome, Err(SubmitError::Refused(_))), "{said}: {outcome:?}");
    }
}

#[test]
fn a_full_queue_is_no_refusal() {
    for said in [
        "job rejected: only 1 jobs are allowed per user (current job count: 1)",
        "job rejected: only 1 jobs are allowed per cluster",
    ] {
        let outcome = answered(25, "", &format!("Unable to run job: {said}\nExiting.\n"));
        assert!(matches!(outcome, Err(SubmitError::Full(_))), "{said}: {outcome:?}");
    }
}

#[test]
fn whatever_else_is_doubt() {
    let doubt = |outcome: Result<JobId, SubmitError>| {
        assert!(matches!(outcome, Err(SubmitError::InDoubt(_))), "{outcome:?}");
    };
    doubt(answered(
        1,
        "",
        "error: commlib error: got select error (Connection refused)\nUnable to run job: unable to \
         send message to qmaster using port 1 on host \"vm\": got send error\nExiting.\n",
    ));
    doubt(answered(1, "", "Unable to run job: Error reading answer list from qmaster\n"));
    doubt(answered(1, "", "error: commlib error\njob rejected\n"));
    doubt(answered(0, "", ""));
    doubt(answered(0, "job rejected", ""));
    doubt(answered(77, "", "something new"));
    doubt(outcome(Err(SchedulerError::Silent("qsub"))));
    doubt(outcome(Ok(Answer { code: None, stdout: "17".into(), stderr: "denied:".into() })));
}

proptest! {
    #[test]
    fn any_answer_is_an_outcome(code in proptest::option::of(0..3), out: String, err: String) {
        if let Ok(id) = outcome(Ok(Answer { code, stdout: out, stderr: err })) {
            prop_assert!(id.0.bytes().all(|byte| byte.is_ascii_digit()));
        }
    }
}
