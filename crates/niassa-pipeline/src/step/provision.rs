//! Keeping a step's outputs: checksums, and a place under the output folder.
//!
//! Runs as `seqware provision <attempt>` once the step's command has succeeded, on the machine that
//! ran it. An output is hard-linked into its place, or copied, verified and renamed where that is
//! another file system. A different file that is there already is an error, never overwritten,
//! unless an earlier attempt of the same step put it there.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use niassa_model::file::OutputFile;
use niassa_model::plan::PlannedOutput;
use sha2::Digest;

use crate::run_dir::{ProvisionFile, hex};

/// The name of the file in an attempt's directory that lists what was kept.
pub const OUTPUTS_FILE: &str = "outputs.json";

/// The name of the file that lists which places this attempt was about to fill.
const CLAIMED_FILE: &str = "provisioning.json";

/// Why an output could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// The attempt's directory is not one of ours.
    #[error("{} is not the directory of an attempt", .0.display())]
    NotAnAttempt(PathBuf),
    /// The command did not make a file that the workflow promises.
    #[error("the step succeeded but made no {}", .0.display())]
    Missing(PathBuf),
    /// An output is a directory, or something else that is no file.
    #[error("the output {} is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// Two outputs of one step have the same name, so they cannot both go to one folder.
    #[error("two outputs are called {0}; give them different names")]
    SameName(String),
    /// Something else is there already.
    #[error("{} exists already with other content; choose another output_prefix or output_dir, or move it away", .0.display())]
    InTheWay(PathBuf),
    /// A copy does not have the checksum of what was copied.
    #[error("the copy {} differs from the original", .0.display())]
    CopyDiffers(PathBuf),
    /// A file could not be read or written.
    #[error("{operation} {}", path.display())]
    File {
        /// What was being done.
        operation: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ProvisionError {
    let path = path.to_owned();
    move |source| ProvisionError::File { operation, path, source }
}

/// Keeps the outputs of the attempt in this directory and lists them in `outputs.json`.
pub fn run(attempt: &Path) -> Result<Vec<OutputFile>, ProvisionError> {
    let not_ours = || ProvisionError::NotAnAttempt(attempt.to_owned());
    let step = attempt.parent().ok_or_else(not_ours)?;
    // <run>/steps/<thousands>/<step>/<attempt>
    let run = step.ancestors().nth(3).ok_or_else(not_ours)?;
    let file = step.join("provision.json");
    let text = fs::read(&file).map_err(failed("read", &file))?;
    let provision: ProvisionFile =
        serde_json::from_slice(&text).map_err(io::Error::from).map_err(failed("read", &file))?;
    let outputs = match &provision.folder {
        None => in_place(&run.join("work"), &provision.outputs)?,
        Some(folder) => {
            into_folder(&run.join("work"), Path::new(folder), &provision.outputs, attempt)?
        }
    };
    store(&attempt.join(OUTPUTS_FILE), &outputs)?;
    Ok(outputs)
}

fn in_place(work: &Path, outputs: &[PlannedOutput]) -> Result<Vec<OutputFile>, ProvisionError> {
    outputs
        .iter()
        .map(|output| {
            let path = work.join(&output.path);
            let digests = digest_output(&path)?;
            Ok(digests.as_file(&path, output))
        })
        .collect()
}

fn into_folder(
    work: &Path,
    folder: &Path,
    outputs: &[PlannedOutput],
    attempt: &Path,
) -> Result<Vec<OutputFile>, ProvisionError> {
    let mut places = Vec::new();
    for output in outputs {
        let source = work.join(&output.path);
        let name = Path::new(&output.path).file_name();
        let place = folder.join(name.ok_or_else(|| ProvisionError::NotAFile(source.clone()))?);
        if places.iter().any(|(_, known, _, _)| *known == place) {
            return Err(ProvisionError::SameName(place.display().to_string()));
        }
        let digests = digest_output(&source)?;
        places.push((source, place, digests, output));
    }
    fs::create_dir_all(folder).map_err(failed("make", folder))?;
    let earlier = claimed_before(attempt)?;
    for (_, place, digests, _) in &places {
        let ours = earlier.contains(place);
        if place.exists() && !ours && digest(place)?.sha256 != digests.sha256 {
            return Err(ProvisionError::InTheWay(place.clone()));
        }
    }
    let claimed: Vec<&PathBuf> = places.iter().map(|(_, place, _, _)| place).collect();
    store(&attempt.join(CLAIMED_FILE), &claimed)?;
    for (source, place, digests, _) in &places {
        put(source, place, digests)?;
    }
    sync(folder)?;
    Ok(places.iter().map(|(_, place, digests, output)| digests.as_file(place, output)).collect())
}

/// The places that attempts of this step were about to fill, this one included if it was killed.
fn claimed_before(attempt: &Path) -> Result<Vec<PathBuf>, ProvisionError> {
    let step = attempt.parent().unwrap_or(attempt);
    let mut places = Vec::new();
    for entry in fs::read_dir(step).map_err(failed("list", step))? {
        let file = entry.map_err(failed("list", step))?.path().join(CLAIMED_FILE);
        if let Ok(text) = fs::read(&file) {
            let claimed: Vec<PathBuf> = serde_json::from_slice(&text)
                .map_err(io::Error::from)
                .map_err(failed("read", &file))?;
            places.extend(claimed);
        }
    }
    Ok(places)
}

/// Links a file into its place, or copies it where that is another file system.
fn put(source: &Path, place: &Path, digests: &Digests) -> Result<(), ProvisionError> {
    if place.exists() {
        if digest(place)?.sha256 == digests.sha256 {
            return Ok(());
        }
        // An earlier attempt of this step put it there.
        fs::remove_file(place).map_err(failed("replace", place))?;
    }
    // A link to a link would keep nothing: what an output points at is copied.
    let is_link = fs::symlink_metadata(source).map_err(failed("look at", source))?.is_symlink();
    if !is_link {
        sync(source)?;
        match fs::hard_link(source, place) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(ProvisionError::InTheWay(place.to_owned()));
            }
            // Another file system, or one without hard links.
            Err(_) => {}
        }
    }
    copy(source, place, digests)
}

