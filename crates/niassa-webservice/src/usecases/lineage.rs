//! Lists objects, what one comes from, and what descends from it.

use std::collections::{BTreeSet, VecDeque};

use niassa_api::error::ProblemCode;
use niassa_metadb::Access;
use niassa_metadb::metadata::lineage::ListedObject;
use niassa_metadb::metadata::objects::StoredObject;
use niassa_model::accession::{Accession, ObjectKind};

use super::find_object::find_object;
use super::look::Part;
use crate::app::App;
use crate::error::Failed;

/// Most objects that are told to descend from one.
pub(crate) const BELOW: u32 = 200;

/// Most objects that are told to be above one: each is looked up by itself.
const ABOVE: usize = 30;
/// Fields that name objects above one.
const PARENTS: [&str; 8] =
    ["processing", "run", "input_files", "parents", "parent", "experiment", "study", "workflow"];

/// What an object comes from.
#[derive(Debug, Default)]
pub(crate) struct Above {
    /// The objects, the nearest first.
    pub(crate) objects: Vec<StoredObject>,
    /// Whether there are more than are told.
    pub(crate) is_cut: bool,
    /// Whether there are some that the caller may not see.
    pub(crate) has_hidden: bool,
}

/// Finds all that an object comes from: its run, what that was given and descends from, and so on.
pub(crate) async fn above(
    app: &App,
    access: &Access,
    object: &StoredObject,
) -> Result<Above, Failed> {
    let mut above = Above::default();
    let mut waiting: VecDeque<i64> = parents(object).collect();
    let mut known = BTreeSet::from([object.swid.get()]);
    while let Some(number) = waiting.pop_front() {
        let Ok(swid) = Accession::try_from(number) else { continue };
        if !known.insert(number) {
            continue;
        }
        // Also those that the caller may not see are looked up. One of the known is the object itself.
        if known.len() > ABOVE + 1 {
            above.is_cut = true;
            break;
        }
        match find_object(app, access, swid).await {
            Ok(found) => {
                waiting.extend(parents(&found));
                above.objects.push(found);
            }
            Err(Failed(problem)) if problem.code == ProblemCode::NotFound => {
                above.has_hidden = true;
            }
            Err(failed) => return Err(failed),
        }
    }
    Ok(above)
}

/// Returns what an object names as above it.
fn parents(object: &StoredObject) -> impl Iterator<Item = i64> {
    let values = PARENTS.iter().filter_map(|name| object.fields.get(*name));
    values.flat_map(|value| match value.as_array() {
        Some(numbers) => numbers.iter().filter_map(serde_json::Value::as_i64).collect(),
        None => value.as_i64().into_iter().collect::<Vec<_>>(),
    })
}

/// Whether a field of an object names others that are above it.
pub(crate) fn names_parents(field: &str) -> bool {
    PARENTS.contains(&field)
}

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
