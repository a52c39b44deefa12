//! `seqware workflow-run stdout` and `stderr`.

use std::path::PathBuf;

use niassa_api::facts::LogTail;
use niassa_api::logs::LogStream;
use niassa_api::runs::{StepLog, StepQuery};
use niassa_model::limits::{LOG_TAIL_BYTES, PAGE_MOST};
use serde_json::json;

use super::whole_log;
use crate::commands::OneAccession;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::files::{self, Existing};

/// Writes what the steps of a run printed, with the place of each whole file.
///
/// Of each step the end is kept by the service, at most 64 KiB; the rest stays on the file system
/// of the run. Where an agent serves that file system, one step's log can be followed while it grows, and
/// whole logs can be had.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware workflow-run stdout --accession 7 --out -
  $ seqware workflow-run stderr --accession 7
  $ seqware workflow-run stderr --accession 7 --step align --follow
  $ seqware workflow-run stdout --accession 7 --step 'call[2]' --whole")]
pub struct Args {
    #[command(flatten)]
    pub(super) run: OneAccession,
    /// The file to write, by default SWID.out or SWID.err, and standard output with --step; `-` is standard
    /// output
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// One step alone, by its name or index: its last 64 KiB, without anything around them
    #[arg(long, value_name = "STEP")]
    pub(super) step: Option<String>,
    /// This attempt of the step, by default the last one
    #[arg(long, value_name = "N", requires = "step")]
    pub(super) attempt: Option<u32>,
    /// Go on with what the step writes until it is over
    #[arg(long, requires = "step")]
    pub(super) follow: bool,
    /// From the first byte on, piece by piece, with the help of an agent
    #[arg(long)]
    pub(super) whole: bool,
}

/// Which of the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// Returns this stream in the words of the wire.
    pub fn on_the_wire(self) -> LogStream {
        match self {
            Self::Stdout => LogStream::Stdout,
            Self::Stderr => LogStream::Stderr,
        }
    }

    /// Returns how a file is called that holds it.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Stdout => "out",
            Self::Stderr => "err",
        }
    }

    /// Returns this stream of a step's last attempt.
    pub fn of(self, log: &StepLog) -> Option<&LogTail> {
        match self {
            Self::Stdout => log.stdout.as_ref(),
            Self::Stderr => log.stderr.as_ref(),
        }
    }
}

/// Writes one stream of all steps, or of one.
pub async fn run(args: Args, stream: Stream, context: &mut Context) -> Result<Exit, Failure> {
    if args.step.is_some() || args.whole {
        return whole_log::run(args, stream, context).await;
    }
    let run = args.run.accession;
    let client = context.client()?;
    let mut query = StepQuery { limit: Some(PAGE_MOST), ..StepQuery::default() };
    let mut text = String::new();
    loop {
        let page = client.run_logs(run, &query).await?;
        for log in &page.items {
            text.push_str(&block(log, stream));
        }
        match page.next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    let out = args.out.unwrap_or_else(|| PathBuf::from(format!("{run}.{}", stream.extension())));
    if out.as_os_str() == "-" {
        context.ui.text(&text)?;
        return Ok(Exit::Done);
    }
    files::write(&out, text.as_bytes(), Existing::Replace)?;
    let line = format!("Created '{}'.", out.display());
    context.ui.did(&line, None, &json!({ "created": out }))?;
    Ok(Exit::Done)
}

/// Writes one step's stream under a line that says whose it is.
fn block(log: &StepLog, stream: Stream) -> String {
    let machine = log.machine.as_ref().map(|name| format!(" on {name}")).unwrap_or_default();
    let mut text =
        format!("==> {} (attempt {}, {}{machine})\n", log.label, log.attempt, log.status.as_str());
    let Some(tail) = stream.of(log) else {
        let what =
            if log.status.is_final() { "nothing was written" } else { "nothing is known yet" };
        text.push_str(&format!("    {what}\n\n"));
        return text;
    };
    let part = match tail.size > LOG_TAIL_BYTES as u64 {
        true => format!(", of which the last {LOG_TAIL_BYTES} follow"),
        false => String::new(),
    };
    text.push_str(&format!("    {} ({} bytes{part})\n", tail.path, tail.size));
    text.push_str(&tail.tail);
    let line_break = if tail.tail.is_empty() || tail.tail.ends_with('\n') { "\n" } else { "\n\n" };
    text.push_str(line_break);
    text
}

#[cfg(test)]
mod tests {
    use niassa_model::step::{AttemptNumber, StepIndex, StepStatus};

    use super::*;

    #[test]
    fn each_step_says_where_the_rest_is() {
        let tail = |size, tail: &str| LogTail {
            path: "/runs/7/stdout".to_owned(),
            size,
            tail: tail.to_owned(),
        };
        let mut log = StepLog {
            index: StepIndex(0),
            label: "align[2]".to_owned(),
            attempt: AttemptNumber(2),
            status: StepStatus::Success,
            machine: Some("server2".to_owned()),
            stdout: Some(tail(100_000, "end")),
            stderr: None,
        };
        assert_eq!(
            block(&log, Stream::Stdout),
            "==> align[2] (attempt 2, success on server2)\n    \
             /runs/7/stdout (100000 bytes, of which the last 65536 follow)\nend\n\n"
        );
        assert!(block(&log, Stream::Stderr).contains("nothing was written"));
        log.stdout = Some(tail(4, "end\n"));
        assert!(block(&log, Stream::Stdout).ends_with("(4 bytes)\nend\n\n"));
    }
}
