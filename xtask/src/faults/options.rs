//! What a person may ask of the crash tests, and how it is said to them.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Seconds after which a sample begins no further cell.
const SAMPLE_SECONDS: u64 = 150;

/// In which order launches are recorded by what is crashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Order {
    /// Ours: intent, held submission, record, release.
    #[default]
    IntentFirst,
    /// Beside ours that of the original: submit, then record.
    Compared,
}

/// Which cells are played.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) order: Order,
    /// Whether docs/reliability.md is told.
    pub(super) is_written: bool,
    /// Results that were kept: nothing is played.
    pub(super) kept: Option<PathBuf>,
    is_whole: bool,
    seed: Option<u64>,
    cell: Option<String>,
    engine: Option<String>,
    seconds: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            order: Order::IntentFirst,
            is_written: false,
            kept: None,
            is_whole: false,
            seed: None,
            cell: None,
            engine: None,
            seconds: Some(SAMPLE_SECONDS),
        }
    }
}

impl Options {
    /// Returns a sample that is over in about this time: what has begun needs a minute and more to end, on Grid
    /// Engine three.
    pub(super) fn within(left: Duration) -> Self {
        let seconds = left.as_secs().saturating_sub(90);
        let engine = (left < Duration::from_mins(10)).then(|| "local,slurm".to_owned());
        Self { seconds: Some(seconds.min(SAMPLE_SECONDS)), engine, ..Self::default() }
    }

    /// Reads the words of a command line.
    pub(super) fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self::default();
        let mut minutes: Option<u64> = None;
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value"));
            match word.as_str() {
                "--all" => options.is_whole = true,
                "--write" => options.is_written = true,
                "--compare" => options.order = Order::Compared,
                "--seed" => options.seed = Some(number(value()?)?),
                "--minutes" => minutes = Some(number(value()?)?),
                "--cell" => options.cell = Some(value()?.clone()),
                "--from" => options.kept = Some(PathBuf::from(value()?)),
                "--engine" => options.engine = Some(value()?.clone()),
                unknown => bail!(
                    "no option is called `{unknown}`: --all --seed N --cell NAME --engine E \
                     --minutes M --compare --write --from FILE"
                ),
            }
        }
        let is_open_ended = options.is_whole || options.cell.is_some();
        options.seconds = match minutes {
            Some(minutes) => Some(minutes * 60),
            None => (!is_open_ended).then_some(SAMPLE_SECONDS),
        };
        Ok(options)
    }

    /// Returns what the tests read.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let given = [
            ("NIASSA_FAULTS_ALL", self.is_whole.then(|| "1".to_owned())),
            ("NIASSA_SEED", self.seed.map(|seed| seed.to_string())),
            ("NIASSA_FAULTS_CELL", self.cell.clone()),
            ("NIASSA_FAULTS_ENGINE", self.engine.clone()),
            ("NIASSA_FAULTS_SECONDS", self.seconds.map(|seconds| seconds.to_string())),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

impl Order {
    /// Returns the test that plays it.
    pub(super) fn test(self) -> &'static str {
        match self {
            Self::IntentFirst => "faults::matrix",
            Self::Compared => "faults::comparison",
        }
    }
}

fn number(text: &str) -> Result<u64> {
    text.parse().with_context(|| format!("`{text}` is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_sample_is_bounded_and_a_chosen_cell_is_not() {
        let seconds = |line: &str| parse(line).unwrap().seconds;
        assert_eq!(seconds(""), Some(SAMPLE_SECONDS));
        assert_eq!(seconds("--all"), None);
        assert_eq!(seconds("--cell local/sqlite"), None);
        assert_eq!(seconds("--all --minutes 8"), Some(480));
        assert_eq!(Options::within(Duration::from_mins(9)).seconds, Some(SAMPLE_SECONDS));
        assert_eq!(Options::within(Duration::from_mins(3)).seconds, Some(90));
    }

    #[test]
    fn what_is_asked_is_told_to_the_tests() {
        let told = parse("--seed 7 --engine slurm --all").unwrap().environment();
        let told: Vec<(&str, &str)> = told.iter().map(|(n, v)| (*n, v.as_str())).collect();
        assert_eq!(
            told,
            [("NIASSA_FAULTS_ALL", "1"), ("NIASSA_SEED", "7"), ("NIASSA_FAULTS_ENGINE", "slurm")]
        );
    }

    #[test]
    fn a_word_that_is_none_is_refused() {
        for line in ["--everything", "--seed", "--seed many"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
