//! The steps of a workflow as a tree of text: each step below the one it waits for longest.

use std::collections::HashMap;
use std::fmt::Write;

use niassa_bundle::manifest::{Manifest, Step};
use niassa_model::plan::Plan;
use niassa_model::step::StepName;

/// A step, and the steps it waits for by their position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is called.
    pub label: String,
    /// What else is said of it, such as how often it is repeated.
    pub about: String,
    /// What it waits for.
    pub after: Vec<usize>,
}

/// Returns the steps of a manifest.
pub fn of_manifest(manifest: &Manifest) -> Vec<Node> {
    let position = |name: &StepName| manifest.steps.iter().position(|step| step.name == *name);
    let node = |step: &Step| Node {
        label: step.name.to_string(),
        about: step
            .foreach
            .as_ref()
            .map(|foreach| format!("for each {} of {}", foreach.variable, foreach.parameter))
            .unwrap_or_default(),
        after: step.needs.iter().filter_map(position).collect(),
    };
    manifest.steps.iter().map(node).collect()
}

/// Returns the steps of a plan; the elements of a `foreach` are one node with their number.
pub fn of_plan(plan: &Plan) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    let mut elements: Vec<u64> = Vec::new();
    let mut positions: HashMap<&StepName, usize> = HashMap::new();
    for step in &plan.steps {
        let position = *positions.entry(&step.name).or_insert_with(|| {
            let label = step.name.to_string();
            nodes.push(Node { label, about: String::new(), after: Vec::new() });
            elements.push(0);
            nodes.len() - 1
        });
        elements[position] += u64::from(step.element.is_some());
        for after in &step.after {
            let parent = plan.steps.get(after.as_usize()).and_then(|s| positions.get(&s.name));
            if let Some(parent) = parent.filter(|parent| !nodes[position].after.contains(parent)) {
                nodes[position].after.push(*parent);
            }
        }
    }
    for (node, elements) in nodes.iter_mut().zip(elements).filter(|(_, elements)| *elements > 0) {
        node.about = super::words::count(elements, "element");
    }
    nodes
}

/// Which characters the branches are drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Branches {
    /// Lines.
    Unicode,
    /// What every terminal and every editor shows.
    Ascii,
}

/// Draws the steps, one a line, without a line break at the end.
pub fn draw(nodes: &[Node], branches: Branches) -> String {
    let depths = depths(nodes);
    let parent = |position: usize| {
        let after = &nodes[position].after;
        after.iter().copied().max_by_key(|parent| depths[*parent])
    };
    let parents: Vec<Option<usize>> = (0..nodes.len()).map(parent).collect();
    let tree = Tree { nodes, parents, branches };
    let mut text = String::new();
    for root in (0..nodes.len()).filter(|position| tree.parents[*position].is_none()) {
        tree.draw(root, "", "", &mut text);
    }
    text.trim_end().to_owned()
}

/// Returns how many steps stand before each one on the longest way to it.
fn depths(nodes: &[Node]) -> Vec<usize> {
    let mut depths = vec![0; nodes.len()];
    // A manifest may name its steps in any order; after as many rounds as there are steps all is
    // settled, and a plan needs one.
    for _ in 0..nodes.len() {
        let mut settled = true;
        for (position, node) in nodes.iter().enumerate() {
            let depth = node.after.iter().map(|parent| depths[*parent] + 1).max().unwrap_or(0);
            if depth > depths[position] {
                (depths[position], settled) = (depth, false);
            }
        }
        if settled {
            break;
        }
    }
    depths
}

struct Tree<'nodes> {
    nodes: &'nodes [Node],
    parents: Vec<Option<usize>>,
    branches: Branches,
}

impl Tree<'_> {
    /// Draws a step behind `lead`, and what waits for it behind `below`.
    fn draw(&self, position: usize, lead: &str, below: &str, text: &mut String) {
        let node = &self.nodes[position];
        let others = node.after.iter().filter(|parent| Some(**parent) != self.parents[position]);
        let others: Vec<&str> = others.map(|parent| self.nodes[*parent].label.as_str()).collect();
        let mut about = Vec::new();
        if !node.about.is_empty() {
            about.push(node.about.clone());
        }
        if !others.is_empty() {
            about.push(format!("also after {}", others.join(", ")));
        }
        let about =
            if about.is_empty() { String::new() } else { format!("  ({})", about.join("; ")) };
        // Writing to a String cannot fail.
        let _infallible = writeln!(text, "{lead}{}{about}", node.label);
        let children: Vec<usize> =
            (0..self.nodes.len()).filter(|child| self.parents[*child] == Some(position)).collect();
        for (index, child) in children.iter().enumerate() {
            let is_last = index + 1 == children.len();
            let (branch, continued) = match (self.branches, is_last) {
                (Branches::Unicode, true) => ("└─ ", "   "),
                (Branches::Unicode, false) => ("├─ ", "│  "),
                (Branches::Ascii, true) => ("`- ", "   "),
                (Branches::Ascii, false) => ("|- ", "|  "),
            };
            self.draw(*child, &format!("{below}{branch}"), &format!("{below}{continued}"), text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(label: &str, after: &[usize]) -> Node {
        Node { label: label.to_owned(), about: String::new(), after: after.to_vec() }
    }

    #[test]
    fn a_step_stands_below_the_last_it_waits_for() {
        let nodes = [
            node("index", &[]),
            node("align", &[0]),
            node("call", &[1]),
            node("count", &[0, 2]),
            node("plot", &[1]),
            node("alone", &[]),
        ];
        let expected = "\
index
└─ align
   ├─ call
   │  └─ count  (also after index)
   └─ plot
alone";
        assert_eq!(draw(&nodes, Branches::Unicode), expected);
        assert!(draw(&nodes, Branches::Ascii).is_ascii());
        assert_eq!(draw(&[], Branches::Ascii), "");
    }

    #[test]
    fn steps_may_be_named_before_what_they_wait_for() {
        let nodes = [node("last", &[1, 2]), node("middle", &[2]), node("first", &[])];
        assert_eq!(
            draw(&nodes, Branches::Ascii),
            "first\n`- middle\n   `- last  (also after first)"
        );
    }
}
