//! The blocks of a document that a lab runs or writes into files.
//!
//! A fenced block is one of them when the line before it is `<!-- block: NAME -->`. In a block of
//! commands a line that begins with `$ ` is a command, and the lines after it are what it prints; a
//! command without such lines may print anything.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

const MARK: &str = "<!-- block: ";
const FENCE: &str = "```";
const PROMPT: &str = "$ ";

/// The marked blocks of a document.
#[derive(Debug)]
pub(super) struct Document {
    blocks: BTreeMap<String, String>,
}

/// A command, and what it has to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    /// A line of shell.
    pub(super) command: String,
    /// Its standard output, without its last newline; empty where that is not told.
    pub(super) output: String,
}

impl Document {
    /// Reads a file.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    fn parse(text: &str) -> Result<Self> {
        let mut blocks = BTreeMap::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let Some(name) = line.strip_prefix(MARK).and_then(|rest| rest.strip_suffix(" -->"))
            else {
                continue;
            };
            let fence = lines.next().unwrap_or_default();
            ensure!(fence.starts_with(FENCE), "no fence follows the mark of `{name}`");
            let mut block = String::new();
            loop {
                match lines.next() {
                    Some(FENCE) => break,
                    Some(line) => block.push_str(&format!("{line}\n")),
                    None => bail!("the block `{name}` does not end"),
                }
            }
            let before = blocks.insert(name.to_owned(), block);
            ensure!(before.is_none(), "two blocks are called `{name}`");
        }
        Ok(Self { blocks })
    }

    /// Returns a block as it stands there.
    pub(super) fn text(&self, name: &str) -> Result<&str> {
        let block = self.blocks.get(name);
        block.map(String::as_str).with_context(|| format!("no block is called `{name}`"))
    }

    /// Returns the commands of a block.
    pub(super) fn commands(&self, name: &str) -> Result<Vec<Shown>> {
        let mut commands: Vec<Shown> = Vec::new();
        for line in self.text(name)?.lines() {
            match (line.strip_prefix(PROMPT), commands.last_mut()) {
                (Some(command), _) => {
                    commands.push(Shown { command: command.to_owned(), output: String::new() });
                }
                (None, Some(last)) if last.command.ends_with('\\') => {
                    last.command.pop();
                    last.command.push_str(line.trim_start());
                }
                (None, Some(last)) => {
                    if !last.output.is_empty() {
                        last.output.push('\n');
                    }
                    last.output.push_str(line);
                }
                (None, None) => bail!("the block `{name}` does not begin with a command"),
            }
        }
        Ok(commands)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_blocks_are_found_and_commands_told_from_what_they_print() {
        let text = "# A\n<!-- block: one -->\n```console\n$ a \\\n    b\n1\n2\n$ c\n```\n```\nother\n```\n\
            <!-- block: two -->\n```\nx=1\n```\n";
        let document = Document::parse(text).unwrap();
        let shown = |command: &str, output: &str| Shown {
            command: command.to_owned(),
            output: output.to_owned(),
        };
        assert_eq!(document.commands("one").unwrap(), [shown("a b", "1\n2"), shown("c", "")]);
        assert_eq!(document.text("two").unwrap(), "x=1\n");
        assert!(document.commands("two").is_err());
        assert!(document.text("three").is_err());
    }

    #[test]
    fn what_is_marked_wrongly_is_refused() {
        for text in [
            "<!-- block: a -->\ntext\n",
            "<!-- block: a -->\n```\nno end\n",
            "<!-- block: a -->\n```\n```\n<!-- block: a -->\n```\n```\n",
        ] {
            assert!(Document::parse(text).is_err(), "{text}");
        }
    }
}
