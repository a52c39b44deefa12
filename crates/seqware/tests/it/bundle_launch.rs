//! The direct way: a bundle is launched and followed by one command, with and without a service.

use std::fs;
use std::process::Stdio;

use crate::site::{Site, count_lines, wait_for};

fn counted(site: &Site, command: &str) -> String {
    format!(
        "niassa: 1\nname: Counted\nversion: \"1\"\ndescription: Counts its starts\nsteps:\n  \
         - name: once\n    command: |\n      echo \"$NIASSA_KEY\" >> '{}'\n      {command}\n",
        site.path("starts").display()
    )
}

#[test]
fn no_launcher_of_cron_can_take_a_direct_run() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let bundle = site.bundle("counted", &counted(&site, "true"));
    let launch = ["bundle", "launch", "--host", "here", "--dir", bundle.to_str().unwrap()];
    std::thread::scope(|scope| {
        let cron = scope.spawn(|| {
            let tick = ["workflow-run", "launch-scheduled", "--host", "here"];
            (0..20).map(|_| bob.seqware(&tick).ok().stdout).collect::<String>()
        });
        for _ in 0..5 {
            bob.seqware(&launch).ok();
        }
        let told = cron.join().unwrap();
        assert!(!told.contains("Working Run"), "{told}");
    });
    let starts = count_lines(&site.path("starts"));
    assert_eq!(starts.len(), 5, "{starts:?}");
    assert!(starts.values().all(|count| *count == 1), "{starts:?}");
}

#[test]
fn an_interrupted_launch_leaves_its_run_going() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let go = site.path("go");
    let wait = format!("until test -e '{}'; do sleep 0.05; done", go.display());
    let bundle = site.bundle("counted", &counted(&site, &wait));
    let mut command = bob.command();
    command.args(["bundle", "launch", "--dir"]).arg(bundle).stdin(Stdio::null());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("the step runs", || site.path("starts").exists());
    let pid = rustix::process::Pid::from_raw(child.id().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("seqware workflow-run watch --accession"), "{told}");
    let run = String::from_utf8_lossy(&output.stdout);
    let run = run.lines().next().unwrap().rsplit_once(' ').unwrap().1.to_owned();
    fs::write(go, "").unwrap();
    bob.seqware(&["workflow-run", "propagate-statuses", "--until-done"]).ok();
    bob.seqware(&["workflow-run", "watch", "--accession", &run]).ok();
}

#[test]
fn without_metadata_no_settings_are_needed() {
    let site = Site::start();
    let nobody = site.write_settings("nobody", "");
    fs::remove_file(nobody.home().join(".seqware/settings")).unwrap();
    let bundle = site.bundle("counted", &counted(&site, "true"));
    let bundle = bundle.to_str().unwrap();
    let runs = nobody.home().join("niassa-runs");
    for number in 1..=2 {
        let launched = nobody.seqware(&["bundle", "launch", "--dir", bundle, "--no-metadata"]).ok();
        assert!(launched.stdout.contains("completed"), "{}", launched.stdout);
        assert!(launched.stdout.contains(runs.to_str().unwrap()), "{}", launched.stdout);
        assert_eq!(count_lines(&site.path("starts")).len(), number);
    }
    let method = [("SW_METADATA_METHOD", "none")];
    nobody.seqware_with(&method, &["bundle", "launch", "--dir", bundle]).ok();
    assert_eq!(count_lines(&site.path("starts")).len(), 3);
}

#[test]
fn bad_values_start_nothing() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let text = counted(&site, "true")
        .replace("steps:", "parameters:\n  number: {type: int, min: 1}\nsteps:");
    let bundle = site.bundle("counted", &text);
    let bundle = bundle.to_str().unwrap();
    let refused = bob.seqware(&["bundle", "launch", "--dir", bundle]).fails(2);
    assert!(refused.stderr.contains("number"), "{}", refused.stderr);
    let zero = ["bundle", "launch", "--dir", bundle, "--override", "number=0"];
    bob.seqware(&zero).fails(2);
    let none = ["bundle", "launch", "--dir", bundle, "--override", "number"];
    bob.seqware(&none).fails(2);
    let engine =
        ["bundle", "launch", "--dir", bundle, "--engine", "slurm", "--override", "number=1"];
    let slurm = bob.with([("SLURM_CONF", "/nowhere/slurm.conf")]).seqware(&engine).fails(7);
    assert!(slurm.stderr.contains("slurm"), "{}", slurm.stderr);
    assert!(!site.path("starts").exists());
}

