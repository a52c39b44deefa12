//! Setting up: the MetaDB on both databases, the service, settings, checks, and the demonstration.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use crate::site::{Database, Site, fresh_postgres};

#[test]
fn a_metadb_on_postgres_is_migrated_by_hand() {
    let Some(url) = fresh_postgres() else { return };
    let site = Site::start();
    let data = site.path("other");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--metadb", &url, "--data"];
    let serve = [&serve[..], &[data.to_str().unwrap()]].concat();
    let refused = site.bare(&serve, "").fails(5);
    assert!(refused.stderr.contains("seqware metadb migrate --metadb"), "{}", refused.stderr);
    let init = ["metadb", "init", "--metadb", &url, "--admin", "root@lab.net"];
    site.bare(&init, "short\n").fails(2);
    let made = site.bare(&init, "a password\n").ok();
    assert_eq!(made.stdout, "Created account root@lab.net (administrator)\n");
    site.bare(&["metadb", "migrate", "--metadb", &url], "").ok();
    site.bare(&["metadb", "check", "--metadb", &url], "").ok();
    let again = site.bare(&init, "a password\n");
    assert_eq!(again.code, 5, "there is an account already: {again:?}");
}

#[test]
fn a_lost_administrator_is_replaced_in_the_metadb_itself() {
    let site = Site::start();
    let metadb = ["--metadb", site.metadb()];
    let create = ["account", "create", "second@lab.net", "--admin"];
    site.bare(&[&create[..], &metadb[..]].concat(), "second-password\n").ok();
    let second = site.write_user("second@lab.net", "second-password");
    assert_eq!(
        second.seqware(&["account", "list", "--json"]).ok().json().as_array().unwrap().len(),
        2
    );
    let password = ["account", "password", "second@lab.net"];
    site.bare(&[&password[..], &metadb[..]].concat(), "another-password\n").ok();
    site.write_user("second@lab.net", "another-password").seqware(&["account", "list"]).ok();
    site.admin().seqware(&["account", "disable", "nobody@lab.net"]).fails(3);
    site.admin().seqware(&["account", "disable", "second@lab.net"]).ok();
    second.seqware(&["account", "list"]).fails(4);
}

#[test]
fn a_metadb_that_is_not_there_is_not_made_by_looking_at_it() {
    let site = Site::start();
    let missing = site.path("missing.db");
    let metadb = ["--metadb", missing.to_str().unwrap()];
    for verb in ["check", "migrate"] {
        let refused = site.bare(&[&["metadb", verb][..], &metadb[..]].concat(), "").fails(3);
        assert!(refused.stderr.contains("seqware metadb init"), "{}", refused.stderr);
    }
    assert!(!missing.exists());
}

#[test]
fn settings_are_written_closed_and_tried() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::start();
    site.account("bob@lab.net");
    let new = site.write_settings("new", "");
    let settings = new.home().join(".seqware/settings");
    fs::remove_dir_all(new.home().join(".seqware")).unwrap();
    let init = |password: &str, more: &[&str]| {
        let mut command = new.command();
        command.args(["init", "--url", site.url(), "--user", "bob@lab.net"]).args(more);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
        child.wait_with_output().unwrap()
    };
    let wrong = init("guess", &[]);
    assert_eq!(wrong.status.code(), Some(4));
    assert_eq!(init("password-of-bob@lab.net", &[]).status.code(), Some(5), "it is there already");
    assert!(init("password-of-bob@lab.net", &["--force"]).status.success());
    assert_eq!(fs::metadata(&settings).unwrap().permissions().mode() & 0o777, 0o600);
    new.seqware(&["workflow", "list"]).ok();
    new.seqware(&["check"]).ok();
}

#[test]
fn a_launchers_settings_hold_a_token_and_its_label() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let scope = ["--scope", "launch:here", "--expires", "30d", "--json"];
    let made = bob.seqware(&[&["token", "create"], scope.as_slice()].concat()).ok().json();
    let new = site.write_settings("launcher", "");
    fs::remove_dir_all(new.home().join(".seqware")).unwrap();
    let told = new.shell(&format!(
        "seqware init --url {} --token --host here --engine local --work-dir runs <<<'{}'",
        site.url(),
        made["secret"].as_str().unwrap()
    ));
    assert!(told.ok().stdout.contains(" good"));
    new.seqware(&["workflow-run", "launch-scheduled"]).ok();
    let shown = new.seqware(&["check", "--settings", "--json"]).ok().stdout;
    let runs = new.home().join("runs").display().to_string();
    assert!(shown.contains("\"here\"") && shown.contains(&runs), "{shown}");
}

#[test]
fn a_study_is_shared_with_whom_its_owner_names() {
    let site = Site::start_on(Database::Sqlite).unwrap();
    let (alice, bob) = (site.account("alice@lab.net"), site.account("bob@lab.net"));
    let study = bob.seqware(&["create", "study", "--title", "T", "--description", "D"]).ok().swid();
    let study = study.to_string();
    let query = ["query", "study", "--accession", &study];
    alice.seqware(&query).fails(3);
    alice.seqware(&["grant", "read", "--study", &study, "--to", "alice@lab.net"]).fails(3);
    bob.seqware(&["grant", "read", "--study", &study, "--to", "alice@lab.net"]).ok();
    alice.seqware(&query).ok();
}

#[test]
fn the_demonstration_says_hello_where_it_has_no_reads() {
    let site = Site::start();
    let nobody = site.write_settings("nobody", "");
    let temporary = site.path("tmp");
    fs::create_dir(&temporary).unwrap();
    let variables = [("TMPDIR", temporary.to_str().unwrap())];
    let shown = nobody.seqware_with(&variables, &["demo"]).ok();
    for part in [
        "$ seqware bundle install",
        "$ seqware workflow schedule",
        "completed",
        "No variants were called",
    ] {
        assert!(shown.stdout.contains(part), "no `{part}` in:\n{}", shown.stdout);
    }
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "nothing is left behind");
}
