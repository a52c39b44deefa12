//! Many launchers at once: each run starts once.

use std::fs;
use std::thread;

use crate::site::{Database, Site, count_lines};

/// Twenty launchers for one label, over thirty runs, at the same time.
fn twenty_launchers_start_each_run_once(database: Database) {
    let Some(site) = Site::start_on(database) else { return };
    let bob = site.account("bob@lab.net");
    let starts = site.path("starts");
    let bundle = site.bundle(
        "count",
        &format!(
            "niassa: 1\nname: Count\nversion: \"1\"\ndescription: Counts its starts\nsteps:\n  \
             - name: once\n    command: echo \"$WORKFLOW_RUN_ACCESSION\" >> '{}'\n",
            starts.display()
        ),
    );
    let workflow =
        bob.seqware(&["bundle", "install", "--dir", bundle.to_str().unwrap()]).ok().swid();
    let runs: Vec<i64> = (0..30).map(|_| bob.schedule(workflow, "here", &[])).collect();
    let launched: Vec<String> = thread::scope(|scope| {
        let launch =
            || bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok().stdout;
        let launchers: Vec<_> = (0..20).map(|_| scope.spawn(launch)).collect();
        launchers.into_iter().map(|launcher| launcher.join().unwrap()).collect()
    });
    bob.seqware(&["workflow-run", "propagate-statuses", "--until-done"]).ok();
    let counted = count_lines(&starts);
    let all = fs::read_to_string(&starts).unwrap_or_default();
    assert_eq!(counted.len(), runs.len(), "{all}\n{launched:?}");
    assert!(counted.values().all(|starts| *starts == 1), "{counted:?}");
    for run in runs {
        assert_eq!(bob.status(run), "completed");
        let working = format!("Working Run: {run}\n");
        assert_eq!(launched.iter().filter(|out| out.contains(&working)).count(), 1);
    }
}

#[test]
fn twenty_launchers_start_each_run_once_on_sqlite() {
    twenty_launchers_start_each_run_once(Database::Sqlite);
}

#[test]
fn twenty_launchers_start_each_run_once_on_postgres() {
    twenty_launchers_start_each_run_once(Database::Postgres);
}
