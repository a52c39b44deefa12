//! `seqware create workflow-run`.

use niassa_api::files::CreateFile;
use niassa_api::metadata::objects::ImportRun;
use niassa_model::accession::Accession;
use serde_json::json;

use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Records a run that happened elsewhere: completed, with one processing and its files.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware create workflow-run --workflow-accession 5 --parent-accession 4 \\
      --file fastq::chemical/seq-na-fastq-gzip::/data/lane1_R1.fastq.gz")]
pub struct Args {
    /// The workflow that was run
    #[arg(long, value_name = "SWID")]
    workflow_accession: Accession,
    /// What the run descends from
    #[arg(long, value_name = "SWID", value_delimiter = ',', required = true)]
    parent_accession: Vec<Accession>,
    /// Files that were its inputs
    #[arg(long, value_name = "SWID", value_delimiter = ',')]
    input_file: Vec<Accession>,
    /// A file that it made
    #[arg(long, value_name = "TYPE::META-TYPE::PATH", value_parser = parse_file)]
    file: Vec<CreateFile>,
}

/// Records a run.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let request = ImportRun {
        workflow: args.workflow_accession,
        parents: args.parent_accession,
        input_files: args.input_file,
        files: args.file,
    };
    let imported = context.client()?.import_run(&request).await?;
    let lines = format!(
        "Created processing with SWID: {}\nCreated workflow run with SWID: {}",
        imported.processing, imported.swid
    );
    context.ui.did(&lines, Some(imported.swid), &json!(imported))?;
    Ok(Exit::Done)
}

/// Reads Niassa's way of naming a file. Its first part, a word of the site's own, is not kept.
fn parse_file(text: &str) -> Result<CreateFile, String> {
    let parts: Vec<&str> = text.splitn(3, "::").collect();
    let [_, meta_type, path] = parts[..] else {
        return Err("three parts are needed: TYPE::META-TYPE::PATH".to_owned());
    };
    if meta_type.is_empty() || path.is_empty() {
        return Err("the meta-type and the path must not be empty".to_owned());
    }
    Ok(CreateFile {
        path: path.to_owned(),
        meta_type: meta_type.to_owned(),
        size: None,
        sha256: None,
        md5: None,
        parents: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_hold_colons() {
        let file = parse_file("bam::application/bam::/data/a::b.bam").unwrap();
        assert_eq!(
            (file.path.as_str(), file.meta_type.as_str()),
            ("/data/a::b.bam", "application/bam")
        );
        assert!(parse_file("bam::/data/a.bam").is_err());
        assert!(parse_file("bam::::/data/a.bam").is_err());
    }
}
