//! Ticks as cron runs them: silent when all is well, one line when a fault begins and one when it ends.

use std::fs;

use crate::site::Site;

const NAP: &str = "niassa: 1\nname: Nap\nversion: \"1\"\ndescription: Does nothing\nsteps:\n  \
    - name: nap\n    command: \"true\"\n";

#[test]
fn a_propagator_without_a_host_takes_runs_of_every_label() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let nap = bob.install(&site.bundle("nap", NAP));
    let runs = [bob.schedule(nap, "one", &[]), bob.schedule(nap, "two", &[])];
    for label in ["one", "two"] {
        bob.seqware(&["workflow-run", "launch-scheduled", "--host", label]).ok();
    }
    let only = ["workflow-run", "propagate-statuses", "--host", "one", "--until-done"];
    assert_eq!(bob.seqware(&only).ok().stdout, "Propagated workflow engine statuses\n");
    assert_eq!(bob.status(runs[0]), "completed");
    assert_ne!(bob.status(runs[1]), "completed", "it has another label");
    bob.seqware(&["workflow-run", "propagate-statuses", "--until-done"]).ok();
    assert_eq!(bob.status(runs[1]), "completed");
}

#[test]
fn engines_are_known_by_niassas_words() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let nap = bob.install(&site.bundle("nap", NAP)).to_string();
    let schedule = |engine: &str| {
        bob.seqware(&[
            "workflow",
            "schedule",
            "--accession",
            &nap,
            "--host",
            "here",
            "--engine",
            engine,
        ])
    };
    let local = [schedule("whitestar").ok().swid(), schedule("whitestar-parallel").ok().swid()];
    let refused = schedule("oozie").fails(2);
    assert!(refused.stderr.contains("Hadoop"), "{}", refused.stderr);
    schedule("nextflow").fails(2);
    let sge = schedule("oozie-sge").ok().swid();
    let launch = ["workflow-run", "launch-scheduled", "--host", "here"];
    bob.seqware(&launch);
    bob.seqware(&["workflow-run", "propagate-statuses", "--until-done"]).ok();
    assert_eq!(local.map(|run| bob.status(run)), ["completed", "completed"]);
    assert_eq!(bob.status(sge), "submitted", "this launcher has no Grid Engine");
}

#[test]
fn the_label_comes_from_the_settings_where_no_flag_is_given() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let nap = bob.install(&site.bundle("nap", NAP));
    bob.schedule(nap, "a label", &[]);
    let launch = ["workflow-run", "launch-scheduled"];
    let launched = bob.seqware_with(&[("SW_HOST", "a label")], &launch).ok();
    assert!(launched.stdout.starts_with("Number of submitted workflows: 1\n"));
}

#[test]
fn a_run_that_cannot_be_launched_now_is_told_once() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let nap = bob.install(&site.bundle("nap", NAP));
    bob.schedule(nap, "here", &[]);
    // Bundles cannot be unpacked where a file is in the way.
    let blocked = site.path("blocked");
    fs::write(&blocked, "").unwrap();
    let blocked = blocked.display().to_string();
    let launch = ["workflow-run", "launch-scheduled", "--host", "here"];
    let tick = || bob.seqware_with(&[("SW_BUNDLE_DIR", &blocked)], &launch).stderr;
    let first = tick();
    assert_eq!(first.lines().count(), 1, "{first}");
    assert!(first.contains("blocked"), "{first}");
    // It is offered again after a while; what is told stays told.
    assert_eq!(tick(), "");
}

#[test]
fn a_terminal_is_told_each_time() {
    let mut site = Site::start();
    let bob = site.account("bob@lab.net");
    site.kill_service();
    let line = "script -qec 'seqware workflow-run launch-scheduled --host here' /dev/null";
    for _ in 0..2 {
        let told = bob.shell(line);
        assert!(told.stdout.contains("cannot reach"), "{told:?}");
    }
}
