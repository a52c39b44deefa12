//! Reads a part of a step's log: an agent that serves the place of the run reads the file.
//!
//! Only agents that may launch the run are asked, and only their answers count; that is asked of the MetaDB
//! each time, so that a grant that was withdrawn is worth nothing at once. Where nobody can answer, the
//! reader gets the end that the MetaDB has, and why there is no more.

use niassa_api::error::ProblemCode;
use niassa_api::logs::{LogAnswer, LogEnd, LogPart, LogQuery, LogStream, LogText, ReadLog};
use niassa_api::runs::Run;
use niassa_metadb::Access;
use niassa_metadb::facts::Stream;
use niassa_metadb::steps::AttemptStream;
use niassa_model::accession::Accession;
use niassa_model::limits::{LOG_RANGE_BYTES, LOG_WAIT};
use niassa_model::place::Place;
use niassa_model::step::StepIndex;
use niassa_model::time::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

use super::look;
use crate::app::App;
use crate::error::Failed;
use crate::log_exchange::{Credentials, NotAsked};

/// Returns a part of the log of a step.
pub(crate) async fn read(
    app: &App,
    access: &Access,
    run: Accession,
    step: StepIndex,
    query: &LogQuery,
) -> Result<LogPart, Failed> {
    let found = look::run(app, access, run).await?;
    let stream = match query.stream {
        LogStream::Stdout => Stream::Stdout,
        LogStream::Stderr => Stream::Stderr,
    };
    let attempt = (run, step, query.attempt);
    let known = app.metadb.stream_of_attempt(access, attempt, stream).await?;
    let known = known.ok_or_else(|| missing(run, step, query))?;
    let (attempt, status, machine) = (known.attempt, known.status, known.machine.clone());
    let log = match asked(app, &found, step, &known, query).await? {
        Ok(range) => LogText::Range(range),
        Err(why) => LogText::End(end(known, why)),
    };
    Ok(LogPart { attempt, status, machine, log })
}

/// Takes an agent's answer, if it may give one and somebody still waits for it.
pub(crate) async fn answer(
    app: &App,
    who: &Credentials,
    id: Uuid,
    answer: LogAnswer,
) -> Result<(), Failed> {
    let nobody_waits = || {
        let detail = "nobody waits for this answer: another agent was faster, or the reader left";
        Failed::new(ProblemCode::NotFound, detail)
    };
    let run = app.logs.run_of(id).ok_or_else(nobody_waits)?;
    if !app.metadb.may_launch(&who.access, &who.hosts, run).await? {
        return Err(nobody_waits());
    }
    if let LogAnswer::Read(range) = &answer
        && (range.bytes.len() > LOG_RANGE_BYTES as usize || range.offset > range.size)
    {
        return Err(Failed::new(ProblemCode::Invalid, "the range is longer than any that is read"));
    }
    if app.logs.answer(id, answer) { Ok(()) } else { Err(nobody_waits()) }
}

/// Asks the agents of a run's place; says why there is no range where there is none.
async fn asked(
    app: &App,
    run: &Run,
    step: StepIndex,
    known: &AttemptStream,
    query: &LogQuery,
) -> Result<Result<niassa_api::logs::LogRange, String>, Failed> {
    let Some(place) = &run.place else {
        return Ok(Err("the run has no place yet: no launcher has it".to_owned()));
    };
    let until = Instant::now() + LOG_WAIT;
    let mut agents = allowed(app, run, place).await?;
    if agents.is_empty() && app.logs.is_back(&place.key()).await {
        agents = allowed(app, run, place).await?;
    }
    if agents.is_empty() {
        return Ok(Err(nobody(app, run, place, "no agent serves").await?));
    }
    let question = ReadLog {
        id: Uuid::new_v4(),
        run: run.swid,
        tag: run.tag.clone(),
        place: place.key(),
        step,
        attempt: known.attempt,
        stream: query.stream,
        offset: query.offset,
        length: query.length.unwrap_or(LOG_RANGE_BYTES).clamp(1, LOG_RANGE_BYTES),
    };
    let mut asked = match app.logs.ask(question, &agents, until).await {
        Ok(asked) => asked,
        Err(NotAsked::TooMany) => {
            let failed = Failed::new(ProblemCode::Unavailable, "many read whole logs just now");
            return Err(failed.hint("try again in a moment"));
        }
        Err(NotAsked::NobodyListens) => {
            return Ok(Err(nobody(app, run, place, "no agent takes questions at").await?));
        }
    };
    Ok(match asked.answer(until).await {
        Some(LogAnswer::Read(range)) => Ok(range),
        Some(LogAnswer::Refused(why)) => Err(format!("the agent could not read the file: {why}")),
        None => Err(nobody(app, run, place, "no agent answers at").await?),
    })
}

/// Returns the agents that serve a place and may launch the run.
async fn allowed(app: &App, run: &Run, place: &Place) -> Result<Vec<u64>, Failed> {
    let mut allowed = Vec::new();
    let mut known: Vec<(Credentials, bool)> = Vec::new();
    for (agent, who) in app.logs.agents_of(&place.key()) {
        let before = known.iter().find(|(other, _)| *other == who).map(|(_, may)| *may);
        let may = match before {
            Some(may) => may,
            None => app.metadb.may_launch(&who.access, &who.hosts, run.swid).await?,
        };
        if before.is_none() {
            known.push((who, may));
        }
        if may {
            allowed.push(agent);
        }
    }
    Ok(allowed)
}

/// Says that no agent answers, and who was there last.
async fn nobody(app: &App, run: &Run, place: &Place, what: &str) -> Result<String, Failed> {
    let seen = match app.metadb.launcher_of_run_seen(run.swid).await? {
        Some(at) => format!("a launcher of it was last seen {}", to_the_second(at)),
        None => "no launcher of it was ever seen".to_owned(),
    };
    let (host, user, engine) = (&run.host, &place.os_user, place.engine);
    let why = format!(
        "{what} {host} for OS user {user} and engine {engine}; {seen}. \
         `seqware agent`, run there, serves whole logs"
    );
    Ok(why)
}

/// Times are told to the second.
fn to_the_second(at: Timestamp) -> Timestamp {
    Timestamp::from_micros(at.as_micros() / 1_000_000 * 1_000_000)
}

fn end(known: AttemptStream, why: String) -> LogEnd {
    let (path, size, text) = match known.tail {
        Some(tail) => (Some(tail.path), tail.size, tail.tail),
        None => (None, 0, String::new()),
    };
    LogEnd { why, path, size, text }
}

fn missing(run: Accession, step: StepIndex, query: &LogQuery) -> Failed {
    match query.attempt {
        Some(attempt) => {
            Failed::not_found(format_args!("attempt {attempt} of step {step} of run {run}"))
        }
        None => Failed::new(
            ProblemCode::NotFound,
            format!("step {step} of run {run} has not begun, or there is no such step"),
        ),
    }
}
