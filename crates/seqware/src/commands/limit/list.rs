//! `seqware limit list`.

use niassa_api::limits::RunLimit;

use super::named;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::ui::cell::Cell;
use crate::ui::listing::{Column, Listing};

/// Lists limits, and how many runs each counts now. Only for administrators.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware limit list")]
pub struct Args {}

const COLUMNS: &[Column] = &[
    Column::long("Limit of"),
    Column::short("Runs"),
    Column::short("Running"),
    Column::short("Set by"),
    Column::short("Set").wide(),
];

/// Lists limits.
pub async fn run(_args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let page = context.client()?.limits().await?;
    let mut listing = Listing::new(COLUMNS, "no limits");
    listing.rows = page.items.into_iter().map(row).collect();
    context.ui.listing(&listing)?;
    Ok(Exit::Done)
}

fn row(limit: RunLimit) -> Vec<Cell> {
    vec![
        Cell::Text(named(&limit.on)),
        Cell::Number(i64::from(limit.runs)),
        Cell::Number(i64::try_from(limit.running).unwrap_or(i64::MAX)),
        Cell::Text(limit.set_by),
        Cell::At(limit.set_at),
    ]
}