#[test]
fn a_bundle_is_packed_listed_inspected_and_installed_from_its_archive() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let bundle = site.bundle("counted", &counted(&site, "ls $HOME"));
    let bundle = bundle.to_str().unwrap();
    let packed = bob.seqware(&["bundle", "package", "--dir", bundle, "--to", "out"]).ok();
    assert!(packed.stdout.starts_with("Packaged 'Counted' 1 to 'out/counted.zip'"), "{packed:?}");
    let listed = bob.seqware(&["bundle", "list", "--dir", "out", "--json"]).ok().json();
    assert_eq!(listed[0]["name"], "Counted");
    let inspected = bob.seqware(&["bundle", "inspect", "--zip", "out/counted.zip"]).ok().stdout;
    assert!(inspected.contains("Counted 1"), "{inspected}");
    assert!(inspected.contains("SC2086") || inspected.contains("not installed"), "{inspected}");
    let zip = bob.seqware(&["bundle", "install", "--zip", "out/counted.zip"]).ok();
    assert_eq!(zip.stdout, "Added 'Counted' (SWID: 1)\n");
    assert_eq!(bob.install(bundle.as_ref()), 1, "the same content is the same workflow");
    bob.seqware(&["bundle", "install", "--zip", "nowhere.zip"]).fails(3);
    bob.seqware(&["bundle", "inspect", "--dir", "out"]).fails(2);
    bob.seqware(&["bundle", "install"]).fails(2);
}

#[test]
fn the_skeleton_of_a_new_bundle_runs() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    bob.seqware(&["bundle", "init", "CountReads"]).ok();
    bob.seqware(&["bundle", "init", "CountReads"]).fails(5);
    bob.seqware(&["bundle", "init", "../x"]).fails(2);
    let inspected = bob.seqware(&["bundle", "inspect", "--dir", "CountReads"]).ok().stdout;
    assert!(!inspected.contains("(SC"), "{inspected}");
    bob.seqware(&["bundle", "dry-run", "--dir", "CountReads", "--out", "dry"]).ok();
    let tree = fs::read_to_string(bob.home().join("dry/steps.txt")).unwrap();
    assert_eq!(tree, "prepare\n└─ greet  (2 elements)\n   └─ summarize\n");
    let launched = bob.seqware(&["bundle", "launch", "--dir", "CountReads"]).ok();
    assert!(launched.stdout.contains("4 of 4 steps done"), "{}", launched.stdout);
}

#[test]
fn a_direct_launch_is_told_of_holds_and_limits() {
    let site = Site::start();
    let (bob, admin) = (site.account("bob@lab.net"), site.admin());
    let dir = site.bundle("counted", &counted(&site, "true"));
    let direct = ["bundle", "launch", "--host", "here", "--dir", dir.to_str().unwrap()];
    let workflow = bob.install(&dir);
    let waits = bob.schedule(workflow, "here", &[]);
    let runs = || bob.seqware(&["workflow-run", "report", "-q"]).ok().stdout;
    let limit = ["limit", "set", "--host", "here", "--runs", "1"];
    admin.seqware(&limit).ok();
    bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
    let before = runs();
    let full = bob.seqware(&direct).fails(5).stderr;
    assert!(full.contains("limit of 1 running run on here"), "{full}");
    assert!(full.contains("seqware workflow schedule --accession"), "{full}");
    bob.propagate_until(waits, "completed");
    admin.seqware(&["host", "hold", "--host", "here", "--reason", "new disks"]).ok();
    let held = bob.seqware(&direct).fails(5).stderr;
    assert!(held.contains("here is held") && held.contains("new disks"), "{held}");
    assert_eq!(runs(), before, "what was refused was not made");
    admin.seqware(&["host", "release", "--host", "here"]).ok();
    bob.seqware(&direct).ok();
}
