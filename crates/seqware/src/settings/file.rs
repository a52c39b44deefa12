//! Settings files: Java properties, and who may read those that hold a secret.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use java_properties::PropertiesIter;

use super::SettingsError;
use super::key::is_secret;

/// Whose settings a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// One person's: may hold secrets, if closed to others.
    Person,
    /// The site's: read by all, so no secret belongs there.
    Site,
}

/// Reads a settings file. Names come back in upper case, in the order of the file. A file that is
/// not there holds nothing, unless it was asked for by name.
pub fn read(
    path: &Path,
    owner: Owner,
    caller: u32,
) -> Result<Option<Vec<(String, String)>>, SettingsError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(SettingsError::Read { path: path.to_owned(), source }),
    };
    let values = parse(&bytes).map_err(|(line, why)| SettingsError::Parse {
        path: path.to_owned(),
        line,
        why,
    })?;
    let secret = values.iter().find(|(name, value)| is_secret(name) && !value.is_empty());
    if let Some((name, _)) = secret {
        match owner {
            Owner::Site => {
                let (path, name) = (path.to_owned(), name.clone());
                return Err(SettingsError::SecretForAll { path, name });
            }
            Owner::Person => closed_to_others(path, caller)?,
        }
    }
    Ok(Some(values))
}

/// Refuses a file that another user may read, or owns. Links are followed: the file itself counts.
fn closed_to_others(path: &Path, caller: u32) -> Result<(), SettingsError> {
    let failed = |source| SettingsError::Read { path: path.to_owned(), source };
    let target: PathBuf = path.canonicalize().map_err(failed)?;
    let about = fs::metadata(&target).map_err(failed)?;
    if about.uid() != caller {
        return Err(SettingsError::NotYours { path: target, owner: about.uid() });
    }
    if about.mode() & 0o077 != 0 {
        return Err(SettingsError::OpenToOthers { path: target, mode: about.mode() & 0o777 });
    }
    Ok(())
}

/// The line of what is odd, where known, and what is odd about it.
type NotProperties = (Option<usize>, String);

/// Parses Java properties, which are Latin-1 by their definition and UTF-8 by people's habit.
fn parse(bytes: &[u8]) -> Result<Vec<(String, String)>, NotProperties> {
    let ascii: String = match std::str::from_utf8(bytes) {
        Ok(text) => escape(text.chars()),
        Err(_) => escape(bytes.iter().map(|byte| char::from(*byte))),
    };
    let mut values = Vec::new();
    PropertiesIter::new(ascii.as_bytes())
        .read_into(|name, value| values.push((name.trim().to_uppercase(), value)))
        .map_err(|error| (error.line_number(), error.to_string()))?;
    Ok(values)
}

fn escape(text: impl Iterator<Item = char>) -> String {
    let mut ascii = String::new();
    for character in text {
        if character.is_ascii() {
            ascii.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            ascii.push_str(&format!("\\u{unit:04x}"));
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn file(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    fn me() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        for mode in [0o644, 0o640, 0o604, 0o620] {
            let (_folder, path) = file("SW_REST_PASS=x", mode);
            let refused = read(&path, Owner::Person, me());
            assert!(matches!(refused, Err(SettingsError::OpenToOthers { .. })), "{mode:o}");
        }
        let (_folder, path) = file("SW_REST_PASS=x", 0o600);
        assert!(read(&path, Owner::Person, me()).is_ok());
        let other = read(&path, Owner::Person, me() + 1);
        assert!(matches!(other, Err(SettingsError::NotYours { .. })));
    }

    #[test]
    fn the_target_of_a_link_is_what_counts() {
        let (folder, path) = file("sw_rest_token=nia_x", 0o644);
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        let refused = read(&link, Owner::Person, me());
        assert!(
            matches!(refused, Err(SettingsError::OpenToOthers { path: at, .. }) if at == path.canonicalize().unwrap())
        );
    }

    #[test]
    fn a_file_without_a_secret_may_be_open() {
        let (_folder, path) = file("SW_REST_URL = https://a.net\nSW_REST_PASS=", 0o644);
        let values = read(&path, Owner::Person, me()).unwrap().unwrap();
        assert_eq!(values[0], ("SW_REST_URL".to_owned(), "https://a.net".to_owned()));
    }

    #[test]
    fn the_site_file_holds_no_secret() {
        let (_folder, path) = file("SW_REST_PASS=x", 0o600);
        let refused = read(&path, Owner::Site, me());
        assert!(matches!(refused, Err(SettingsError::SecretForAll { .. })));
    }

    #[test]
    fn both_encodings_are_understood() {
        let expected = vec![("A".to_owned(), "grün \\ = #!".to_owned())];
        let utf8 = "# c\na = grün \\\\ \\= #!\n".as_bytes();
        let latin1: Vec<u8> = "a=gr\u{fc}n \\\\ \\= #!".chars().map(|c| c as u8).collect();
        assert_eq!(parse(utf8).unwrap(), expected);
        assert_eq!(parse(&latin1).unwrap(), expected);
        assert!(parse(b"a=\\u12").is_err());
    }

    #[test]
    fn a_missing_file_holds_nothing() {
        assert!(read(Path::new("/nowhere/settings"), Owner::Person, me()).unwrap().is_none());
    }
}
