//! What an executable needs of the machine it runs on, read from its dynamic section.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use goblin::elf::Elf;

/// The newest glibc that may be needed.
pub(super) const GLIBC: (u32, u32) = (2, 17);
/// The largest size, in bytes.
const SIZE: u64 = 30 << 20;

/// Parts of glibc, which come with it; nothing else may be needed.
const LIBRARIES: [&str; 8] = [
    "libc.so.6",
    "libm.so.6",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "libutil.so.1",
    "libresolv.so.2",
    "ld-linux-x86-64.so.2",
];

/// What an executable needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Needs {
    /// The libraries, as they are named.
    pub(super) libraries: Vec<String>,
    /// The versions of symbols, such as `GLIBC_2.17`.
    pub(super) versions: Vec<String>,
    /// Its size in bytes.
    pub(super) bytes: u64,
    /// Whether it still has a table of symbols.
    pub(super) symbols: Symbols,
}

/// Whether an executable was stripped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Symbols {
    Stripped,
    There,
}

impl Needs {
    /// Reads an executable.
    pub(super) fn of(path: &Path) -> Result<Self> {
        let bytes =
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let elf =
            Elf::parse(&bytes).with_context(|| format!("{} is no ELF file", path.display()))?;
        let mut versions = Vec::new();
        for file in elf.verneed.iter().flat_map(goblin::elf::symver::VerneedSection::iter) {
            for version in &file {
                let name =
                    elf.dynstrtab.get_at(version.vna_name).context("a version without name")?;
                versions.push(name.to_owned());
            }
        }
        versions.sort();
        versions.dedup();
        Ok(Self {
            libraries: elf.libraries.iter().map(ToString::to_string).collect(),
            versions,
            bytes: u64::try_from(bytes.len())?,
            symbols: if elf.syms.is_empty() { Symbols::Stripped } else { Symbols::There },
        })
    }

    /// Returns the newest glibc that is needed.
    pub(super) fn glibc(&self) -> Option<(u32, u32)> {
        self.versions.iter().filter_map(|version| glibc(version)).max()
    }

    /// Fails on whatever a machine with nothing but glibc 2.17 does not have.
    pub(super) fn check(&self) -> Result<()> {
        for library in &self.libraries {
            ensure!(LIBRARIES.contains(&library.as_str()), "it needs the library {library}");
        }
        for version in &self.versions {
            let known = glibc(version);
            ensure!(known.is_some(), "it needs {version}, which is no version of glibc");
            ensure!(known <= Some(GLIBC), "it needs {version}");
        }
        ensure!(self.bytes < SIZE, "it has {} bytes; {SIZE} are too many", self.bytes);
        ensure!(self.symbols == Symbols::Stripped, "it is not stripped");
        Ok(())
    }
}

/// Reads `GLIBC_2.17` or `GLIBC_2.2.5`.
fn glibc(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.strip_prefix("GLIBC_")?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(libraries: &[&str], versions: &[&str]) -> Needs {
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect();
        Needs {
            libraries: words(libraries),
            versions: words(versions),
            bytes: 1,
            symbols: Symbols::Stripped,
        }
    }

    #[test]
    fn glibc_alone_is_enough_and_it_may_be_old() {
        let good = needs(&["libc.so.6", "libm.so.6"], &["GLIBC_2.2.5", "GLIBC_2.17"]);
        good.check().unwrap();
        assert_eq!(good.glibc(), Some((2, 17)));
        for (libraries, versions, complaint) in [
            (vec!["libssl.so.3"], vec![], "libssl.so.3"),
            (vec!["libgcc_s.so.1"], vec![], "libgcc_s.so.1"),
            (vec!["libc.so.6"], vec!["GLIBC_2.18"], "GLIBC_2.18"),
            (vec!["libc.so.6"], vec!["GLIBC_3.0"], "GLIBC_3.0"),
            (vec!["libc.so.6"], vec!["GLIBC_PRIVATE"], "GLIBC_PRIVATE"),
            (vec!["libc.so.6"], vec!["GCC_3.0"], "GCC_3.0"),
        ] {
            let error = needs(&libraries, &versions).check().unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
        }
        assert!(Needs { bytes: SIZE, ..good.clone() }.check().is_err());
        assert!(Needs { symbols: Symbols::There, ..good }.check().is_err());
    }

    #[test]
    fn this_very_test_is_read() {
        let needs = Needs::of(&std::env::current_exe().unwrap()).unwrap();
        assert!(needs.libraries.iter().any(|library| library == "libc.so.6"), "{needs:?}");
        assert!(needs.glibc() > Some((2, 0)), "{needs:?}");
        assert_eq!(needs.symbols, Symbols::There);
        assert!(Needs::of(Path::new("Cargo.toml")).is_err());
    }
}
