//! Reading the end of the accounting file, from the back.
//!
//! The file grows for ever, and what is asked about ended a short while ago: at most the last
//! [`TAIL_BYTES`] are read. Jobs whose records are older, or went away with a rotated file, are left out.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use niassa_model::job::{EndedJob, JobId};

use super::accounting::{Record, Wanted};

/// How much of the end is read.
const TAIL_BYTES: u64 = 64 * 1024 * 1024;
/// How much is read at a time.
const PART_BYTES: u64 = 1024 * 1024;

/// Tells how jobs ended, as far as the file says.
pub(super) fn ends(file: &Path, jobs: &[JobId]) -> io::Result<Vec<EndedJob>> {
    let file = File::open(file)?;
    let length = file.metadata()?.len();
    let mut wanted = Wanted::new(jobs);
    read_back(&file, length, TAIL_BYTES, PART_BYTES, |line| {
        if let Some(record) = Record::from_line(line) {
            wanted.take_earlier(&record);
        }
        wanted.is_complete()
    })?;
    Ok(wanted.into_ends())
}

/// Gives whole lines from the last to the first, until `is_enough` or the bound. What stands behind
/// the last line break is still being written.
fn read_back(
    file: &File,
    length: u64,
    tail: u64,
    part: u64,
    mut is_enough: impl FnMut(&str) -> bool,
) -> io::Result<()> {
    let first = length.saturating_sub(tail);
    let mut from = length;
    // The part of a line whose beginning is not read yet; none before the last line break.
    let mut rest: Option<Vec<u8>> = None;
    while from > first {
        let to = from;
        from = from.saturating_sub(part).max(first);
        let mut bytes = vec![0; usize::try_from(to - from).unwrap_or_default()];
        file.read_exact_at(&mut bytes, from)?;
        while let Some(at) = bytes.iter().rposition(|byte| *byte == b'\n') {
            let mut line = bytes.split_off(at + 1);
            bytes.truncate(at);
            if let Some(rest) = rest.replace(Vec::new()) {
                line.extend(rest);
                if is_enough(&String::from_utf8_lossy(&line)) {
                    return Ok(());
                }
            }
        }
        if let Some(rest) = &mut rest {
            bytes.append(rest);
            *rest = bytes;
        }
    }
    if let Some(line) = rest.filter(|_| first == 0) {
        is_enough(&String::from_utf8_lossy(&line));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn lines_back(text: &str, tail: u64, part: u64) -> Vec<String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let mut lines = Vec::new();
        read_back(&file, text.len() as u64, tail, part, |line| {
            lines.push(line.to_owned());
            false
        })
        .unwrap();
        lines
    }

    #[test]
    fn lines_come_from_the_last_to_the_first() {
        for part in 1..12 {
            assert_eq!(lines_back("one\ntwo\n\nfour\n", 1_000, part), ["four", "", "two", "one"]);
            assert_eq!(lines_back("one\ntwo\nhal", 1_000, part), ["two", "one"]);
        }
        assert_eq!(lines_back("", 1_000, 3), [""; 0]);
        assert_eq!(lines_back("no end", 1_000, 3), [""; 0]);
    }

    #[test]
    fn no_more_than_the_tail_is_read() {
        // The line that begins before the bound is not whole and left out.
        assert_eq!(lines_back("one\ntwo\nthree\n", 8, 3), ["three"]);
    }

    proptest! {
        #[test]
        fn every_whole_line_is_given_once(text in "[a-c\n]{0,60}", part in 1u64..9) {
            let whole = text.rfind('\n').map_or("", |at| &text[..at]);
            let mut expected: Vec<&str> = whole.split('\n').rev().collect();
            if !text.contains('\n') {
                expected.clear();
            }
            prop_assert_eq!(lines_back(&text, 1_000, part), expected);
        }
    }
}
