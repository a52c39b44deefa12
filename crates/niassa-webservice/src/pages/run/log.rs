//! The whole log of a step, a piece at a time: read by an agent, or the end that the MetaDB has.
//!
//! A piece is cut at line breaks, and its lines have numbers that can be linked to (`#L120`). They count from
//! the first byte of the log as long as one came from there, page by page; whoever jumped to the end is told
//! from which byte they count. The newest piece of a log that grows is asked for again and again; without
//! JavaScript it is reloaded by hand.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Response};
use niassa_api::logs::{LogEnd, LogPart, LogQuery, LogRange, LogStream, LogText};
use niassa_api::runs::StepQuery;
use niassa_model::accession::Accession;
use niassa_model::account::Action;
use niassa_model::step::{AttemptNumber, StepIndex};

use super::{Head, failure};
use crate::app::App;
use crate::error::Failed;
use crate::pages::answer::{Frame, Unanswered, page};
use crate::pages::form::query;
use crate::pages::live::{Listened, Live};
use crate::pages::visitor::Visitor;
use crate::pages::words::{Badge, Moment, bytes, moment, shown, shown_block, step_badge};
use crate::usecases::look::{self, Part};
use crate::usecases::read_log;

/// Bytes of a piece.
const PIECE: u32 = 64 * 1024;
/// How often the newest piece of a log that grows is asked for, in seconds.
const EVERY: u32 = 2;

