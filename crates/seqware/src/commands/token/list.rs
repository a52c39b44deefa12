//! `seqware token list`.

use niassa_api::accounts::Token;
use niassa_model::time::Timestamp;

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::ui::cell::Cell;
use crate::ui::listing::{Column, Listing};

/// Lists your tokens, without their secrets.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware token list")]
pub struct Args {}

const COLUMNS: &[Column] = &[
    Column::short("ID"),
    Column::long("Label"),
    Column::long("Scopes"),
    Column::short("State"),
    Column::short("Expires"),
    Column::short("Created").wide(),
];

/// Lists tokens.
pub async fn run(_args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let page = context.client()?.tokens().await?;
    let now = context.now();
    let mut listing = Listing::new(COLUMNS, "no tokens");
    listing.rows = page.items.into_iter().map(|token| row(token, now)).collect();
    context.ui.listing(&listing)?;
    Ok(Exit::Done)
}

fn row(token: Token, now: Timestamp) -> Vec<Cell> {
    let scopes: Vec<String> = token.scopes.iter().map(ToString::to_string).collect();
    let state = match (token.revoked_at, token.expires_at <= now) {
        (Some(_), _) => "revoked",
        (None, true) => "expired",
        (None, false) => "good",
    };
    vec![
        Cell::Number(token.id),
        Cell::maybe(token.label),
        Cell::Text(scopes.join(" ")),
        Cell::text(state),
        Cell::At(token.expires_at),
        Cell::At(token.created_at),
    ]
}
