//! The local engine's journals are gone before anybody has read them: whatever they told is found in the
//! directories of the runs.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use crate::site::{Site, count_lines, wait_for};

const LAUNCH: [&str; 4] = ["workflow-run", "launch-scheduled", "--host", "here"];
const PROPAGATE: [&str; 2] = ["workflow-run", "propagate-statuses"];

fn directory(site: &Site, run: i64) -> PathBuf {
    let entries = fs::read_dir(site.path("runs")).unwrap().flatten();
    let prefix = format!("{run}-");
    let is_of_run =
        |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(&prefix);
    entries.map(|entry| entry.path()).find(is_of_run).unwrap()
}

/// Returns the journals that are there now, with what they say.
fn journals(site: &Site) -> Vec<String> {
    let mut homes = fs::read_dir(site.path("runs/.local")).unwrap().flatten();
    let files = fs::read_dir(homes.next().unwrap().path()).unwrap().flatten();
    let is_journal = |path: &PathBuf| {
        path.file_name().unwrap().to_str().unwrap().starts_with("journal-")
            && path.extension().unwrap() == "jsonl"
    };
    let paths = files.map(|file| file.path()).filter(is_journal);
    // One may be removed just now.
    paths.filter_map(|path| fs::read_to_string(path).ok()).collect()
}

/// Waits until an attempt of a run is told by its directory, and by no journal.
fn wait_until_journals_are_silent(site: &Site, run: i64, attempt: &str) {
    let ended = directory(site, run).join("ended.jsonl");
    let run = format!("nia-{run}-");
    let tells = |text: &str| text.lines().any(|line| line.contains(&run) && line.contains(attempt));
    wait_for("its end is in the run's directory alone", || {
        tells(&fs::read_to_string(&ended).unwrap_or_default())
            && !journals(site).iter().any(|journal| tells(journal))
    });
}

/// Waits until so many attempts of a run are told by its directory, and none by the journals.
fn wait_until_retired(site: &Site, run: i64, attempts: usize) {
    let directory = directory(site, run);
    wait_for("its ends are in the run's directory", || {
        let ended = fs::read_to_string(directory.join("ended.jsonl")).unwrap_or_default();
        ended.lines().count() == attempts
    });
    wait_for("the journals that told them are removed", || journals(site).len() == 1);
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

#[test]
fn an_end_that_journals_do_not_tell_any_more_is_told_while_its_run_goes_on() {
    let site = Site::start();
    let bob = site.account("bob@lab.net").with([("NIASSA_JOURNAL_BYTES", "3000")]);
    let (starts, end) = (site.path("starts"), site.path("end"));
    let mut text = format!(
        "niassa: 1\nname: Long\nversion: \"1\"\ndescription: One fails beside a long one\nsteps:\n  \
         - name: again\n    command: |\n      echo again >> '{0}'\n      \
         test \"$(wc -l < '{0}')\" -ge 2\n    retry: {{max: 1}}\n  \
         - name: long\n    command: until test -e '{1}'; do sleep 0.1; done\n",
        starts.display(),
        end.display(),
    );
    // They fill the journals behind.
    for step in 0..20 {
        writeln!(text, "  - name: short{step}\n    command: \"true\"").unwrap();
    }
    let workflow = bob.install(&site.bundle("long", &text));
    let run = bob.schedule(workflow, "here", &[]);
    bob.seqware(&LAUNCH).ok();
    wait_until_journals_are_silent(&site, run, "-s0-a1\"");
    bob.seqware(&PROPAGATE).ok();
    wait_for("its policy repeats the failed step", || count_lines(&starts)["again"] == 2);
    fs::write(&end, "").unwrap();
    bob.propagate_until(run, "completed");
}

#[test]
fn a_run_that_cannot_be_read_keeps_only_itself() {
    let site = Site::start();
    let bob = site.account("bob@lab.net").with([("NIASSA_JOURNAL_BYTES", "1")]);
    let text = "niassa: 1\nname: Short\nversion: \"1\"\ndescription: Ends\nsteps:\n  \
                - name: one\n    command: \"true\"\n";
    let workflow = bob.install(&site.bundle("short", text));
    let runs = [0, 1].map(|_| bob.schedule(workflow, "here", &[]));
    bob.seqware(&LAUNCH).ok();
    for run in runs {
        wait_until_retired(&site, run, 1);
    }
    let ended = directory(&site, runs[0]).join("ended.jsonl");
    let aside = site.path("aside");
    fs::rename(&ended, &aside).unwrap();
    fs::create_dir(&ended).unwrap();
    bob.seqware(&PROPAGATE).ok();
    assert_ne!(bob.status(runs[0]), "completed");
    assert_eq!(bob.status(runs[1]), "completed");

    fs::remove_dir(&ended).unwrap();
    fs::rename(&aside, &ended).unwrap();
    bob.seqware(&PROPAGATE).ok();
    assert_eq!(bob.status(runs[0]), "completed");
}
