//! `seqware workflow-run ini`.

use std::path::PathBuf;

use serde_json::json;

use crate::commands::OneAccession;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::files::{self, Existing};

/// Writes the effective ini of a run: every value as it was resolved when the run was scheduled.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware workflow-run ini --accession 7 --out -
  $ seqware workflow-run ini --accession 7 --out again.ini")]
pub struct Args {
    #[command(flatten)]
    run: OneAccession,
    /// The file to write, by default SWID.ini; `-` is standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Writes the effective ini of a run.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let run = args.run.accession;
    let ini = context.client()?.run_ini(run).await?;
    let out = args.out.unwrap_or_else(|| PathBuf::from(format!("{run}.ini")));
    if out.as_os_str() == "-" {
        context.ui.text(&ini.text)?;
        return Ok(Exit::Done);
    }
    files::write(&out, ini.text.as_bytes(), Existing::Replace)?;
    let line = format!("Created '{}'.", out.display());
    context.ui.did(&line, None, &json!({ "created": out }))?;
    Ok(Exit::Done)
}
