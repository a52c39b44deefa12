//! Small files that commands read and write for people.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use niassa_api::runs::{SourceFormat, ValueSource};
use niassa_model::limits::INI_BYTES;

use crate::exit::{Exit, Failure};

/// What to do with a file that is there and holds something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Leave it alone and fail.
    Keep,
    /// Replace it.
    Replace,
}

/// Writes a file. A file that already holds just this is left as it is.
pub fn write(path: &Path, content: &[u8], existing: Existing) -> Result<(), Failure> {
    if existing == Existing::Keep && path.exists() {
        let same = fs::read(path).is_ok_and(|present| present == content);
        if same {
            return Ok(());
        }
        let what = format!("{} exists and holds something else", path.display());
        return Err(Failure::new(Exit::Conflict, what).with_hint("--force, or another --out"));
    }
    fs::write(path, content)
        .map_err(|error| Failure::io(format_args!("write {}", path.display()), error))
}

/// Where the values of a run are from.
#[derive(clap::Args, Clone, Default)]
#[command(next_help_heading = "Values")]
pub struct ValueArgs {
    /// Ini files; later ones override earlier ones
    #[arg(long, value_name = "FILE")]
    ini: Vec<PathBuf>,
    /// Values as YAML or JSON, over the ini files
    #[arg(long, value_name = "FILE")]
    params: Vec<PathBuf>,
    /// A single value, over all files
    #[arg(long = "override", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
}

impl ValueArgs {
    /// Reads all files.
    pub fn sources(&self) -> Result<Vec<ValueSource>, Failure> {
        let inis = self.ini.iter().flat_map(|path| each_of(path));
        let inis = inis.map(|path| source(&path, SourceFormat::Ini));
        let params = self.params.iter().map(|path| source(path, params_format(path)?));
        inis.chain(params).collect()
    }

    /// Returns the single values; each is `key=value`.
    pub fn overrides(&self) -> Result<Vec<String>, Failure> {
        if let Some(wrong) = self.overrides.iter().find(|value| !value.contains('=')) {
            let what = format!("--override `{wrong}` is not KEY=VALUE");
            return Err(Failure::usage(what).with_hint("--override threads=4"));
        }
        Ok(self.overrides.clone())
    }
}

/// Niassa took several files separated by commas; a comma may also be part of a file's name.
fn each_of(path: &Path) -> Vec<PathBuf> {
    match path.to_str() {
        Some(text) if text.contains(',') && !path.exists() => {
            text.split(',').map(PathBuf::from).collect()
        }
        _ => vec![path.to_owned()],
    }
}

fn params_format(path: &Path) -> Result<SourceFormat, Failure> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => Ok(SourceFormat::Json),
        Some("yaml" | "yml") => Ok(SourceFormat::Yaml),
        _ => {
            let what = format!("--params {}: the name must end in .yaml or .json", path.display());
            Err(Failure::usage(what))
        }
    }
}

/// Reads one file. Java properties are Latin-1 by definition and UTF-8 by habit.
fn source(path: &Path, format: SourceFormat) -> Result<ValueSource, Failure> {
    let failed = |error: io::Error| Failure::io(format_args!("read {}", path.display()), error);
    let size = fs::metadata(path).map_err(failed)?.len();
    if size > INI_BYTES as u64 {
        let what = format!("{} has {size} bytes; at most {INI_BYTES} are read", path.display());
        return Err(Failure::usage(what));
    }
    let bytes = fs::read(path).map_err(failed)?;
    let text = match (String::from_utf8(bytes), format) {
        (Ok(text), _) => text,
        (Err(error), SourceFormat::Ini) => {
            error.as_bytes().iter().map(|byte| char::from(*byte)).collect()
        }
        (Err(_), SourceFormat::Yaml | SourceFormat::Json) => {
            return Err(Failure::usage(format!("{} is not UTF-8", path.display())));
        }
    };
    Ok(ValueSource { name: path.display().to_string(), format, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_other_content_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("workflow.ini");
        write(&path, b"a=1", Existing::Keep).unwrap();
        write(&path, b"a=1", Existing::Keep).unwrap();
        let kept = write(&path, b"a=2", Existing::Keep).unwrap_err();
        assert_eq!(kept.exit(), Exit::Conflict);
        write(&path, b"a=2", Existing::Replace).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"a=2");
    }

    #[test]
    fn sources_keep_their_order_and_encoding() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            path
        };
        let a = path("a.ini", b"x=\xfc");
        let b = path("b,c.ini", "x=ü".as_bytes());
        let params = path("p.yaml", b"x: 1");
        let both = PathBuf::from(format!("{},{}", a.display(), a.display()));
        let args = ValueArgs { ini: vec![both, b], params: vec![params], overrides: vec![] };
        let sources = args.sources().unwrap();
        let texts: Vec<&str> = sources.iter().map(|source| source.text.as_str()).collect();
        assert_eq!(texts, ["x=ü", "x=ü", "x=ü", "x: 1"]);
        assert_eq!(sources[3].format, SourceFormat::Yaml);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let missing = ValueArgs { ini: vec!["/nowhere/x.ini".into()], ..ValueArgs::default() };
        let failure = missing.sources().unwrap_err();
        assert_eq!(failure.exit(), Exit::NotFound);
        assert!(failure.explain().contains("/nowhere/x.ini"));
        let args = ValueArgs { overrides: vec!["threads".to_owned()], ..ValueArgs::default() };
        assert_eq!(args.overrides().unwrap_err().exit(), Exit::Usage);
    }
}
