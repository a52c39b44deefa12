//! The paired reads and the genome of a phage, where somebody has them, and what was found in them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::commands::init::escape;
use crate::exit::{Exit, Failure};
use crate::settings::Surroundings;

/// What the variant-calling workflow runs.
const TOOLS: [&str; 3] = ["bwa", "samtools", "bcftools"];

/// A parameter of the workflow, and the name of its file.
const FILES: [(&str, &str); 3] =
    [("reads_1", "reads_1.fq.gz"), ("reads_2", "reads_2.fq.gz"), ("reference", "lambda_virus.fa")];

/// The output that holds the number of variants.
const COUNTED: &str = "variants.txt";

/// A folder with all that variants are called from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reads {
    folder: PathBuf,
}

impl Reads {
    /// Looks whether reads and programs are here, or says what is missing and how to get it.
    pub fn find(folder: Option<&Path>, surroundings: &Surroundings) -> Result<Self, String> {
        let Some(folder) = folder else {
            return Err("no --data was given (`cargo xtask demo` fetches reads)".to_owned());
        };
        let folder = std::path::absolute(folder)
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        if let Some((_, name)) = FILES.iter().find(|(_, name)| !folder.join(name).is_file()) {
            return Err(format!("{} has no {name}", folder.display()));
        }
        let path = surroundings.variable("PATH").unwrap_or_default();
        let is_there =
            |tool: &str| std::env::split_paths(path).any(|folder| folder.join(tool).is_file());
        let missing: Vec<&str> = TOOLS.into_iter().filter(|tool| !is_there(tool)).collect();
        if !missing.is_empty() {
            let names = missing.join(" ");
            return Err(format!("{names} not installed (apt-get install {names})"));
        }
        Ok(Self { folder })
    }

    /// Writes the ini file of a run.
    pub fn write_ini(&self, path: &Path) -> Result<(), Failure> {
        let mut text =
            "# The reads of the lambda phage, from Debian's bowtie2-examples\n".to_owned();
        for (parameter, name) in FILES {
            let file = self.folder.join(name);
            text.push_str(&format!("{parameter}={}\n", escape(&file.display().to_string())));
        }
        fs::write(path, text)
            .map_err(|error| Failure::io(format_args!("write {}", path.display()), error))
    }
}

/// Reads how many variants a run found from its outputs.
pub fn count_variants(outputs: &[PathBuf]) -> Result<u64, Failure> {
    let counted = outputs.iter().find(|path| path.ends_with(COUNTED)).ok_or_else(|| {
        Failure::new(Exit::Unexpected, format!("the run has no output {COUNTED}"))
    })?;
    let text = fs::read_to_string(counted)
        .map_err(|error| Failure::io(format_args!("read {}", counted.display()), error))?;
    text.trim().parse().map_err(|_| {
        Failure::new(Exit::Unexpected, format!("{} holds no number", counted.display()))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn surroundings(path: &Path) -> Surroundings {
        Surroundings {
            variables: BTreeMap::from([("PATH".to_owned(), path.display().to_string())]),
            home: None,
            os_user: 1_000,
            site_file: "/nowhere".into(),
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let here = surroundings(folder.path());
        assert!(Reads::find(None, &here).unwrap_err().contains("cargo xtask demo"));
        let missing = Reads::find(Some(folder.path()), &here).unwrap_err();
        assert!(missing.ends_with("has no reads_1.fq.gz"), "{missing}");
        for (_, name) in FILES {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        fs::write(folder.path().join("bwa"), "x").unwrap();
        let missing = Reads::find(Some(folder.path()), &here).unwrap_err();
        assert_eq!(missing, "samtools bcftools not installed (apt-get install samtools bcftools)");
        for tool in TOOLS {
            fs::write(folder.path().join(tool), "x").unwrap();
        }
        let reads = Reads::find(Some(folder.path()), &here).unwrap();
        let ini = folder.path().join("reads.ini");
        reads.write_ini(&ini).unwrap();
        let text = fs::read_to_string(ini).unwrap();
        assert!(text.contains("\nreference=/") && text.contains("/lambda_virus.fa\n"), "{text}");
    }

    #[test]
    fn the_number_stands_in_an_output() {
        let folder = tempfile::tempdir().unwrap();
        let counted = folder.path().join(COUNTED);
        let outputs = [folder.path().join("aligned.bam"), counted.clone()];
        fs::write(&counted, "86\n").unwrap();
        assert_eq!(count_variants(&outputs).unwrap(), 86);
        fs::write(&counted, "many\n").unwrap();
        assert!(count_variants(&outputs).is_err());
        assert!(count_variants(&outputs[..1]).is_err());
    }
}
