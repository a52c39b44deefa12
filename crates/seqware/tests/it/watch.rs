//! Watching and explaining: what people look at while a run goes on, and when it went wrong.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::site::Site;

const TWO: &str = "niassa: 1\nname: Two\nversion: \"1\"\ndescription: Two steps\nsteps:\n  \
    - name: first\n    command: echo to the log >&2; exit 4\n  \
    - name: second\n    needs: [first]\n    command: \"true\"\n";

#[test]
fn an_explanation_says_what_why_and_what_to_do() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let workflow = bob.install(&site.bundle("two", TWO));
    let run = bob.schedule(workflow, "here", &[]);
    let number = run.to_string();
    let explain = || bob.seqware(&["workflow-run", "explain", "--accession", &number]).ok().stdout;
    let waiting = explain();
    assert!(waiting.contains("waits for a launcher that serves the label `here`"), "{waiting}");
    assert!(waiting.contains("seqware workflow-run launch-scheduled --host 'here'"), "{waiting}");
    bob.launch_and_finish("here");
    let failed = explain();
    for part in [
        "failed",
        "step first",
        "exit code 4",
        "to the log",
        "seqware workflow-run retry",
        "history",
    ] {
        assert!(failed.contains(part), "no `{part}` in:\n{failed}");
    }
    let data = ["workflow-run", "explain", "--accession", &number, "--json"];
    assert_eq!(bob.seqware(&data).ok().json()["run"]["status"], "failed");
}

#[test]
fn a_terminal_shows_the_steps_and_the_end() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let workflow = bob.install(&site.bundle("two", TWO));
    let run = bob.schedule(workflow, "here", &[]);
    bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
    let watch = format!(
        "seqware workflow-run propagate-statuses --until-done > /dev/null & \
         TERM=xterm COLUMNS=80 script -qec 'stty cols 80; seqware workflow-run watch --accession {run}' /dev/null"
    );
    let shown = bob.shell(&watch);
    assert_eq!(shown.code, 10, "{shown:?}");
    for part in ["run ", "Two 1", "first", "second", "failed", "explain --accession"] {
        assert!(shown.stdout.contains(part), "no `{part}` in:\n{}", shown.stdout);
    }
}

#[test]
fn a_watcher_outlives_its_service() {
    let mut site = Site::start();
    let bob = site.account("bob@lab.net");
    let workflow = bob.install(&site.bundle("two", &TWO.replace("exit 4", "sleep 1")));
    let run = bob.schedule(workflow, "here", &[]);
    bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
    let mut watcher = bob.command();
    watcher.args(["workflow-run", "watch", "--accession", &run.to_string()]);
    watcher.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut watcher = watcher.spawn().unwrap();
    let mut shown = BufReader::new(watcher.stdout.take().unwrap()).lines();
    let mut told = BufReader::new(watcher.stderr.take().unwrap()).lines();
    assert!(shown.next().unwrap().unwrap().contains("pending"));
    site.kill_service();
    assert!(told.next().unwrap().unwrap().contains("the run goes on"));
    site.serve();
    assert!(told.next().unwrap().unwrap().contains("answers again"));
    bob.seqware(&["workflow-run", "propagate-statuses", "--until-done"]).ok();
    assert!(shown.any(|line| line.unwrap().contains("completed")));
    assert!(watcher.wait().unwrap().success());
}
