//! Output that is shown and kept: for a command that runs others and reads what they print.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// What was written so far.
#[derive(Debug, Clone, Default)]
pub struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    /// Returns what was written, as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Returns a writer that only keeps.
    pub fn quietly(&self) -> Box<dyn Write + Send> {
        Box::new(Tee { shown: Box::new(io::sink()), kept: self.clone() })
    }

    /// Returns a writer that shows on standard output as well.
    pub fn aloud(&self) -> Box<dyn Write + Send> {
        Box::new(Tee { shown: Box::new(io::stdout()), kept: self.clone() })
    }
}

struct Tee {
    shown: Box<dyn Write + Send>,
    kept: Kept,
}

impl Write for Tee {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.shown.write(bytes)?;
        let mut kept = self.kept.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.shown.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_kept() {
        let kept = Kept::default();
        let mut writer = kept.quietly();
        writer.write_all(b"one\n").unwrap();
        writer.write_all("zwei ü".as_bytes()).unwrap();
        assert_eq!(kept.text(), "one\nzwei ü");
    }
}
