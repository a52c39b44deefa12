//! The picture of a plan: groups of steps in columns, each right of all that it waits for.
//!
//! A line that passes a column has a lane of its own there, so that it leads behind no group and says nothing
//! that is not so.

use std::collections::BTreeMap;

use niassa_model::step::StepStatus;

use super::groups::Group;
use crate::pages::words::{Badge, shown_within, step_badge};

/// More groups than these are no picture any more; the table has them all.
const MOST: usize = 200;
/// Lanes for lines that pass columns; further lines lead straight through.
const MOST_LANES: usize = 400;
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

/// A line from one group to another: out of `from`, through the lanes on the way, into `to`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) from: (usize, usize),
    pub(super) to: (usize, usize),
    /// Where it enters each column that it passes.
    pub(super) via: Vec<(usize, usize)>,
}

impl Edge {
    /// Writes it as SVG has it: curves between columns, straight on through them.
    pub(super) fn path(&self) -> String {
        let bend = GAP_X / 2;
        let mut path = vec![format!("M{} {}", self.from.0, self.from.1)];
        let mut at = self.from;
        for to in self.via.iter().chain([&self.to]) {
            let (left, right) = (at.0 + bend, to.0 - bend);
            path.push(format!("C{left} {} {right} {} {} {}", at.1, to.1, to.0, to.1));
            at = *to;
            if *to != self.to {
                at.0 += WIDTH;
                path.push(format!("H{}", at.0));
            }
        }
        path.join(" ")
    }
}

/// What has a place of its own in a column: a group, or the lane of lines that pass.
struct Slot {
    column: usize,
    /// The slots in the column before, or any before, that it is joined to.
    after: Vec<usize>,
}

/// Draws groups; nothing where there are too many, or one alone that says no more than its row.
pub(super) fn draw(groups: &[Group]) -> Option<Graph> {
    if groups.len() < 2 || groups.len() > MOST {
        return None;
    }
    let (slots, lanes) = slots(groups);
    let rows = rows(&slots);
    let place = |slot: usize| {
        (MARGIN + slots[slot].column * (WIDTH + GAP_X), MARGIN + rows[slot] * (HEIGHT + GAP_Y))
    };
    let entry = |slot: usize| (place(slot).0, place(slot).1 + HEIGHT / 2);
    let edge = |(parent, child): (usize, usize)| {
        let passed = slots[parent].column + 1..slots[child].column;
        let lane = |column| lanes.get(&(parent, column)).copied();
        let from = (place(parent).0 + WIDTH, entry(parent).1);
        Edge { from, to: entry(child), via: passed.filter_map(lane).map(entry).collect() }
    };
    let joined = groups
        .iter()
        .enumerate()
        .flat_map(|(at, group)| group.after.iter().map(move |parent| (*parent, at)));
    let most = |numbers: &mut dyn Iterator<Item = usize>| numbers.max().map_or(0, |most| most + 1);
    let columns = most(&mut slots.iter().map(|slot| slot.column));
    Some(Graph {
        width: 2 * MARGIN + columns * (WIDTH + GAP_X) - GAP_X,
        height: 2 * MARGIN + most(&mut rows.iter().copied()) * (HEIGHT + GAP_Y) - GAP_Y,
        nodes: groups.iter().enumerate().map(|(at, group)| node(group, place(at))).collect(),
        edges: joined.map(edge).collect(),
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

/// Gives each group a slot, in their order, and behind them the lanes: one for all lines of a group that
/// pass a column. Where a plan is so wide that lanes would be most of the picture, there are none.
fn slots(groups: &[Group]) -> (Vec<Slot>, BTreeMap<(usize, usize), usize>) {
    let columns = columns(groups);
    let mut slots: Vec<Slot> =
        columns.iter().map(|column| Slot { column: *column, after: Vec::new() }).collect();
    let mut lanes = BTreeMap::new();
    for (child, group) in groups.iter().enumerate() {
        for parent in &group.after {
            let mut before = *parent;
            for column in columns[*parent] + 1..columns[child] {
                if lanes.len() == MOST_LANES {
                    break;
                }
                before = *lanes.entry((*parent, column)).or_insert_with(|| {
                    slots.push(Slot { column, after: vec![before] });
                    slots.len() - 1
                });
            }
            slots[child].after.push(before);
        }
    }
    (slots, lanes)
}

/// Finds the row of each slot within its column: near those that it is joined to.
fn rows(slots: &[Slot]) -> Vec<usize> {
    let mut rows = vec![0; slots.len()];
    let mut by_column: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, slot) in slots.iter().enumerate() {
        by_column.entry(slot.column).or_default().push(at);
    }
    for members in by_column.values_mut() {
        let middle = |at: &usize| {
            let after = &slots[*at].after;
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
    fn a_line_leads_behind_no_group() {
        let groups = of_steps(&[
            step(0, "fastqc", &[], StepStatus::Success),
            step(1, "align", &[], StepStatus::Success),
            step(2, "merge", &[1], StepStatus::Success),
            step(3, "call", &[2], StepStatus::Success),
            step(4, "report", &[0, 2, 3], StepStatus::Pending),
        ]);
        let graph = draw(&groups).unwrap();
        for edge in &graph.edges {
            for (x, y) in &edge.via {
                let is_under = |node: &&Node| node.x == *x && node.y + HEIGHT / 2 == *y;
                assert!(!graph.nodes.iter().any(|node| is_under(&node)), "{edge:?}");
            }
            assert_eq!(edge.path().matches('H').count(), edge.via.len(), "{}", edge.path());
        }
        let passed: Vec<usize> = graph.edges.iter().map(|edge| edge.via.len()).collect();
        assert_eq!(passed, [0, 0, 2, 1, 0], "of fastqc two columns, of merge one");
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
