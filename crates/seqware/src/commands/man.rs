//! `seqware man`, hidden: packages call it.

use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory;

use super::Cli;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Writes a manual page for each command.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware man --dir /usr/share/man/man1")]
pub struct Args {
    /// The folder to write them into
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

/// Writes manual pages.
pub fn run(args: &Args, context: &mut Context) -> Result<Exit, Failure> {
    fs::create_dir_all(&args.dir)
        .map_err(|error| Failure::io(format_args!("make {}", args.dir.display()), error))?;
    let mut pages = 0;
    write(&Cli::command(), "seqware", &args.dir, &mut pages)?;
    context.ui.say(&format!("Wrote {pages} pages to {}", args.dir.display()))?;
    Ok(Exit::Done)
}

fn write(command: &clap::Command, name: &str, dir: &Path, pages: &mut u32) -> Result<(), Failure> {
    let path = dir.join(format!("{name}.1"));
    let failed = |error| Failure::io(format_args!("write {}", path.display()), error);
    let mut page = Vec::new();
    let titled = command.clone().name(name.to_owned());
    clap_mangen::Man::new(titled).render(&mut page).map_err(failed)?;
    fs::write(&path, page).map_err(failed)?;
    *pages += 1;
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        write(verb, &format!("{name}-{}", verb.get_name()), dir, pages)?;
    }
    Ok(())
}
