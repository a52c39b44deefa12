//! The page of commands: what clap knows of each.

use clap::{ArgAction, CommandFactory};

use super::super::Cli;

/// Returns the page.
pub(super) fn page() -> String {
    let mut root = Cli::command();
    root.build();
    let mut page =
        "# Commands\n\nEvery command, as `--help` says it. All of them take `--json`, `--tsv` and \
                    `--quiet`; their ends are [exit codes](exit-codes.md).\n"
            .to_owned();
    describe(&root, "seqware", &mut page);
    page
}

fn describe(command: &clap::Command, words: &str, page: &mut String) {
    page.push_str(&format!("\n## {words}\n\n"));
    let about = command.get_long_about().or_else(|| command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    page.push_str(&format!("{}\n", escaped(about.trim())));
    let examples = command.get_before_help().map(ToString::to_string).unwrap_or_default();
    if !examples.is_empty() {
        let lines: Vec<&str> =
            examples.lines().skip(1).map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
        page.push_str(&format!("\n```text\n{}\n```\n", lines.join("\n")));
    }
    let rows: Vec<String> = command.get_arguments().filter_map(row).collect();
    if !rows.is_empty() {
        page.push_str(&format!("\n| Argument | Meaning |\n|---|---|\n{}\n", rows.join("\n")));
    }
    let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    for verb in verbs.filter(|verb| verb.get_name() != "help") {
        describe(verb, &format!("{words} {}", verb.get_name()), page);
    }
}

/// Returns an argument of this very command; those of all commands are told once, at the top.
fn row(argument: &clap::Arg) -> Option<String> {
    let of_all = ["help", "version", "json", "tsv", "quiet"];
    if argument.is_hide_set() || of_all.contains(&argument.get_id().as_str()) {
        return None;
    }
    let value = match argument.get_action() {
        ArgAction::Set | ArgAction::Append => {
            let names = argument.get_value_names().unwrap_or_default();
            names.first().map(|name| format!(" {name}")).unwrap_or_default()
        }
        _ => String::new(),
    };
    let name = match (argument.get_short(), argument.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long}{value}"),
        (None, Some(long)) => format!("--{long}{value}"),
        (Some(short), None) => format!("-{short}{value}"),
        (None, None) => value.trim().to_owned(),
    };
    let help = argument.get_long_help().or_else(|| argument.get_help());
    let mut meaning = help.map(ToString::to_string).unwrap_or_default().replace('\n', " ");
    let defaults: Vec<String> = argument
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy().into_owned())
        .collect();
    if !defaults.is_empty() && !matches!(argument.get_action(), ArgAction::SetTrue) {
        meaning.push_str(&format!(" (default: {})", defaults.join(", ")));
    }
    Some(format!("| `{}` | {} |", name.replace('|', "\\|"), escaped(&meaning)))
}

/// Help texts are plain; in Markdown some of their characters would mean something.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace('*', "\\*").replace('_', "\\_")
}
