//! One step's log without anything around it, and whole logs: piece by piece, as an agent reads them.
//!
//! Nothing larger than one piece is in memory. An agent that goes away in between is waited for a while; what
//! was written until then is whole up to that byte, and the exit code says that more was not had.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use niassa_api::client::Client;
use niassa_api::logs::{LogEnd, LogPart, LogQuery, LogText};
use niassa_api::runs::{Step, StepQuery};
use niassa_model::accession::Accession;
use niassa_model::limits::{LOG_RANGE_BYTES, PAGE_MOST};
use niassa_model::step::{AttemptNumber, StepIndex, StepStatus};
use serde_json::json;

use super::logs::{Args, Stream};
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Bytes of the end of a log.
const END_BYTES: u32 = 64 * 1024;
/// How often a log that grows is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long an agent that went away in the middle of a log is waited for.
const AWAY: Duration = Duration::from_secs(15);

/// Writes the log of one step, or the whole logs of all.
pub(super) async fn run(
    args: Args,
    stream: Stream,
    context: &mut Context,
) -> Result<Exit, Failure> {
    let run = args.run.accession;
    let client = context.client()?;
    let steps = match &args.step {
        Some(step) => vec![find(&client, run, step).await?],
        None => all(&client, run).await?,
    };
    let is_alone = args.step.is_some();
    let to = match args.out {
        Some(out) if out.as_os_str() == "-" => None,
        None if is_alone => None,
        None => Some(PathBuf::from(format!("{run}.{}", stream.extension()))),
        out => out,
    };
    let mut output = Output::open(to)?;
    let mut exit = Exit::Done;
    for step in &steps {
        if !is_alone {
            output.write(format!("==> {}\n", step.label).as_bytes(), context)?;
        }
        if step.attempts.is_empty() {
            if is_alone {
                let what = format!("step {} of run {run} has not begun", step.label);
                return Err(Failure::new(Exit::NotFound, what));
            }
            continue;
        }
        let query = LogQuery {
            stream: stream.on_the_wire(),
            attempt: args.attempt.map(AttemptNumber),
            offset: args.whole.then_some(0),
            length: Some(if args.whole { LOG_RANGE_BYTES } else { END_BYTES }),
        };
        let until = if args.follow { Until::Over } else { Until::Now };
        let mut reading = Reading { client: &client, run, step: step.index, query, until };
        if reading.write(&mut output, context).await? == Exit::Partly {
            exit = Exit::Partly;
        }
    }
    output.done(context)?;
    Ok(exit)
}

/// One log that is being read.
struct Reading<'client> {
    client: &'client Client,
    run: Accession,
    step: StepIndex,
    query: LogQuery,
    until: Until,
}

/// How far a log is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// As far as it is written now.
    Now,
    /// Until its step is over.
    Over,
}

impl Reading<'_> {
    /// Writes the log from where the query says.
    async fn write(&mut self, output: &mut Output, context: &mut Context) -> Result<Exit, Failure> {
        let mut away_since = None;
        let mut has_begun = false;
        loop {
            let LogPart { status, attempt, log, .. } =
                self.client.step_log(self.run, self.step, &self.query).await?;
            self.query.attempt = Some(attempt);
            let range = match log {
                LogText::Range(range) => range,
                LogText::End(end) if has_begun => {
                    let since = *away_since.get_or_insert_with(Instant::now);
                    if since.elapsed() < AWAY {
                        tokio::time::sleep(LOOK_EVERY).await;
                        continue;
                    }
                    let at = self.query.offset.unwrap_or(0);
                    context.ui.note(&format!("the log goes on behind byte {at}: {}", end.why));
                    return Ok(Exit::Partly);
                }
                LogText::End(end) => return write_end(&end, status, output, context),
            };
            (away_since, has_begun) = (None, true);
            output.write(&range.bytes, context)?;
            let next = range.offset + range.bytes.len() as u64;
            self.query.offset = Some(next);
            self.query.length = Some(LOG_RANGE_BYTES);
            if !range.bytes.is_empty() && next < range.size {
                continue;
            }
            // The status was read before the log: what is final writes nothing more.
            if self.until == Until::Now || status.is_final() {
                return Ok(Exit::Done);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Writes the end that the service has, and says what is missing.
fn write_end(
    end: &LogEnd,
    status: StepStatus,
    output: &mut Output,
    context: &mut Context,
) -> Result<Exit, Failure> {
    output.write(end.text.as_bytes(), context)?;
    if status.is_final() && end.size <= end.text.len() as u64 {
        return Ok(Exit::Done);
    }
    let path = end.path.as_ref().map(|path| format!("; the file is {path}")).unwrap_or_default();
    let what = match end.size {
        0 => "nothing is known of the log yet".to_owned(),
        size => format!("this is the end of {size} bytes"),
    };
    context.ui.note(&format!("{what}: {}{path}", end.why));
    Ok(Exit::Partly)
}

/// Where a log goes.
enum Output {
    Standard,
    File(PathBuf, File),
}

impl Output {
    fn open(path: Option<PathBuf>) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self::Standard) };
        let file = File::create(&path)
            .map_err(|error| Failure::io(format_args!("write {}", path.display()), error))?;
        Ok(Self::File(path, file))
    }

    fn write(&mut self, bytes: &[u8], context: &mut Context) -> Result<(), Failure> {
        match self {
            Self::Standard => context.ui.bytes(bytes),
            Self::File(path, file) => file
                .write_all(bytes)
                .map_err(|error| Failure::io(format_args!("write {}", path.display()), error)),
        }
    }

    fn done(self, context: &mut Context) -> Result<(), Failure> {
        match self {
            Self::Standard => Ok(()),
            Self::File(path, _) => {
                let line = format!("Created '{}'.", path.display());
                context.ui.did(&line, None, &json!({ "created": path }))
            }
        }
    }
}

/// Finds a step by its name or its index.
async fn find(client: &Client, run: Accession, wanted: &str) -> Result<Step, Failure> {
    let steps = all(client, run).await?;
    let index = wanted.parse().ok().map(StepIndex);
    let named = |step: &&Step| step.label == wanted;
    let found = steps.iter().find(named).or_else(|| steps.iter().find(|s| Some(s.index) == index));
    if let Some(found) = found {
        return Ok(found.clone());
    }
    let elements = format!("{wanted}[");
    let of_group: Vec<&str> = steps
        .iter()
        .map(|step| step.label.as_str())
        .filter(|label| label.starts_with(&elements))
        .collect();
    if let (Some(first), Some(last)) = (of_group.first(), of_group.last()) {
        let what = format!("{wanted} has {} elements, {first} to {last}", of_group.len());
        return Err(Failure::usage(what).with_hint(format!("--step '{first}'")));
    }
    let what = format!("run {run} has no step `{wanted}`");
    let hint = format!("seqware workflow-run report --accession {run}");
    Err(Failure::new(Exit::NotFound, what).with_hint(hint))
}

/// Returns all steps of a run.
async fn all(client: &Client, run: Accession) -> Result<Vec<Step>, Failure> {
    let mut query = StepQuery { limit: Some(PAGE_MOST), ..StepQuery::default() };
    let mut steps = Vec::new();
    loop {
        let page = client.steps(run, &query).await?;
        steps.extend(page.items);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(steps),
        }
    }
}
