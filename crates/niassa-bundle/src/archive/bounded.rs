//! An archive whose list of entries is of bounded length.
//!
//! How long the list is, an archive says itself, and may lie. So all that is read while it is opened
//! is counted: whatever the library makes of it cannot be much more.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::rc::Rc;

use zip::ZipArchive;
use zip::result::ZipResult;

/// Bytes that may be read for the list of entries.
pub(super) const DIRECTORY_BYTES: u64 = 64 * 1024 * 1024;

/// A file of which only so much is read while it is being opened.
pub(super) struct BoundedFile {
    file: BufReader<File>,
    left: Left,
}

/// How many bytes may still be read; nothing is no bound.
type Left = Rc<Cell<Option<u64>>>;

/// Opens an archive; returns nothing if its list of entries is too long.
pub(super) fn open(file: File, most: u64) -> ZipResult<Option<ZipArchive<BoundedFile>>> {
    let left = Left::new(Cell::new(Some(most)));
    let bounded = BoundedFile { file: BufReader::new(file), left: Rc::clone(&left) };
    let opened = ZipArchive::new(bounded);
    // The bound ends with the opening, reached or not.
    if left.replace(None) == Some(0) {
        return Ok(None);
    }
    opened.map(Some)
}

impl Read for BoundedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(left) = self.left.get() else { return self.file.read(buffer) };
        if left == 0 {
            return Err(io::Error::other("the list of entries is too long"));
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.file.read(&mut buffer[..most])?;
        self.left.set(Some(left - count as u64));
        Ok(count)
    }
}

impl Seek for BoundedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn archive(entries: usize) -> File {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for number in 0..entries {
            let name = format!("{number:0100}");
            zip.start_file(name, SimpleFileOptions::default()).expect("an entry");
        }
        zip.write_all(&vec![7; 50_000]).expect("content of the last entry");
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(&zip.finish().expect("an archive").into_inner()).expect("it takes bytes");
        file
    }

    #[test]
    fn a_long_list_is_refused_and_content_is_not_counted() {
        assert!(open(archive(1_000), 100_000).expect("no error of its own").is_none());
        let zip = open(archive(10), 30_000).expect("an archive");
        let mut zip = zip.expect("a short list");
        let mut content = Vec::new();
        let mut last = zip.by_index(9).expect("the last entry");
        last.read_to_end(&mut content).expect("its content");
        assert_eq!(content.len(), 50_000);
    }
}
