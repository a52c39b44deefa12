//! `seqware workflow-run explain`.

use niassa_api::client::Client;
use niassa_api::facts::Need;
use niassa_api::runs::{Run, RunLogEntry, Step, StepLog, StepQuery};
use niassa_model::limits::PAGE_MOST;
use niassa_model::run::RunStatus;
use niassa_model::step::StepStatus;
use niassa_model::time::Timestamp;
use serde_json::json;

use crate::commands::OneAccession;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::ui::run_view::Brush;
use crate::ui::words::{self, Tone};
use crate::ui::{Format, Look};

/// Says why a run stands where it stands, and what to do.
///
/// What was asked, what is known and since when, what its failed steps said last, and the next
/// command.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware workflow-run explain --accession 7
  $ seqware workflow-run explain --accession 7 --json")]
pub struct Args {
    #[command(flatten)]
    run: OneAccession,
}

/// How many steps without success are looked at.
const STEPS: usize = 3;

/// How many last lines of a step's standard error are shown.
const LINES: usize = 8;

/// How many characters of such a line are shown.
const LONGEST: usize = 400;

/// Where what a step said begins in a line.
const EDGE: usize = 4;

/// How many last entries of the log are shown.
const ENTRIES: usize = 12;

/// All that an explanation is made of.
struct Evidence {
    run: Run,
    troubled: Vec<Step>,
    logs: Vec<StepLog>,
    entries: Vec<RunLogEntry>,
}

/// Explains a run.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let evidence = gather(&context.client()?, &args).await?;
    match context.ui.format() {
        Format::Json => context.ui.json(&json!({
            "run": evidence.run,
            "steps": evidence.troubled,
            "logs": evidence.logs,
            "events": evidence.entries,
            "next": next_commands(&evidence.run),
        }))?,
        Format::Table | Format::Tsv | Format::Quiet => {
            let text = explanation(&evidence, context.now(), context.ui.look());
            context.ui.text(&text)?;
        }
    }
    Ok(Exit::Done)
}

