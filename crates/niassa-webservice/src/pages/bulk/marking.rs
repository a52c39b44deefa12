//! Which marks are given to runs and taken away, as somebody types and ticks them.

use std::collections::BTreeMap;

use niassa_api::runs::{MarkRuns, Run};
use niassa_model::accession::Accession;
use niassa_model::run::Mark;

use crate::pages::form::Form;
use crate::pages::words::{count, shown};

/// The fields for marks.
pub(super) struct Marking {
    /// What was typed.
    pub(super) add: String,
    /// What of it is wrong.
    pub(super) errors: Vec<String>,
    /// The marks that the runs have.
    pub(super) known: Vec<Known>,
}

/// A mark that some of the runs have.
pub(super) struct Known {
    pub(super) word: String,
    /// "3 runs".
    pub(super) runs: String,
    pub(super) is_ticked: bool,
}

impl Marking {
    /// Shows the fields for runs, as they were filled in before.
    pub(super) fn of(runs: &[Run], form: &Form, errors: &[String]) -> Self {
        let mut numbers = BTreeMap::new();
        for given in runs.iter().flat_map(|run| &run.marks) {
            *numbers.entry(given.mark.as_str()).or_insert(0) += 1;
        }
        let known = |(word, number): (&str, usize)| Known {
            word: word.to_owned(),
            runs: count(number, "run", "runs"),
            is_ticked: form.all("remove").any(|ticked| ticked == word),
        };
        Self {
            add: form.text("add").to_owned(),
            errors: errors.iter().map(|error| shown(error)).collect(),
            known: numbers.into_iter().map(known).collect(),
        }
    }
}

/// Reads the fields: words with blanks or commas between, and ticked ones. All that is wrong is told.
pub(super) fn read(form: &Form, accessions: Vec<Accession>) -> Result<MarkRuns, Vec<String>> {
    let mut errors = Vec::new();
    let mut marks = |words: &mut dyn Iterator<Item = &str>| {
        let mut marks = Vec::new();
        for word in words {
            match word.parse::<Mark>() {
                Ok(mark) => marks.push(mark),
                Err(error) => errors.push(error.to_string()),
            }
        }
        marks
    };
    let typed = form.text("add").split(|c: char| c.is_whitespace() || c == ',');
    let add = marks(&mut typed.filter(|word| !word.is_empty()));
    let remove = marks(&mut form.all("remove"));
    if add.len().max(remove.len()) > Mark::OF_A_RUN {
        errors.push(format!("a run has at most {} marks", Mark::OF_A_RUN));
    } else if add.is_empty() && remove.is_empty() && errors.is_empty() {
        errors.push("type a mark to add, or tick one to take away".to_owned());
    }
    if errors.is_empty() { Ok(MarkRuns { accessions, add, remove }) } else { Err(errors) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(pairs: &[(&str, &str)]) -> Form {
        Form::of(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn words_are_divided_by_blanks_and_commas() {
        let read = read(&form(&[("add", " Urgent, qc:ok\tb "), ("remove", "old")]), Vec::new());
        let read = read.unwrap();
        let words: Vec<&str> = read.add.iter().map(Mark::as_str).collect();
        assert_eq!(words, ["urgent", "qc:ok", "b"]);
        assert_eq!(read.remove[0].as_str(), "old");
    }

    #[test]
    fn all_that_is_wrong_is_told_and_nothing_is_something_wrong() {
        let wrong = |pairs: &[(&str, &str)]| read(&form(pairs), Vec::new()).unwrap_err();
        assert_eq!(wrong(&[("add", "<b> ok \"x\"")]).len(), 2);
        assert!(wrong(&[])[0].contains("type a mark"));
        let many: Vec<String> = (0..=Mark::OF_A_RUN).map(|n| format!("m{n}")).collect();
        assert!(wrong(&[("add", &many.join(" "))])[0].contains("at most 20"));
    }
}
