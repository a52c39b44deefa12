//! Two accounts and narrow tokens: who sees what, and who may do what.

use crate::site::{Database, Site, User};

const NAP: &str = "niassa: 1\nname: Nap\nversion: \"1\"\ndescription: Does nothing\nsteps:\n  \
                   - name: nap\n    command: \"true\"\n";

fn install(site: &Site, user: &User) -> i64 {
    let bundle = site.bundle("nap", NAP);
    user.seqware(&["bundle", "install", "--dir", bundle.to_str().unwrap()]).ok().swid()
}

fn token(user: &User, scope: &str) -> String {
    let made = user.seqware(&["token", "create", "--scope", scope, "--expires", "1d"]).ok();
    let secret = made.stdout.trim_end().strip_prefix("SW_REST_TOKEN=");
    let secret = secret.expect("a line for the settings file");
    assert!(secret.starts_with("nia_"), "{secret}");
    secret.to_owned()
}

fn another_accounts_launcher_sees_nothing(database: Database) {
    let Some(site) = Site::start_on(database) else { return };
    let (alice, bob) = (site.account("alice@lab.net"), site.account("bob@lab.net"));
    let workflow = install(&site, &alice);
    let run = bob.schedule(workflow, "here", &[]);

    let launched = alice.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
    assert_eq!(launched.stdout, "Number of submitted workflows: 0\n");
    let by_number = run.to_string();
    let named =
        alice.seqware(&["workflow-run", "launch-scheduled", "--accession", &by_number]).ok();
    assert_eq!(named.stdout, "Number of submitted workflows: 0\n");
    let accession = ["--accession", by_number.as_str()];
    alice.seqware(&["workflow-run", "report", accession[0], accession[1]]).fails(3);
    alice.seqware(&["workflow-run", "cancel", accession[0], accession[1]]).fails(3);
    assert_eq!(bob.status(run), "submitted");

    bob.launch_and_finish("here");
    assert_eq!(bob.status(run), "completed");
    assert_eq!(site.admin().status(run), "completed", "an administrator sees everything");
}

#[test]
fn another_accounts_launcher_sees_nothing_on_sqlite() {
    another_accounts_launcher_sees_nothing(Database::Sqlite);
}

#[test]
fn another_accounts_launcher_sees_nothing_on_postgres() {
    another_accounts_launcher_sees_nothing(Database::Postgres);
}

#[test]
fn a_token_does_what_its_scope_says_and_no_more() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let workflow = install(&site, &bob);
    let (here, there) = (bob.schedule(workflow, "here", &[]), bob.schedule(workflow, "there", &[]));

    let schedules = site.token_user("schedules", &token(&bob, "schedule"));
    schedules.schedule(workflow, "elsewhere", &[]);
    schedules.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).fails(4);

    let launches = site.token_user("launches", &token(&bob, "launch:here"));
    let number = workflow.to_string();
    launches.seqware(&["workflow", "schedule", "--accession", &number, "--host", "here"]).fails(4);
    let other = launches.seqware(&["workflow-run", "launch-scheduled", "--host", "there"]);
    assert!(other.code == 4 || other.stdout == "Number of submitted workflows: 0\n", "{other:?}");
    launches.launch_and_finish("here");
    assert_eq!(bob.status(here), "completed");
    assert_eq!(bob.status(there), "submitted");
    let hidden = there.to_string();
    launches.seqware(&["workflow-run", "report", "--accession", &hidden]).fails(3);
}

#[test]
fn wrong_credentials_and_open_settings_are_refused() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    site.write_user("mallory@lab.net", "guess").seqware(&["workflow", "list"]).fails(4);
    site.write_user("bob@lab.net", "guess").seqware(&["workflow", "list"]).fails(4);
    let settings = bob.home().join(".seqware/settings");
    std::fs::set_permissions(&settings, std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = bob.seqware(&["workflow", "list"]).fails(4);
    assert!(refused.stderr.contains("chmod 600"), "{}", refused.stderr);
}

#[test]
fn a_service_that_is_away_is_told_apart() {
    let mut site = Site::start();
    let bob = site.account("bob@lab.net");
    site.kill_service();
    let refused = bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).fails(6);
    assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
    let again = bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).fails(6);
    assert_eq!(again.stderr, "", "a fault that goes on is not told again");
    site.serve();
    let back = bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
    assert_eq!(back.stderr.lines().count(), 1, "its end is told: {}", back.stderr);
}

fn a_service_account_launches_for_others(database: Database) {
    let Some(site) = Site::start_on(database) else { return };
    let (alice, svc) = (site.account("alice@lab.net"), site.account("svc@lab.net"));
    let workflow = install(&site, &alice);
    let run = alice.schedule(workflow, "here", &[]);
    let other = alice.schedule(workflow, "there", &[]);
    let none = svc.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
    assert_eq!(none.stdout, "Number of submitted workflows: 0\n");

    let to = ["grant", "launch", "--to", "svc@lab.net", "--host", "here", "--expires", "90d"];
    let granted = alice.seqware(&to).ok().stdout;
    assert_eq!(granted, "svc@lab.net may launch runs of alice@lab.net on here (grant 1)\n");
    let stolen = ["grant", "launch", "--from", "alice@lab.net", "--to", "svc@lab.net"];
    svc.seqware(&[&stolen[..], &["--host", "there"]].concat()).fails(4);
    svc.launch_and_finish("here");
    svc.launch_and_finish("there");
    assert_eq!(alice.status(run), "completed");
    assert_eq!(alice.status(other), "submitted", "it was granted for one label");
    assert_eq!(svc.status(run), "completed", "whoever launches may read");
    let hosts = alice.seqware(&["host", "list", "--tsv"]).ok().stdout;
    assert!(hosts.contains("alice@lab.net\tsvc@lab.net\there\t"), "{hosts}");

    let grants = svc.seqware(&["grant", "list", "--tsv"]).ok().stdout;
    assert!(grants.contains("\tgood\t"), "{grants}");
    svc.seqware(&["grant", "revoke", "1"]).fails(3);
    alice.seqware(&["grant", "revoke", "1"]).ok();
    let grants = alice.seqware(&["grant", "list", "--tsv"]).ok().stdout;
    assert!(grants.contains("\trevoked\t"), "{grants}");
    let again = alice.schedule(workflow, "here", &[]);
    svc.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
    assert_eq!(alice.status(again), "submitted");
    let accession = again.to_string();
    svc.seqware(&["workflow-run", "report", "--accession", &accession]).fails(3);
}

