//! Samples of experiments, and samples made of samples.

use niassa_model::accession::{Accession, ObjectKind};

use super::objects::{Creation, Studies, refuse_parents, register};
use crate::creating::Begun;
use crate::error::{During, Result};
use crate::idempotency::{Once, OnceKey};
use crate::{Access, MetaDb};

/// A sample to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSample {
    /// Its experiment.
    pub experiment: Accession,
    /// The sample it was made of.
    pub parent: Option<Accession>,
    /// Its title.
    pub title: String,
    /// What it is.
    pub description: String,
    /// The number of the organism.
    pub organism_id: Option<i64>,
}

sql! {
    /// Makes a sample.
    INSERT = "insert into sample (swid, experiment, parent, title, description, organism_id) \
        values ($1, $2, $3, $4, $5, $6)";
}

impl MetaDb {
    /// Makes a sample of an experiment, and perhaps of a sample, that the caller may see.
    pub async fn create_sample(
        &self,
        access: &Access,
        sample: &NewSample,
        once: Option<&OnceKey>,
    ) -> Result<Once<Creation>> {
        const OPERATION: &str = "create a sample";
        let mut creating = match self.begin_creating(access, once, OPERATION).await? {
            Begun::Creating(creating) => creating,
            Begun::Answered(swid) => return Ok(Once::Done(Creation::Made(swid))),
            Begun::Mismatch => return Ok(Once::Mismatch),
        };
        let (tx, now) = (&mut creating.tx, creating.now);
        let is_experiment = |kind| kind == ObjectKind::Experiment;
        let is_sample = |kind| kind == ObjectKind::Sample;
        let mut parents = vec![sample.experiment];
        let mut refusal = refuse_parents(tx, access, &parents, is_experiment, OPERATION).await?;
        if let (None, Some(parent)) = (refusal, sample.parent) {
            refusal = refuse_parents(tx, access, &[parent], is_sample, OPERATION).await?;
            parents.push(parent);
        }
        if let Some(refusal) = refusal {
            return Ok(Once::Done(refusal));
        }
        let (kind, studies) = (ObjectKind::Sample, Studies::Of(&parents));
        let swid = register(tx, now, access.account, kind, studies, OPERATION).await?;
        sqlx::query(INSERT)
            .bind(swid.get())
            .bind(sample.experiment.get())
            .bind(sample.parent.map(Accession::get))
            .bind(&sample.title)
            .bind(&sample.description)
            .bind(sample.organism_id)
            .execute(&mut **tx)
            .await
            .during(OPERATION)?;
        creating.finish(&swid).await?;
        Ok(Once::Done(Creation::Made(swid)))
    }
}
