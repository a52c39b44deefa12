//! Where a step may put an output: below the folder in which the steps of its run work.

/// Longest path of an output, in bytes.
const PATH_BYTES: usize = 1_024;
/// Longest name in a path, in bytes; what common file systems allow.
const NAME_BYTES: usize = 255;

/// Checks that a path is relative, in one spelling, and stays below its folder.
pub(crate) fn check_path(path: &str) -> Result<(), String> {
    let why = if path.is_empty() {
        "it is empty"
    } else if path.starts_with('/') {
        "it begins with /; outputs are relative to where the steps run"
    } else if path.len() > PATH_BYTES || path.split('/').any(|name| name.len() > NAME_BYTES) {
        "it is too long"
    } else if path.chars().any(char::is_control) {
        "it holds a control character"
    } else if path.split('/').any(|name| name == "..") {
        "it holds `..`"
    } else if path.split('/').any(|name| name.is_empty() || name == ".") {
        "it holds an empty name or `.`"
    } else {
        return Ok(());
    };
    Err(format!("output {path:?}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_their_folder() {
        for path in ["a", "a/b.vcf.gz", "a b", "..a", "a..b/c", "-x", "~"] {
            assert_eq!(check_path(path), Ok(()), "{path}");
        }
        let long_name = "x".repeat(256);
        let long_path = "x/".repeat(600) + "y";
        for path in
            ["", "/a", "..", "a/../b", "a/..", "./a", "a//b", "a/", "a\nb", &long_name, &long_path]
        {
            assert!(check_path(path).is_err(), "{path}");
        }
    }
}