#[test]
fn a_service_account_launches_for_others_on_sqlite() {
    a_service_account_launches_for_others(Database::Sqlite);
}

#[test]
fn a_service_account_launches_for_others_on_postgres() {
    a_service_account_launches_for_others(Database::Postgres);
}

#[test]
fn a_held_host_launches_nothing_new() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let workflow = install(&site, &bob);
    let run = bob.schedule(workflow, "here", &[]);
    let hold = ["host", "hold", "--host", "here", "--reason", "new disks until Friday"];
    bob.seqware(&hold).fails(4);
    let admin = site.admin();
    assert_eq!(admin.seqware(&hold).ok().stdout, "here is held: new disks until Friday\n");
    bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
    assert_eq!(bob.status(run), "submitted");
    let accession = run.to_string();
    let why = bob.seqware(&["workflow-run", "explain", "--accession", &accession]).ok().stdout;
    assert!(why.contains("here is held: new disks until Friday"), "{why}");
    let hosts = bob.seqware(&["host", "list", "--tsv"]).ok().stdout;
    assert!(hosts.contains("\tnew disks until Friday"), "{hosts}");
    admin.seqware(&["host", "release", "--host", "here"]).ok();
    admin.seqware(&["host", "release", "--host", "here"]).fails(3);
    bob.launch_and_finish("here");
    assert_eq!(bob.status(run), "completed");
}

#[test]
fn a_limit_holds_back_the_less_urgent() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let workflow = install(&site, &bob);
    let waits = bob.schedule(workflow, "here", &[]);
    let urgent = bob.schedule(workflow, "here", &[]);
    let accession = urgent.to_string();
    bob.seqware(&["workflow-run", "priority", "--accession", &accession, "--priority", "9"]).ok();
    let number = workflow.to_string();
    let set = ["limit", "set", "--workflow", &number, "--runs", "1"];
    bob.seqware(&set).fails(4);
    let admin = site.admin();
    admin.seqware(&set).ok();
    bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
    assert_eq!(bob.status(waits), "submitted");
    let held = waits.to_string();
    let why = bob.seqware(&["workflow-run", "explain", "--accession", &held]).ok().stdout;
    assert!(why.contains("waiting: limit of 1 running run of workflow Nap 1"), "{why}");
    let listed = admin.seqware(&["limit", "list", "--tsv"]).ok().stdout;
    assert!(listed.contains(&format!("workflow {workflow}\t1\t1\t")), "{listed}");
    bob.propagate_until(urgent, "completed");
    bob.launch_and_finish("here");
    assert_eq!(bob.status(waits), "completed");
    admin.seqware(&["limit", "remove", "--workflow", &number]).ok();
    admin.seqware(&["limit", "remove", "--workflow", &number]).fails(3);
}

fn the_audit_log_tells_who_did_what(database: Database) {
    let Some(site) = Site::start_on(database) else { return };
    let bob = site.account("bob@lab.net");
    let workflow = install(&site, &bob);
    let run = bob.schedule(workflow, "here", &[]).to_string();
    site.write_user("bob@lab.net", "guess").seqware(&["workflow", "list"]).fails(4);
    let bob = site.write_user("bob@lab.net", "password-of-bob@lab.net");
    bob.seqware(&["workflow-run", "cancel", "--accession", &run]).ok();
    bob.seqware(&["audit", "export"]).fails(4);
    let admin = site.admin();
    let exported = admin.seqware(&["audit", "export"]).ok().stdout;
    let lines: Vec<serde_json::Value> =
        exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let words: Vec<_> = lines.iter().map(|line| line["action"].as_str().unwrap()).collect();
    let last = &words[words.len() - 3..];
    assert_eq!(last, ["account_create", "sign_in_failed", "run_cancel"]);
    let cancel = lines.last().unwrap();
    assert_eq!(cancel["account"], "bob@lab.net");
    assert_eq!(cancel["subject"], format!("run {run}"));
    assert_eq!(cancel["origin"], "127.0.0.1");
    let checked = admin.seqware(&["audit", "check"]).ok().stdout;
    let head = cancel["sha256"].as_str().unwrap();
    let whole = format!("The audit log is whole: {} entries, ends with {head}\n", lines.len());
    assert_eq!(checked, whole);
}

#[test]
fn the_audit_log_tells_who_did_what_on_sqlite() {
    the_audit_log_tells_who_did_what(Database::Sqlite);
}

#[test]
fn the_audit_log_tells_who_did_what_on_postgres() {
    the_audit_log_tells_who_did_what(Database::Postgres);
}
