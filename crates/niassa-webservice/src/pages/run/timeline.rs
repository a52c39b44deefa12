//! When steps waited and when they ran, and which of them decided how long the run took.

mod grouped;

use std::collections::{HashMap, HashSet};

use niassa_api::runs::{Attempt, Step};
use niassa_metadb::steps::OutlinedStep;
use niassa_model::step::StepIndex;
use niassa_model::time::Timestamp;

use crate::pages::words::{Badge, shown_within, span, step_badge};
pub(super) use grouped::{Stretch, draw as draw_groups, stretches};

/// More steps than these are not drawn; the table has them all.
const MOST: usize = 100;
const WIDTH: usize = 1_140;
const LABELS: usize = 200;
const ROW: usize = 24;
const TOP: usize = 26;
/// Characters of a label that fit.
const LABEL: usize = 24;

/// The times of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Times {
    /// From when all that it waits for had ended until its last attempt started.
    pub(super) waited: Option<i64>,
    /// How long its last attempt ran, so far.
    pub(super) ran: Option<i64>,
    /// Whether the run would have ended sooner had it been faster.
    pub(super) is_critical: bool,
}

/// Times as they are drawn.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Timeline {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) rows: Vec<Row>,
    pub(super) marks: Vec<Mark>,
    /// Whether each row is a group of steps and not one step.
    pub(super) is_grouped: bool,
}

/// A step as it is drawn.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) label: String,
    pub(super) y: usize,
    pub(super) bars: Vec<Bar>,
    pub(super) is_critical: bool,
}

/// A stretch of time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) x: usize,
    pub(super) width: usize,
    /// The status of an attempt; nothing while it waited.
    pub(super) badge: Option<Badge>,
    pub(super) text: String,
}

/// A time along the top.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) x: usize,
    pub(super) text: String,
}

/// What the times of a step depend on beside itself.
#[derive(Debug, Default)]
pub(super) struct Paths {
    /// When each step ended for good.
    ends: HashMap<StepIndex, Timestamp>,
    /// The steps that decided when the run ended.
    critical: HashSet<StepIndex>,
}

impl Paths {
    /// Finds them in the outline of a plan.
    pub(super) fn of(steps: &[OutlinedStep]) -> Self {
        let end = |step: &OutlinedStep| Some((step.index, step.ended_at?));
        let ends = steps.iter().filter_map(end).collect();
        let critical = critical(steps, &ends);
        Self { ends, critical }
    }
}

/// Finds the times of steps. Clocks of machines may differ, so no time is less than nothing.
pub(super) fn times(steps: &[Step], paths: &Paths, began: Timestamp, now: Timestamp) -> Vec<Times> {
    let of = |step: &Step| {
        let is_critical = paths.critical.contains(&step.index);
        let last = step.attempts.iter().rfind(|attempt| attempt.started_at.is_some());
        let Some((last, started)) = last.and_then(|last| Some((last, last.started_at?))) else {
            return Times { is_critical, ..Times::default() };
        };
        Times {
            waited: Some(started.micros_since(ready(step, last, &paths.ends, began))),
            ran: Some(last.ended_at.unwrap_or(now).micros_since(started)),
            is_critical,
        }
    };
    steps.iter().map(of).collect()
}

/// Draws when steps ran; nothing where there are too many, or none has started.
pub(super) fn draw(
    steps: &[Step],
    paths: &Paths,
    began: Timestamp,
    now: Timestamp,
) -> Option<Timeline> {
    let has_started = steps.iter().flat_map(|step| &step.attempts).any(|a| a.started_at.is_some());
    if steps.len() > MOST || !has_started {
        return None;
    }
    let attempts = steps.iter().flat_map(|step| &step.attempts);
    let is_open = attempts.clone().any(|a| a.started_at.is_some() && a.ended_at.is_none());
    let ended = attempts.filter_map(|attempt| attempt.ended_at).max();
    let until = if is_open { Some(now).max(ended) } else { ended };
    let scale = Scale { began, span: until?.micros_since(began).max(1) };
    let rows = steps.iter().enumerate().map(|(at, step)| Row {
        label: shown_within(&step.label, LABEL),
        y: TOP + at * ROW,
        bars: bars(step, &paths.ends, &scale, now),
        is_critical: paths.critical.contains(&step.index),
    });
    Some(Timeline {
        width: WIDTH,
        height: TOP + steps.len() * ROW + 4,
        rows: rows.collect(),
        marks: scale.marks(),
        is_grouped: false,
    })
}

