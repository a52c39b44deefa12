//! `seqware metadb check`.

use niassa_webservice::administer::{self, CheckVerdict, Finding};

use super::StoredArgs;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::ui::cell::Cell;
use crate::ui::listing::{Column, Listing};

/// Looks whether a MetaDB can be relied upon, and the archives that it names.
///
/// Its files, its references, what it says of runs, the chain of the audit log, the SHA-256 of each
/// archive, the age of the last backup. Ends 9 where something is bad. The service may run meanwhile.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware metadb check
  $ seqware metadb check --metadb ~/niassa.db --data ~/niassa-data")]
pub struct Args {
    #[command(flatten)]
    stored: StoredArgs,
}

const COLUMNS: &[Column] = &[
    Column::short("Check"),
    Column::short("Verdict"),
    Column::long("Finding"),
    Column::long("Fix"),
];

/// Checks a MetaDB.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let config = args.stored.existing(&context.surroundings)?;
    let found = administer::check(&config).await?;
    let is_bad = found.iter().any(|finding| finding.verdict == CheckVerdict::Bad);
    let mut listing = Listing::new(COLUMNS, "nothing was looked at");
    listing.rows = found.into_iter().map(row).collect();
    context.ui.listing(&listing)?;
    Ok(if is_bad { Exit::FaultFound } else { Exit::Done })
}

fn row(finding: Finding) -> Vec<Cell> {
    let verdict = match finding.verdict {
        CheckVerdict::Good => "good",
        CheckVerdict::Doubtful => "doubtful",
        CheckVerdict::Bad => "bad",
    };
    vec![
        Cell::text(finding.check),
        Cell::text(verdict),
        Cell::Text(finding.finding),
        Cell::Text(finding.fix.unwrap_or_default()),
    ]
}
