//! `seqware workflow list`.

use niassa_api::workflows::{Workflow, WorkflowQuery};
use niassa_model::limits::PAGE_MOST;

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::ui::cell::Cell;
use crate::ui::listing::{Column, Listing};

/// Lists installed workflows, newest first.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware workflow list
  $ seqware workflow list --name VariantCalling --tsv")]
pub struct Args {
    /// Only workflows of this name
    #[arg(long)]
    name: Option<String>,
    /// Development versions and retired ones as well
    #[arg(long)]
    all: bool,
}

const COLUMNS: &[Column] = &[
    Column::short("SWID"),
    Column::short("Name"),
    Column::short("Version"),
    Column::long("Description"),
    Column::short("Owner").wide(),
    Column::short("Creation Date").wide(),
    Column::short("Bundle SHA256").data(),
];

/// Lists installed workflows.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let client = context.client()?;
    let mut query = WorkflowQuery {
        name: args.name,
        all: args.all.then_some(1),
        limit: Some(PAGE_MOST),
        after: None,
    };
    let mut listing =
        Listing::new(COLUMNS, "no workflows yet; install one: seqware bundle install --dir DIR");
    loop {
        let page = client.workflows(&query).await?;
        listing.rows.extend(page.items.into_iter().map(row));
        match page.next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    context.ui.listing(&listing)?;
    Ok(Exit::Done)
}

fn row(workflow: Workflow) -> Vec<Cell> {
    vec![
        Cell::Swid(workflow.swid),
        Cell::Text(workflow.name),
        Cell::Text(workflow.version),
        Cell::Text(workflow.description),
        Cell::Text(workflow.owner),
        Cell::At(workflow.created_at),
        Cell::maybe(workflow.bundle_sha256),
    ]
}
