//! `seqware host list`.

use niassa_api::hosts::Host;
use niassa_api::runs::StepQuery;
use niassa_model::limits::PAGE_MOST;
use niassa_model::time::Timestamp;

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::ui::cell::Cell;
use crate::ui::listing::{Column, Listing};

/// Lists host labels: who schedules for them, who launches them, and what waits.
///
/// User is the account that schedules; Account is the one the launcher signs in with; OS user is
/// whose files and jobs the runs become; Held says why a label gives out no launches.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware host list")]
pub struct Args {}

const COLUMNS: &[Column] = &[
    Column::short("User"),
    Column::short("Account"),
    Column::long("Host"),
    Column::short("OS user"),
    Column::short("Machine"),
    Column::short("Last seen"),
    Column::short("Waiting"),
    Column::short("Oldest waiting"),
    Column::long("Held"),
];

/// Lists labels.
pub async fn run(_args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let client = context.client()?;
    let mut query = StepQuery { limit: Some(PAGE_MOST), ..StepQuery::default() };
    let mut hosts = Vec::new();
    loop {
        let page = client.hosts(&query).await?;
        hosts.extend(page.items);
        match page.next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    let now = context.now();
    let mut listing = Listing::new(COLUMNS, "no launcher was seen, and no run waits");
    listing.rows = hosts.into_iter().map(|host| row(host, now)).collect();
    context.ui.listing(&listing)?;
    Ok(Exit::Done)
}

fn row(host: Host, now: Timestamp) -> Vec<Cell> {
    let ago = |at: Option<Timestamp>| at.map_or(Cell::Empty, |at| Cell::Ago(at, now));
    vec![
        Cell::maybe(host.user),
        Cell::maybe(host.account),
        Cell::text(host.host),
        Cell::maybe(host.os_user),
        Cell::maybe(host.machine),
        host.last_seen.map_or(Cell::text("never"), |at| Cell::Ago(at, now)),
        Cell::Number(i64::try_from(host.waiting).unwrap_or(i64::MAX)),
        ago(host.oldest_waiting),
        Cell::maybe(host.held_because),
    ]
}
