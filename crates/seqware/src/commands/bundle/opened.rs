//! A bundle that a command was pointed to: a folder or an archive.
//!
//! What is wrong with it is told here, with file and line, before anything is sent to a service.

use std::path::{Path, PathBuf};

use niassa_bundle::archive::{self, ArchiveError, BundleText};
use niassa_bundle::manifest::Manifest;

use crate::exit::{Exit, Failure};

/// Where a bundle is.
#[derive(clap::Args, Clone)]
#[group(required = true, multiple = false)]
pub struct BundleArgs {
    /// The bundle, as a folder with a workflow.yaml
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The bundle, as an archive
    #[arg(long, value_name = "FILE")]
    zip: Option<PathBuf>,
}

/// What a bundle is kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Folder,
    Archive,
}

/// A bundle whose manifest was read and checked.
pub struct Opened {
    path: PathBuf,
    form: Form,
    /// What it says.
    pub manifest: Manifest,
    /// Name and text of its ini files.
    pub config: Vec<(String, String)>,
}

/// An archive that is there as long as this is.
pub struct Packed {
    path: PathBuf,
    _folder: Option<tempfile::TempDir>,
}

impl Packed {
    /// Returns the archive.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl BundleArgs {
    /// Reads and checks the bundle.
    pub fn open(&self) -> Result<Opened, Failure> {
        match (&self.dir, &self.zip) {
            (Some(folder), _) => Opened::folder(folder),
            (None, Some(zip)) => Opened::archive(zip),
            (None, None) => Err(Failure::usage("a bundle is needed").with_hint("--dir DIR")),
        }
    }
}

impl Opened {
    /// Reads and checks a bundle in a folder.
    pub fn folder(folder: &Path) -> Result<Self, Failure> {
        let manifest = folder.join("workflow.yaml");
        if folder.is_dir() && !manifest.is_file() {
            let what = format!("{} holds no workflow.yaml", folder.display());
            return Err(Failure::usage(what).with_hint("seqware bundle init NAME"));
        }
        let text = archive::read_dir(folder).map_err(|error| unusable(folder, &error))?;
        Self::new(folder, Form::Folder, text)
    }

    /// Reads and checks a bundle in an archive.
    pub fn archive(zip: &Path) -> Result<Self, Failure> {
        let text = archive::read(zip).map_err(|error| unusable(zip, &error))?;
        Self::new(zip, Form::Archive, text)
    }

    fn new(path: &Path, form: Form, text: BundleText) -> Result<Self, Failure> {
        let manifest = Manifest::parse(&text.manifest).map_err(|error| {
            let what = format!("{}: {error}", path.display());
            Failure::usage(what).with_details(error.errors())
        })?;
        Ok(Self { path: path.to_owned(), form, manifest, config: text.config })
    }

    /// Returns where the bundle is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the bundle as an archive, packed now if it is a folder.
    pub fn pack(&self) -> Result<Packed, Failure> {
        if self.form == Form::Archive {
            return Ok(Packed { path: self.path.clone(), _folder: None });
        }
        let folder = tempfile::tempdir()
            .map_err(|error| Failure::io("make a folder for the archive", error))?;
        let path = folder.path().join("bundle.zip");
        archive::pack(&self.path, &path).map_err(|error| unusable(&self.path, &error))?;
        Ok(Packed { path, _folder: Some(folder) })
    }

    /// Returns the bundle as a folder, unpacked now if it is an archive.
    pub fn unpack(&self) -> Result<Unpacked, Failure> {
        if self.form == Form::Folder {
            let path = std::path::absolute(&self.path).map_err(|error| {
                Failure::io(format_args!("find {}", self.path.display()), error)
            })?;
            return Ok(Unpacked { path, _folder: None });
        }
        let folder = tempfile::tempdir()
            .map_err(|error| Failure::io("make a folder for the bundle", error))?;
        let path = folder.path().join("bundle");
        archive::unpack(&self.path, &path).map_err(|error| unusable(&self.path, &error))?;
        Ok(Unpacked { path, _folder: Some(folder) })
    }
}

/// A folder that is there as long as this is.
pub struct Unpacked {
    path: PathBuf,
    _folder: Option<tempfile::TempDir>,
}

impl Unpacked {
    /// Returns the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Says why a bundle cannot be used. Where its file is the trouble, the operating system's reason
/// decides how the command ends.
pub fn unusable(path: &Path, error: &ArchiveError) -> Failure {
    let exit = match io_kind(error) {
        Some(std::io::ErrorKind::NotFound) => Exit::NotFound,
        Some(std::io::ErrorKind::PermissionDenied) => Exit::NotAllowed,
        Some(std::io::ErrorKind::StorageFull) => Exit::Unexpected,
        Some(_) | None => Exit::Usage,
    };
    Failure::of(exit, error).while_doing(path.display())
}

fn io_kind(error: &ArchiveError) -> Option<std::io::ErrorKind> {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        source = error.source();
    }
    None
}