async fn gather(client: &Client, args: &Args) -> Result<Evidence, Failure> {
    let swid = args.run.accession;
    let run = client.run(swid).await?;
    let (mut troubled, mut logs) = (Vec::new(), Vec::new());
    for status in [StepStatus::Failed, StepStatus::Lost] {
        let limit = Some(u32::try_from(STEPS).unwrap_or(u32::MAX));
        let query = StepQuery { status: Some(status), limit, after: None };
        troubled.extend(client.steps(swid, &query).await?.items);
        logs.extend(client.run_logs(swid, &query).await?.items);
    }
    troubled.truncate(STEPS);
    let mut query = StepQuery { limit: Some(PAGE_MOST), ..StepQuery::default() };
    let mut entries = Vec::new();
    loop {
        let page = client.log_entries(swid, &query).await?;
        entries.extend(page.items);
        match page.next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    entries.sort_by_key(|entry| entry.sequence);
    Ok(Evidence { run, troubled, logs, entries })
}

fn explanation(evidence: &Evidence, now: Timestamp, look: Look) -> String {
    let brush = Brush { look };
    let run = &evidence.run;
    let (status, tone) = words::run_status(run.status, brush.symbols());
    let name = format!("run {}  {} {}", run.swid, run.workflow_name, run.workflow_version);
    let mut lines =
        vec![format!("{}  {}", brush.paint(Tone::Strong, &name), brush.paint(tone, &status))];
    lines.extend(
        about(run, now)
            .iter()
            .map(|(title, text)| format!("  {title:9}{}", brush.wrap(text, ABOUT))),
    );
    lines.push(String::new());
    lines.extend(why(run).iter().map(|line| brush.wrap(line, 0)));
    for step in &evidence.troubled {
        let log = evidence.logs.iter().find(|log| log.index == step.index);
        lines.push(String::new());
        lines.extend(about_step(step, log, brush));
    }
    if !evidence.entries.is_empty() {
        lines.push(String::new());
        lines.push(brush.paint(Tone::Strong, "history"));
        let skipped = evidence.entries.len().saturating_sub(ENTRIES);
        if skipped > 0 {
            lines.push(format!("  ({skipped} earlier)"));
        }
        lines.extend(evidence.entries.iter().skip(skipped).map(|entry| history(entry, brush)));
    }
    lines.push(String::new());
    lines.push(brush.paint(Tone::Strong, "next"));
    lines.extend(next_commands(run).iter().map(|command| format!("  {command}")));
    lines.join("\n")
}

/// Where the facts about a run begin in a line.
const ABOUT: usize = 11;

fn about(run: &Run, now: Timestamp) -> Vec<(&'static str, String)> {
    let asked = words::moment(run.created_at);
    let urgent = match run.priority {
        0 => String::new(),
        priority => format!(", priority {priority}"),
    };
    let asked = format!("{asked} by {}, for host {}{urgent}", run.account, run.host);
    let mut lines = vec![("asked", asked)];
    if let (Some(place), Some(machine)) = (&run.place, &run.launched_on) {
        lines.push((
            "placed",
            format!("on {machine} as {}, engine {}", place.os_user, place.engine),
        ));
    }
    if let Some(directory) = &run.directory {
        lines.push(("files", directory.clone()));
    }
    let seen = run.seen_at.map_or("never".to_owned(), |seen| words::ago(seen, now));
    let changed = words::ago(run.updated_at, now);
    lines.push(("changed", format!("{changed}; last heard of: {seen}")));
    if !run.marks.is_empty() {
        let marks: Vec<&str> = run.marks.iter().map(|given| given.mark.as_str()).collect();
        lines.push(("marks", marks.join(" ")));
    }
    if let Some(note) = &run.note {
        lines.push(("note", note.clone()));
    }
    lines
}

/// Says in a sentence or two what the status means and what it waits for.
fn why(run: &Run) -> Vec<String> {
    let steps = run.steps;
    let text = match run.status {
        RunStatus::Submitted => format!(
            "It waits for a launcher that serves the label `{}` for the account {}.",
            run.host, run.account
        ),
        RunStatus::SubmittedRetry => {
            "Somebody asked for another try; its launcher has not acted on it yet.".to_owned()
        }
        RunStatus::Pending => {
            "Its steps were handed to the engine, and none has started yet.".to_owned()
        }
        RunStatus::Running => format!(
            "{} of {} done, {} running, {} waiting.",
            steps.success,
            words::count(u64::from(steps.total), "step"),
            steps.running,
            steps.pending
        ),
        RunStatus::Completed => {
            format!("All went well: {}.", words::count(u64::from(steps.success), "step"))
        }
        RunStatus::Failed => failed(run),
        RunStatus::SubmittedCancel => {
            "Somebody asked for it to be cancelled; that is confirmed when nothing of it is left."
                .to_owned()
        }
        RunStatus::Cancelled => "It was cancelled, and nothing of it is left.".to_owned(),
    };
    let mut lines = vec![text];
    if run.need == Need::Action && run.status.is_active() {
        lines.push(
            "It waits for its launcher's host: `seqware workflow-run propagate-statuses` there acts \
             on it."
                .to_owned(),
        );
    }
    lines
}

/// Says how many steps did not succeed, and what that meant for those behind.
fn failed(run: &Run) -> String {
    let steps = run.steps;
    if steps.total == 0 {
        return "It could not be planned or prepared, and nothing of it was started.".to_owned();
    }
    let bad = steps.failed + steps.lost;
    let total = words::count(u64::from(steps.total), "step");
    let behind = match (steps.skipped, bad) {
        (0, _) => String::new(),
        (1, 1) => "; the one behind it was skipped".to_owned(),
        (skipped, 1) => format!("; the {skipped} behind it were skipped"),
        (1, _) => "; one behind them was skipped".to_owned(),
        (skipped, _) => format!("; {skipped} behind them were skipped"),
    };
    format!("{bad} of {total} did not succeed{behind}.")
}

fn about_step(step: &Step, log: Option<&StepLog>, brush: Brush) -> Vec<String> {
    let (status, tone) = words::step_status(step.status, brush.symbols());
    let last = step.attempts.last();
    let mut line = format!("step {}  {}", step.label, brush.paint(tone, &status));
    if let Some(reason) = step.reason {
        line.push_str(&format!(": {}", words::reason(reason)));
    }
    if let Some(attempt) = last {
        match (attempt.exit_code, attempt.signal) {
            (Some(code), _) => line.push_str(&format!(" {code}")),
            (None, Some(signal)) => line.push_str(&format!(" {signal}")),
            (None, None) => {}
        }
        if let Some(machine) = &attempt.machine {
            line.push_str(&format!(" on {machine}"));
        }
        line.push_str(&format!(" (attempt {})", attempt.number));
    }
    let mut lines = vec![line];
    if let Some(message) = last.and_then(|attempt| attempt.message.as_deref()) {
        lines.extend(said_of_its_end(message, brush));
    }
    if let Some(tail) = log.and_then(|log| log.stderr.as_ref()) {
        let edge = if brush.look.unicode { "│" } else { "|" };
        let said: Vec<&str> = tail.tail.lines().filter(|line| !line.trim().is_empty()).collect();
        for text in said.iter().skip(said.len().saturating_sub(LINES)) {
            let plain: String = words::harmless(text).chars().take(LONGEST).collect();
            for part in brush.wrap(&plain, EDGE).lines() {
                let part = format!("  {edge} {}", part.trim_start());
                lines.push(brush.paint(Tone::Faint, part.trim_end()));
            }
        }
        lines.push(format!("  {}", tail.path));
    }
    lines
}

/// Writes what the scheduler, or whoever closed an attempt, said about its end.
fn said_of_its_end(message: &str, brush: Brush) -> Vec<String> {
    let lines = message.lines().filter(|line| !line.trim().is_empty()).take(LINES);
    let plain = |line: &str| -> String { words::harmless(line).chars().take(LONGEST).collect() };
    lines.map(|line| format!("  {}", brush.wrap(&plain(line), EDGE))).collect()
}

fn history(entry: &RunLogEntry, brush: Brush) -> String {
    let change = match (entry.from, entry.to) {
        (Some(from), Some(to)) if from != to => format!("{from} to {to}"),
        (None, Some(to)) => to.to_string(),
        _ => entry.event.replace('_', " "),
    };
    let detail = entry.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
    let moment = words::moment(entry.at);
    let text = format!("{change}{detail} ({})", entry.account);
    format!("  {moment}  {}", brush.wrap(&text, moment.chars().count() + 4))
}

/// Returns the commands that make sense now, the most likely one first.
fn next_commands(run: &Run) -> Vec<String> {
    let command = |verb: &str| format!("seqware workflow-run {verb} --accession {}", run.swid);
    match run.status {
        RunStatus::Submitted | RunStatus::SubmittedRetry => vec![
            format!("seqware workflow-run launch-scheduled --host '{}'   (on its host)", run.host),
            command("cancel"),
        ],
        RunStatus::Pending | RunStatus::Running => vec![command("watch"), command("cancel")],
        RunStatus::SubmittedCancel => vec![command("watch")],
        RunStatus::Completed => vec![command("report"), command("stdout")],
        RunStatus::Failed | RunStatus::Cancelled => {
            vec![command("stderr"), command("retry"), command("reschedule")]
        }
    }
}

#[cfg(test)]
mod tests;
