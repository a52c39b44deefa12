//! Calls about metadata: studies, experiments, samples, files, and any object by its accession.

use niassa_model::accession::Accession;
use niassa_model::account::Email;
use uuid::Uuid;

use super::transport::Repeat;
use super::{Client, ClientError};
use crate::files::CreateFile;
use crate::metadata::experiments::CreateExperiment;
use crate::metadata::objects::{Created, Object};
use crate::metadata::samples::CreateSample;
use crate::metadata::studies::{AddReader, CreateStudy};
use crate::paths::{self, fill};

impl Client {
    /// Makes a study.
    pub async fn create_study(&self, request: &CreateStudy) -> Result<Created, ClientError> {
        self.create(paths::STUDIES, request, Uuid::new_v4()).await
    }

    /// Lets an account read a study and everything below it.
    pub async fn add_study_reader(
        &self,
        study: Accession,
        email: Email,
    ) -> Result<(), ClientError> {
        let route = fill(paths::STUDY_READERS, study);
        self.post(&route, &AddReader { email }, Repeat::Safe).await
    }

    /// Makes an experiment.
    pub async fn create_experiment(
        &self,
        request: &CreateExperiment,
    ) -> Result<Created, ClientError> {
        self.create(paths::EXPERIMENTS, request, Uuid::new_v4()).await
    }

    /// Makes a sample.
    pub async fn create_sample(&self, request: &CreateSample) -> Result<Created, ClientError> {
        self.create(paths::SAMPLES, request, Uuid::new_v4()).await
    }

    /// Records a file.
    pub async fn create_file(&self, request: &CreateFile) -> Result<Created, ClientError> {
        self.create(paths::FILES, request, Uuid::new_v4()).await
    }

    /// Returns any object by its accession.
    pub async fn object(&self, accession: Accession) -> Result<Object, ClientError> {
        self.get(&fill(paths::OBJECT, accession)).await
    }
}
