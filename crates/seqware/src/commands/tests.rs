//! The command line itself: it is well formed, and its help is what people see.

use clap::CommandFactory;

use super::*;

/// Returns every command that people see, by its words.
fn commands(command: &clap::Command, words: &str, found: &mut Vec<(String, clap::Command)>) {
    found.push((words.to_owned(), command.clone()));
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        commands(verb, &format!("{words} {}", verb.get_name()), found);
    }
}

fn all() -> Vec<(String, clap::Command)> {
    let mut root = Cli::command().term_width(80);
    root.build();
    let mut found = Vec::new();
    commands(&root, "seqware", &mut found);
    found
}

#[test]
fn the_command_line_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn help_opens_with_examples_and_fits_a_terminal() {
    let (mut text, mut unfit) = (String::new(), Vec::new());
    for (words, command) in all() {
        let examples = command.get_before_help().map(ToString::to_string).unwrap_or_default();
        let wide = examples.lines().find(|line| line.chars().count() > 80);
        if let Some(wide) = wide {
            unfit.push(wide.to_owned());
        }
        let help = command.term_width(80).render_long_help().to_string();
        let is_noun = command_has_verbs(&words);
        assert!(is_noun || help.starts_with("Examples:"), "{words}\n{help}");
        // The line of usage is broken by the terminal, if need be.
        let mut lines = help.lines().filter(|line| !line.starts_with("Usage:"));
        let wide = lines.find(|line| line.chars().count() > 92);
        assert!(wide.is_none(), "{words}: {wide:?}");
        text.push_str(&format!("$ {words} --help\n{help}\n"));
    }
    assert!(unfit.is_empty(), "examples that do not fit: {unfit:#?}");
    insta::assert_snapshot!(text);
}

fn command_has_verbs(words: &str) -> bool {
    all().iter().any(|(other, _)| other.starts_with(&format!("{words} ")) && words != "seqware")
}

#[test]
fn the_founding_texts_commands_are_understood() {
    let lines = [
        "seqware workflow schedule --accession 1 --parent-accession 99 --ini workflow.ini --host h",
        "seqware workflow-run launch-scheduled --host h",
        "seqware workflow-run launch-scheduled",
        "seqware workflow-run propagate-statuses",
        "seqware workflow-run propagate-statuses --threads 10",
    ];
    for line in lines {
        assert!(Cli::try_parse_from(line.split(' ')).is_ok(), "{line}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let lines = [
        "seqware workflow-run launch-scheduled --host h --accession 1",
        "seqware workflow-run propagate-statuses --threads 0",
        "seqware workflow schedule --accession zero --host h",
        "seqware workflow schedule --accession 1 --host h --engine oozie",
        "seqware workflow report",
        "seqware workflow list --json --tsv",
        "seqware workflow-run cancel",
        "seqware token create --scope write --expires 1d",
    ];
    for line in lines {
        let error = Cli::try_parse_from(line.split(' ')).err().map(|error| error.exit_code());
        assert_eq!(error, Some(2), "{line}");
    }
}

#[test]
fn niassas_values_are_understood() {
    let line = "seqware workflow-run cancel --accession 1,2 --accession 2";
    let cli = Cli::try_parse_from(line.split(' ')).unwrap();
    let Command::WorkflowRun(workflow_run::Command::Cancel(_)) = cli.command else {
        panic!("another command");
    };
    let many = ManyAccessions { accession: [1, 2, 2].map(|n| n.try_into().unwrap()).to_vec() };
    assert_eq!(many.each_once().len(), 2);
    for engine in ["whitestar", "whitestar-parallel", "whitestar-sge", "oozie-sge", "slurm"] {
        let line = format!("seqware workflow schedule --accession 1 --host h --engine {engine}");
        assert!(Cli::try_parse_from(line.split(' ')).is_ok(), "{engine}");
    }
}
