//! `seqware create file`.

use niassa_api::files::CreateFile;
use niassa_model::accession::Accession;

use super::created;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Records a file.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware create file --path /data/lane1_R1.fastq.gz \\
      --meta-type chemical/seq-na-fastq-gzip --parent-accession 4")]
pub struct Args {
    /// Where it lies: an absolute path or a URL
    #[arg(long, alias = "file-path")]
    path: String,
    /// Its type
    #[arg(long, value_name = "TYPE")]
    meta_type: String,
    /// What it descends from
    #[arg(long, value_name = "SWID", value_delimiter = ',')]
    parent_accession: Vec<Accession>,
    /// Its size in bytes
    #[arg(long)]
    size: Option<i64>,
    /// Its SHA-256
    #[arg(long)]
    sha256: Option<String>,
    /// Its MD5
    #[arg(long, alias = "md5sum")]
    md5: Option<String>,
}

/// Records a file.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let request = CreateFile {
        path: args.path,
        meta_type: args.meta_type,
        size: args.size,
        sha256: args.sha256,
        md5: args.md5,
        parents: args.parent_accession,
    };
    let made = context.client()?.create_file(&request).await?;
    created("file", made.swid, context)
}
