//! Returns any object by its accession.

use niassa_metadb::Access;
use niassa_metadb::metadata::objects::StoredObject;
use niassa_model::accession::Accession;

use crate::app::App;
use crate::error::Failed;

/// Returns an object that the caller may see.
pub(crate) async fn find_object(
    app: &App,
    access: &Access,
    swid: Accession,
) -> Result<StoredObject, Failed> {
    let object = app.metadb.object(access, swid).await?;
    object.ok_or_else(|| Failed::not_found(format!("object with SWID {swid}")))
}
