//! All that is printed, in one place.
//!
//! Results go to standard output, as a table, JSON, tab-separated text or bare accessions; all else
//! goes to standard error. A reader that went away ends the command silently: every method that
//! writes results returns [`Failure::BrokenPipe`] for it.

pub mod cell;
pub mod dag;
pub mod listing;
pub mod live;
pub mod run_view;
pub mod tee;
pub mod words;

use std::io::{self, Write};

use niassa_model::accession::Accession;
use serde_json::Value;

use crate::exit::Failure;
use listing::{Listing, Record};
use words::Tone;

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// JSON, for programs.
    Json,
    /// Tab-separated text with a line of titles, for spreadsheets and scripts.
    Tsv,
    /// Accessions, one a line, for the next command.
    Quiet,
}

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Columns of the terminal; none for a pipe, whose lines are as long as they need to be.
    pub width: Option<u16>,
    /// Whether colours are shown.
    pub color: bool,
    /// Whether symbols beyond ASCII are shown.
    pub unicode: bool,
    /// Whether lines already written can be written over.
    pub live: bool,
}

/// The printer of one command.
pub struct Ui {
    format: Format,
    look: Look,
    out: Box<dyn Write + Send>,
    errors: Box<dyn Write + Send>,
}

impl Ui {
    /// Prints to this process's standard output and error.
    pub fn standard(format: Format, look: Look) -> Self {
        Self { format, look, out: Box::new(io::stdout()), errors: Box::new(io::stderr()) }
    }

    /// Prints results into `out`, and all else to this process's standard error.
    pub fn into(format: Format, look: Look, out: Box<dyn Write + Send>) -> Self {
        Self { format, look, out, errors: Box::new(io::stderr()) }
    }

    /// Returns how results are written.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Returns what the terminal can show.
    pub fn look(&self) -> Look {
        self.look
    }

    /// Writes text as it is, with a line break if it has none.
    pub fn text(&mut self, text: &str) -> Result<(), Failure> {
        let line_break = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
        self.write(&format!("{text}{line_break}"))
    }

    /// Writes bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.out.write_all(bytes).and_then(|()| self.out.flush());
        written.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::BrokenPipe,
            _ => Failure::io("write to standard output", error),
        })
    }

    /// Writes a line that is meant for people alone: nothing in the other formats.
    pub fn say(&mut self, line: &str) -> Result<(), Failure> {
        match self.format {
            Format::Table => self.text(line),
            Format::Json | Format::Tsv | Format::Quiet => Ok(()),
        }
    }

    /// Writes what a command did: the line that scripts know, or the same as data.
    pub fn did(
        &mut self,
        line: &str,
        swid: Option<Accession>,
        data: &Value,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Table => self.text(line),
            Format::Json => self.json(data),
            Format::Tsv => self.text(&listing::tsv_of_object(data)),
            Format::Quiet => swid.map_or(Ok(()), |swid| self.text(&swid.to_string())),
        }
    }

    /// Writes rows.
    pub fn listing(&mut self, listing: &Listing) -> Result<(), Failure> {
        let text = listing.render(self.format, self.look);
        self.text(&text)
    }

    /// Writes the fields of one thing.
    pub fn record(&mut self, record: &Record) -> Result<(), Failure> {
        let text = record.render(self.format, self.look);
        self.text(&text)
    }

    /// Writes a value as JSON.
    pub fn json(&mut self, value: &Value) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).unwrap_or_default();
        self.text(&text)
    }

    /// Writes something to know to standard error.
    pub fn note(&mut self, text: &str) {
        self.complain(&format!("seqware: {text}\n"));
    }

    /// Writes why a command did not do what was asked, to standard error.
    pub fn failure(&mut self, failure: &Failure) {
        if failure.is_silent() {
            return;
        }
        let red = if self.look.color { Tone::Bad } else { Tone::Plain };
        let mut text = format!("{} {}\n", red.paint("error:"), failure.explain());
        // A single error is often all there is to say, and was said.
        for detail in failure.details().iter().filter(|detail| **detail != failure.explain()) {
            text.push_str(&format!("  - {detail}\n"));
        }
        if let Some(hint) = failure.hint() {
            text.push_str(&format!("  try: {hint}\n"));
        }
        self.complain(&text);
    }

    /// Asks for text on the terminal.
    pub fn ask(&mut self, question: &str) -> Result<String, Failure> {
        self.complain(question);
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map_err(|e| Failure::io("read the answer", e))?;
        Ok(answer.trim_end_matches(['\n', '\r']).to_owned())
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        self.bytes(text.as_bytes())
    }

    /// Writes to standard error; where even that is closed there is nobody left to tell.
    fn complain(&mut self, text: &str) {
        let _nobody_left =
            self.errors.write_all(text.as_bytes()).and_then(|()| self.errors.flush());
    }
}

/// Asks for a secret: without echo on a terminal, else the first line of standard input.
pub fn ask_secret(question: &str) -> Result<String, Failure> {
    use std::io::IsTerminal;
    if io::stdin().is_terminal() {
        return rpassword::prompt_password(question)
            .map_err(|error| Failure::io("read the password", error));
    }
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(|error| Failure::io("read the password", error))?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}
