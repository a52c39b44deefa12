//! `seqware workflow ini`.

use std::path::PathBuf;

use niassa_api::workflows::WorkflowDetail;
use serde_json::json;

use crate::commands::OneAccession;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::files::{self, Existing};

/// Writes an ini file with a workflow's parameters, their defaults and what they are for.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware workflow ini --accession 1
  $ seqware workflow ini --accession 1 --out lane3.ini")]
pub struct Args {
    #[command(flatten)]
    workflow: OneAccession,
    /// The file to write; `-` is standard output
    #[arg(long, value_name = "FILE", default_value = "workflow.ini")]
    out: PathBuf,
    /// Replace a file that holds something else
    #[arg(long)]
    force: bool,
}

/// Writes an ini file for a workflow.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let detail = context.client()?.workflow(args.workflow.accession).await?;
    let text = ini_of(&detail);
    if args.out.as_os_str() == "-" {
        context.ui.text(&text)?;
        return Ok(Exit::Done);
    }
    let existing = if args.force { Existing::Replace } else { Existing::Keep };
    files::write(&args.out, text.as_bytes(), existing)?;
    let line = format!("Created '{}'.", args.out.display());
    context.ui.did(&line, None, &json!({ "created": args.out }))?;
    Ok(Exit::Done)
}

/// Writes the parameters as Niassa does, with a comment on each. A parameter without a default is
/// commented out, so that a forgotten one is reported as missing and not as empty.
fn ini_of(detail: &WorkflowDetail) -> String {
    let workflow = &detail.workflow;
    let mut text = format!("# {} {}\n", workflow.name, workflow.version);
    for parameter in &detail.parameters {
        text.push('\n');
        if let Some(help) = &parameter.help {
            text.push_str(&format!("# {}\n", help.replace('\n', "\n# ")));
        }
        text.push_str(&format!("#key={}:type={}:display=F\n", parameter.name, parameter.kind));
        let line = match (&parameter.default, parameter.required) {
            (Some(default), _) => format!("{}={default}\n", parameter.name),
            (None, true) => format!("# needed: {}=\n", parameter.name),
            (None, false) => format!("# {}=\n", parameter.name),
        };
        text.push_str(&line);
    }
    text
}

#[cfg(test)]
mod tests {
    use niassa_api::workflows::{Workflow, WorkflowParameter};
    use niassa_model::accession::Accession;
    use niassa_model::time::Timestamp;

    use super::*;

    #[test]
    fn every_parameter_has_its_comment_and_its_default() {
        let parameter = |name: &str, default: Option<&str>| WorkflowParameter {
            name: name.to_owned(),
            kind: "int".to_owned(),
            default: default.map(str::to_owned),
            help: Some("how many".to_owned()),
            required: default.is_none(),
        };
        let detail = WorkflowDetail {
            workflow: Workflow {
                swid: Accession::try_from(1).unwrap(),
                name: "Hello".to_owned(),
                version: "1.0".to_owned(),
                description: String::new(),
                bundle_sha256: None,
                owner: String::new(),
                created_at: Timestamp::from_micros(0),
            },
            parameters: vec![parameter("threads", Some("2")), parameter("lanes", None)],
        };
        assert_eq!(
            ini_of(&detail),
            "# Hello 1.0\n\n# how many\n#key=threads:type=int:display=F\nthreads=2\n\n\
             # how many\n#key=lanes:type=int:display=F\n# needed: lanes=\n"
        );
    }
}
