//! Accepts a run: resolves its values with the workflow's manifest, all errors at once, and has it
//! written with the other requests of the moment.

use niassa_api::claims::SchedulerOptions;
use niassa_api::error::ProblemCode;
use niassa_api::runs::{ScheduleRun, ScheduledRun, SourceFormat, ValueSource};
use niassa_bundle::values::{self, Generated, Resolved, Source};
use niassa_metadb::Access;
use niassa_metadb::idempotency::{Once, OnceKey};
use niassa_metadb::schedule::{FirstClaim, Misfit, NewRun, Refusal, Scheduling};
use niassa_model::accession::Accession;
use niassa_model::limits::INI_BYTES;
use niassa_model::run::RunTag;
use serde::{Deserialize, Serialize};

use super::claim::{check_holder, check_number};
use super::launch_at_once::{check_not_held, no_room};
use super::prioritize::check_priority;
use crate::app::App;
use crate::error::Failed;
use crate::http::problem;

/// Values larger than this are resolved on a thread of their own, so that others need not wait.
const INLINE_BYTES: usize = 64 * 1024;
/// Most characters of an option for the scheduler.
const OPTION_LENGTH: usize = 64;

/// Most bytes of a source's name, which is for messages alone.
const SOURCE_NAME_BYTES: usize = 255;

/// What was asked for the values of a run, as it is kept for rescheduling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AskedValues {
    pub(super) sources: Vec<ValueSource>,
    pub(super) overrides: Vec<String>,
}

/// Accepts a run.
pub(crate) async fn schedule(
    app: &App,
    access: &Access,
    request: ScheduleRun,
    once: Option<OnceKey>,
) -> Result<ScheduledRun, Failed> {
    schedule_from(app, access, request, None, once).await
}

/// Accepts a run, perhaps in place of another one.
pub(super) async fn schedule_from(
    app: &App,
    access: &Access,
    request: ScheduleRun,
    rescheduled_from: Option<Accession>,
    once: Option<OnceKey>,
) -> Result<ScheduledRun, Failed> {
    check(&request)?;
    check_not_held(app, access, &request, once.as_ref()).await?;
    let (workflow, host) = (request.workflow, request.host.clone());
    let sources = request.sources.into_iter().map(with_short_name).collect();
    let asked = AskedValues { sources, overrides: request.overrides };
    let sources = json(&asked)?;
    let resolved = resolve(app, workflow, asked).await?;
    let run = NewRun {
        tag: RunTag::from_random(rand::random()),
        workflow,
        host: request.host,
        engine: request.engine,
        options: json(&request.options)?,
        priority: request.priority,
        values: json(&resolved.values)?,
        sources,
        parents: request.parents,
        input_files: request.input_files,
        links: request.link_to,
        claim: request.claim_for.map(|holder| FirstClaim { holder, lease: app.lease }),
        rescheduled_from,
        trace: problem::request_id().map(|id| id.to_string()),
        warnings: resolved.warnings,
    };
    let trace = run.trace.clone();
    match app.scheduler.schedule(access, run, once).await? {
        Scheduling::Accepted(Once::Done(run)) => {
            let (account, trace) = (access.email.as_str(), trace.as_deref());
            tracing::info!(run = run.swid.get(), account, trace, "a run was scheduled");
            Ok(ScheduledRun { swid: run.swid, tag: run.tag, warnings: run.warnings })
        }
        Scheduling::Accepted(Once::Mismatch) => Err(Failed::new(
            ProblemCode::IdempotencyMismatch,
            "this Idempotency-Key was used before with another request",
        )),
        Scheduling::Refused(why) => Err(refused(workflow, why)),
        Scheduling::NoRoom(limit) => Err(no_room(app, access, workflow, &host, limit).await?),
    }
}

/// Tells all that is wrong with the values for a run of a workflow; nothing is scheduled.
pub(crate) async fn check_values(
    app: &App,
    workflow: Accession,
    sources: Vec<ValueSource>,
) -> Result<(), Failed> {
    resolve(app, workflow, AskedValues { sources, overrides: Vec::new() }).await.map(drop)
}

/// Refuses what no run could be made of, before anything is looked up.
fn check(request: &ScheduleRun) -> Result<(), Failed> {
    check_number(request.parents.len() + request.input_files.len() + request.link_to.len())?;
    if let Some(holder) = &request.claim_for {
        check_holder(holder)?;
    }
    check_priority(request.priority)?;
    check_options(&request.options)?;
    match request.sources.iter().find(|source| source.text.len() > INI_BYTES) {
        Some(source) => {
            let limit = INI_BYTES / (1024 * 1024);
            let detail = format!("{} has more than {limit} MiB", source.name);
            Err(Failed::new(ProblemCode::TooLarge, detail))
        }
        None => Ok(()),
    }
}