fn copy(source: &Path, place: &Path, digests: &Digests) -> Result<(), ProvisionError> {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let temporary = place.with_file_name(format!(".{name}.{:016x}", rand::random::<u64>()));
    let copied = fs::copy(source, &temporary)
        .map_err(failed("copy to", &temporary))
        .and_then(|_| sync(&temporary))
        .and_then(|()| digest(&temporary))
        .and_then(|copy| {
            if copy.sha256 == digests.sha256 {
                fs::rename(&temporary, place).map_err(failed("rename to", place))
            } else {
                Err(ProvisionError::CopyDiffers(temporary.clone()))
            }
        });
    if copied.is_err() {
        // The first error is the one that matters; a left-over has a name of its own.
        let _leftover = fs::remove_file(&temporary);
    }
    copied
}

struct Digests {
    size: u64,
    sha256: String,
    md5: String,
}

impl Digests {
    fn as_file(&self, path: &Path, output: &PlannedOutput) -> OutputFile {
        OutputFile {
            path: path.to_string_lossy().into_owned(),
            meta_type: output.meta_type.clone(),
            size: self.size,
            sha256: self.sha256.clone(),
            md5: self.md5.clone(),
        }
    }
}

fn digest_output(path: &Path) -> Result<Digests, ProvisionError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => digest(path),
        Ok(_) => Err(ProvisionError::NotAFile(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(ProvisionError::Missing(path.to_owned()))
        }
        Err(error) => Err(failed("look at", path)(error)),
    }
}

/// Reads a file once for both checksums.
fn digest(path: &Path) -> Result<Digests, ProvisionError> {
    let mut file = File::open(path).map_err(failed("open", path))?;
    let mut sha256 = sha2::Sha256::new();
    let mut md5 = md5::Md5::new();
    let mut size = 0;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = file.read(&mut buffer).map_err(failed("read", path))?;
        if read == 0 {
            break;
        }
        sha256.update(&buffer[..read]);
        md5.update(&buffer[..read]);
        size += read as u64;
    }
    Ok(Digests { size, sha256: hex(&sha256.finalize()), md5: hex(&md5.finalize()) })
}

fn sync(path: &Path) -> Result<(), ProvisionError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(failed("sync", path))
}

