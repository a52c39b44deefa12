//! Text that is written over as things change, where the terminal can do that.

use super::Ui;
use crate::exit::Failure;

/// A block of lines at the end of the output that is replaced by its next version.
#[derive(Debug, Default)]
pub struct Live {
    lines: usize,
}

impl Live {
    /// Replaces the block. Lines must not be longer than the terminal is wide.
    pub fn show(&mut self, ui: &mut Ui, block: &str) -> Result<(), Failure> {
        let up = match self.lines {
            0 => String::new(),
            lines => format!("\u{1b}[{lines}A\u{1b}[J"),
        };
        self.lines = block.lines().count();
        ui.text(&format!("{up}{block}"))
    }
}
