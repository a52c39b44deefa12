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
fn a_check_finds_faults_and_names_their_fix() {
    let mut site = Site::start();
    let bob = site.account("bob@lab.net");
    let good = bob.seqware(&["check", "--json"]).ok().json();
    assert!(good.as_array().unwrap().len() >= 15, "{good}");
    let origins = bob.seqware(&["check", "--settings"]).ok().stdout;
    assert!(origins.contains("(secret)") && !origins.contains("password-of"), "{origins}");
    assert!(origins.contains("default"), "{origins}");
    let crontab = bob.seqware(&["check"]).ok().stdout;
    assert!(crontab.contains("* * * * * ") && crontab.contains("launch-scheduled"), "{crontab}");
    site.kill_service();
    let bad = bob.seqware(&["check"]).fails(9);
    assert!(bad.stdout.contains("fix: "), "{}", bad.stdout);
    let engine = bob.seqware_with(&[("SW_DEFAULT_WORKFLOW_ENGINE", "oozie")], &["check"]).fails(9);
    assert!(engine.stdout.contains("SW_DEFAULT_WORKFLOW_ENGINE=local"), "{}", engine.stdout);
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
