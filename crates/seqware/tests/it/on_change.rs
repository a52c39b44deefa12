//! `SW_ON_CHANGE`: each status change of a run is told once, whoever made it and however many look.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::site::{Site, User, skip, wait_for};

const NAP: &str = "niassa: 1\nname: Nap\nversion: \"1\"\ndescription: Does nothing\nsteps:\n  \
    - name: nap\n    command: sleep 0.2\n";

/// Keeps each event in a file of its own, which is there only once it is whole.
const KEEP: &str = "mkdir -p events && cat > \".$$\" && mv \".$$\" \"events/$$-$RANDOM\"";

/// Writes a program into the site's folder, and returns somebody whose settings name it.
fn listening(site: &Site, script: &str) -> User {
    let folder = site.path("listener");
    fs::create_dir_all(&folder).unwrap();
    let program = folder.join("program");
    fs::write(&program, format!("#!/bin/bash\ncd '{}'\n{script}\n", folder.display())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    site.account("bob@lab.net").with([("SW_ON_CHANGE", program)])
}

/// Returns what the program was told, in the order in which it happened.
fn events(site: &Site) -> Vec<Value> {
    let files = fs::read_dir(site.path("listener/events")).into_iter().flatten().flatten();
    let read =
        |path: PathBuf| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let mut events: Vec<Value> = files.map(|file| read(file.path())).collect();
    events.sort_by_key(|event| event["id"].as_i64());
    events
}

fn changes(site: &Site, run: i64) -> Vec<(String, String)> {
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let of_run = events(site).into_iter().filter(|event| event["workflow_run_swid"] == run);
    of_run.map(|event| (word(&event["from"]), word(&event["to"]))).collect()
}

fn pairs(words: &[&str]) -> Vec<(String, String)> {
    words.windows(2).map(|two| (two[0].to_owned(), two[1].to_owned())).collect()
}

const LAUNCH: [&str; 4] = ["workflow-run", "launch-scheduled", "--host", "here"];
const PROPAGATE: [&str; 2] = ["workflow-run", "propagate-statuses"];
const FINISH: [&str; 3] = ["workflow-run", "propagate-statuses", "--until-done"];

#[test]
fn each_change_is_told_once_and_in_full() {
    let site = Site::start();
    let bob = listening(&site, KEEP);
    let nap = bob.install(&site.bundle("nap", NAP));
    let run = bob.schedule(nap, "here", &[]);
    assert_eq!(bob.seqware(&LAUNCH).ok().stderr, "");
    assert_eq!(changes(&site, run), pairs(&["submitted", "pending"]));
    assert_eq!(bob.seqware(&FINISH).ok().stderr, "");
    let all = pairs(&["submitted", "pending", "running", "completed"]);
    assert_eq!(changes(&site, run), all);
    for _ in 0..2 {
        bob.seqware(&LAUNCH).ok();
        bob.seqware(&PROPAGATE).ok();
    }
    assert_eq!(changes(&site, run), all, "what was told is not told again");
    let last = events(&site).pop().unwrap();
    assert_eq!(last["event"], "status_changed");
    assert_eq!(last["account"], "bob@lab.net");
    assert_eq!(last["workflow_name"], "Nap");
    assert_eq!(last["host"], "here");
    assert!(Path::new(last["directory"].as_str().unwrap()).is_dir(), "{last}");
}

#[test]
fn overlapping_ticks_tell_a_change_once() {
    let site = Site::start();
    let bob = listening(&site, KEEP);
    let nap = bob.install(&site.bundle("nap", NAP));
    let runs: Vec<i64> = (0..5).map(|_| bob.schedule(nap, "here", &[])).collect();
    let start = |arguments: &[&str]| -> Child {
        let mut command = bob.command();
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let ticks = [&LAUNCH[..], &LAUNCH, &FINISH, &LAUNCH, &FINISH, &FINISH].map(start);
    for mut tick in ticks {
        tick.wait().unwrap();
    }
    bob.launch_and_finish("here");
    let all = pairs(&["submitted", "pending", "running", "completed"]);
    for run in runs {
        assert_eq!(changes(&site, run), all, "run {run}");
    }
}

#[test]
fn what_others_did_is_told_and_a_retry_tells_what_is_new() {
    let site = Site::start();
    let bob = listening(&site, KEEP);
    let fails = NAP.replace("sleep 0.2", "test -e ../../go");
    let workflow = bob.install(&site.bundle("fails", &fails));
    let run = bob.schedule(workflow, "here", &[]);
    bob.seqware(&LAUNCH).ok();
    // A tick without the program records the end, which the next one with it tells.
    bob.seqware_with(&[("SW_ON_CHANGE", "")], &FINISH).ok();
    assert_eq!(bob.status(run), "failed");
    bob.seqware(&PROPAGATE).ok();
    let until_failed = ["submitted", "pending", "running", "failed"];
    assert_eq!(changes(&site, run), pairs(&until_failed));
    fs::write(site.work_dir().join("go"), "").unwrap();
    bob.seqware(&["workflow-run", "retry", "--accession", &run.to_string()]).ok();
    bob.launch_and_finish("here");
    let told = changes(&site, run);
    assert_eq!(told[..3], pairs(&until_failed)[..]);
    assert_eq!(told[3], ("failed".to_owned(), "submitted_retry".to_owned()));
    assert_eq!(told.last().unwrap().1, bob.status(run));
    let mut distinct = told.clone();
    distinct.dedup();
    assert_eq!(told, distinct);
}

#[test]
fn a_program_that_fails_is_a_fault_and_no_error() {
    let site = Site::start();
    let bob = listening(&site, "[ -e works ] || { echo 'no mailer here' >&2; exit 3; }");
    let nap = bob.install(&site.bundle("nap", NAP));
    let run = bob.schedule(nap, "here", &[]);
    let launched = bob.seqware(&LAUNCH).ok();
    assert!(launched.stdout.contains(&format!("Working Run: {run}")));
    assert_eq!(launched.stderr.lines().count(), 1, "{}", launched.stderr);
    let words = ["exit status: 3: no mailer here", &format!("run {run}")];
    assert!(words.iter().all(|words| launched.stderr.contains(words)), "{}", launched.stderr);
    assert_eq!(bob.seqware(&LAUNCH).ok().stderr, "", "it is told once");
    fs::write(site.path("listener/works"), "").unwrap();
    bob.seqware(&FINISH).ok();
    assert_eq!(bob.status(run), "completed");
    let over = bob.seqware(&LAUNCH).ok();
    assert!(over.stderr.contains("over after"), "{}", over.stderr);
}

#[test]
fn a_program_that_is_not_there_stops_nothing() {
    let site = Site::start();
    let bob = site.account("bob@lab.net").with([("SW_ON_CHANGE", "/nowhere/program")]);
    let nap = bob.install(&site.bundle("nap", NAP));
    let run = bob.schedule(nap, "here", &[]);
    let launched = bob.seqware(&LAUNCH).ok();
    assert!(launched.stderr.contains("cannot run /nowhere/program"), "{}", launched.stderr);
    bob.seqware(&FINISH).ok();
    assert_eq!(bob.status(run), "completed");
}

/// Everything in one process tells as well.
#[test]
fn up_tells_changes() {
    let site = Site::start();
    let somebody = listening(&site, KEEP);
    let mut command = somebody.command();
    let data = site.path("up");
    command.args(["up", "--listen", "127.0.0.1:0", "--host", "here", "--data"]).arg(&data);
    let mut up = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let settings = data.join("settings");
    wait_for("it is up", || settings.exists());
    let user = somebody.with([("SEQWARE_SETTINGS", &settings)]);
    wait_for("it answers", || user.seqware(&["workflow", "list"]).code == 0);
    let nap = user.install(&site.bundle("nap", NAP));
    let run = user.schedule(nap, "here", &[]);
    wait_for("all is told", || changes(&site, run).len() == 3);
    assert_eq!(changes(&site, run), pairs(&["submitted", "pending", "running", "completed"]));
    up.kill().unwrap();
    up.wait().unwrap();
}

/// The example that mails: one mail per end of a run, to the account it belongs to.
#[test]
fn the_example_mails_the_ends_of_runs() {
    if !has_program("jq") {
        skip("jq is not installed");
        return;
    }
    let site = Site::start();
    let bin = site.path("bin");
    fs::create_dir_all(&bin).unwrap();
    let mailer = bin.join("mail");
    let line =
        format!("#!/bin/bash\n{{ echo \"$@\"; cat; }} >> '{}'\n", site.path("mails").display());
    fs::write(&mailer, line).unwrap();
    fs::set_permissions(&mailer, fs::Permissions::from_mode(0o755)).unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/on-change/mail.sh");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let variables = [("SW_ON_CHANGE", example.into_os_string()), ("PATH", path.into())];
    let bob = site.account("bob@lab.net").with(variables);
    let nap = bob.install(&site.bundle("nap", NAP));
    let run = bob.schedule(nap, "here", &[]);
    assert_eq!(bob.seqware(&LAUNCH).ok().stderr, "");
    assert!(!site.path("mails").exists(), "a launch is no end");
    assert_eq!(bob.seqware(&FINISH).ok().stderr, "");
    let mails = fs::read_to_string(site.path("mails")).unwrap();
    let first = format!("-s Niassa: run {run} of Nap is completed bob@lab.net");
    assert_eq!(mails.lines().next(), Some(&*first), "{mails}");
    assert_eq!(mails.matches("Niassa: run").count(), 1, "{mails}");
    assert!(mails.contains("Host: here"), "{mails}");
}

fn has_program(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
