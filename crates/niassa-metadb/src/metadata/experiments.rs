//! Experiments within studies.

use niassa_model::accession::{Accession, ObjectKind};

use super::objects::{Creation, Studies, refuse_parents, register};
use crate::creating::Begun;
use crate::error::{During, Result};
use crate::idempotency::{Once, OnceKey};
use crate::{Access, MetaDb};

/// An experiment to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewExperiment {
    /// Its study.
    pub study: Accession,
    /// Its title.
    pub title: String,
    /// What it is about.
    pub description: String,
    /// The number of the sequencing platform.
    pub platform_id: Option<i64>,
}

sql! {
    /// Makes an experiment.
    INSERT = "insert into experiment (swid, study, title, description, platform_id) \
        values ($1, $2, $3, $4, $5)";
}

impl MetaDb {
    /// Makes an experiment within a study that the caller may see.
    pub async fn create_experiment(
        &self,
        access: &Access,
        experiment: &NewExperiment,
        once: Option<&OnceKey>,
    ) -> Result<Once<Creation>> {
        const OPERATION: &str = "create an experiment";
        let mut creating = match self.begin_creating(access, once, OPERATION).await? {
            Begun::Creating(creating) => creating,
            Begun::Answered(swid) => return Ok(Once::Done(Creation::Made(swid))),
            Begun::Mismatch => return Ok(Once::Mismatch),
        };
        let (tx, now) = (&mut creating.tx, creating.now);
        let parents = [experiment.study];
        let fits = |kind| kind == ObjectKind::Study;
        if let Some(refusal) = refuse_parents(tx, access, &parents, fits, OPERATION).await? {
            return Ok(Once::Done(refusal));
        }
        let (kind, studies) = (ObjectKind::Experiment, Studies::Of(&parents));
        let swid = register(tx, now, access.account, kind, studies, OPERATION).await?;
        sqlx::query(INSERT)
            .bind(swid.get())
            .bind(experiment.study.get())
            .bind(&experiment.title)
            .bind(&experiment.description)
            .bind(experiment.platform_id)
            .execute(&mut **tx)
            .await
            .during(OPERATION)?;
        creating.finish(&swid).await?;
        Ok(Once::Done(Creation::Made(swid)))
    }
}
