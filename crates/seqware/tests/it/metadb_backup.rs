//! Backups while the service goes on, put back in a new place, on both databases.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::http::{ask, signed_in};
use crate::site::{Database, Ran, Site, fresh_postgres, skip};

const NAP: &str = "niassa: 1\nname: Nap\nversion: \"1\"\ndescription: Does nothing\nsteps:\n  \
    - name: nap\n    command: echo nap\n    outputs: [{path: out.txt, meta_type: text/plain}]\n  \
    - name: rest\n    needs: [nap]\n    command: \"true\"\n";

fn nap() -> String {
    NAP.replace("echo nap", "echo nap > out.txt")
}

/// Runs a command on the stored side of the site.
fn metadb(site: &Site, verb: &str, data: &Path, more: &[&str]) -> Ran {
    let metadb = site.metadb().to_owned();
    stored(site, verb, &metadb, data, more)
}

fn stored(site: &Site, verb: &str, metadb: &str, data: &Path, more: &[&str]) -> Ran {
    let data = data.to_str().unwrap();
    site.bare(&[&["metadb", verb, "--metadb", metadb, "--data", data], more].concat(), "")
}

/// Where a restored MetaDB of the same kind may be put.
fn new_place(site: &Site, database: Database) -> String {
    match database {
        Database::Sqlite => site.path("new/niassa.db").display().to_string(),
        Database::Postgres => fresh_postgres().expect("it was there a moment ago"),
    }
}

fn verdict<'a>(found: &'a Value, check: &str) -> &'a str {
    let found = found.as_array().unwrap().iter().find(|one| one["check"] == check);
    found.unwrap_or_else(|| panic!("{check}"))["verdict"].as_str().unwrap()
}

fn a_backup_of_a_busy_service_serves_in_a_new_place(database: Database) {
    let Some(mut site) = Site::start_on(database) else { return };
    let (bob, data, backups) =
        (site.account("bob@lab.net"), site.path("data"), site.path("backups"));
    let workflow = bob.install(&site.bundle("nap", &nap()));
    let done = bob.schedule(workflow, "here", &[]);
    bob.launch_and_finish("here");
    let before = bob.report(done);
    assert_eq!(before["workflow_run_status"], "completed");
    let to = backups.to_str().unwrap();
    let is_over = AtomicBool::new(false);
    let (last, manifest) = std::thread::scope(|threads| {
        let scheduling = threads.spawn(|| {
            let mut last = done;
            while !is_over.load(Ordering::Relaxed) {
                last = bob.schedule(workflow, "nobody's", &[]);
            }
            last
        });
        metadb(&site, "backup", &data, &["--to", to]).ok();
        let more = ["--to", to, "--keep", "1", "--json"];
        let second = metadb(&site, "backup", &data, &more).ok().json();
        assert_eq!(second["removed"].as_array().unwrap().len(), 1, "{second}");
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(second["copied"], 0, "archives are copied once");
        (scheduling.join().unwrap(), second["manifest"].clone())
    });
    let held = manifest["contents"]["last_swid"].as_i64().unwrap();
    assert!(held >= done, "{manifest}");
    let found = metadb(&site, "check", &data, &["--json"]).ok().json();
    assert_eq!(verdict(&found, "last backup"), "good");
    let told = ask(&site, "GET", "/v1/service", &[signed_in(&bob, "read")], b"").json();
    assert_eq!(told["last_backup_at"], manifest["contents"]["at"], "{told}");

    let (place, new_data) = (new_place(&site, database), site.path("new"));
    let restored = stored(&site, "restore", &place, &new_data, &["--from", to]).ok();
    assert!(restored.stderr.contains("seqware metadb reconcile"), "{}", restored.stderr);
    stored(&site, "restore", &place, &new_data, &["--from", to]).fails(5);
    site.serve_from(&place, &new_data);
    assert_eq!(bob.report(done), before);
    let next = bob.schedule(workflow, "here", &[]);
    assert!(next > held, "{next} was dealt out before {held}");
    assert!(last >= held);
    bob.launch_and_finish("here");
    assert_eq!(bob.status(next), "completed", "the archive was there");
    let found = metadb(&site, "check", &new_data, &["--json"]).ok().json();
    assert!(found.as_array().unwrap().iter().all(|one| one["verdict"] == "good"), "{found}");
    let audit = site.admin().seqware(&["audit", "export"]).ok().stdout;
    assert!(audit.contains("metadb_restore"), "{audit}");
}

#[test]
fn a_backup_of_a_busy_service_serves_in_a_new_place_on_sqlite() {
    a_backup_of_a_busy_service_serves_in_a_new_place(Database::Sqlite);
}

#[test]
fn a_backup_of_a_busy_service_serves_in_a_new_place_on_postgres() {
    let is_installed = ["pg_dump", "pg_restore"]
        .into_iter()
        .all(|program| std::process::Command::new(program).arg("--version").output().is_ok());
    if !is_installed {
        return skip("pg_dump and pg_restore are not installed");
    }
    a_backup_of_a_busy_service_serves_in_a_new_place(Database::Postgres);
}

#[test]
fn a_backup_of_postgres_without_its_programs_says_what_to_install() {
    let Some(site) = Site::start_on(Database::Postgres) else { return };
    let bob = site.account("bob@lab.net");
    let line = format!(
        "PATH=$(dirname $(command -v seqware)) seqware metadb backup --metadb '{}' --data '{}' --to b",
        site.metadb(),
        site.path("data").display()
    );
    let refused = bob.shell(&line).fails(1);
    assert!(refused.stderr.contains("pg_dump is not installed"), "{}", refused.stderr);
    assert!(refused.stderr.contains("try: install PostgreSQL's client programs"));
}

#[test]
fn a_damaged_archive_is_found_and_a_changed_backup_is_refused() {
    let site = Site::start();
    let (bob, data, backups) =
        (site.account("bob@lab.net"), site.path("data"), site.path("backups"));
    bob.install(&site.bundle("nap", &nap()));
    let to = backups.to_str().unwrap();
    metadb(&site, "backup", &data, &["--to", to]).ok();
    let archive = fs::read_dir(data.join("bundles")).unwrap().next().unwrap().unwrap().path();
    fs::write(&archive, "something else").unwrap();
    let red = metadb(&site, "check", &data, &[]).fails(9);
    assert!(red.stdout.contains("is damaged"), "{}", red.stdout);
    metadb(&site, "backup", &data, &["--to", to]).ok();
    let kept = backups.join("bundles").join(archive.file_name().unwrap());
    fs::write(&kept, "something else").unwrap();
    let (place, new) = (new_place(&site, Database::Sqlite), site.path("new"));
    let refused = stored(&site, "restore", &place, &new, &["--from", to]).fails(5);
    assert!(refused.stderr.contains("SHA-256 does not agree"), "{}", refused.stderr);
    assert!(!Path::new(&place).exists());
    // Neither there nor in the backup: the rest is saved all the same.
    fs::remove_file(&kept).unwrap();
    let partly = metadb(&site, "backup", &data, &["--to", to]).fails(8);
    assert!(partly.stderr.contains("is missing or damaged"), "{}", partly.stderr);
}
