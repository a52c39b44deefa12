//! Ini files: Java properties, as Niassa reads and writes them, with the line of every entry.
//!
//! The rules are those of `java.util.Properties`: `#` and `!` begin a comment, `=`, `:` or a blank
//! ends a key, a backslash at the end of a line continues it, `\uXXXX` is a character. There are no
//! sections.

mod reader;
mod writer;

pub use reader::{Entry, Malformed, parse};
pub use writer::{escape, write_entry};
