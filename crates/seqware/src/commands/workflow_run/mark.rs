//! `seqware workflow-run mark`.

use niassa_api::runs::MarkRuns;
use niassa_model::run::Mark;
use serde_json::json;

use super::{bracketed, told_results};
use crate::commands::ManyAccessions;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Gives marks to runs, and takes marks away: short words to find runs by.
///
/// A mark is a word of letters and digits, with - _ . : / + # @ between; capitals become small. A run has at
/// most 20. `workflow-run report --mark` finds them, and so does a search for `mark:urgent` on the pages.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware workflow-run mark --accession 7,8 --add urgent
  $ seqware workflow-run mark --accession 7 --add qc:failed --remove urgent")]
pub struct Args {
    #[command(flatten)]
    runs: ManyAccessions,
    /// Marks that the runs shall have
    #[arg(long, value_name = "MARK", value_delimiter = ',', required_unless_present = "remove")]
    add: Vec<Mark>,
    /// Marks that they shall not have
    #[arg(long, value_name = "MARK", value_delimiter = ',')]
    remove: Vec<Mark>,
}

/// Changes the marks of runs.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let accessions = args.runs.each_once();
    let line = format!("{} for {}", changes(&args.add, &args.remove), bracketed(&accessions));
    let request = MarkRuns { accessions, add: args.add, remove: args.remove };
    let results = context.client()?.mark_runs(&request).await?;
    context.ui.did(&line, None, &json!(results))?;
    Ok(told_results(&results, context))
}

/// Writes what changes: `Marks +urgent -new`.
fn changes(add: &[Mark], remove: &[Mark]) -> String {
    let added = add.iter().map(|mark| format!(" +{mark}"));
    let removed = remove.iter().map(|mark| format!(" -{mark}"));
    added.chain(removed).fold("Marks".to_owned(), |line, word| line + word.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_changes() {
        let marks = |words: &[&str]| -> Vec<Mark> {
            words.iter().map(|word| word.parse().unwrap()).collect()
        };
        assert_eq!(changes(&marks(&["a", "b"]), &marks(&["C"])), "Marks +a +b -c");
        assert_eq!(changes(&[], &marks(&["c"])), "Marks -c");
    }
}
