//! `seqware create sample`.

use niassa_api::metadata::samples::CreateSample;
use niassa_model::accession::Accession;

use super::created;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Makes a sample of an experiment.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware create sample --experiment-accession 3 --title NA12878 \\
      --description blood
  $ seqware create sample --experiment-accession 3 --parent-accession 4 \\
      --title L1 --description library")]
pub struct Args {
    /// Its experiment
    #[arg(long, value_name = "SWID")]
    experiment_accession: Accession,
    /// The sample it was made of
    #[arg(long, value_name = "SWID")]
    parent_accession: Option<Accession>,
    /// Its title
    #[arg(long)]
    title: String,
    /// What it is
    #[arg(long)]
    description: String,
    /// The number of the organism
    #[arg(long)]
    organism_id: Option<i64>,
}

/// Makes a sample.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let request = CreateSample {
        experiment: args.experiment_accession,
        parent: args.parent_accession,
        title: args.title,
        description: args.description,
        organism_id: args.organism_id,
    };
    let made = context.client()?.create_sample(&request).await?;
    created("sample", made.swid, context)
}