fn bars(
    step: &Step,
    ends: &HashMap<StepIndex, Timestamp>,
    scale: &Scale,
    now: Timestamp,
) -> Vec<Bar> {
    let mut bars = Vec::new();
    for attempt in &step.attempts {
        let Some(started) = attempt.started_at else { continue };
        let ready = ready(step, attempt, ends, scale.began);
        let waited = started.micros_since(ready);
        if waited > 0 {
            let text = format!("waited {}", span(waited));
            bars.push(scale.bar(ready, started, None, text));
        }
        let ended = attempt.ended_at.unwrap_or(now);
        let badge = step_badge(attempt.status);
        let ran = span(ended.micros_since(started));
        let text = format!("attempt {}: {} after {ran}", attempt.number, badge.word);
        bars.push(scale.bar(started, ended, Some(badge), text));
    }
    bars
}

/// How times lie along the picture.
struct Scale {
    began: Timestamp,
    span: i64,
}

impl Scale {
    fn x(&self, at: Timestamp) -> usize {
        let room = i128::try_from(WIDTH - LABELS - 8).unwrap_or_default();
        let since = i128::from(at.micros_since(self.began).min(self.span));
        LABELS + usize::try_from(since * room / i128::from(self.span)).unwrap_or_default()
    }

    fn bar(&self, from: Timestamp, to: Timestamp, badge: Option<Badge>, text: String) -> Bar {
        let (x, end) = (self.x(from), self.x(to));
        // What was short is still seen.
        Bar { x, width: end.saturating_sub(x).max(2), badge, text }
    }

    /// Marks round times, at most six. One too near the end would have no room for its words.
    fn marks(&self) -> Vec<Mark> {
        let every = mark_every(self.span);
        let mark = |since: i64| {
            let at = Timestamp::from_micros(self.began.as_micros().saturating_add(since));
            Mark { x: self.x(at), text: if since == 0 { "0".to_owned() } else { round(since) } }
        };
        let times = (0..6).map(|number| number * every);
        times.take_while(|since| *since <= self.span - self.span / 12).map(mark).collect()
    }
}

/// How far the marks of a picture are apart that shows so long a time, in microseconds.
fn mark_every(shown: i64) -> i64 {
    const MILLISECONDS: [i64; 24] = [
        1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 120_000,
        300_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 43_200_000, 86_400_000,
    ];
    let few = |every: &i64| shown / every < 6;
    let in_a_day = MILLISECONDS.into_iter().map(|every| every * 1_000).find(few);
    let days = shown / 6 / 86_400_000_000 + 1;
    in_a_day.unwrap_or(days * 86_400_000_000)
}

/// Writes a round time without the unit in which it has nothing.
fn round(micros: i64) -> String {
    let text = span(micros);
    let nothing = [" 0 s", " 0 min", " 0 h"];
    let short = nothing.iter().find_map(|end| text.strip_suffix(end)).map(str::to_owned);
    short.unwrap_or_else(|| text.replace(".0 s", " s"))
}

/// When an attempt could have started: when all before it had ended, or the attempt before.
fn ready(
    step: &Step,
    attempt: &Attempt,
    ends: &HashMap<StepIndex, Timestamp>,
    began: Timestamp,
) -> Timestamp {
    let before = step.attempts.iter().filter(|other| other.number < attempt.number);
    let parents = step.after.iter().filter_map(|parent| ends.get(parent).copied());
    let ready = before.filter_map(|other| other.ended_at).chain(parents).max().unwrap_or(began);
    let started = attempt.started_at.unwrap_or(ready);
    ready.max(began).min(started)
}

/// The steps that decided when the run ended: back from the last one, always to the one waited for.
fn critical(steps: &[OutlinedStep], ends: &HashMap<StepIndex, Timestamp>) -> HashSet<StepIndex> {
    let by_index: HashMap<StepIndex, &OutlinedStep> =
        steps.iter().map(|step| (step.index, step)).collect();
    let latest = |indexes: &mut dyn Iterator<Item = StepIndex>| {
        indexes.filter_map(|index| Some((*ends.get(&index)?, index))).max().map(|(_, index)| index)
    };
    let mut path = HashSet::new();
    let mut at = latest(&mut steps.iter().map(|step| step.index));
    while let Some(index) = at.filter(|index| path.insert(*index)) {
        at = by_index.get(&index).and_then(|step| latest(&mut step.after.iter().copied()));
    }
    path
}

