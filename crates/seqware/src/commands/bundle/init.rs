//! `seqware bundle init`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::json;

use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Writes the skeleton of a new bundle: a manifest that runs, a tool, an ini file.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware bundle init CountReads
  $ seqware bundle inspect --dir CountReads
  $ seqware bundle launch --dir CountReads --no-metadata")]
pub struct Args {
    /// The workflow's name
    #[arg(value_name = "NAME", value_parser = parse_name)]
    name: String,
    /// Where to write it, by default a folder of that name
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

const MANIFEST: &str = include_str!("init/workflow.yaml");
const TOOL: &str = include_str!("init/summarize");
const INI: &str = include_str!("init/workflow.ini");

/// Writes the skeleton of a bundle.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let folder = args.dir.unwrap_or_else(|| PathBuf::from(&args.name));
    if folder.exists() {
        let what = format!("{} is there already", folder.display());
        return Err(Failure::new(Exit::Conflict, what).with_hint("--dir DIR"));
    }
    let manifest = MANIFEST.replace("NAME", &args.name);
    let files = [
        ("workflow.yaml", manifest.as_str(), 0o644),
        ("bin/summarize", TOOL, 0o755),
        ("config/workflow.ini", INI, 0o644),
    ];
    for (name, text, mode) in files {
        let path = folder.join(name);
        let failed = |error| Failure::io(format_args!("write {}", path.display()), error);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        fs::write(&path, text).map_err(failed)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).map_err(failed)?;
    }
    let line = format!("Created '{}'.", folder.display());
    context.ui.did(&line, None, &json!({ "created": folder }))?;
    context
        .ui
        .say(&format!("next: seqware bundle launch --dir '{}' --no-metadata", folder.display()))?;
    Ok(Exit::Done)
}

/// Reads a workflow's name; it becomes the name of a folder and of an archive.
fn parse_name(text: &str) -> Result<String, String> {
    let first = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    match first && plain && text.len() <= 64 {
        true => Ok(text.to_owned()),
        false => Err("a letter is needed, then at most 63 of A-Z a-z 0-9 _ - .".to_owned()),
    }
}