fn store(path: &Path, value: &impl serde::Serialize) -> Result<(), ProvisionError> {
    let temporary = path.with_extension("tmp");
    let content =
        serde_json::to_vec(value).map_err(io::Error::from).map_err(failed("encode", path))?;
    let mut file = File::create(&temporary).map_err(failed("write", &temporary))?;
    file.write_all(&content).and_then(|()| file.sync_data()).map_err(failed("write", path))?;
    fs::rename(&temporary, path).map_err(failed("rename to", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Step {
        folder: tempfile::TempDir,
    }

    impl Step {
        fn new(outputs: &[&str], destination: Option<&str>) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let step = Self { folder };
            fs::create_dir_all(step.work()).unwrap();
            fs::create_dir_all(step.attempt(1)).unwrap();
            let provision = ProvisionFile {
                folder: destination.map(|name| step.path(name).display().to_string()),
                outputs: outputs
                    .iter()
                    .map(|path| PlannedOutput {
                        path: (*path).to_owned(),
                        meta_type: "text/plain".into(),
                    })
                    .collect(),
            };
            let file = step.path("run/steps/0/0-a/provision.json");
            fs::write(file, serde_json::to_vec(&provision).unwrap()).unwrap();
            step
        }

        fn path(&self, path: &str) -> PathBuf {
            self.folder.path().join(path)
        }

        fn work(&self) -> PathBuf {
            self.path("run/work")
        }

        fn attempt(&self, number: u32) -> PathBuf {
            self.path(&format!("run/steps/0/0-a/attempt-{number}"))
        }
    }

    #[test]
    fn an_output_is_linked_into_its_place_with_its_checksums() {
        let step = Step::new(&["sub/abc.txt"], Some("out/7"));
        fs::create_dir(step.work().join("sub")).unwrap();
        fs::write(step.work().join("sub/abc.txt"), "abc").unwrap();
        let outputs = run(&step.attempt(1)).unwrap();
        assert_eq!(outputs[0].path, step.path("out/7/abc.txt").display().to_string());
        assert_eq!(outputs[0].size, 3);
        assert_eq!(outputs[0].md5, "900150983cd24fb0d6963f7d28e17f72");
        assert!(outputs[0].sha256.starts_with("ba7816bf8f01cfea"));
        assert_eq!(run(&step.attempt(1)).unwrap(), outputs, "killed after linking: done again");
        let listed: Vec<OutputFile> =
            serde_json::from_slice(&fs::read(step.attempt(1).join(OUTPUTS_FILE)).unwrap()).unwrap();
        assert_eq!(listed, outputs);
    }

    #[test]
    fn without_a_folder_it_stays() {
        let step = Step::new(&["a"], None);
        fs::write(step.work().join("a"), "1").unwrap();
        let outputs = run(&step.attempt(1)).unwrap();
        assert_eq!(outputs[0].path, step.work().join("a").display().to_string());
    }

    #[test]
    fn a_foreign_file_is_never_overwritten_and_an_own_one_is() {
        let step = Step::new(&["a"], Some("out"));
        fs::create_dir(step.path("out")).unwrap();
        fs::write(step.path("out/a"), "foreign").unwrap();
        fs::write(step.work().join("a"), "first").unwrap();
        assert!(matches!(run(&step.attempt(1)), Err(ProvisionError::InTheWay(_))));
        assert_eq!(fs::read(step.path("out/a")).unwrap(), b"foreign");
        fs::remove_file(step.path("out/a")).unwrap();
        run(&step.attempt(1)).unwrap();
        fs::remove_file(step.work().join("a")).unwrap();
        fs::write(step.work().join("a"), "second").unwrap();
        fs::create_dir(step.attempt(2)).unwrap();
        run(&step.attempt(2)).unwrap();
        assert_eq!(fs::read(step.path("out/a")).unwrap(), b"second");
    }

    #[test]
    fn what_is_missing_or_no_file_is_named() {
        let step = Step::new(&["a"], Some("out"));
        assert!(matches!(run(&step.attempt(1)), Err(ProvisionError::Missing(_))));
        fs::create_dir(step.work().join("a")).unwrap();
        assert!(matches!(run(&step.attempt(1)), Err(ProvisionError::NotAFile(_))));
        let step = Step::new(&["x/a", "y/a"], Some("out"));
        for folder in ["x", "y"] {
            fs::create_dir(step.work().join(folder)).unwrap();
            fs::write(step.work().join(folder).join("a"), "1").unwrap();
        }
        assert!(matches!(run(&step.attempt(1)), Err(ProvisionError::SameName(_))));
    }

    #[test]
    fn a_link_is_copied_so_that_something_is_kept() {
        let step = Step::new(&["a"], Some("out"));
        fs::write(step.path("elsewhere"), "abc").unwrap();
        std::os::unix::fs::symlink(step.path("elsewhere"), step.work().join("a")).unwrap();
        run(&step.attempt(1)).unwrap();
        let kept = fs::symlink_metadata(step.path("out/a")).unwrap();
        assert!(kept.is_file());
    }
}
