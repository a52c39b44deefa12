//! `seqware create experiment`.

use niassa_api::metadata::experiments::CreateExperiment;
use niassa_model::accession::Accession;

use super::created;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Makes an experiment within a study.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware create experiment --study-accession 2 --title Lanes \\
      --description 'Three lanes'")]
pub struct Args {
    /// Its study
    #[arg(long, value_name = "SWID")]
    study_accession: Accession,
    /// Its title
    #[arg(long)]
    title: String,
    /// What it is about
    #[arg(long)]
    description: String,
    /// The number of the sequencing platform
    #[arg(long)]
    platform_id: Option<i64>,
}

/// Makes an experiment.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let request = CreateExperiment {
        study: args.study_accession,
        title: args.title,
        description: args.description,
        platform_id: args.platform_id,
    };
    let made = context.client()?.create_experiment(&request).await?;
    created("experiment", made.swid, context)
}