#[derive(Template)]
#[template(path = "run_log.html")]
struct LogPage {
    frame: Frame,
    head: Head,
    /// What people call the step.
    step: String,
    machine: Option<String>,
    streams: [(&'static str, String, bool); 2],
    /// Where the log grows: the part that is asked for again.
    live: Option<Live>,
    still: String,
    as_of: Moment,
}

#[derive(Template)]
#[template(path = "run_log_piece.html")]
struct Piece {
    /// How the attempt stands: it changes while the log is followed.
    badge: Badge,
    /// Why this is only the end.
    why: Option<String>,
    path: Option<String>,
    place: String,
    /// From which byte the numbers count, where that is not the first.
    counted_from: Option<u64>,
    lines: Vec<(u64, String)>,
    first: Option<String>,
    previous: Option<String>,
    next: Option<String>,
    last: Option<String>,
}

/// Which piece of which log.
struct Wanted {
    run: Accession,
    step: StepIndex,
    attempt: Option<AttemptNumber>,
    stream: LogStream,
    /// The first byte; the newest piece without.
    at: Option<u64>,
    /// The number of the line that begins there, where that is known.
    line: Option<u64>,
}

/// Shows a piece of the log of a step.
pub(in crate::pages) async fn log(
    State(app): State<App>,
    visitor: Visitor,
    Path((run, step)): Path<(String, String)>,
) -> Result<Response, Unanswered> {
    let access = visitor.may(Action::Read)?;
    let wanted = Wanted::of(&visitor, &run, &step)?;
    let run = look::run(&app, &access, wanted.run).await?;
    // The byte before tells whether a line begins with the first one.
    let offset = wanted.at.map(|at| at.saturating_sub(1));
    let asked =
        LogQuery { stream: wanted.stream, attempt: wanted.attempt, offset, length: Some(PIECE) };
    let part = read_log::read(&app, &access, wanted.run, wanted.step, &asked).await?;
    let piece = piece(&wanted, &part);
    let grows = wanted.at.is_none() && !part.status.is_final();
    let live = match grows {
        true => {
            let url = wanted.url(None, None, "log");
            Some(Live::new("log", &url, Listened::Nothing, EVERY, &piece)?)
        }
        false => None,
    };
    let still = piece.render().map_err(|error| Failed::internal(&error))?;
    if visitor.query.get("part") == Some("log") {
        return match live {
            Some(live) => live.again(visitor.query.get("seen")),
            // What is over is shown once more, and asked for no longer.
            None => Ok(Html(still).into_response()),
        };
    }
    let before = Part { limit: 1, after: failure::before(wanted.step) };
    let step = look::steps(&app, &access, wanted.run, &StepQuery::default(), before).await?;
    let label = step.first().map(|step| shown(&step.label)).unwrap_or_default();
    Ok(page(&LogPage {
        frame: Frame::of(&visitor, format!("Log of step {} of run {}", wanted.step, wanted.run)),
        head: Head::of(&run, "logs"),
        step: label,
        machine: part.machine.as_deref().map(shown),
        streams: [LogStream::Stdout, LogStream::Stderr].map(|stream| wanted.tab(stream)),
        live,
        still,
        as_of: moment(app.clock.now()),
    }))
}

impl Wanted {
    fn of(visitor: &Visitor, run: &str, step: &str) -> Result<Self, Failed> {
        let object = || Failed::not_found(format_args!("object {}", shown(run)));
        let no_step =
            || Failed::not_found(format_args!("step {} of run {}", shown(step), shown(run)));
        let number = |name| visitor.query.get(name).and_then(|text| text.parse().ok());
        Ok(Self {
            run: run.parse().map_err(|_| object())?,
            step: StepIndex(step.parse().map_err(|_| no_step())?),
            attempt: visitor.query.get("attempt").and_then(|n| n.parse().ok()).map(AttemptNumber),
            stream: match visitor.query.get("stream") {
                Some("stdout") => LogStream::Stdout,
                _ => LogStream::Stderr,
            },
            at: number("at"),
            line: number("line"),
        })
    }

    /// Returns the address of another piece of the same log.
    fn url(&self, at: Option<u64>, line: Option<u64>, part: &str) -> String {
        let text = |number: Option<u64>| number.map(|n| n.to_string()).unwrap_or_default();
        let attempt = self.attempt.map(|attempt| attempt.to_string()).unwrap_or_default();
        let (at, line) = (text(at), text(line));
        let pairs = [
            ("stream", self.stream.as_str()),
            ("attempt", &*attempt),
            ("at", &*at),
            ("line", &*line),
            ("part", part),
        ];
        format!("/runs/{}/steps/{}/log?{}", self.run, self.step, query(pairs))
    }

    fn tab(&self, stream: LogStream) -> (&'static str, String, bool) {
        let name = match stream {
            LogStream::Stdout => "Standard output",
            LogStream::Stderr => "Standard error",
        };
        let other = Self { stream, at: None, line: None, ..*self };
        (name, other.url(None, None, ""), stream == self.stream)
    }
}

fn piece(wanted: &Wanted, part: &LogPart) -> Piece {
    let badge = step_badge(part.status);
    match &part.log {
        LogText::Range(range) => of_range(wanted, badge, range),
        LogText::End(end) => of_end(badge, end),
    }
}

/// Cuts a range at its line breaks and numbers its lines.
fn of_range(wanted: &Wanted, badge: Badge, range: &LogRange) -> Piece {
    let (skipped, text) = whole_lines(range);
    let begin = range.offset + skipped as u64;
    let end = begin + text.len() as u64;
    let first_number = if begin == 0 { Some(1) } else { wanted.line };
    let lines = numbered(&String::from_utf8_lossy(text), first_number.unwrap_or(1));
    let behind = first_number.map(|number| number + lines.len() as u64);
    let is_first = begin == 0;
    let is_last = end >= range.size;
    let back = begin.saturating_sub(u64::from(PIECE));
    Piece {
        badge,
        why: None,
        path: None,
        place: format!("bytes {begin} to {end} of {}", range.size),
        counted_from: first_number.is_none().then_some(begin),
        lines,
        first: (!is_first).then(|| wanted.url(Some(0), Some(1), "")),
        previous: (!is_first).then(|| wanted.url(Some(back), None, "")),
        next: (!is_last).then(|| wanted.url(Some(end), behind, "")),
        last: (!is_last).then(|| wanted.url(None, None, "")),
    }
}

/// Returns the lines of a range that are whole, and how many bytes stand before them. Of a line that is
/// longer than a piece there is nothing else to show but parts.
fn whole_lines(range: &LogRange) -> (usize, &[u8]) {
    let bytes = &range.bytes[..];
    let is_break = |byte: &u8| *byte == b'\n';
    let begin = match range.offset {
        0 => 0,
        _ => bytes.iter().position(is_break).map_or(0, |at| at + 1),
    };
    let is_last = range.offset + bytes.len() as u64 >= range.size;
    let end = match bytes.iter().rposition(is_break) {
        Some(at) if !is_last && at + 1 > begin => at + 1,
        _ => bytes.len(),
    };
    (begin, &bytes[begin..end])
}

fn of_end(badge: Badge, end: &LogEnd) -> Piece {
    let is_cut = end.size > end.text.len() as u64;
    let begin = end.size.saturating_sub(end.text.len() as u64);
    let place = match end.size {
        0 => "nothing is known of it yet".to_owned(),
        size if is_cut => format!("the end of {}", bytes(i64::try_from(size).unwrap_or(i64::MAX))),
        size => format!("all of its {size} bytes"),
    };
    Piece {
        badge,
        why: Some(shown(&end.why)),
        path: end.path.as_deref().map(shown),
        place,
        counted_from: is_cut.then_some(begin),
        lines: numbered(&end.text, 1),
        first: None,
        previous: None,
        next: None,
        last: None,
    }
}

fn numbered(text: &str, first: u64) -> Vec<(u64, String)> {
    let text = shown_block(text);
    let lines = text.strip_suffix('\n').unwrap_or(&text).split('\n');
    let lines = lines.filter(|_| !text.is_empty()).map(str::to_owned);
    (first..).zip(lines).collect()
}

#[cfg(test)]
mod tests;
