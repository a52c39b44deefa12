//! The shell scripts of the repository: by name, or by what their first line calls.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};

use crate::repository::{Repository, has_extension};

/// Returns the paths of all shell scripts, relative to the root.
pub(crate) fn find(repository: &Repository) -> Result<Vec<String>> {
    let mut scripts = Vec::new();
    for path in repository.files()? {
        if has_extension(&path, "sh") || calls_shell(&first_bytes(&repository.root().join(&path))?)
        {
            scripts.push(path);
        }
    }
    Ok(scripts)
}

fn first_bytes(path: &Path) -> Result<Vec<u8>> {
    let context = || format!("cannot read {}", path.display());
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(context)?;
    file.take(64).read_to_end(&mut bytes).with_context(context)?;
    Ok(bytes)
}

fn calls_shell(start: &[u8]) -> bool {
    let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let Some(program) = line.strip_prefix(b"#!") else { return false };
    let program = String::from_utf8_lossy(program);
    let mut words = program.split([' ', '/']);
    words.any(|word| ["sh", "bash", "dash"].contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells_a_shell_script() {
        for (start, expected) in [
            ("#!/bin/sh\n", true),
            ("#!/usr/bin/env bash\nset -e\n", true),
            ("#!/bin/bash -e", true),
            ("#!/usr/bin/env python3\n# sh\n", false),
            ("# bash\n", false),
            ("", false),
        ] {
            assert_eq!(calls_shell(start.as_bytes()), expected, "{start:?}");
        }
    }
}
