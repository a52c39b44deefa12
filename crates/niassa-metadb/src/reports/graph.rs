//! The graph of provenance above some runs, walked level by level.
//!
//! A recursive statement would need one text per database; a level per statement needs as many
//! statements as the graph is deep, and reads every object once however many runs share it.

use std::collections::{BTreeMap, BTreeSet};

use niassa_model::accession::{Accession, ObjectKind};

use crate::error::{During, Result, decode};
use crate::events::accession;
use crate::pool::column;
use crate::{Access, MetaDb, bulk};

/// Levels that are walked.
const LEVELS: usize = 1_000;

/// What stands above runs.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    kinds: BTreeMap<Accession, ObjectKind>,
    above: BTreeMap<Accession, Vec<Edge>>,
}

/// A way up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Edge {
    /// What it leads to.
    pub(crate) object: Accession,
    /// Whether it leads from a run to a parent that was named.
    pub(crate) is_parent: bool,
}

sql! {
    /// One level up, as far as the caller may see. `$3`: objects.
    UP = concat!("with asked as (select cast(value ->> 0 as bigint) as swid from json_each($3)) \
        select e.below, o.swid, o.kind, e.is_parent from ( \
            select p.run as below, p.parent as above, 1 as is_parent \
                from run_parent p where p.run in (select swid from asked) \
            union all select i.run, i.file, 0 \
                from run_input_file i where i.run in (select swid from asked) \
            union all select l.run, l.object, 0 \
                from run_link l where l.run in (select swid from asked) \
            union all select s.swid, s.run, 0 \
                from step s where s.swid in (select swid from asked) \
            union all select f.swid, f.processing, 0 \
                from file f where f.swid in (select swid from asked) \
            union all select h.file, h.parent, 0 \
                from file_parent h where h.file in (select swid from asked) \
            union all select m.swid, m.parent, 0 \
                from sample m where m.swid in (select swid from asked) \
        ) e join object o on o.swid = e.above where ", visible!());
}

/// Walks up from runs.
pub(crate) async fn load(
    metadb: &MetaDb,
    access: &Access,
    runs: &[Accession],
    operation: &'static str,
) -> Result<Graph> {
    let mut graph = Graph::default();
    let mut level: BTreeSet<Accession> = runs.iter().copied().collect();
    for _ in 0..LEVELS {
        if level.is_empty() {
            break;
        }
        let rows = sqlx::query(UP)
            .bind(access.everything())
            .bind(access.account.0)
            .bind(bulk::numbers(level.iter().copied()))
            .fetch_all(metadb.reader())
            .await
            .during(operation)?;
        let walked: BTreeSet<Accession> = std::mem::take(&mut level);
        for object in &walked {
            graph.above.entry(*object).or_default();
        }
        for row in &rows {
            let kind: String = column(row, "kind", operation)?;
            let kind = decode(kind.parse(), operation, &kind, "a kind of object")?;
            let object = accession(row, "swid", operation)?;
            let is_parent = column::<i64>(row, "is_parent", operation)? != 0;
            let below = accession(row, "below", operation)?;
            graph.above.entry(below).or_default().push(Edge { object, is_parent });
            graph.kinds.insert(object, kind);
            if !graph.above.contains_key(&object) {
                level.insert(object);
            }
        }
    }
    Ok(graph)
}

impl Graph {
    /// Returns the ways up from an object.
    pub(crate) fn above(&self, object: Accession) -> Vec<Edge> {
        self.above.get(&object).cloned().unwrap_or_default()
    }

    /// Returns everything of a kind.
    pub(crate) fn of_kind(&self, kind: ObjectKind) -> impl Iterator<Item = Accession> {
        let is_kind =
            move |(object, found): (&Accession, &ObjectKind)| (*found == kind).then_some(*object);
        self.kinds.iter().filter_map(is_kind)
    }

    /// Returns everything that was named as a parent of a run.
    pub(crate) fn parents_of_runs(&self) -> impl Iterator<Item = Accession> {
        let parents: BTreeSet<Accession> = self
            .above
            .values()
            .flatten()
            .filter(|edge| edge.is_parent)
            .map(|edge| edge.object)
            .collect();
        parents.into_iter()
    }

    /// Returns a run and everything above it.
    pub(crate) fn ancestors(&self, run: Accession) -> BTreeSet<Accession> {
        self.reach(run, |_| true)
    }

    /// Returns the samples among objects that were reached from something else than a sample.
    pub(crate) fn identity_samples(&self, objects: &BTreeSet<Accession>) -> BTreeSet<Accession> {
        objects
            .iter()
            .filter(|object| !self.is_sample(**object))
            .flat_map(|object| self.above(*object))
            .map(|edge| edge.object)
            .filter(|object| self.is_sample(*object))
            .collect()
    }

    /// Returns the samples above a sample, or itself, that were made of no other.
    pub(crate) fn root_samples(&self, sample: Accession) -> BTreeSet<Accession> {
        let mut samples = self.reach(sample, |object| self.is_sample(object));
        samples
            .retain(|sample| self.above(*sample).iter().all(|edge| !self.is_sample(edge.object)));
        samples
    }

    fn is_sample(&self, object: Accession) -> bool {
        self.kinds.get(&object) == Some(&ObjectKind::Sample)
    }

    fn reach(&self, from: Accession, through: impl Fn(Accession) -> bool) -> BTreeSet<Accession> {
        let mut reached = BTreeSet::from([from]);
        let mut open = vec![from];
        while let Some(object) = open.pop() {
            for edge in self.above(object) {
                if through(edge.object) && reached.insert(edge.object) {
                    open.push(edge.object);
                }
            }
        }
        reached
    }
}
