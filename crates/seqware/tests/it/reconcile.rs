//! Runs that were accepted after the backup: taken in again from their directories.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::clusters::chain;
use crate::site::{Database, Ran, Site, User, fresh_postgres};

const WRITES: &str = "niassa: 1\nname: Writes\nversion: \"1\"\ndescription: Makes a file\n\
    parameters:\n  text: {type: string}\nsteps:\n  - name: write\n    \
    command: echo \"$text\" > out.txt\n    outputs: [{path: out.txt, meta_type: text/plain}]\n";

fn stored(site: &Site, verb: &str, metadb: &str, data: &Path, more: &[&str]) -> Ran {
    let data = data.to_str().unwrap();
    site.bare(&[&["metadb", verb, "--metadb", metadb, "--data", data], more].concat(), "")
}

fn row_of(rows: &Value, was: i64) -> &Value {
    let mut all = rows.as_array().unwrap().iter();
    all.find(|row| row["was"] == was).unwrap_or_else(|| panic!("no run {was} in {rows}"))
}

fn what_a_backup_does_not_hold_is_taken_in(database: Database) {
    let Some(mut site) = Site::start_on(database) else { return };
    let (bob, data, backups) = (site.account("bob@lab.net"), site.path("data"), site.path("b"));
    let (fail, go) = (site.path("fail"), site.path("go"));
    let until_go = format!("while ! test -e '{}'; do sleep 0.05; done", go.display());
    let until_fail = format!("test -e '{}'", fail.display());
    let writing = bob.install(&site.bundle("writes", WRITES));
    let failing = bob.install(&site.bundle("fails", &chain("Fails", &[&until_fail, "true"])));
    let endless = bob.install(&site.bundle("waits", &chain("Waits", &["true", &until_go])));
    let study = ["create", "study", "--title", "T", "--description", "D"];
    let study = bob.seqware(&study).ok().swid().to_string();
    let to = backups.to_str().unwrap();
    stored(&site, "backup", site.metadb(), &data, &["--to", to]).ok();

    let writing = writing.to_string();
    let schedule = ["workflow", "schedule", "--accession", &writing, "--host", "here"];
    let more = ["--override", "text=kept words", "--parent-accession", &study];
    let written = bob.seqware(&[&schedule[..], &more[..]].concat()).ok().swid();
    bob.launch_and_finish("here");
    let failed = bob.schedule(failing, "here", &[]);
    let running = bob.schedule(endless, "here", &[]);
    bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
    bob.propagate_until(failed, "failed");
    bob.propagate_until(running, "running");
    let before = bob.report(failed);

    let (place, new) = match database {
        Database::Sqlite => (site.path("new/niassa.db").display().to_string(), site.path("new")),
        Database::Postgres => (fresh_postgres().expect("a database"), site.path("new")),
    };
    stored(&site, "restore", &place, &new, &["--from", to]).ok();
    site.serve_from(&place, &new);
    // The first accession after the backup is dealt out again.
    let other = bob.seqware(&[&schedule[..], &["--override", "text=x"]].concat()).ok().swid();
    assert_eq!(other, written);

    let admin = site.admin();
    let found = admin.seqware(&["metadb", "reconcile", "--json"]).ok();
    assert_eq!(found.json().as_array().unwrap().len(), 3, "{}", found.stdout);
    assert!(found.stderr.contains("--import"), "{}", found.stderr);
    bob.seqware(&["metadb", "reconcile"]).fails(4);
    let taken = admin.seqware(&["metadb", "reconcile", "--import", "--json"]).ok().json();
    let moved = row_of(&taken, written);
    let (swid, status) = (moved["swid"].as_i64().unwrap(), &moved["status"]);
    assert!(swid != written && status == "completed", "{moved}");
    // What journals tell of the step behind the failed one is known at once.
    for (run, status) in [(failed, "failed"), (running, "running")] {
        let row = row_of(&taken, run);
        assert!(row["swid"] == run && row["status"] == status, "{row}");
    }
    let again = admin.seqware(&["metadb", "reconcile", "--import", "--json"]).ok().json();
    assert_eq!(again, Value::Array(Vec::new()), "once");

    its_provenance_is_there(&bob, swid, &writing, &study);
    let after = bob.report(failed);
    assert_eq!(after["workflow_run_working_dir"], before["workflow_run_working_dir"]);
    all_go_on(&bob, [failed, running, swid], &go, &fail);
    stored(&site, "check", &place, &new, &[]).ok();
}

/// A run that was taken in has its files and what it descends from.
fn its_provenance_is_there(bob: &User, run: i64, workflow: &str, study: &str) {
    let report = bob.seqware(&["workflow", "report", "--accession", workflow]).ok().stdout;
    assert!(report.contains("out.txt"), "{report}");
    let query = ["query", "workflow-run", "--accession", &run.to_string(), "--json"];
    let object = bob.seqware(&query).ok().stdout;
    assert!(object.contains(study), "{object}");
}

/// What was running goes on under its accession, what failed can be tried again, what moved can be done anew.
fn all_go_on(bob: &User, [failed, running, moved]: [i64; 3], go: &Path, fail: &Path) {
    let moved = moved.to_string();
    fs::write(go, "").unwrap();
    bob.propagate_until(running, "completed");
    fs::write(fail, "").unwrap();
    bob.seqware(&["workflow-run", "retry", "--accession", &failed.to_string()]).ok();
    bob.launch_and_finish("here");
    assert_eq!(bob.status(failed), "completed");
    let anew = ["workflow-run", "reschedule", "--accession", &moved, "--host", "here"];
    let anew = bob.seqware(&anew).ok().swid();
    bob.launch_and_finish("here");
    assert_eq!(bob.status(anew), "completed");
    let directory = bob.report(anew)["workflow_run_working_dir"].as_str().unwrap().to_owned();
    let words = fs::read_to_string(Path::new(&directory).join("work/out.txt")).unwrap();
    assert_eq!(words, "kept words\n", "the values were kept");
}

#[test]
fn what_a_backup_does_not_hold_is_taken_in_on_sqlite() {
    what_a_backup_does_not_hold_is_taken_in(Database::Sqlite);
}

#[test]
fn what_a_backup_does_not_hold_is_taken_in_on_postgres() {
    if std::process::Command::new("pg_dump").arg("--version").output().is_err() {
        return crate::site::skip("pg_dump is not installed");
    }
    what_a_backup_does_not_hold_is_taken_in(Database::Postgres);
}
