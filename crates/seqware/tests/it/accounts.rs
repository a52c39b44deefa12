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
