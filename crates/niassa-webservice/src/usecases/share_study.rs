//! Lets an account read a study and everything below it, and takes it back.

use niassa_api::error::ProblemCode;
use niassa_metadb::Access;
use niassa_metadb::metadata::studies::ReaderAdded;
use niassa_model::accession::Accession;
use niassa_model::account::Email;

use crate::app::App;
use crate::error::Failed;

/// Takes a study of the caller's back from an account.
pub(crate) async fn take_back(
    app: &App,
    access: &Access,
    study: Accession,
    reader: &Email,
) -> Result<(), Failed> {
    if app.metadb.remove_study_reader(access, study, reader).await? {
        return Ok(());
    }
    Err(Failed::not_found(format_args!("reader {reader} of study {study}")))
}

/// Shares a study of the caller's with an account.
pub(crate) async fn share_study(
    app: &App,
    access: &Access,
    study: Accession,
    reader: &Email,
) -> Result<(), Failed> {
    match app.metadb.add_study_reader(access, study, reader).await? {
        ReaderAdded::Added => Ok(()),
        ReaderAdded::NoStudy => Err(Failed::not_found(format!("study {study}"))),
        ReaderAdded::NoAccount => Err(Failed::not_found(format!("account {reader}"))),
        ReaderAdded::NotOwner => {
            let detail = format!("study {study} is another account's: only its owner may share it");
            Err(Failed::new(ProblemCode::NotAllowed, detail))
        }
    }
}
