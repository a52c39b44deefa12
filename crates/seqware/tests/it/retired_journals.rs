//! The local engine's journals are gone before anybody has read them: whatever they told is found in the
//! directories of the runs.

use std::fs;
use std::path::PathBuf;

use crate::site::{Site, count_lines, wait_for};

const LAUNCH: [&str; 4] = ["workflow-run", "launch-scheduled", "--host", "here"];
const PROPAGATE: [&str; 2] = ["workflow-run", "propagate-statuses"];

/// Waits until so many attempts of a run are told by its directory, and none by the journals.
fn wait_until_retired(site: &Site, run: i64, attempts: usize) {
    let entries = fs::read_dir(site.path("runs")).unwrap().flatten();
    let prefix = format!("{run}-");
    let is_of_run =
        |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(&prefix);
    let directory = entries.map(|entry| entry.path()).find(is_of_run).unwrap();
    wait_for("its ends are in the run's directory", || {
        let ended = fs::read_to_string(directory.join("ended.jsonl")).unwrap_or_default();
        ended.lines().count() == attempts
    });
    let mut homes = fs::read_dir(site.path("runs/.local")).unwrap().flatten();
    let home = homes.next().unwrap().path();
    wait_for("the journals that told them are removed", || {
        let files = fs::read_dir(&home).unwrap().flatten();
        let is_journal = |file: &fs::DirEntry| {
            let name = file.file_name();
            name.to_str().unwrap().starts_with("journal-")
                && file.path().extension().unwrap() == "jsonl"
        };
        let journals = files.filter(is_journal);
        journals.count() == 1
    });
}

#[test]
fn a_propagator_that_read_none_of_the_journals_tells_the_ends_and_a_retry_goes_on_behind_them() {
    let site = Site::start();
    let bob = site.account("bob@lab.net").with([("NIASSA_JOURNAL_BYTES", "1")]);
    let (starts, cure) = (site.path("starts"), site.path("cure"));
    let text = format!(
        "niassa: 1\nname: Cured\nversion: \"1\"\ndescription: Fails at first\nsteps:\n  \
         - name: one\n    command: echo one >> '{0}'\n  \
         - name: two\n    needs: [one]\n    command: echo two >> '{0}'; test -e '{1}'\n",
        starts.display(),
        cure.display(),
    );
    let workflow = bob.install(&site.bundle("cured", &text));
    let run = bob.schedule(workflow, "here", &[]);
    bob.seqware(&LAUNCH).ok();
    wait_until_retired(&site, run, 2);
    bob.seqware(&PROPAGATE).ok();
    assert_eq!(bob.status(run), "failed");

    fs::write(&cure, "").unwrap();
    bob.seqware(&["workflow-run", "retry", "--accession", &run.to_string()]).ok();
    bob.seqware(&LAUNCH).ok();
    wait_for("the retry is told", || {
        bob.seqware(&PROPAGATE).ok();
        bob.status(run) == "completed"
    });
    let starts = count_lines(&starts);
    assert_eq!((starts["one"], starts["two"]), (1, 2));
}
