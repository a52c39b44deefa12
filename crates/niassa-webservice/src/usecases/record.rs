//! Records facts: what files and engines positively say of attempts.

use niassa_api::error::ProblemCode;
use niassa_api::facts::{
    self, AttemptFact, FactsRecorded, LogTail, Need, RecordFacts, RefusedFact, RunAfterFacts,
};
use niassa_metadb::Access;
use niassa_metadb::facts::{Fact, RunNote, RunNow, Stream, StreamEnd};
use niassa_model::account::LaunchHosts;
use niassa_model::limits::{FACTS_PER_CALL, LOG_TAIL_BYTES};
use niassa_model::step::Outcome;

use super::findings::path_misfit;
use super::shortened::{MESSAGE_BYTES, NOTE_BYTES, shortened};
use crate::app::App;
use crate::error::Failed;

/// Most outputs of one attempt.
const OUTPUTS: usize = 50_000;

/// Records the facts of one call.
pub(crate) async fn facts(
    app: &App,
    access: &Access,
    hosts: &LaunchHosts,
    request: RecordFacts,
) -> Result<FactsRecorded, Failed> {
    check_number(request.facts.len(), "facts")?;
    check_number(request.notes.len(), "notes")?;
    // A fact that cannot be stored does not keep the others of its launcher from being known.
    let (mut positions, mut facts, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for (position, reported) in request.facts.into_iter().enumerate() {
        if let Some(why) = misfit(&reported) {
            refused.push(refusal(position, why));
        } else {
            positions.push(position);
            facts.push(fact(reported));
        }
    }
    let notes: Vec<RunNote> = request.notes.into_iter().map(note).collect();
    let taken = app.metadb.record_facts(access, hosts, &facts, &notes).await?;
    for micros in &taken.ended_before_micros {
        app.metrics.propagation_lag.observe(*micros);
    }
    app.metrics.scheduler_used(&request.scheduler);
    let sent = |position: usize| positions.get(position).copied().unwrap_or(position);
    refused.extend(
        taken.refused.into_iter().map(|(position, why)| refusal(sent(position), why.to_string())),
    );
    refused.sort_by_key(|refused| refused.position);
    let refused_notes =
        taken.refused_notes.into_iter().map(|(at, why)| refusal(at, why.to_string())).collect();
    Ok(FactsRecorded { runs: taken.runs.into_iter().map(after).collect(), refused, refused_notes })
}

fn check_number(sent: usize, what: &str) -> Result<(), Failed> {
    if sent > FACTS_PER_CALL {
        let detail = format!("{sent} {what}; one call takes {FACTS_PER_CALL}");
        return Err(Failed::new(ProblemCode::TooLarge, detail));
    }
    Ok(())
}

fn note(note: facts::RunNote) -> RunNote {
    RunNote { run: note.run, tag: note.tag, note: shortened(note.note, NOTE_BYTES) }
}

fn refusal(position: usize, why: String) -> RefusedFact {
    RefusedFact { position: u32::try_from(position).unwrap_or(u32::MAX), why }
}

/// Says why a fact cannot be stored, if it cannot.
fn misfit(fact: &AttemptFact) -> Option<String> {
    if fact.outputs.len() > OUTPUTS {
        return Some(format!("{} outputs; an attempt has at most {OUTPUTS}", fact.outputs.len()));
    }
    let machine = fact.machine.iter().map(|machine| ("the machine", machine));
    let logs = fact.stdout.iter().chain(&fact.stderr).map(|log| ("the path of a log", &log.path));
    let outputs = fact.outputs.iter().flat_map(|output| {
        [
            ("the path of an output", &output.path),
            ("the meta-type of an output", &output.meta_type),
            ("the SHA-256 of an output", &output.sha256),
            ("the MD5 of an output", &output.md5),
        ]
    });
    machine.chain(logs).chain(outputs).find_map(|(name, text)| path_misfit(name, text))
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
        message: fact.message.map(|message| shortened(message, MESSAGE_BYTES)),
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
