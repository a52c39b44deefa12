//! Records facts: what files and engines positively say of attempts.

use niassa_api::error::ProblemCode;
use niassa_api::facts::{
    AttemptFact, FactsRecorded, LogTail, Need, RecordFacts, RefusedFact, RunAfterFacts,
};
use niassa_metadb::Access;
use niassa_metadb::facts::{Fact, RunNow, Stream, StreamEnd};
use niassa_model::account::LaunchHosts;
use niassa_model::limits::{FACTS_PER_CALL, LOG_TAIL_BYTES};
use niassa_model::step::Outcome;

use crate::app::App;
use crate::error::Failed;

/// Records the facts of one call.
pub(crate) async fn facts(
    app: &App,
    access: &Access,
    hosts: &LaunchHosts,
    request: RecordFacts,
) -> Result<FactsRecorded, Failed> {
    if request.facts.len() > FACTS_PER_CALL {
        let detail = format!("{} facts; one call takes {FACTS_PER_CALL}", request.facts.len());
        return Err(Failed::new(ProblemCode::TooLarge, detail));
    }
    let facts: Vec<Fact> = request.facts.into_iter().map(fact).collect();
    let taken = app.metadb.record_facts(access, hosts, &facts).await?;
    let refused = taken.refused.into_iter().map(|(position, why)| RefusedFact {
        position: u32::try_from(position).unwrap_or(u32::MAX),
        why: why.to_string(),
    });
    Ok(FactsRecorded {
        runs: taken.runs.into_iter().map(after).collect(),
        refused: refused.collect(),
    })
}

fn after(run: RunNow) -> RunAfterFacts {
    let need = if run.needs_action { Need::Action } else { Need::Nothing };
    RunAfterFacts { swid: run.swid, status: run.status, need }
}

fn fact(fact: AttemptFact) -> Fact {
    let stdout = fact.stdout.map(|log| stream_end(Stream::Stdout, log));
    let stderr = fact.stderr.map(|log| stream_end(Stream::Stderr, log));
    Fact {
        run: fact.run,
        tag: fact.tag,
        step: fact.step,
        attempt: fact.attempt,
        outcome: Outcome {
            status: fact.status,
            reason: fact.reason,
            exit_code: fact.exit_code,
            signal: fact.signal,
        },
        started_at: fact.started_at,
        ended_at: fact.ended_at,
        machine: fact.machine,
        cpu_micros: fact.cpu_micros,
        peak_memory_bytes: fact.peak_memory_bytes,
        logs: stdout.into_iter().chain(stderr).collect(),
        outputs: fact.outputs,
    }
}

/// Keeps no more of a stream than is promised, whatever was sent.
fn stream_end(stream: Stream, log: LogTail) -> StreamEnd {
    let mut from = log.tail.len().saturating_sub(LOG_TAIL_BYTES);
    while !log.tail.is_char_boundary(from) {
        from += 1;
    }
    StreamEnd {
        stream,
        path: log.path,
        size: i64::try_from(log.size).unwrap_or(i64::MAX),
        tail: log.tail[from..].to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_of_a_stream_is_kept_than_is_promised() {
        let tail = format!("x{}", "ü".repeat(LOG_TAIL_BYTES / 2));
        let log = LogTail { path: "/a".to_owned(), size: 7, tail };
        let kept = stream_end(Stream::Stdout, log);
        assert_eq!(kept.tail.len(), LOG_TAIL_BYTES);
        assert!(kept.tail.chars().all(|c| c == 'ü'));
    }
}
