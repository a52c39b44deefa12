//! Which value wins, and what is refused.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

struct Case {
    folder: tempfile::TempDir,
    surroundings: Surroundings,
}

fn case(site: &str, personal: &str, variables: &[(&str, &str)]) -> Case {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    fs::create_dir_all(home.join(".seqware")).unwrap();
    let site_file = folder.path().join("site");
    fs::write(&site_file, site).unwrap();
    let file = home.join(".seqware/settings");
    fs::write(&file, personal).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let variables =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let os_user = rustix::process::geteuid().as_raw();
    Case { folder, surroundings: Surroundings { variables, home: Some(home), os_user, site_file } }
}

fn read(case: &Case) -> Settings {
    Settings::read(&case.surroundings).unwrap()
}

#[test]
fn environment_beats_person_beats_site_beats_default() {
    let site = "SW_HOST=site\nSW_REST_URL=https://site\nSW_MAX_JOBS=5\n";
    let personal = "SW_HOST=person\nSW_REST_URL=https://person\n";
    let case = case(site, personal, &[("SW_HOST", "environment"), ("SW_REST_URL", "")]);
    let settings = read(&case);
    assert_eq!(settings.text(Key::Host), Some("environment"));
    assert_eq!(settings.origin(Key::Host), Some(&Origin::Environment));
    assert_eq!(settings.text(Key::RestUrl), Some("https://person"));
    assert_eq!(settings.text(Key::MaxJobs), Some("5"));
    assert_eq!(settings.text(Key::DefaultWorkflowEngine), Some("local"));
    assert_eq!(settings.origin(Key::DefaultWorkflowEngine), Some(&Origin::Default));
}

#[test]
fn the_file_named_in_the_environment_replaces_the_personal_one() {
    let case = case("", "SW_HOST=person", &[]);
    let mut surroundings = case.surroundings.clone();
    let other = case.folder.path().join("other");
    let name = other.to_str().unwrap().to_owned();
    surroundings.variables.insert("SEQWARE_SETTINGS".to_owned(), name);
    let missing = Settings::read(&surroundings);
    assert!(matches!(missing, Err(SettingsError::NotThere(path)) if path == other));
    fs::write(&other, "SW_HOST=other").unwrap();
    assert_eq!(Settings::read(&surroundings).unwrap().text(Key::Host), Some("other"));
}

#[test]
fn niassas_names_are_understood_and_others_reported() {
    let case = case("", "oozie_work_dir=/data/runs\nOOZIE_URL=x\nAWS_REGION=y", &[]);
    let settings = read(&case);
    assert_eq!(settings.work_dir().unwrap(), PathBuf::from("/data/runs"));
    let unknown: Vec<&str> = settings.unknown().iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(unknown, ["OOZIE_URL"]);
}

#[test]
fn the_default_work_directory_is_at_home() {
    let case = case("", "", &[]);
    let home = case.surroundings.home.clone().unwrap();
    assert_eq!(read(&case).work_dir().unwrap(), home.join("niassa-runs"));
    let mut nowhere = case.surroundings.clone();
    nowhere.home = None;
    assert!(Settings::read(&nowhere).unwrap().work_dir().is_err());
}

#[test]
fn values_that_cannot_be_used_name_their_origin() {
    let case = case("", "SW_WORK_DIR=runs\nSW_DEFAULT_WORKFLOW_ENGINE=oozie", &[]);
    let settings = read(&case);
    let text = settings.work_dir().unwrap_err().to_string();
    assert!(text.contains("SW_WORK_DIR=`runs`") && text.contains(".seqware/settings"), "{text}");
    assert!(settings.default_engine().unwrap_err().to_string().contains("Hadoop"));
}

#[test]
fn a_client_needs_an_address_and_one_way_to_sign_in() {
    let missing = |personal: &str| {
        let case = case("", personal, &[]);
        match read(&case).client_config() {
            Err(SettingsError::Missing(key)) => Some(key),
            _ => None,
        }
    };
    assert_eq!(missing(""), Some(Key::RestUrl));
    assert_eq!(missing("SW_REST_URL=https://a"), Some(Key::RestUser));
    assert_eq!(missing("SW_REST_URL=https://a\nSW_REST_USER=b@c"), Some(Key::RestPass));
    assert_eq!(missing("SW_REST_URL=https://a\nSW_REST_TOKEN=nia_x"), None);
    assert_eq!(missing("SW_REST_URL=https://a\nSW_REST_USER=b@c\nSW_REST_PASS=d"), None);
}

#[test]
fn a_password_is_not_shown_in_debug_output() {
    let case = case("", "SW_REST_PASS=hunter2", &[]);
    assert!(!format!("{:?}", read(&case)).contains("hunter2"));
}
