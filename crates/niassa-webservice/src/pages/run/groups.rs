//! Steps in groups: those that a `foreach` made of one step of the manifest stand together.
//!
//! A plan of 5,000 steps has a handful of groups, which is what people think of and what can be drawn.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use niassa_bundle::manifest::Manifest;
use niassa_metadb::steps::OutlinedStep;
use niassa_model::step::StepStatus;

/// Steps of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::pages) struct Group {
    pub(in crate::pages) name: String,
    /// The groups it waits for, by their places.
    pub(in crate::pages) after: BTreeSet<usize>,
    /// How many steps stand where; none before the plan is made.
    pub(in crate::pages) counts: BTreeMap<StepStatus, usize>,
}

/// Puts the steps of a plan into groups, in the order in which their first ones come.
pub(super) fn of_steps(steps: &[OutlinedStep]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut group_of = HashMap::new();
    for step in steps {
        let name = step.name.as_str();
        let place = *places.entry(name).or_insert_with(|| {
            groups.push(Group::named(name));
            groups.len() - 1
        });
        group_of.insert(step.index, place);
        *groups[place].counts.entry(step.status).or_insert(0) += 1;
        let after = step.after.iter().filter_map(|parent| group_of.get(parent));
        groups[place].after.extend(after.filter(|parent| **parent != place));
    }
    groups
}

/// Returns the groups that a plan made of a manifest will have.
pub(super) fn of_manifest(manifest: &Manifest) -> Vec<Group> {
    let place = |name: &str| manifest.steps.iter().position(|step| step.name.as_str() == name);
    let group = |step: &niassa_bundle::manifest::Step| Group {
        after: step.needs.iter().filter_map(|need| place(need.as_str())).collect(),
        ..Group::named(step.name.as_str())
    };
    manifest.steps.iter().map(group).collect()
}

impl Group {
    fn named(name: &str) -> Self {
        Self { name: name.to_owned(), after: BTreeSet::new(), counts: BTreeMap::new() }
    }

    /// How many steps there are.
    pub(in crate::pages) fn total(&self) -> usize {
        self.counts.values().sum()
    }

    /// How many have a status.
    pub(in crate::pages) fn count(&self, status: StepStatus) -> usize {
        self.counts.get(&status).copied().unwrap_or_default()
    }

    /// The status that says most about the whole group: what is wrong, then what goes on.
    pub(in crate::pages) fn status(&self) -> StepStatus {
        let order = [
            StepStatus::Failed,
            StepStatus::Lost,
            StepStatus::Running,
            StepStatus::Pending,
            StepStatus::Cancelled,
            StepStatus::Skipped,
            StepStatus::Success,
        ];
        // Some done and some waiting is a group at work.
        let is_mixed = self.count(StepStatus::Success) > 0 && self.count(StepStatus::Pending) > 0;
        let found = order.into_iter().find(|status| self.count(*status) > 0);
        match found {
            Some(StepStatus::Pending) if is_mixed => StepStatus::Running,
            found => found.unwrap_or(StepStatus::Pending),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use niassa_api::runs::Step;
    use niassa_model::accession::Accession;
    use niassa_model::step::StepIndex;

    use super::*;

    /// A step without attempts.
    pub(in crate::pages::run) fn step(
        index: u32,
        label: &str,
        after: &[u32],
        status: StepStatus,
    ) -> Step {
        Step {
            index: StepIndex(index),
            swid: Accession::try_from(i64::from(index) + 100).unwrap(),
            label: label.to_owned(),
            after: after.iter().copied().map(StepIndex).collect(),
            status,
            reason: None,
            threads: 1,
            memory_bytes: None,
            seconds: None,
            attempts: Vec::new(),
        }
    }

    /// The outline of steps.
    pub(in crate::pages::run) fn outlined(steps: &[Step]) -> Vec<OutlinedStep> {
        let outlined = |step: &Step| {
            let (name, element) = match step.label.trim_end_matches(']').split_once('[') {
                Some((name, element)) => (name, element.parse().ok()),
                None => (step.label.as_str(), None),
            };
            OutlinedStep {
                index: step.index,
                name: name.to_owned(),
                element,
                after: step.after.clone(),
                status: step.status,
                ended_at: step.attempts.iter().filter_map(|attempt| attempt.ended_at).max(),
                ran_micros: None,
            }
        };
        steps.iter().map(outlined).collect()
    }

    #[test]
    fn steps_of_a_foreach_stand_together() {
        let steps = [
            step(0, "index", &[], StepStatus::Success),
            step(1, "call[0]", &[0], StepStatus::Success),
            step(2, "call[1]", &[0], StepStatus::Failed),
            step(3, "merge", &[1, 2], StepStatus::Skipped),
        ];
        let groups = of_steps(&outlined(&steps));
        let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
        assert_eq!(names, ["index", "call", "merge"]);
        assert_eq!(groups[2].after, BTreeSet::from([1]));
        assert_eq!((groups[1].total(), groups[1].count(StepStatus::Failed)), (2, 1));
        assert_eq!(groups[1].status(), StepStatus::Failed);
    }

    #[test]
    fn a_group_that_is_half_done_is_running() {
        let half =
            [step(0, "a[0]", &[], StepStatus::Success), step(1, "a[1]", &[], StepStatus::Pending)];
        assert_eq!(of_steps(&outlined(&half))[0].status(), StepStatus::Running);
        assert_eq!(of_steps(&outlined(&half[..1]))[0].status(), StepStatus::Success);
    }

    #[test]
    fn a_plan_that_is_not_made_yet_is_drawn_from_the_manifest() {
        let text = "niassa: 1\nname: W\nversion: '1'\ndescription: d\nsteps:\n\
            - {name: a, command: 'true'}\n- {name: b, needs: [a], command: 'true'}\n";
        let groups = of_manifest(&Manifest::parse(text).unwrap());
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[1].after, BTreeSet::from([0]));
        assert_eq!((groups[1].total(), groups[1].status()), (0, StepStatus::Pending));
    }
}
