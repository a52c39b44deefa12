//! Makes studies, experiments and samples.

use niassa_api::error::ProblemCode;
use niassa_api::metadata::experiments::CreateExperiment;
use niassa_api::metadata::samples::CreateSample;
use niassa_api::metadata::studies::CreateStudy;
use niassa_metadb::Access;
use niassa_metadb::idempotency::OnceKey;
use niassa_metadb::metadata::experiments::NewExperiment;
use niassa_metadb::metadata::objects::Creation;
use niassa_metadb::metadata::samples::NewSample;
use niassa_metadb::metadata::studies::NewStudy;
use niassa_model::accession::Accession;

use super::findings::Findings;
use crate::app::App;
use crate::error::{Failed, done};

/// Makes a study.
pub(crate) async fn create_study(
    app: &App,
    access: &Access,
    request: CreateStudy,
    once: Option<OnceKey>,
) -> Result<Accession, Failed> {
    let mut findings = described(&request.title, &request.description);
    findings.optional_line("the accession", request.accession.as_deref());
    findings.optional_line("the centre's name", request.center_name.as_deref());
    findings.optional_line("the centre's project name", request.center_project_name.as_deref());
    findings.optional_line("the study type", request.study_type.as_deref());
    findings.settle()?;
    let study = NewStudy {
        title: request.title,
        description: request.description,
        accession: request.accession,
        center_name: request.center_name,
        center_project_name: request.center_project_name,
        study_type: request.study_type,
    };
    done(app.metadb.create_study(access, &study, once.as_ref()).await?)
}

/// Makes an experiment within a study.
pub(crate) async fn create_experiment(
    app: &App,
    access: &Access,
    request: CreateExperiment,
    once: Option<OnceKey>,
) -> Result<Accession, Failed> {
    described(&request.title, &request.description).settle()?;
    let experiment = NewExperiment {
        study: request.study,
        title: request.title,
        description: request.description,
        platform_id: request.platform_id,
    };
    made(done(app.metadb.create_experiment(access, &experiment, once.as_ref()).await?)?)
}

/// Makes a sample of an experiment, perhaps of another sample.
pub(crate) async fn create_sample(
    app: &App,
    access: &Access,
    request: CreateSample,
    once: Option<OnceKey>,
) -> Result<Accession, Failed> {
    described(&request.title, &request.description).settle()?;
    let sample = NewSample {
        experiment: request.experiment,
        parent: request.parent,
        title: request.title,
        description: request.description,
        organism_id: request.organism_id,
    };
    made(done(app.metadb.create_sample(access, &sample, once.as_ref()).await?)?)
}

/// Returns the accession of what was made, or why it was not.
pub(super) fn made(creation: Creation) -> Result<Accession, Failed> {
    match creation {
        Creation::Made(swid) => Ok(swid),
        Creation::NoParent(parent) => Err(Failed::not_found(format!("object with SWID {parent}"))
            .hint("seqware query --accession SWID shows what an object is")),
        Creation::WrongKind { parent, kind } => {
            let kind = kind.as_str().replace('_', " ");
            let detail = format!("{parent} is a {kind}, which cannot stand here");
            Err(Failed::new(ProblemCode::Invalid, detail.clone()).errors(vec![detail]))
        }
    }
}

fn described(title: &str, description: &str) -> Findings {
    let mut findings = Findings::default();
    findings.line("the title", title);
    findings.text("the description", description);
    findings
}
