//! A run at a glance: what `watch` and `bundle launch` show while it goes on, and at its end.

use niassa_api::runs::{Run, Step};
use niassa_model::run::RunStatus;
use niassa_model::step::StepStatus;
use niassa_model::time::Timestamp;

use super::Look;
use super::words::{self, Symbols, Tone};

/// The most steps shown one by one; of larger runs only those that are under way or went wrong.
pub const STEPS_SHOWN: usize = 14;

/// How many characters of a step's name are shown.
const NAME: usize = 32;

/// How many characters wide the bar is.
const BAR: usize = 30;

/// Draws a run and its steps, each line at most as wide as the terminal.
pub fn block(run: &Run, steps: &[Step], now: Timestamp, look: Look) -> String {
    let brush = Brush { look };
    let mut lines = vec![headline(run, now, brush)];
    if run.steps.total > 0 {
        lines.push(format!("  {}", bar(run, brush)));
    }
    let name_width =
        steps.iter().map(|step| step.label.chars().count()).max().unwrap_or(0).min(NAME);
    for step in steps.iter().take(STEPS_SHOWN) {
        lines.push(step_line(step, name_width, now, brush));
    }
    let listed = steps.len().min(STEPS_SHOWN);
    let others = (run.steps.total as usize).saturating_sub(listed);
    if others > 0 && listed > 0 {
        lines.push(
            brush.paint(
                Tone::Faint,
                &format!("  and {}", words::count(others as u64, "other step")),
            ),
        );
    }
    if let Some(note) = &run.note {
        lines.push(brush.paint(Tone::Warning, &brush.cut(&format!("  {note}"), 0)));
    }
    lines.join("\n")
}

/// Writes how a run that is over ended, in one line.
pub fn outcome(run: &Run, look: Look) -> String {
    let brush = Brush { look };
    let (status, tone) = words::run_status(run.status, brush.symbols());
    let took = words::duration(run.updated_at.micros_since(run.created_at));
    let steps = match run.steps.total {
        0 => String::new(),
        total => {
            format!(", {} of {} done", run.steps.success, words::count(u64::from(total), "step"))
        }
    };
    format!("run {} {} after {took}{steps}", run.swid, brush.paint(tone, &status))
}

/// Writes why a step did not succeed, in one line.
pub fn trouble(step: &Step, look: Look) -> String {
    let brush = Brush { look };
    let (status, tone) = words::step_status(step.status, brush.symbols());
    let name = short(&step.label, NAME);
    let before = name.chars().count() + status.chars().count() + "  step     ".len();
    let why = brush.cut(&about_end(step), before);
    format!("  step {name}  {}  {why}", brush.paint(tone, &status)).trim_end().to_owned()
}

/// Writes that a run's status changed, for output that only grows.
pub fn change(run: &Run, before: Option<RunStatus>, now: Timestamp, look: Look) -> String {
    let brush = Brush { look };
    let (status, tone) = words::run_status(run.status, brush.symbols());
    let from = before.map(|before| format!("{before} to ")).unwrap_or_default();
    let steps = match run.steps.total {
        0 => String::new(),
        total => format!("  {}/{total} steps", run.steps.success),
    };
    let time = words::time_of_day(now);
    format!("{time}  run {}  {from}{}{steps}", run.swid, brush.paint(tone, &status))
}

/// What a line may be drawn with.
#[derive(Debug, Clone, Copy)]
pub struct Brush {
    /// What the terminal can show.
    pub look: Look,
}

impl Brush {
    /// Returns which symbols may be used.
    pub fn symbols(self) -> Symbols {
        if self.look.unicode { Symbols::Unicode } else { Symbols::Ascii }
    }

    /// Colours text where colours are wanted.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        if self.look.color && !text.is_empty() { tone.paint(text) } else { text.to_owned() }
    }

    /// Shortens text so that it and `beside` other characters fit into a line.
    pub fn cut(self, text: &str, beside: usize) -> String {
        let Some(width) = self.look.width else { return text.to_owned() };
        let room = usize::from(width).saturating_sub(beside);
        if text.chars().count() <= room {
            return text.to_owned();
        }
        let end = if self.look.unicode { "…" } else { ".." };
        let kept: String = text.chars().take(room.saturating_sub(end.chars().count())).collect();
        format!("{kept}{end}")
    }

    /// Breaks a sentence into lines that fit behind an indent; the first line stands behind
    /// something already.
    pub fn wrap(self, text: &str, indent: usize) -> String {
        let Some(width) = self.look.width else { return text.to_owned() };
        let room = usize::from(width).saturating_sub(indent).max(20);
        let mut lines: Vec<String> = Vec::new();
        for word in text.split(' ') {
            match lines.last_mut() {
                Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                    line.push(' ');
                    line.push_str(word);
                }
                Some(_) | None => lines.push(word.to_owned()),
            }
        }
        lines.join(&format!("\n{}", " ".repeat(indent)))
    }
}

