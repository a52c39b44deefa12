//! Manifests that were read before: what a workflow's version is never changes, so scheduling reads
//! and parses it once.
//!
//! Whether the workflow may be scheduled is not remembered: that is looked up with each run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use niassa_api::error::ProblemCode;
use niassa_bundle::manifest::Manifest;
use niassa_metadb::MetaDb;
use niassa_model::accession::Accession;

use crate::error::Failed;

/// From so many bytes of text on everything is forgotten, which costs reading it again.
const BYTES: usize = 16 * 1024 * 1024;

/// A workflow that can be scheduled, as its bundle describes it.
#[derive(Debug)]
pub(crate) struct KnownWorkflow {
    /// Its manifest.
    pub(crate) manifest: Manifest,
    /// Name and text of each of the bundle's ini files.
    pub(crate) config: Vec<(String, String)>,
}

/// The workflows that were asked for.
#[derive(Debug, Default)]
pub(crate) struct KnownWorkflows(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    workflows: HashMap<Accession, Arc<KnownWorkflow>>,
    bytes: usize,
}

impl KnownWorkflows {
    /// Returns a workflow; fails where there is none or where its runs happen elsewhere.
    pub(crate) async fn find(
        &self,
        metadb: &MetaDb,
        swid: Accession,
    ) -> Result<Arc<KnownWorkflow>, Failed> {
        if let Some(known) = self.known(|known| known.workflows.get(&swid).cloned()) {
            return Ok(known);
        }
        let missing = || Failed::not_found(format_args!("workflow {swid}"));
        let workflow = metadb.workflow(swid).await?.ok_or_else(missing)?;
        let Some(sha256) = workflow.bundle_sha256 else {
            let detail = format!("workflow {swid} has no bundle: its runs happen elsewhere");
            return Err(Failed::new(ProblemCode::Conflict, detail));
        };
        let bundle = metadb.bundle(&sha256).await?.ok_or_else(missing)?;
        let manifest = Manifest::parse(&bundle.manifest).map_err(|error| {
            // It was checked when it was installed: an older version took what this one refuses.
            let detail = format!("this version cannot read the manifest of workflow {swid}");
            Failed::new(ProblemCode::Conflict, detail).errors(error.errors())
        })?;
        let bytes =
            bundle.manifest.len() + bundle.config.iter().map(|(_, text)| text.len()).sum::<usize>();
        let known = Arc::new(KnownWorkflow { manifest, config: bundle.config });
        self.known(|all| {
            if all.bytes + bytes > BYTES {
                *all = Known::default();
            }
            all.bytes += bytes;
            all.workflows.insert(swid, Arc::clone(&known));
        });
        Ok(known)
    }

    fn known<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
