//! Whether the settings can be used: their file, their names, the label, the engine, the programs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use niassa_model::place::EngineKind;

use super::found::Found;
use crate::exit::Failure;
use crate::host::{self, FoundLabel};
use crate::settings::{Key, MetadataMethod, Origin, Settings, SettingsError};

/// Checks settings that could be read.
pub fn probes(settings: &Settings) -> Vec<Found> {
    let origins = Key::ALL.iter().filter_map(|key| settings.origin(*key));
    let mut found = vec![readable(origins), unknown(settings.unknown())];
    found.push(metadata(settings.metadata_method()));
    found.push(label(host::label(None, settings)));
    found.push(engine(settings.default_engine()));
    found.push(on_change(settings.on_change()));
    found.push(step_runner(settings.step_runner()));
    found
}

/// Says why settings could not be read.
pub fn unreadable(error: &SettingsError) -> Found {
    Found::bad("settings", crate::exit::chain(error), error.hint())
}

fn readable<'a>(origins: impl Iterator<Item = &'a Origin>) -> Found {
    let mut files: Vec<String> = origins
        .filter_map(|origin| match origin {
            Origin::File(path) => Some(path.display().to_string()),
            Origin::Environment | Origin::Default => None,
        })
        .collect();
    files.sort();
    files.dedup();
    match files.is_empty() {
        true => Found::doubtful("settings", "there is no settings file", "seqware init"),
        false => {
            Found::good("settings", format!("{}; no secret is open to others", files.join(" and ")))
        }
    }
}

fn unknown(names: &[(String, Origin)]) -> Found {
    if names.is_empty() {
        return Found::good("names", "every name in the settings is understood");
    }
    let names: Vec<String> =
        names.iter().map(|(name, origin)| format!("{name} ({origin})")).collect();
    let finding = format!("not understood: {}", names.join(", "));
    Found::doubtful("names", finding, "remove them, or mend their spelling")
}

fn metadata(method: Result<MetadataMethod, SettingsError>) -> Found {
    match method {
        Ok(MetadataMethod::Webservice) => Found::good("metadata", "kept in the Web Service"),
        Ok(MetadataMethod::None) => Found::good("metadata", "kept beside the runs"),
        Err(error) => Found::bad("metadata", error.to_string(), "SW_METADATA_METHOD=webservice"),
    }
}

fn label(label: Result<FoundLabel, Failure>) -> Found {
    let fix = "SW_HOST=LABEL in the settings";
    match label {
        Ok(FoundLabel { label, doubt: None }) => {
            Found::good("host label", format!("this machine serves `{label}`"))
        }
        Ok(FoundLabel { doubt: Some(doubt), .. }) => Found::doubtful("host label", doubt, fix),
        Err(failure) => Found::bad("host label", failure.explain(), fix),
    }
}

fn engine(engine: Result<EngineKind, SettingsError>) -> Found {
    match engine {
        Ok(EngineKind::Local) => Found::good("engine", "local: steps run on this machine"),
        Ok(engine) => Found::good("engine", format!("{engine}: steps run as jobs of a cluster")),
        Err(error) => Found::bad("engine", error.to_string(), "SW_DEFAULT_WORKFLOW_ENGINE=local"),
    }
}

fn on_change(program: Result<Option<std::path::PathBuf>, SettingsError>) -> Found {
    match program {
        Ok(None) => Found::good("on change", "no program is told of changes"),
        Ok(Some(path)) if is_executable(&path) => {
            Found::good("on change", format!("{} is told of changes", path.display()))
        }
        Ok(Some(path)) => Found::bad(
            "on change",
            format!("{} is not there or not executable", path.display()),
            format!("chmod +x '{}', or mend SW_ON_CHANGE", path.display()),
        ),
        Err(error) => Found::bad("on change", error.to_string(), "mend SW_ON_CHANGE"),
    }
}

fn step_runner(path: Result<Option<std::path::PathBuf>, SettingsError>) -> Found {
    match path {
        Ok(None) => Found::good("step runner", "this program, brought to nodes when needed"),
        Ok(Some(path)) if is_executable(&path) => {
            Found::good("step runner", path.display().to_string())
        }
        Ok(Some(path)) => Found::not_known(
            "step runner",
            format!("{} is not on this machine; --from-node tries it", path.display()),
        ),
        Err(error) => Found::bad("step runner", error.to_string(), "mend SW_STEP_RUNNER"),
    }
}

fn is_executable(path: &Path) -> bool {
    let about = fs::metadata(path);
    about.is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::super::found::Verdict::{Bad, Doubtful, Good, NotKnown};
    use super::super::found::assert_verdict;
    use super::*;

    fn missing() -> SettingsError {
        SettingsError::Missing(Key::MetadataMethod)
    }

    #[test]
    fn settings_are_in_a_file_and_can_be_read() {
        let file = Origin::File("/home/bob/.seqware/settings".into());
        assert_verdict(&readable([&file, &file, &Origin::Default].into_iter()), Good);
        assert_verdict(&readable([&Origin::Environment].into_iter()), Doubtful);
        let open = SettingsError::OpenToOthers { path: "/s".into(), mode: 0o644 };
        let found = unreadable(&open);
        assert_verdict(&found, Bad);
        assert_eq!(found.fix.as_deref(), Some("chmod 600 '/s'"));
    }

    #[test]
    fn names_that_mean_nothing_are_told() {
        assert_verdict(&unknown(&[]), Good);
        let found = unknown(&[("SW_RESTURL".to_owned(), Origin::Default)]);
        assert_verdict(&found, Doubtful);
        assert!(found.finding.contains("SW_RESTURL"));
    }

    #[test]
    fn metadata_engine_and_label_are_what_they_can_be() {
        assert_verdict(&metadata(Ok(MetadataMethod::None)), Good);
        assert_verdict(&metadata(Err(missing())), Bad);
        assert_verdict(&engine(Ok(EngineKind::Slurm)), Good);
        assert_verdict(&engine(Err(missing())), Bad);
        let known = |doubt: Option<&str>| {
            let doubt = doubt.map(ToOwned::to_owned);
            Ok(FoundLabel { label: "server2".parse().unwrap(), doubt })
        };
        assert_verdict(&label(known(None)), Good);
        assert_verdict(&label(known(Some("no full name"))), Doubtful);
        assert_verdict(&label(Err(Failure::usage("no label"))), Bad);
    }

    #[test]
    fn programs_of_the_settings_can_be_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        fs::write(&path, "#!/bin/bash\n").unwrap();
        assert_verdict(&on_change(Ok(None)), Good);
        assert_verdict(&on_change(Ok(Some(path.clone()))), Bad);
        assert_verdict(&step_runner(Ok(Some(path.clone()))), NotKnown);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        assert_verdict(&on_change(Ok(Some(path.clone()))), Good);
        assert_verdict(&step_runner(Ok(Some(path))), Good);
        assert_verdict(&step_runner(Err(missing())), Bad);
    }
}