/// Options go onto command lines of schedulers: only what is plain there is taken.
fn check_options(options: &SchedulerOptions) -> Result<(), Failed> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.,+-".contains(&byte);
    let fits =
        |value: &str| (1..=OPTION_LENGTH).contains(&value.len()) && value.bytes().all(is_plain);
    let named = [("queue", &options.queue), ("project", &options.project), ("qos", &options.qos)];
    let errors: Vec<String> = named
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
        .filter(|(_, value)| !fits(value))
        .map(|(name, value)| format!("{name} `{value}` must be 1 to 64 of A-Z a-z 0-9 _ . , + -"))
        .collect();
    if errors.is_empty() {
        return Ok(());
    }
    let detail = "an option for the scheduler cannot be passed on";
    Err(Failed::new(ProblemCode::Invalid, detail).errors(errors))
}

async fn resolve(app: &App, swid: Accession, asked: AskedValues) -> Result<Resolved, Failed> {
    let workflow = app.workflows.find(&app.metadb, swid).await?;
    let generated = Generated { now: app.clock.now(), seed: rand::random() };
    let config_bytes: usize = workflow.config.iter().map(|(_, text)| text.len()).sum();
    let bytes = config_bytes
        + asked.sources.iter().map(|source| source.text.len()).sum::<usize>()
        + asked.overrides.iter().map(String::len).sum::<usize>();
    let resolve = move || {
        let sources: Vec<Source> = asked.sources.into_iter().map(source).collect();
        let (manifest, config) = (&workflow.manifest, &workflow.config);
        values::resolve(manifest, config, &sources, &asked.overrides, &generated).map_err(|error| {
            let detail = format!(
                "the values do not fit workflow {} {}",
                workflow.manifest.name, workflow.manifest.version
            );
            Failed::new(ProblemCode::Invalid, detail)
                .errors(error.errors().to_vec())
                .hint(format!("seqware workflow ini --accession {swid}"))
        })
    };
    if bytes <= INLINE_BYTES {
        return resolve();
    }
    tokio::task::spawn_blocking(resolve).await.map_err(|error| Failed::internal(&error))?
}

/// Of a long path the end says more, and nobody's run is refused because of it.
fn with_short_name(mut source: ValueSource) -> ValueSource {
    const ELLIPSIS: &str = "…";
    if let Some(longer) = source.name.len().checked_sub(SOURCE_NAME_BYTES).filter(|more| *more > 0)
    {
        let from = source.name.ceil_char_boundary(longer + ELLIPSIS.len());
        source.name.replace_range(..from, ELLIPSIS);
    }
    source
}

fn source(source: ValueSource) -> Source {
    let format = match source.format {
        SourceFormat::Ini => values::SourceFormat::Ini,
        SourceFormat::Yaml => values::SourceFormat::Yaml,
        SourceFormat::Json => values::SourceFormat::Json,
    };
    Source { name: source.name, format, text: source.text }
}

fn json<T: Serialize>(document: &T) -> Result<String, Failed> {
    serde_json::to_string(document).map_err(|error| Failed::internal(&error))
}

fn refused(workflow: Accession, why: Refusal) -> Failed {
    let invalid = |detail: &str, misfits: &[Misfit], role: &str| {
        let error = |misfit: &Misfit| format!("{role} {} is a {}", misfit.object, misfit.kind);
        Failed::new(ProblemCode::Invalid, detail).errors(misfits.iter().map(error).collect())
    };
    match why {
        Refusal::Unknown(objects) => {
            let objects: Vec<String> = objects.iter().map(Accession::to_string).collect();
            Failed::not_found(format_args!("object with accession {}", objects.join(", ")))
        }
        Refusal::NotAWorkflow(kind) => {
            let detail = format!("accession {workflow} is a {kind}, not a workflow");
            Failed::new(ProblemCode::Invalid, detail)
        }
        Refusal::NotSchedulable(state) => {
            let detail = format!("workflow {workflow} is {state}; no run of it can be scheduled");
            Failed::new(ProblemCode::Conflict, detail).hint("seqware workflow list")
        }
        Refusal::NotParents(misfits) => {
            invalid("a run cannot descend from a workflow", &misfits, "parent")
        }
        Refusal::NotFiles(misfits) => {
            invalid("an input file of a run must be a file", &misfits, "input file")
        }
        Refusal::NotLinkable(misfits) => {
            invalid("a run can be linked to IUS and lanes only", &misfits, "object")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_name_the_end_is_kept() {
        let named = |name: String| {
            let text = String::new();
            with_short_name(ValueSource { name, format: SourceFormat::Ini, text }).name
        };
        assert_eq!(named("ä".repeat(127)), "ä".repeat(127));
        let short = named(format!("/{}/my.ini", "ä".repeat(200)));
        assert!(short.len() <= SOURCE_NAME_BYTES && short.len() > SOURCE_NAME_BYTES - 2);
        assert!(short.starts_with("…ä") && short.ends_with("/my.ini"));
    }
}
