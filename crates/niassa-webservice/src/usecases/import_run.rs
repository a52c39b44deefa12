//! Records a run that happened elsewhere.

use niassa_api::metadata::objects::ImportRun;
use niassa_metadb::Access;
use niassa_metadb::idempotency::OnceKey;
use niassa_metadb::metadata::imports::{ImportMade, Imported, NewImport};
use niassa_model::run::RunTag;

use super::claim::check_number;
use super::create_metadata::made;
use super::findings::Findings;
use super::record_file::checked;
use crate::app::App;
use crate::error::{Failed, done};

/// Most files of one run.
const MOST_FILES: usize = 10_000;

/// Records a completed run with one processing and its files.
pub(crate) async fn import_run(
    app: &App,
    access: &Access,
    request: ImportRun,
    once: Option<OnceKey>,
) -> Result<Imported, Failed> {
    check_number(request.parents.len())?;
    check_number(request.input_files.len())?;
    request.files.iter().try_for_each(|file| check_number(file.parents.len()))?;
    let mut findings = Findings::default();
    if request.parents.is_empty() {
        findings.add("a run has at least one parent".to_owned());
    }
    if request.files.len() > MOST_FILES {
        findings.add(format!("a run has at most {MOST_FILES} files"));
    }
    if request.files.iter().map(|file| file.parents.len()).sum::<usize>() > MOST_FILES {
        findings.add(format!("the files of a run have at most {MOST_FILES} parents"));
    }
    let files = request.files.into_iter().map(|file| checked(file, &mut findings)).collect();
    findings.settle()?;
    let import = NewImport {
        tag: RunTag::from_random(rand::random()),
        workflow: request.workflow,
        parents: request.parents,
        input_files: request.input_files,
        files,
    };
    match done(app.metadb.import_run(access, &import, once.as_ref()).await?)? {
        ImportMade::Made(imported) => Ok(imported),
        ImportMade::Refused(refusal) => Err(made(refusal).err().unwrap_or_else(|| {
            Failed::internal(&std::io::Error::other("a refusal that made something"))
        })),
    }
}
