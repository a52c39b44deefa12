//! The configuration files of the Debian package say what this program understands.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use niassa_webservice::config::ServiceConfig;

use crate::settings::{Key, Settings, Surroundings};

/// Returns a file of the package with its examples taken for settings.
fn with_examples(name: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/debian").join(name);
    let text = fs::read_to_string(file).unwrap();
    let is_example =
        |line: &str| line.starts_with('#') && !line.starts_with("# ") && line.len() > 1;
    let lines = text.lines().map(|line| if is_example(line) { &line[1..] } else { line });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, lines.collect::<Vec<_>>().join("\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    (folder, path)
}

#[test]
fn every_example_of_the_settings_is_understood() {
    let (_folder, path) = with_examples("settings");
    let surroundings = Surroundings {
        variables: std::collections::BTreeMap::new(),
        home: Some("/home/bob".into()),
        os_user: rustix::process::geteuid().as_raw(),
        site_file: path,
    };
    let settings = Settings::read(&surroundings).unwrap();
    assert!(settings.unknown().is_empty(), "{:?}", settings.unknown());
    assert_eq!(settings.text(Key::RestUrl), Some("https://www.lab.net"));
    settings.clusters().unwrap();
    settings.default_engine().unwrap();
    settings.work_dir().unwrap();
    settings.host().unwrap();
}

#[test]
fn every_example_of_the_services_configuration_is_understood() {
    let (_folder, path) = with_examples("service.toml");
    let config = ServiceConfig::read(&path).unwrap();
    assert_eq!(config.data.as_deref(), Some(Path::new("/var/lib/niassa")));
    assert!(config.tls.is_some() && config.metadb.is_some());
}
