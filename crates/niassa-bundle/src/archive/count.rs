//! How many entries an archive says it has, read before anything makes room for them.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// The end of an archive: its fixed part, and the longest comment behind it.
const END_BYTES: u64 = 22;
const COMMENT_BYTES: u64 = 65_535;
/// What stands before the end in large archives.
const LARGE_END_BYTES: u64 = 56 + 20;

const END: [u8; 4] = *b"PK\x05\x06";
const LARGE_END: [u8; 4] = *b"PK\x06\x06";

/// Returns the largest number of entries that any end of the archive claims.
///
/// Several places may look like the end, and which one counts is the reader's choice; the largest
/// claim is an upper bound of them all. A large archive whose real number is not found claims as
/// much as there is.
pub(super) fn claimed_entries(file: &mut File) -> io::Result<u64> {
    let size = file.seek(SeekFrom::End(0))?;
    let tail = size.min(END_BYTES + COMMENT_BYTES + LARGE_END_BYTES);
    file.seek(SeekFrom::Start(size - tail))?;
    let mut bytes = Vec::new();
    file.take(tail).read_to_end(&mut bytes)?;
    let small = find(&bytes, END, 10).map(|at| number(&bytes[at..at + 2]));
    let large = find(&bytes, LARGE_END, 32).map(|at| number(&bytes[at..at + 8]));
    let (small, large) = (small.max().unwrap_or(0), large.max());
    Ok(match large {
        Some(large) => large.max(small),
        None if small == u64::from(u16::MAX) => u64::MAX,
        None => small,
    })
}

/// Finds the places of a number that stands so many bytes behind a mark.
fn find(bytes: &[u8], mark: [u8; 4], behind: usize) -> impl Iterator<Item = usize> {
    let longest = behind + 8;
    let places = bytes.windows(longest).enumerate();
    places.filter(move |(_, window)| window.starts_with(&mark)).map(move |(at, _)| at + behind)
}

/// Reads a number, lowest byte first.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn claimed(bytes: &[u8]) -> u64 {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(bytes).expect("it takes bytes");
        claimed_entries(&mut file).expect("it can be read")
    }

    #[test]
    fn the_largest_claim_counts() {
        let end = |count: u16| {
            let mut end = END.to_vec();
            end.resize(22, 0);
            end[10..12].copy_from_slice(&count.to_le_bytes());
            end
        };
        assert_eq!(claimed(b""), 0);
        assert_eq!(claimed(b"PK\x05\x06"), 0);
        assert_eq!(claimed(&end(7)), 7);
        assert_eq!(claimed(&[end(7), end(9), end(8), vec![0; 1_000]].concat()), 9);
        assert_eq!(claimed(&end(u16::MAX)), u64::MAX);
        let mut large = LARGE_END.to_vec();
        large.resize(56, 0);
        large[32..40].copy_from_slice(&70_000_u64.to_le_bytes());
        assert_eq!(claimed(&[large, end(u16::MAX)].concat()), 70_000);
    }
}
