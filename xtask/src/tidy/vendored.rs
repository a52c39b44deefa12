//! Files of others that we ship unmodified: every file of a folder `assets/vendor/` is listed in its
//! `SHA256SUMS`, in the form `sha256sum` writes, and has the digest that stands there.
//!
//! Licences lie beside the files and are listed like them.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::finding::Finding;

const FOLDER: &str = "assets/vendor/";
const LIST: &str = "SHA256SUMS";

/// Returns whether the file is somebody else's.
pub(crate) fn is_vendored(path: &str) -> bool {
    path.contains(FOLDER)
}

/// Returns whether the file lists the digests of its folder.
pub(crate) fn is_list(path: &str) -> bool {
    path.ends_with(&format!("{FOLDER}{LIST}"))
}

/// Checks the list at `path` against the files; `read` returns the bytes of a file that exists.
pub(crate) fn check(
    path: &str,
    list: &str,
    paths: &[String],
    read: impl Fn(&str) -> Option<Vec<u8>>,
) -> Vec<Finding> {
    let folder = path.trim_end_matches(LIST);
    let mut findings = Vec::new();
    let mut listed = Vec::new();
    for (index, line) in list.lines().enumerate() {
        let Some((digest, name)) = line.split_once("  ") else {
            findings.push(Finding::of_line(path, index + 1, "not a digest, two blanks, a name"));
            continue;
        };
        let file = format!("{folder}{name}");
        match read(&file) {
            None => findings.push(Finding::of_line(path, index + 1, format!("there is no {file}"))),
            Some(bytes) if hex_sha256(&bytes) != digest => {
                findings
                    .push(Finding::of_file(&file, format!("differs from its digest in {path}")));
            }
            Some(_) => {}
        }
        listed.push(file);
    }
    for file in paths.iter().filter(|file| file.starts_with(folder) && *file != path) {
        if !listed.contains(file) {
            findings.push(Finding::of_file(file, format!("is not listed in {path}")));
        }
    }
    findings
}

/// Finds vendored files whose folder has no list at all.
pub(crate) fn unlisted_folders(paths: &[String]) -> Vec<Finding> {
    let list_of = |path: &str| {
        let (before, _) = path.split_once(FOLDER)?;
        Some(format!("{before}{FOLDER}{LIST}"))
    };
    let missing = |path: &&String| list_of(path).is_some_and(|list| !paths.contains(&list));
    let found = paths.iter().filter(missing);
    found.map(|path| Finding::of_file(path, format!("its folder has no {LIST}"))).collect()
}

fn hex_sha256(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = "crates/w/assets/vendor/SHA256SUMS";
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn check(list: &str, files: &[&str], expected: &[&str]) {
        let paths: Vec<String> =
            files.iter().map(|name| format!("crates/w/assets/vendor/{name}")).collect();
        let read = |path: &str| paths.iter().any(|known| known == path).then(|| b"abc".to_vec());
        let found = super::check(AT, list, &paths, read);
        let found: Vec<String> = found.iter().map(Finding::to_string).collect();
        assert_eq!(found, expected, "{list}");
    }

    #[test]
    fn digests_are_compared() {
        check(&format!("{ABC}  a.js\n"), &["a.js", "SHA256SUMS"], &[]);
        check(
            &format!("{}  a.js\n", "0".repeat(64)),
            &["a.js"],
            &[
                "crates/w/assets/vendor/a.js: differs from its digest in crates/w/assets/vendor/SHA256SUMS",
            ],
        );
    }

    #[test]
    fn list_and_folder_agree() {
        check(
            &format!("{ABC}  gone.js\n"),
            &[],
            &["crates/w/assets/vendor/SHA256SUMS:1: there is no crates/w/assets/vendor/gone.js"],
        );
        check(
            "",
            &["a.js"],
            &["crates/w/assets/vendor/a.js: is not listed in crates/w/assets/vendor/SHA256SUMS"],
        );
        check(
            "a.js\n",
            &[],
            &["crates/w/assets/vendor/SHA256SUMS:1: not a digest, two blanks, a name"],
        );
    }

    #[test]
    fn a_folder_has_a_list() {
        let path = |name: &str| format!("crates/w/assets/vendor/{name}");
        assert_eq!(unlisted_folders(&[path("a.js")]).len(), 1);
        assert_eq!(unlisted_folders(&[path("a.js"), path(LIST)]), []);
    }
}
