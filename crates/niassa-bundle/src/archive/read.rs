//! Unpacking an archive, and reading a bundle's texts from an archive or a folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use niassa_model::limits::INI_BYTES;

use super::entries::Entries;
use super::{ArchiveError, BundleText, CONFIG};
use crate::manifest::FILE_NAME;

/// Unpacks an archive into a new folder. If anything is wrong with it, no folder stays.
pub fn unpack(zip: &Path, to: &Path) -> Result<(), ArchiveError> {
    let mut entries = Entries::open(zip)?;
    fs::create_dir(to).map_err(ArchiveError::file("make", to))?;
    let unpacked = unpack_into(&mut entries, to);
    if unpacked.is_err() {
        // The first error is the one to tell.
        let _unimportant = fs::remove_dir_all(to);
    }
    unpacked
}

/// Reads the texts of an archive, and all the rest for its checksums and its size.
pub fn read(zip: &Path) -> Result<BundleText, ArchiveError> {
    let mut entries = Entries::open(zip)?;
    let mut manifest = None;
    let mut config = Vec::new();
    let mut left = INI_BYTES;
    for index in 0..entries.files.len() {
        let name = entries.files[index].name.clone();
        if name != FILE_NAME && !is_config(&name) {
            entries.copy(index, &mut io::sink(), zip)?;
            continue;
        }
        let mut text = Text { bytes: Vec::new(), is_too_long: false };
        entries.copy(index, &mut text, zip)?;
        if text.is_too_long {
            return Err(ArchiveError::LongText(name));
        }
        left = left.checked_sub(text.bytes.len()).ok_or(ArchiveError::LongTexts)?;
        if name == FILE_NAME {
            manifest = Some(utf8(name, text.bytes)?);
        } else {
            config.push((name, latin_or_utf8(text.bytes)));
        }
    }
    config.sort_unstable();
    let manifest = manifest.ok_or_else(|| ArchiveError::NoManifest(zip.to_owned()))?;
    Ok(BundleText { manifest, config })
}

/// Reads the texts of a bundle in a folder.
pub fn read_dir(dir: &Path) -> Result<BundleText, ArchiveError> {
    let file = dir.join(FILE_NAME);
    let manifest = match File::open(&file) {
        Ok(manifest) => utf8(FILE_NAME.to_owned(), bytes_of(manifest, &file)?)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(ArchiveError::NoManifest(dir.to_owned()));
        }
        Err(error) => return Err(ArchiveError::file("read", &file)(error)),
    };
    let mut left = INI_BYTES.saturating_sub(manifest.len());
    let mut config = Vec::new();
    let folder = dir.join(CONFIG);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(BundleText { manifest, config });
        }
        Err(error) => return Err(ArchiveError::file("list", &folder)(error)),
    };
    for entry in entries {
        let path = entry.map_err(ArchiveError::file("list", &folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{CONFIG}/{name}");
        if is_config(&name) && path.is_file() {
            let file = File::open(&path).map_err(ArchiveError::file("read", &path))?;
            let bytes = bytes_of(file, &path)?;
            left = left.checked_sub(bytes.len()).ok_or(ArchiveError::LongTexts)?;
            config.push((name, latin_or_utf8(bytes)));
        }
    }
    config.sort_unstable();
    Ok(BundleText { manifest, config })
}

fn unpack_into(entries: &mut Entries, to: &Path) -> Result<(), ArchiveError> {
    for index in 0..entries.files.len() {
        let file = &entries.files[index];
        let path = to.join(&file.name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(ArchiveError::file("make", folder))?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(file.mode);
        let mut file = options.open(&path).map_err(ArchiveError::file("make", &path))?;
        entries.copy(index, &mut file, &path)?;
    }
    Ok(())
}

fn is_config(name: &str) -> bool {
    let path = Path::new(name);
    let is_in_folder = path.parent() == Some(Path::new(CONFIG));
    is_in_folder && path.extension().is_some_and(|extension| extension == "ini")
}

/// Takes bytes up to the length of a text, and notes that there were more.
struct Text {
    bytes: Vec<u8>,
    is_too_long: bool,
}

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.is_too_long |= self.bytes.len() + bytes.len() > INI_BYTES;
        if !self.is_too_long {
            self.bytes.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn bytes_of(file: File, path: &Path) -> Result<Vec<u8>, ArchiveError> {
    let mut bytes = Vec::new();
    let most = INI_BYTES as u64 + 1;
    file.take(most).read_to_end(&mut bytes).map_err(ArchiveError::file("read", path))?;
    if bytes.len() > INI_BYTES {
        return Err(ArchiveError::LongText(path.display().to_string()));
    }
    Ok(bytes)
}

fn utf8(name: String, bytes: Vec<u8>) -> Result<String, ArchiveError> {
    String::from_utf8(bytes).map_err(|_| ArchiveError::NotText(name))
}

/// Java properties are Latin-1 by definition and UTF-8 by habit.
fn latin_or_utf8(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| error.as_bytes().iter().map(|byte| char::from(*byte)).collect())
}
