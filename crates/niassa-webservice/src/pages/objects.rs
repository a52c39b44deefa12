//! Studies, samples, files and the other objects: lists, and each with where it comes from and what
//! descends from it.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use niassa_api::error::ProblemCode;
use niassa_metadb::metadata::lineage::ListedObject;
use niassa_metadb::metadata::objects::StoredObject;
use niassa_metadb::metadata::readers::StudyReader;
use niassa_model::accession::ObjectKind;
use niassa_model::account::{Action, Email, EmailError};
use niassa_model::limits::PAGE;
use serde_json::Value;

use super::answer::{Frame, Unanswered, page, see_other};
use super::form::query;
use super::run::Named;
use super::visitor::{Posted, Visitor};
use super::words::{Moment, bytes, moment, shown, shown_within};
use crate::app::App;
use crate::error::Failed;
use crate::http::extract::{page as cut, page_after};
use crate::usecases::look::Part;
use crate::usecases::{find_object, lineage, share_study};

/// Fields that say what an object is called.
const NAMES: [&str; 4] = ["title", "name", "path", "workflow_name"];
/// Characters of a field.
const FIELD: usize = 2_000;

/// The kinds that have lists: what they are called, and where they are.
const VIEWS: [(&str, &str); 3] =
    [("Studies", "/studies"), ("Samples", "/samples"), ("Files", "/files")];

#[derive(Template)]
#[template(path = "objects.html")]
struct ObjectsPage {
    frame: Frame,
    title: &'static str,
    views: [(&'static str, &'static str); 3],
    rows: Vec<Row>,
    next: Option<String>,
    none: &'static str,
}

#[derive(Template)]
#[template(path = "object.html")]
struct ObjectPage {
    frame: Frame,
    title: String,
    owner: String,
    created: Moment,
    fields: Vec<(String, String)>,
    above: Vec<Row>,
    is_above_cut: bool,
    has_hidden: bool,
    below: Vec<Row>,
    is_cut: bool,
    /// The study, where this is one: it can be shared.
    study: Option<i64>,
    said: Option<String>,
    /// Who may read the study, as far as the visitor may know.
    readers: Vec<Reader>,
}

struct Reader {
    /// As it is, for forms.
    email: String,
    /// As it is shown.
    name: String,
    granted_by: String,
    granted: Moment,
}

struct Row {
    swid: i64,
    kind: String,
    name: String,
    owner: String,
    created: Moment,
}

/// Lists studies.
pub(super) async fn studies(
    State(app): State<App>,
    visitor: Visitor,
) -> Result<Response, Unanswered> {
    let none = "There is no study that you may see. `seqware create study` makes one.";
    list(&app, &visitor, ObjectKind::Study, ("Studies", "/studies", none)).await
}

/// Lists samples.
pub(super) async fn samples(
    State(app): State<App>,
    visitor: Visitor,
) -> Result<Response, Unanswered> {
    let none = "There is no sample that you may see. `seqware create sample` makes one.";
    list(&app, &visitor, ObjectKind::Sample, ("Samples", "/samples", none)).await
}

/// Lists files.
pub(super) async fn files(
    State(app): State<App>,
    visitor: Visitor,
) -> Result<Response, Unanswered> {
    let none = "There is no file that you may see. Steps of runs make them.";
    list(&app, &visitor, ObjectKind::File, ("Files", "/files", none)).await
}

