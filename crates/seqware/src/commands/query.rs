//! `seqware query`.

use niassa_model::accession::ObjectKind;
use niassa_model::time::Timestamp;
use serde_json::{Value, json};

use super::OneAccession;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::ui::Format;
use crate::ui::cell::Cell;
use crate::ui::listing::Record;

/// Shows any object by its accession.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware query --accession 4
  $ seqware query sample --accession 4 --json")]
pub struct Args {
    /// What it should be: study, experiment, sample, workflow, workflow-run, processing, file
    #[arg(value_name = "KIND", value_parser = parse_kind)]
    kind: Option<ObjectKind>,
    #[command(flatten)]
    object: OneAccession,
}

/// Shows an object.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let object = context.client()?.object(args.object.accession).await?;
    if let Some(kind) = args.kind.filter(|kind| *kind != object.kind) {
        let what = format!("{} is a {}, not a {kind}", object.swid, object.kind);
        return Err(Failure::new(Exit::NotFound, what.replace('_', " ")));
    }
    if context.ui.format() == Format::Json {
        context.ui.json(&json!(object))?;
        return Ok(Exit::Done);
    }
    let mut record = Record::default()
        .with("SWID", Cell::Swid(object.swid))
        .with("Kind", Cell::text(object.kind));
    if let Value::Object(fields) = object.fields {
        for (name, value) in fields {
            let value = if name.ends_with("_at") { time(value) } else { cell(value) };
            record = record.with(title(&name), value);
        }
    }
    context.ui.record(&record)?;
    Ok(Exit::Done)
}

fn parse_kind(text: &str) -> Result<ObjectKind, String> {
    text.replace('-', "_").parse()
}

fn title(name: &str) -> String {
    let mut title = name.replace('_', " ");
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    title
}

/// Times are microseconds for programs and a moment for people.
fn time(value: Value) -> Cell {
    value.as_i64().map_or_else(|| cell(value), |micros| Cell::At(Timestamp::from_micros(micros)))
}

fn cell(value: Value) -> Cell {
    match value {
        Value::Null => Cell::Empty,
        Value::String(text) => Cell::Text(text),
        Value::Bool(flag) => Cell::Flag(flag),
        Value::Number(number) => number.as_i64().map_or(Cell::text(&number), Cell::Number),
        Value::Array(ref items) if items.is_empty() => Cell::Empty,
        Value::Array(_) | Value::Object(_) => Cell::text(&value),
    }
}