fn headline(run: &Run, now: Timestamp, brush: Brush) -> String {
    let (status, tone) = words::run_status(run.status, brush.symbols());
    let until = if run.status.is_active() { now } else { run.updated_at };
    let time = words::duration(until.micros_since(run.created_at));
    let name = format!("run {}  {} {}", run.swid, run.workflow_name, run.workflow_version);
    let name = brush.cut(&name, status.chars().count() + time.len() + 4);
    format!("{}  {}  {time}", brush.paint(Tone::Strong, &name), brush.paint(tone, &status))
}

fn bar(run: &Run, brush: Brush) -> String {
    let steps = run.steps;
    let total = steps.total.max(1) as usize;
    let part = |count: u32| count as usize * BAR / total;
    let done = part(steps.success);
    let bad = part(steps.failed + steps.lost + steps.skipped + steps.cancelled);
    let busy = part(steps.running).max(usize::from(steps.running > 0));
    let busy = busy.min(BAR.saturating_sub(done + bad));
    let rest = BAR.saturating_sub(done + bad + busy);
    let (full, half, none) =
        if brush.look.unicode { ("█", "▒", "░") } else { ("#", "=", "-") };
    let mut words = vec![format!("{}/{} done", steps.success, steps.total)];
    let named = [
        (steps.running, "running"),
        (steps.failed, "failed"),
        (steps.skipped, "skipped"),
        (steps.cancelled, "cancelled"),
        (steps.lost, "lost"),
    ];
    words.extend(named.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")));
    format!(
        "{}{}{}{}  {}",
        brush.paint(Tone::Good, &full.repeat(done)),
        brush.paint(Tone::Bad, &full.repeat(bad)),
        brush.paint(Tone::Busy, &half.repeat(busy)),
        brush.paint(Tone::Faint, &none.repeat(rest)),
        words.join(", ")
    )
}

fn step_line(step: &Step, name_width: usize, now: Timestamp, brush: Brush) -> String {
    let (status, tone) = words::step_status(step.status, brush.symbols());
    let name = short(&step.label, name_width);
    let last = step.attempts.last();
    let time = last.and_then(|attempt| {
        let until = attempt.ended_at.or((step.status == StepStatus::Running).then_some(now))?;
        Some(words::duration(until.micros_since(attempt.started_at?)))
    });
    let line = format!(
        "  {name:name_width$}  {status:11}  {}  {}",
        time.unwrap_or_default(),
        about_end(step)
    );
    let line = brush.cut(line.trim_end(), 0);
    line.replacen(&status, &brush.paint(tone, &status), 1)
}

/// Says why a step stands where it stands, as far as there is anything to say.
fn about_end(step: &Step) -> String {
    let last = step.attempts.last();
    let mut about = Vec::new();
    if let Some(reason) = step.reason {
        let number = match last.map(|attempt| (attempt.exit_code, attempt.signal)) {
            Some((Some(code), _)) => format!(" {code}"),
            Some((None, Some(signal))) => format!(" {signal}"),
            Some((None, None)) | None => String::new(),
        };
        about.push(format!("{}{number}", words::reason(reason)));
    }
    if step.attempts.len() > 1 {
        about.push(format!("attempt {}", step.attempts.len()));
    }
    about.join("  ")
}

/// Shortens a step's name in its middle: the number of an element stays.
fn short(name: &str, width: usize) -> String {
    let length = name.chars().count();
    if length <= width {
        return name.to_owned();
    }
    let end = name.rfind('[').map_or("", |at| &name[at..]);
    let kept = width.saturating_sub(end.chars().count() + 2);
    name.chars().take(kept).chain("..".chars()).chain(end.chars()).collect()
}

#[cfg(test)]
pub mod tests;
