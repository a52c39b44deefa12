//! What a check finds, and the checks of the settings and of this machine.

use std::path::Path;

use niassa_model::place::EngineKind;
use niassa_pipeline::engine::cluster::scheduler_of;
use niassa_pipeline::programs;

use crate::exit::{Exit, Failure};
use crate::host;
use crate::settings::{MetadataMethod, Settings};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All is well.
    Good,
    /// It works, but somebody should look.
    Doubtful,
    /// It must be mended.
    Bad,
}

impl Verdict {
    /// Returns the word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Doubtful => "doubtful",
            Self::Bad => "bad",
        }
    }
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What was looked at.
    pub check: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// What was found.
    pub finding: String,
    /// How to mend it.
    pub fix: Option<String>,
}

impl Found {
    /// All is well.
    pub fn good(check: &'static str, finding: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Good, finding: finding.into(), fix: None }
    }

    /// Somebody should look.
    pub fn doubtful(
        check: &'static str,
        finding: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        let (finding, fix) = (finding.into(), Some(fix.into()));
        Self { check, verdict: Verdict::Doubtful, finding, fix }
    }

    /// It must be mended.
    pub fn bad(check: &'static str, finding: impl Into<String>, fix: impl Into<String>) -> Self {
        let (finding, fix) = (finding.into(), Some(fix.into()));
        Self { check, verdict: Verdict::Bad, finding, fix }
    }
}

/// Checks the settings themselves, the label and the engine.
pub fn of_settings(settings: &Settings) -> Vec<Found> {
    let mut found = vec![Found::good("settings", "can be read, and no secret is open to others")];
    if !settings.unknown().is_empty() {
        let names: Vec<String> =
            settings.unknown().iter().map(|(name, origin)| format!("{name} ({origin})")).collect();
        let finding = format!("not understood: {}", names.join(", "));
        found.push(Found::doubtful("unknown keys", finding, "remove them, or mend their spelling"));
    }
    found.push(match settings.metadata_method() {
        Ok(MetadataMethod::Webservice) => Found::good("metadata", "kept in the Web Service"),
        Ok(MetadataMethod::None) => Found::good("metadata", "kept beside the runs"),
        Err(error) => Found::bad("metadata", error.to_string(), "SW_METADATA_METHOD=webservice"),
    });
    found.push(match host::label(None, settings) {
        Ok(label) => match label.doubt {
            None => Found::good("host label", format!("this machine serves `{}`", label.label)),
            Some(doubt) => Found::doubtful("host label", doubt, "SW_HOST=LABEL in the settings"),
        },
        Err(failure) => {
            Found::bad("host label", failure.explain(), "SW_HOST=LABEL in the settings")
        }
    });
    found.push(match settings.default_engine() {
        Ok(engine) => scheduler(engine, settings),
        Err(error) => Found::bad("engine", error.to_string(), "SW_DEFAULT_WORKFLOW_ENGINE=local"),
    });
    found
}

/// Checks whether the default engine's scheduler answers.
fn scheduler(engine: EngineKind, settings: &Settings) -> Found {
    let clusters = match settings.clusters() {
        Ok(clusters) => clusters,
        Err(error) => return Found::bad("engine", error.to_string(), "mend the settings"),
    };
    let Some(scheduler) = scheduler_of(engine, clusters) else {
        return Found::good("engine", "steps run on this machine");
    };
    match scheduler.cluster_name() {
        Ok(cluster) => Found::good("engine", format!("{engine} answers; its cluster is {cluster}")),
        Err(error) => {
            let failure = Failure::of(Exit::SchedulerUnreachable, &error);
            let fix = match engine {
                EngineKind::Slurm => "scontrol ping",
                EngineKind::Sge | EngineKind::Local => "qstat -f",
            };
            Found::bad("engine", failure.explain(), fix)
        }
    }
}

/// Checks what steps need of this machine.
pub fn of_machine() -> Vec<Found> {
    vec![bash(), processors(), open_files(), shellcheck()]
}

fn bash() -> Found {
    let fix = "install bash 4 or newer";
    match programs::bash_version() {
        Ok(version) => {
            let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
            match major {
                Some(4..) => Found::good("bash", format!("bash {version}")),
                Some(_) | None => Found::bad("bash", format!("bash {version} is too old"), fix),
            }
        }
        Err(error) => Found::bad("bash", format!("bash does not run: {error}"), fix),
    }
}

fn processors() -> Found {
    match std::thread::available_parallelism() {
        Ok(number) => Found::good("processors", format!("{number} for steps")),
        Err(error) => Found::doubtful(
            "processors",
            format!("not known: {error}"),
            "steps run one at a time; look at the limits of this account",
        ),
    }
}

fn open_files() -> Found {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    match limit.current {
        Some(files) if files < 1_024 => Found::doubtful(
            "open files",
            format!("at most {files} per process"),
            "ulimit -n 4096, or LimitNOFILE=4096",
        ),
        Some(files) => Found::good("open files", format!("{files} per process")),
        None => Found::good("open files", "no limit"),
    }
}

fn shellcheck() -> Found {
    let places = ["/usr/bin/shellcheck", "/usr/local/bin/shellcheck"];
    match places.iter().any(|place| Path::new(place).exists()) {
        true => Found::good("shellcheck", "`bundle inspect` looks at commands with it"),
        false => Found::doubtful(
            "shellcheck",
            "not installed; `bundle inspect` sees less",
            "apt-get install shellcheck",
        ),
    }
}
