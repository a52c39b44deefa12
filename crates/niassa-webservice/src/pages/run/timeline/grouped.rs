//! When groups of steps were at work: a bar for each group, where steps are too many to be drawn one by one.
//!
//! It is made of the outline alone, which says of a step when its last attempt ended and how long that ran. So a
//! group begins with the first of its steps that has ended; one that runs for the first time shows once it has.

use std::collections::HashMap;

use niassa_metadb::steps::OutlinedStep;
use niassa_model::step::StepStatus;
use niassa_model::time::Timestamp;

use super::{LABEL, MOST, Paths, ROW, Row, Scale, TOP, Timeline, WIDTH};
use crate::pages::run::groups::Group;
use crate::pages::words::{shown_within, span, step_badge};

/// When a group was at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pages::run) struct Stretch {
    /// When the first of its steps could have started.
    ready: Timestamp,
    started: Timestamp,
    /// When the last of its steps ended; now, while one runs.
    ended: Timestamp,
    is_critical: bool,
}

impl Stretch {
    /// How long it waited before its first step started.
    pub(in crate::pages::run) fn waited(&self) -> i64 {
        self.started.micros_since(self.ready)
    }

    /// How long it took from its first start to its last end.
    pub(in crate::pages::run) fn took(&self) -> i64 {
        self.ended.micros_since(self.started)
    }
}

/// Finds when each group was at work; nothing of those of which no step has ended.
pub(in crate::pages::run) fn stretches(
    steps: &[OutlinedStep],
    paths: &Paths,
    (began, now): (Timestamp, Timestamp),
) -> HashMap<String, Stretch> {
    let mut found: HashMap<String, Stretch> = HashMap::new();
    for step in steps {
        let (Some(ended), Some(ran)) = (step.ended_at, step.ran_micros) else { continue };
        let started = Timestamp::from_micros(ended.as_micros().saturating_sub(ran));
        let parents = step.after.iter().filter_map(|parent| paths.ends.get(parent).copied());
        let ready = parents.max().unwrap_or(began).max(began).min(started);
        let is_critical = paths.critical.contains(&step.index);
        let stretch = found.entry(step.name.clone());
        let stretch = stretch.or_insert(Stretch { ready, started, ended, is_critical });
        stretch.ready = stretch.ready.min(ready);
        stretch.started = stretch.started.min(started);
        stretch.ended = stretch.ended.max(ended);
        stretch.is_critical |= is_critical;
    }
    for step in steps.iter().filter(|step| step.status == StepStatus::Running) {
        if let Some(stretch) = found.get_mut(&step.name) {
            stretch.ended = stretch.ended.max(now);
        }
    }
    found
}

/// Draws when groups were at work; nothing where there are too many, or none of them was.
pub(in crate::pages::run) fn draw(
    groups: &[Group],
    stretches: &HashMap<String, Stretch>,
    began: Timestamp,
) -> Option<Timeline> {
    let until = stretches.values().map(|stretch| stretch.ended).max()?;
    if groups.len() > MOST {
        return None;
    }
    let scale = Scale { began, span: until.micros_since(began).max(1) };
    let rows = groups.iter().enumerate().map(|(at, group)| {
        let stretch = stretches.get(&group.name);
        Row {
            label: shown_within(&group.name, LABEL),
            y: TOP + at * ROW,
            bars: stretch.map(|stretch| bars(group, stretch, &scale)).unwrap_or_default(),
            is_critical: stretch.is_some_and(|stretch| stretch.is_critical),
        }
    });
    Some(Timeline {
        width: WIDTH,
        height: TOP + groups.len() * ROW + 4,
        rows: rows.collect(),
        marks: scale.marks(),
        is_grouped: true,
    })
}

fn bars(group: &Group, stretch: &Stretch, scale: &Scale) -> Vec<super::Bar> {
    let badge = step_badge(group.status());
    let mut bars = Vec::new();
    if stretch.waited() > 0 {
        let text = format!("waited {}", span(stretch.waited()));
        bars.push(scale.bar(stretch.ready, stretch.started, None, text));
    }
    let text = format!("{} steps: {} after {}", group.total(), badge.word, span(stretch.took()));
    bars.push(scale.bar(stretch.started, stretch.ended, Some(badge), text));
    bars
}

#[cfg(test)]
mod tests {
    use niassa_model::step::StepIndex;

    use super::*;
    use crate::pages::run::groups;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    fn step(
        (index, name): (u32, &str),
        after: &[u32],
        status: StepStatus,
        ran: Option<(i64, i64)>,
    ) -> OutlinedStep {
        OutlinedStep {
            index: StepIndex(index),
            name: name.to_owned(),
            element: None,
            after: after.iter().copied().map(StepIndex).collect(),
            status,
            ended_at: ran.map(|(_, end)| at(end)),
            ran_micros: ran.map(|(start, end)| (end - start) * 1_000_000),
        }
    }

    fn plan() -> Vec<OutlinedStep> {
        vec![
            step((0, "index"), &[], StepStatus::Success, Some((5, 20))),
            step((1, "call"), &[0], StepStatus::Success, Some((30, 40))),
            step((2, "call"), &[0], StepStatus::Success, Some((25, 60))),
            step((3, "call"), &[0], StepStatus::Running, None),
            step((4, "merge"), &[1, 2, 3], StepStatus::Pending, None),
        ]
    }

    #[test]
    fn a_group_is_at_work_from_its_first_start_to_its_last_end() {
        let steps = plan();
        let stretches = stretches(&steps, &Paths::of(&steps), (at(0), at(90)));
        let seconds = |name: &str| {
            stretches.get(name).map(|s| (s.waited() / 1_000_000, s.took() / 1_000_000))
        };
        assert_eq!(seconds("index"), Some((5, 15)));
        assert_eq!(seconds("call"), Some((5, 65)), "one of it still runs");
        assert_eq!(seconds("merge"), None);
    }

    #[test]
    fn each_group_is_a_row_and_the_path_that_decided_is_marked() {
        let steps = plan();
        let (groups, paths) = (groups::of_steps(&steps), Paths::of(&steps));
        let stretches = stretches(&steps, &paths, (at(0), at(90)));
        let timeline = draw(&groups, &stretches, at(0)).unwrap();
        let rows: Vec<_> = timeline.rows.iter().map(|r| (r.bars.len(), r.is_critical)).collect();
        assert_eq!(rows, [(2, true), (2, true), (0, false)]);
        for bar in timeline.rows.iter().flat_map(|row| &row.bars) {
            assert!(bar.x + bar.width <= WIDTH, "{bar:?}");
        }
        assert_eq!(draw(&groups, &HashMap::new(), at(0)), None);
    }
}
