//! `seqware account list`.

use niassa_api::accounts::AccountState;

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::ui::cell::Cell;
use crate::ui::listing::{Column, Listing};

/// Lists accounts; for administrators.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware account list")]
pub struct Args {}

const COLUMNS: &[Column] = &[
    Column::short("Email"),
    Column::short("Role"),
    Column::short("State"),
    Column::short("Created"),
];

/// Lists accounts.
pub async fn run(_args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let page = context.client()?.accounts().await?;
    let mut listing = Listing::new(COLUMNS, "no accounts");
    listing.rows = page
        .items
        .into_iter()
        .map(|account| {
            let state = match account.state {
                AccountState::Enabled => "enabled",
                AccountState::Disabled => "disabled",
            };
            vec![
                Cell::text(&account.email),
                Cell::text(account.role.as_str()),
                Cell::text(state),
                Cell::At(account.created_at),
            ]
        })
        .collect();
    context.ui.listing(&listing)?;
    Ok(Exit::Done)
}
