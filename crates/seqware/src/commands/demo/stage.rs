//! Where the demonstration happens: commands are shown as one types them, and then run as they stand.

use std::io::Write;
use std::thread::{self, ScopedJoinHandle};

use clap::Parser;
use serde_json::Value;

use crate::commands::{self, Cli};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::settings::Surroundings;
use crate::ui::tee::Kept;
use crate::ui::words::Tone;
use crate::ui::{Look, Ui};

/// The surroundings in which commands run: those of the caller with settings of their own.
pub struct Stage {
    surroundings: Surroundings,
    look: Look,
}

/// What a command printed.
pub struct Played {
    text: String,
}

impl Played {
    /// Returns the accession behind the last `SWID: `.
    pub fn swid(&self) -> Result<String, Failure> {
        let after = self.text.rsplit_once("SWID: ").map(|(_, after)| after).unwrap_or_default();
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        if digits.is_empty() {
            return Err(Failure::new(Exit::Unexpected, "a command printed no accession"));
        }
        Ok(digits)
    }
}

impl Stage {
    /// Makes a stage whose commands read the given settings and nothing of the caller's.
    pub fn new(settings: &str, context: &Context) -> Self {
        let mut surroundings = context.surroundings.clone();
        surroundings.variables.retain(|name, _| !name.starts_with("SW_"));
        surroundings.variables.insert("SEQWARE_SETTINGS".to_owned(), settings.to_owned());
        surroundings.site_file = "/nonexistent".into();
        Self { surroundings, look: context.ui.look() }
    }

    /// Shows a command and runs it. How a run ended that it followed is told later.
    pub fn play(&self, arguments: &[&str], context: &mut Context) -> Result<Played, Failure> {
        self.show(arguments, "", context)?;
        let kept = Kept::default();
        self.run(arguments, kept.aloud())?;
        Ok(Played { text: kept.text() })
    }

    /// Shows a command and runs it quietly beside what follows, as a shell does with `&`.
    pub fn play_beside<'scope>(
        &'scope self,
        arguments: &'static [&'static str],
        scope: &'scope thread::Scope<'scope, '_>,
        context: &mut Context,
    ) -> Result<ScopedJoinHandle<'scope, Result<Exit, Failure>>, Failure> {
        self.show(arguments, " &", context)?;
        Ok(scope.spawn(move || self.run(arguments, Kept::default().quietly())))
    }

    /// Runs a command without showing it and returns its answer as data.
    pub fn ask(&self, arguments: &[&str]) -> Result<Value, Failure> {
        let kept = Kept::default();
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        self.run(&arguments, kept.quietly())?;
        serde_json::from_str(&kept.text()).map_err(|error| Failure::of(Exit::Unexpected, &error))
    }

    /// Shows something that a person would type into the shell.
    pub fn show_line(&self, line: &str, context: &mut Context) -> Result<(), Failure> {
        let shown = format!("$ {line}");
        let shown = if self.look.color { Tone::Strong.paint(&shown) } else { shown };
        context.ui.text(&shown)
    }

    fn show(&self, arguments: &[&str], end: &str, context: &mut Context) -> Result<(), Failure> {
        let words: Vec<String> = arguments.iter().map(|argument| quoted(argument)).collect();
        context.ui.text("\n")?;
        self.show_line(&format!("seqware {}{end}", words.join(" ")), context)
    }

    fn run(&self, arguments: &[&str], out: Box<dyn Write + Send>) -> Result<Exit, Failure> {
        let line = std::iter::once("seqware").chain(arguments.iter().copied());
        let cli = Cli::try_parse_from(line)
            .map_err(|error| Failure::new(Exit::Unexpected, error.to_string()))?;
        let ui = Ui::into(cli.output.format(), self.look, out);
        let mut context = Context::new(ui, self.surroundings.clone());
        commands::run(cli.command, &mut context)
    }
}

/// Returns an argument as it stands in a shell.
fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_shown_as_a_shell_reads_them() {
        assert_eq!(quoted("--host"), "--host");
        assert_eq!(quoted("server2.lab.net"), "server2.lab.net");
        assert_eq!(quoted("it's a study"), "'it'\\''s a study'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn accessions_are_read_from_what_was_printed() {
        let played = |text: &str| Played { text: text.to_owned() };
        assert_eq!(played("Added 'Hello' (SWID: 12)\n").swid().unwrap(), "12");
        assert!(played("nothing").swid().is_err());
    }
}
