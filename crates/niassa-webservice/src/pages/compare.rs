//! Two runs side by side: what differs in their parameters, times and outputs.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use niassa_api::error::ProblemCode;
use niassa_api::runs::Run;
use niassa_bundle::ini;
use niassa_metadb::Access;
use niassa_metadb::steps::OutlinedStep;
use niassa_model::accession::Accession;
use niassa_model::account::Action;

use super::answer::{Frame, Unanswered, page};
use super::run::outline;
use super::visitor::Visitor;
use super::words::{run_badge, shown, shown_within, span};
use crate::app::App;
use crate::error::Failed;
use crate::usecases::{look, report};

/// Rows of each table.
const ROWS: usize = 500;
/// Characters of a value.
const VALUE: usize = 500;

#[derive(Template)]
#[template(path = "compare.html")]
struct ComparePage {
    frame: Frame,
    a: String,
    b: String,
    tables: Vec<(&'static str, Vec<Line>)>,
    both: Option<(i64, i64)>,
}

/// A thing of both runs.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    name: String,
    a: String,
    b: String,
    differs: bool,
}

/// What is known of one run, by name.
type Known = [(&'static str, BTreeMap<String, String>); 4];

/// Compares two runs; with one alone it asks for the other.
pub(super) async fn show(State(app): State<App>, visitor: Visitor) -> Result<Response, Unanswered> {
    let access = visitor.may(Action::Read)?;
    let (a, b) = (visitor.query.text("a").trim(), visitor.query.text("b").trim());
    let frame = Frame::of(&visitor, "Compare two runs");
    let (a, b) = (a.to_owned(), b.to_owned());
    if a.is_empty() || b.is_empty() {
        return Ok(page(&ComparePage { frame, a, b, tables: Vec::new(), both: None }));
    }
    let (first, second) = (named(&a)?, named(&b)?);
    let (of_a, of_b) = (known(&app, &access, first).await?, known(&app, &access, second).await?);
    let tables = of_a.iter().zip(&of_b).map(|((title, a), (_, b))| (*title, lines(a, b))).collect();
    let both = Some((first.get(), second.get()));
    Ok(page(&ComparePage { frame, a, b, tables, both }))
}

fn named(text: &str) -> Result<Accession, Failed> {
    text.parse().map_err(|error| Failed::new(ProblemCode::BadRequest, format!("{error}")))
}

async fn known(app: &App, access: &Access, swid: Accession) -> Result<Known, Failed> {
    let run = look::run(app, access, swid).await?;
    // A run that happened elsewhere has no values.
    let text = look::ini(app, access, swid).await.map(|ini| ini.text).unwrap_or_default();
    let values = ini::parse(&text).unwrap_or_default();
    let provenance = report::provenance(app, access, swid).await?;
    let steps = outline(app, access, swid).await?;
    let outputs = provenance.output_files.iter().map(|file| {
        let name = file.path.rsplit('/').next().unwrap_or(&file.path);
        let digest = file.sha256.as_deref().unwrap_or("no checksum");
        (shown(name), shown(digest))
    });
    Ok([
        ("The run", about(&run)),
        (
            "Parameters",
            values.into_iter().map(|v| (shown(&v.key), shown_within(&v.value, VALUE))).collect(),
        ),
        ("How long steps ran", steps.iter().map(time).collect()),
        ("Outputs by their SHA-256", outputs.collect()),
    ])
}

fn about(run: &Run) -> BTreeMap<String, String> {
    let workflow = format!("{} {}", run.workflow_name, run.workflow_version);
    let pairs = [
        ("status", run_badge(run.status).word.to_owned()),
        ("workflow", shown(&workflow)),
        ("host", shown(run.host.as_str())),
        ("launched on", run.launched_on.as_deref().map(shown).unwrap_or_default()),
        ("account", shown(&run.account)),
        ("steps", run.steps.total.to_string()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn time(step: &OutlinedStep) -> (String, String) {
    let text = step.ran_micros.map_or_else(|| step.status.to_string(), span);
    (shown(&step.label()), text)
}

/// Puts names of both beside each other; what differs comes first.
fn lines(a: &BTreeMap<String, String>, b: &BTreeMap<String, String>) -> Vec<Line> {
    let names: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let text = |map: &BTreeMap<String, String>, name: &String| {
        map.get(name).cloned().unwrap_or_else(|| "-".to_owned())
    };
    let line = |name: &String| {
        let (a, b) = (text(a, name), text(b, name));
        Line { name: name.clone(), differs: a != b, a, b }
    };
    let mut lines: Vec<Line> = names.into_iter().map(line).collect();
    lines.sort_by_key(|line| !line.differs);
    lines.truncate(ROWS);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_comes_first() {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
        };
        let lines =
            lines(&map(&[("a", "1"), ("b", "1")]), &map(&[("a", "1"), ("b", "2"), ("c", "3")]));
        let told: Vec<_> =
            lines.iter().map(|l| (l.name.as_str(), l.a.as_str(), l.b.as_str())).collect();
        assert_eq!(told, [("b", "1", "2"), ("c", "-", "3"), ("a", "1", "1")]);
    }
}