#[cfg(test)]
mod tests {
    use niassa_model::step::{AttemptNumber, StepStatus};

    use super::super::groups::tests::{outlined, step};
    use super::*;

    fn times(steps: &[Step]) -> Vec<Times> {
        super::times(steps, &Paths::of(&outlined(steps)), at(0), at(80))
    }

    fn drawn(steps: &[Step]) -> Option<Timeline> {
        draw(steps, &Paths::of(&outlined(steps)), at(0), at(80))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    fn ran(mut step: Step, spans: &[(i64, Option<i64>)]) -> Step {
        for (number, (started, ended)) in (1..).zip(spans) {
            step.attempts.push(Attempt {
                number: AttemptNumber(number),
                status: step.status,
                reason: None,
                message: None,
                exit_code: None,
                signal: None,
                engine_id: None,
                machine: None,
                started_at: Some(at(*started)),
                ended_at: ended.map(at),
                cpu_micros: None,
                peak_memory_bytes: None,
            });
        }
        step
    }

    fn plan() -> Vec<Step> {
        vec![
            ran(step(0, "index", &[], StepStatus::Success), &[(10, Some(20))]),
            ran(step(1, "short", &[0], StepStatus::Success), &[(21, Some(22))]),
            ran(step(2, "long", &[0], StepStatus::Success), &[(25, Some(30)), (32, Some(60))]),
            ran(step(3, "merge", &[1, 2], StepStatus::Running), &[(70, None)]),
        ]
    }

    #[test]
    fn waiting_and_running_are_told_apart() {
        let times = times(&plan());
        let seconds = |micros: Option<i64>| micros.map(|micros| micros / 1_000_000);
        let told: Vec<_> =
            times.iter().map(|times| (seconds(times.waited), seconds(times.ran))).collect();
        assert_eq!(
            told,
            [(Some(10), Some(10)), (Some(1), Some(1)), (Some(2), Some(28)), (Some(10), Some(10))]
        );
    }

    #[test]
    fn the_path_that_decided_leads_through_the_last_to_end() {
        let critical: Vec<bool> = times(&plan()).iter().map(|times| times.is_critical).collect();
        assert_eq!(critical, [true, false, true, false], "the last one has not ended yet");
    }

    #[test]
    fn bars_stay_within_the_picture_whatever_clocks_say() {
        let mut steps = plan();
        steps.push(ran(step(4, "early", &[3], StepStatus::Success), &[(-50, Some(-40))]));
        steps.push(ran(step(5, "late", &[], StepStatus::Success), &[(90, Some(99))]));
        let timeline = drawn(&steps).unwrap();
        assert_eq!(timeline.rows.len(), 6);
        assert_eq!(timeline.rows[2].bars.len(), 4, "two attempts, each waited for");
        for bar in timeline.rows.iter().flat_map(|row| &row.bars) {
            assert!(bar.x >= LABELS && bar.x + bar.width <= WIDTH, "{bar:?}");
        }
    }

    #[test]
    fn nothing_is_drawn_of_what_did_not_start() {
        assert_eq!(drawn(&[step(0, "a", &[], StepStatus::Pending)]), None);
        let never = times(&[step(0, "a", &[], StepStatus::Pending)]);
        assert_eq!(never, [Times::default()]);
        let many: Vec<Step> = (0..=100)
            .map(|i| ran(step(i, "a", &[], StepStatus::Success), &[(1, Some(2))]))
            .collect();
        assert_eq!(drawn(&many), None);
    }

    #[test]
    fn marks_stand_at_round_times_and_are_few() {
        let marked = |shown: i64| {
            let scale = Scale { began: at(0), span: shown };
            scale.marks().into_iter().map(|mark| mark.text).collect::<Vec<_>>().join(", ")
        };
        let second = 1_000_000;
        assert_eq!(marked(124 * 60 * second), "0, 30 min, 1 h, 1 h 30 min");
        assert_eq!(marked(7 * second), "0, 2 s, 4 s, 6 s");
        assert_eq!(marked(3 * 86_400 * second), "0, 1 d, 2 d");
        assert_eq!(marked(1), "0", "an instant");
        for shown in (1..60).map(|power| 2_i64.pow(power)) {
            assert!(
                (1..=6).contains(&Scale { began: at(0), span: shown }.marks().len()),
                "{shown}"
            );
        }
    }
}
