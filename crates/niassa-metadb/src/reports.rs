//! Where runs come from and what they made: the columns of reports that lie beyond the run itself.

pub(crate) mod files;
pub(crate) mod graph;

use std::collections::{BTreeMap, BTreeSet};

use niassa_model::accession::{Accession, ObjectKind};
use niassa_model::time::Timestamp;

use crate::error::Result;
use crate::{Access, MetaDb};
use graph::Graph;

pub use files::{ReportedFile, ReportedSample};

/// Where a run comes from and what it made, as far as the caller may see it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Provenance {
    /// The samples that the run descends from and that were made of no other sample.
    pub library_samples: Vec<ReportedSample>,
    /// The samples that the run descends from directly, without another sample in between.
    pub identity_samples: Vec<ReportedSample>,
    /// All files that the run descends from.
    pub input_files: Vec<ReportedFile>,
    /// The files it was given, and those that its parents are or made.
    pub immediate_input_files: Vec<ReportedFile>,
    /// The files it made.
    pub output_files: Vec<ReportedFile>,
    /// When its first attempt started, by the clock of its machine.
    pub started_at: Option<Timestamp>,
    /// When its last attempt ended.
    pub ended_at: Option<Timestamp>,
}

impl MetaDb {
    /// Returns the provenance of runs. The caller has seen the runs; what they descend from is
    /// checked object by object, and a hidden object hides what is behind it. Ancestors farther away
    /// than a thousand steps are left out.
    pub async fn provenance_of_runs(
        &self,
        access: &Access,
        runs: &[Accession],
    ) -> Result<BTreeMap<Accession, Provenance>> {
        const OPERATION: &str = "find what runs descend from";
        let graph = graph::load(self, access, runs, OPERATION).await?;
        let found = Found {
            files: files::files(self, access, graph.of_kind(ObjectKind::File), OPERATION).await?,
            made: files::made(self, access, graph.parents_of_runs(), OPERATION).await?,
            samples: files::samples(self, access, graph.of_kind(ObjectKind::Sample), OPERATION)
                .await?,
        };
        let mut outputs = files::made(self, access, runs.iter().copied(), OPERATION).await?;
        let mut times = files::times(self, runs, OPERATION).await?;
        let provenance = |run: &Accession| {
            let (started_at, ended_at) = times.remove(run).unwrap_or_default();
            let output_files = outputs.remove(run).unwrap_or_default();
            let found = found.provenance(&graph, *run);
            (*run, Provenance { output_files, started_at, ended_at, ..found })
        };
        Ok(runs.iter().map(provenance).collect())
    }
}

/// What was found of the objects that runs descend from.
struct Found {
    files: BTreeMap<Accession, ReportedFile>,
    /// The files that parents of runs made.
    made: BTreeMap<Accession, Vec<ReportedFile>>,
    samples: BTreeMap<Accession, ReportedSample>,
}

impl Found {
    fn provenance(&self, graph: &Graph, run: Accession) -> Provenance {
        let all = graph.ancestors(run);
        let identity = graph.identity_samples(&all);
        let libraries = identity.iter().flat_map(|sample| graph.root_samples(*sample)).collect();
        Provenance {
            library_samples: self.samples(&libraries),
            identity_samples: self.samples(&identity),
            input_files: self.inputs(graph, all.iter().copied()),
            immediate_input_files: self.inputs(graph, std::iter::once(run)),
            ..Provenance::default()
        }
    }

    /// The files right above objects: named as inputs, as parents, or made by parents.
    fn inputs(&self, graph: &Graph, below: impl Iterator<Item = Accession>) -> Vec<ReportedFile> {
        let mut inputs = BTreeMap::new();
        for edge in below.flat_map(|object| graph.above(object)) {
            let file = self.files.get(&edge.object);
            let made = if edge.is_parent { self.made.get(&edge.object) } else { None };
            for file in file.into_iter().chain(made.into_iter().flatten()) {
                inputs.insert(file.swid, file.clone());
            }
        }
        inputs.into_values().collect()
    }

    fn samples(&self, samples: &BTreeSet<Accession>) -> Vec<ReportedSample> {
        samples.iter().filter_map(|sample| self.samples.get(sample).cloned()).collect()
    }
}

#[cfg(test)]
mod tests;