/// Shows an object; runs and workflows have pages of their own.
pub(super) async fn one(
    State(app): State<App>,
    visitor: Visitor,
    Named(swid): Named,
) -> Result<Response, Unanswered> {
    let access = visitor.may(Action::Read)?;
    let object = find_object::find_object(&app, &access, swid).await?;
    match object.kind {
        ObjectKind::WorkflowRun => return Ok(see_other(&format!("/runs/{swid}"))),
        ObjectKind::Workflow => return Ok(see_other(&format!("/workflows/{swid}"))),
        ObjectKind::Study
        | ObjectKind::Experiment
        | ObjectKind::Sample
        | ObjectKind::SequencerRun
        | ObjectKind::Lane
        | ObjectKind::Ius
        | ObjectKind::Processing
        | ObjectKind::File => {}
    }
    let below = lineage::below(&app, &access, swid).await?;
    let above = lineage::above(&app, &access, &object).await?;
    let mut fields = Vec::new();
    for (name, value) in &object.fields {
        let label = shown(&name.replace('_', " "));
        match value {
            // What is above stands in a table, and what a processing made below it.
            Value::Array(_) => {}
            _ if lineage::names_parents(name) => {}
            Value::Number(size) if name == "size" => {
                let size = size.as_i64().unwrap_or_default();
                fields.push((label, format!("{} ({size} bytes)", bytes(size))));
            }
            Value::String(text) => fields.push((label, shown_within(text, FIELD))),
            other => fields.push((label, other.to_string())),
        }
    }
    let kind = kind(object.kind);
    Ok(page(&ObjectPage {
        frame: Frame::of(&visitor, format!("{kind} {swid}")),
        title: format!("{kind} {swid}"),
        owner: shown(&object.owner),
        created: moment(object.created_at),
        fields,
        above: above.objects.iter().map(row_above).collect(),
        is_above_cut: above.is_cut,
        has_hidden: above.has_hidden,
        study: (object.kind == ObjectKind::Study).then_some(swid.get()),
        said: visitor.query.get("shared").map(shown),
        readers: match object.kind {
            ObjectKind::Study => app.metadb.study_readers(&access, swid).await?,
            _ => Vec::new(),
        }
        .iter()
        .map(reader)
        .collect(),
        is_cut: below.len() > lineage::BELOW as usize,
        below: below.iter().take(lineage::BELOW as usize).map(row).collect(),
    }))
}

/// Takes a study back from an account.
pub(super) async fn take_back(
    State(app): State<App>,
    Named(swid): Named,
    posted: Posted,
) -> Result<Response, Unanswered> {
    let access = posted.may(Action::Schedule)?;
    let reader = reader_of(&posted)?;
    share_study::take_back(&app, &access, swid, &reader).await?;
    Ok(see_other(&format!("/objects/{swid}")))
}

/// Lets another account read a study.
pub(super) async fn share(
    State(app): State<App>,
    Named(swid): Named,
    posted: Posted,
) -> Result<Response, Unanswered> {
    let access = posted.may(Action::Schedule)?;
    let reader = reader_of(&posted)?;
    share_study::share_study(&app, &access, swid, &reader).await?;
    let shared = query([("shared", reader.as_str())]);
    Ok(see_other(&format!("/objects/{swid}?{shared}")))
}

/// Returns whom the form names.
fn reader_of(posted: &Posted) -> Result<Email, Failed> {
    let named = posted.form.text("email").trim().parse();
    named.map_err(|error: EmailError| Failed::new(ProblemCode::Invalid, error.to_string()))
}

async fn list(
    app: &App,
    visitor: &Visitor,
    of: ObjectKind,
    (title, path, none): (&'static str, &str, &'static str),
) -> Result<Response, Unanswered> {
    let access = visitor.may(Action::Read)?;
    let part = Part { limit: PAGE + 1, after: page_after(visitor.query.get("after"))? };
    let found = lineage::of_kind(app, &access, of, part).await?;
    let found = cut(found, PAGE, |object| object.swid.get());
    Ok(page(&ObjectsPage {
        frame: Frame::of(visitor, title),
        title,
        views: VIEWS,
        rows: found.items.iter().map(row).collect(),
        next: found.next.map(|next| format!("{path}?{}", query([("after", &*next)]))),
        none,
    }))
}

fn reader(reader: &StudyReader) -> Reader {
    Reader {
        email: reader.account.clone(),
        name: shown(&reader.account),
        granted_by: shown(&reader.granted_by),
        granted: moment(reader.granted_at),
    }
}

fn row(object: &ListedObject) -> Row {
    Row {
        swid: object.swid.get(),
        kind: kind(object.kind),
        name: object.name.as_deref().map_or_else(String::new, |name| shown_within(name, FIELD)),
        owner: shown(&object.owner),
        created: moment(object.created_at),
    }
}

/// Writes an object that another one comes from.
fn row_above(object: &StoredObject) -> Row {
    let name = NAMES.iter().find_map(|field| object.fields.get(*field)?.as_str());
    let version = object.fields.get("workflow_version").or(object.fields.get("version"));
    let name = match (name, version.and_then(Value::as_str)) {
        (Some(name), Some(version)) => format!("{name} {version}"),
        (name, _) => name.unwrap_or_default().to_owned(),
    };
    Row {
        swid: object.swid.get(),
        kind: kind(object.kind),
        name: shown_within(&name, FIELD),
        owner: shown(&object.owner),
        created: moment(object.created_at),
    }
}

/// The word of a kind, as the beginning of a title.
fn kind(kind: ObjectKind) -> String {
    let word = kind.as_str().replace('_', " ");
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests;
