//! The picture of a plan: groups of steps in columns, each right of all that it waits for.

use std::collections::BTreeMap;

use niassa_model::step::StepStatus;

use super::groups::Group;
use crate::pages::words::{Badge, shown_within, step_badge};

/// More groups than these are no picture any more; the table has them all.
const MOST: usize = 200;
const WIDTH: usize = 168;
const HEIGHT: usize = 44;
const GAP_X: usize = 56;
const GAP_Y: usize = 16;
const MARGIN: usize = 12;
/// Characters of a name that fit.
const NAME: usize = 18;

/// A plan as it is drawn.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Graph {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) nodes: Vec<Node>,
    pub(super) edges: Vec<Edge>,
}

/// A group as it is drawn.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) name: String,
    /// The whole name, for the link.
    pub(super) group: String,
    pub(super) badge: Badge,
    pub(super) counts: String,
}

/// A line from one group to another.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) from: (usize, usize),
    pub(super) to: (usize, usize),
    /// How far the curve leads straight on at both ends.
    pub(super) bend: usize,
}

/// Draws groups; nothing where there are too many, or one alone that says no more than its row.
pub(super) fn draw(groups: &[Group]) -> Option<Graph> {
    if groups.len() < 2 || groups.len() > MOST {
        return None;
    }
    let columns = columns(groups);
    let rows = rows(groups, &columns);
    let place = |group: usize| {
        (MARGIN + columns[group] * (WIDTH + GAP_X), MARGIN + rows[group] * (HEIGHT + GAP_Y))
    };
    let nodes = groups.iter().enumerate().map(|(at, group)| node(group, place(at)));
    let lines = groups
        .iter()
        .enumerate()
        .flat_map(|(at, group)| group.after.iter().map(move |parent| (*parent, at)));
    let edges = lines.map(|(parent, child)| {
        let (from, to) = (place(parent), place(child));
        let from = (from.0 + WIDTH, from.1 + HEIGHT / 2);
        Edge { from, to: (to.0, to.1 + HEIGHT / 2), bend: GAP_X / 2 }
    });
    let most = |numbers: &[usize]| numbers.iter().max().map_or(0, |most| most + 1);
    Some(Graph {
        width: 2 * MARGIN + most(&columns) * (WIDTH + GAP_X) - GAP_X,
        height: 2 * MARGIN + most(&rows) * (HEIGHT + GAP_Y) - GAP_Y,
        nodes: nodes.collect(),
        edges: edges.collect(),
    })
}

/// Says how the steps of a group stand, in few words.
pub(super) fn counts(group: &Group) -> String {
    match group.total() {
        0 => "not planned yet".to_owned(),
        1 => group.status().to_string(),
        total => {
            let done = group.count(StepStatus::Success);
            let failed = group.count(StepStatus::Failed) + group.count(StepStatus::Lost);
            let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
            format!("{done} of {total}{failed}")
        }
    }
}

/// Finds the column of each group. Groups stand behind those that they wait for, as steps of a plan
/// do; an edge that leads back would be none of a plan, and is not followed.
fn columns(groups: &[Group]) -> Vec<usize> {
    let mut columns: Vec<usize> = vec![0; groups.len()];
    // A manifest may name steps before those that they need, so the walk is repeated until nothing
    // moves; no column is farther right than there are groups.
    for _ in 0..groups.len() {
        let mut has_moved = false;
        for (at, group) in groups.iter().enumerate() {
            let column = group.after.iter().map(|parent| columns[*parent] + 1).max().unwrap_or(0);
            if column > columns[at] && column < groups.len() {
                columns[at] = column;
                has_moved = true;
            }
        }
        if !has_moved {
            break;
        }
    }
    columns
}

/// Finds the row of each group within its column: near those that it waits for.
fn rows(groups: &[Group], columns: &[usize]) -> Vec<usize> {
    let mut rows = vec![0; groups.len()];
    let mut by_column: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, column) in columns.iter().enumerate() {
        by_column.entry(*column).or_default().push(at);
    }
    for members in by_column.values_mut() {
        let middle = |at: &usize| {
            let after = &groups[*at].after;
            let sum: usize = after.iter().map(|parent| rows[*parent]).sum();
            sum * 1_000 / after.len().max(1)
        };
        members.sort_by_cached_key(|at| (middle(at), *at));
        for (row, at) in members.iter().enumerate() {
            rows[*at] = row;
        }
    }
    rows
}

fn node(group: &Group, (x, y): (usize, usize)) -> Node {
    Node {
        x,
        y,
        width: WIDTH,
        height: HEIGHT,
        name: shown_within(&group.name, NAME),
        group: group.name.clone(),
        badge: step_badge(group.status()),
        counts: counts(group),
    }
}

#[cfg(test)]
mod tests {
    use niassa_api::runs::Step;

    use super::super::groups;
    use super::super::groups::tests::{outlined, step};
    use super::*;

    fn of_steps(steps: &[Step]) -> Vec<Group> {
        groups::of_steps(&outlined(steps))
    }

    fn most() -> u32 {
        u32::try_from(MOST).unwrap()
    }

    #[test]
    fn what_waits_stands_right_of_what_it_waits_for() {
        let groups = of_steps(&[
            step(0, "index", &[], StepStatus::Success),
            step(1, "left", &[0], StepStatus::Success),
            step(2, "right", &[0], StepStatus::Pending),
            step(3, "merge", &[0, 1, 2], StepStatus::Pending),
        ]);
        let graph = draw(&groups).unwrap();
        let at: Vec<(usize, usize)> = graph.nodes.iter().map(|node| (node.x, node.y)).collect();
        assert!(at[0].0 < at[1].0 && at[1].0 == at[2].0 && at[2].0 < at[3].0);
        assert_ne!(at[1].1, at[2].1);
        assert_eq!(graph.edges.len(), 5);
        assert!(graph.edges.iter().all(|edge| edge.from.0 < edge.to.0));
        assert!(graph.nodes.iter().all(|node| node.x + WIDTH <= graph.width));
        assert!(graph.nodes.iter().all(|node| node.y + HEIGHT <= graph.height));
    }

    #[test]
    fn no_two_groups_stand_in_one_place() {
        let steps: Vec<_> = (0..most())
            .map(|at| {
                step(at, &format!("s{at}"), &[at / 3][..usize::from(at > 0)], StepStatus::Pending)
            })
            .collect();
        let graph = draw(&of_steps(&steps)).unwrap();
        let mut places: Vec<_> = graph.nodes.iter().map(|node| (node.x, node.y)).collect();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), MOST);
    }

    #[test]
    fn what_is_no_picture_is_not_drawn() {
        let one = of_steps(&[step(0, "a", &[], StepStatus::Success)]);
        assert_eq!(draw(&one), None);
        let many: Vec<_> =
            (0..=most()).map(|at| step(at, &format!("s{at}"), &[], StepStatus::Pending)).collect();
        assert_eq!(draw(&of_steps(&many)), None);
    }
}
