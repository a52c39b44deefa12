//! The example bundles, which an installed executable has to bring along.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::exit::Failure;

/// A file of an example: where it goes, what it holds, and its mode.
struct Example {
    path: &'static str,
    text: &'static str,
    mode: u32,
}

const EXAMPLES: [Example; 5] = [
    Example {
        path: "hello-world/workflow.yaml",
        text: include_str!("../../../../../examples/bundles/hello-world/workflow.yaml"),
        mode: 0o644,
    },
    Example {
        path: "hello-world/config/workflow.ini",
        text: include_str!("../../../../../examples/bundles/hello-world/config/workflow.ini"),
        mode: 0o644,
    },
    Example {
        path: "hello-world/bin/shout",
        text: include_str!("../../../../../examples/bundles/hello-world/bin/shout"),
        mode: 0o755,
    },
    Example {
        path: "variant-calling/workflow.yaml",
        text: include_str!("../../../../../examples/bundles/variant-calling/workflow.yaml"),
        mode: 0o644,
    },
    Example {
        path: "variant-calling/config/workflow.ini",
        text: include_str!("../../../../../examples/bundles/variant-calling/config/workflow.ini"),
        mode: 0o644,
    },
];

/// Writes the examples below a folder.
pub fn write(folder: &Path) -> Result<(), Failure> {
    for example in &EXAMPLES {
        let path = folder.join(example.path);
        let failed = |error| Failure::io(format_args!("write {}", path.display()), error);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        fs::write(&path, example.text).map_err(failed)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(example.mode)).map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that is added to an example and forgotten here would be missing from the demonstration.
    #[test]
    fn every_file_of_the_examples_is_brought_along() {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/bundles");
        let mut found = Vec::new();
        let mut folders = vec![examples.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let relative = path.strip_prefix(&examples).unwrap();
                    found.push(relative.to_str().unwrap().to_owned());
                }
            }
        }
        let mut known: Vec<String> = EXAMPLES.iter().map(|e| e.path.to_owned()).collect();
        known.sort();
        found.sort();
        assert_eq!(known, found);
    }

    #[test]
    fn the_examples_are_whole_bundles() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path()).unwrap();
        let tool = folder.path().join("hello-world/bin/shout");
        assert_eq!(fs::metadata(tool).unwrap().permissions().mode() & 0o111, 0o111);
    }
}
