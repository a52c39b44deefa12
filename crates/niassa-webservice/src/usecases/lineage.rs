//! Lists objects, and what descends from one.

use niassa_metadb::Access;
use niassa_metadb::metadata::lineage::ListedObject;
use niassa_model::accession::{Accession, ObjectKind};

use super::look::Part;
use crate::app::App;
use crate::error::Failed;

/// Most objects that are told to descend from one.
pub(crate) const BELOW: u32 = 200;

/// Lists objects of a kind, newest first.
pub(crate) async fn of_kind(
    app: &App,
    access: &Access,
    kind: ObjectKind,
    part: Part,
) -> Result<Vec<ListedObject>, Failed> {
    Ok(app.metadb.objects_of_kind(access, kind, part.after, part.limit).await?)
}

/// Lists what descends right from an object, newest first; one more than are told.
pub(crate) async fn below(
    app: &App,
    access: &Access,
    above: Accession,
) -> Result<Vec<ListedObject>, Failed> {
    Ok(app.metadb.objects_below(access, above, BELOW + 1).await?)
}
