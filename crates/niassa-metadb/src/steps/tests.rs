//! Steps, attempts and streams on both databases.

use niassa_model::step::Outcome;

use super::*;
use crate::facts::{Fact, Stream, StreamEnd};
use crate::testing::launches::{FAILED, Launches, RUNNING, fact};
use crate::testing::on_both;

fn ends(text: &str) -> Vec<StreamEnd> {
    let end = |stream: Stream| StreamEnd {
        stream,
        path: format!("/runs/1/{}", stream.as_str()),
        size: 100_000,
        tail: format!("{text} {}", stream.as_str()),
    };
    vec![end(Stream::Stdout), end(Stream::Stderr)]
}

on_both! {
    /// Each step shows what it asked for and every attempt; filters and pages go by index.
    fn steps_show_their_attempts(metadb: MetaDb) {
        let site = Launches::new(metadb.clone()).await;
        site.schedule("here").await;
        let run = site.claim_one("me", "here").await;
        site.launch("me", &run).await;
        let failed = Fact {
            cpu_micros: Some(5),
            peak_memory_bytes: Some(6),
            ..fact(&run, 0, 1, FAILED)
        };
        site.facts(&[failed, fact(&run, 0, 2, Outcome::SUCCESS), fact(&run, 1, 1, RUNNING)]).await;

        let steps = |filter, limit| {
            let (metadb, bob, swid) = (&metadb, &site.bob, run.swid);
            async move { metadb.steps_of_run(bob, swid, filter, limit).await.unwrap().unwrap() }
        };
        let all = steps(StepFilter::default(), 500).await;
        let [first, second] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!((first.index, first.status), (StepIndex(0), StepStatus::Success));
        assert_eq!((first.label.as_str(), second.after.as_slice()), ("step0", &[StepIndex(0)][..]));
        let [failed, success] = first.attempts.as_slice() else { panic!("{first:?}") };
        assert_eq!((failed.number, failed.exit_code), (AttemptNumber(1), Some(7)));
        assert_eq!((failed.cpu_micros, failed.peak_memory_bytes), (Some(5), Some(6)));
        assert_eq!(success.machine.as_deref(), Some("server2"));
        assert_eq!(success.ended_at, Some(Timestamp::from_micros(2_000_000)));
        assert_eq!(second.attempts.len(), 1);

        assert_eq!(steps(StepFilter::default(), 1).await, std::slice::from_ref(first));
        let behind = StepFilter { after: Some(0), ..StepFilter::default() };
        assert_eq!(steps(behind, 500).await, std::slice::from_ref(second));
        let running = StepFilter { status: Some(StepStatus::Running), ..StepFilter::default() };
        assert_eq!(steps(running, 500).await, std::slice::from_ref(second));
    }

    /// Streams are those of the last attempt; a step that nothing is known of has none.
    fn streams_are_those_of_the_last_attempt(metadb: MetaDb) {
        let site = Launches::new(metadb.clone()).await;
        site.schedule("here").await;
        let run = site.claim_one("me", "here").await;
        site.launch("me", &run).await;
        let logged = |attempt: u32, outcome, text: &str| Fact {
            logs: ends(text),
            ..fact(&run, 0, attempt, outcome)
        };
        site.facts(&[logged(1, FAILED, "one"), logged(2, Outcome::SUCCESS, "two\0")]).await;

        let streams = metadb.streams_of_run(&site.bob, run.swid, StepFilter::default(), 50).await;
        let streams = streams.unwrap().unwrap();
        let [only] = streams.as_slice() else { panic!("{streams:?}") };
        assert_eq!((only.attempt, only.status), (AttemptNumber(2), StepStatus::Success));
        let stdout = only.stdout.as_ref().unwrap();
        assert_eq!((stdout.path.as_str(), stdout.size), ("/runs/1/stdout", 100_000));
        assert_eq!(only.stderr.as_ref().unwrap().tail, "two\u{fffd} stderr");
        let behind = StepFilter { after: Some(0), ..StepFilter::default() };
        let none = metadb.streams_of_run(&site.bob, run.swid, behind, 50).await.unwrap().unwrap();
        assert_eq!(none, []);
    }
}
