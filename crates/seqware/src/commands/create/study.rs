//! `seqware create study`.

use niassa_api::metadata::studies::CreateStudy;

use super::created;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Makes a study.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware create study --title 'Phage panel' \\
      --description 'Lambda, three lanes'")]
pub struct Args {
    /// Its title
    #[arg(long)]
    title: String,
    /// What it is about
    #[arg(long)]
    description: String,
    /// Its accession at another archive
    #[arg(long)]
    accession: Option<String>,
    /// The centre's name
    #[arg(long)]
    center_name: Option<String>,
    /// The centre's name of the project
    #[arg(long)]
    center_project_name: Option<String>,
    /// Its type, by name or by Niassa's number
    #[arg(long)]
    study_type: Option<String>,
}

/// Makes a study.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let request = CreateStudy {
        title: args.title,
        description: args.description,
        accession: args.accession,
        center_name: args.center_name,
        center_project_name: args.center_project_name,
        study_type: args.study_type,
    };
    let made = context.client()?.create_study(&request).await?;
    created("study", made.swid, context)
}
