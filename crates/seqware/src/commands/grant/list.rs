//! `seqware grant list`.

use niassa_api::grants::LaunchGrant;
use niassa_api::runs::StepQuery;
use niassa_model::limits::PAGE_MOST;
use niassa_model::time::Timestamp;

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::ui::cell::Cell;
use crate::ui::listing::{Column, Listing};

/// Lists who may launch whose runs: what you granted, and what was granted to you.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware grant list")]
pub struct Args {}

const COLUMNS: &[Column] = &[
    Column::short("ID"),
    Column::long("From"),
    Column::long("To"),
    Column::long("Host"),
    Column::short("State"),
    Column::short("Expires"),
    Column::short("Granted by").wide(),
    Column::short("Granted").wide(),
];

/// Lists grants.
pub async fn run(_args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let client = context.client()?;
    let mut query = StepQuery { limit: Some(PAGE_MOST), ..StepQuery::default() };
    let mut grants = Vec::new();
    loop {
        let page = client.launch_grants(&query).await?;
        grants.extend(page.items);
        match page.next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    let now = context.now();
    let mut listing = Listing::new(COLUMNS, "no grants");
    listing.rows = grants.into_iter().map(|grant| row(grant, now)).collect();
    context.ui.listing(&listing)?;
    Ok(Exit::Done)
}

fn row(grant: LaunchGrant, now: Timestamp) -> Vec<Cell> {
    let is_over = grant.expires_at.is_some_and(|at| at <= now);
    let state = match (grant.revoked_at, is_over) {
        (Some(_), _) => "revoked",
        (None, true) => "expired",
        (None, false) => "good",
    };
    vec![
        Cell::Number(grant.id),
        Cell::Text(grant.from),
        Cell::Text(grant.to),
        Cell::text(grant.host),
        Cell::text(state),
        grant.expires_at.map_or(Cell::Empty, Cell::At),
        Cell::Text(grant.granted_by),
        Cell::At(grant.granted_at),
    ]
}
