//! Whole logs: read in pieces by an agent, followed while they grow, and told apart from their ends.

use std::fs;
use std::io::Read;
use std::process::Stdio;

use crate::agent::{Agent, log, until};
use crate::clusters::chain;
use crate::proxy::{Proxy, Way};
use crate::site::{Site, User, wait_for};

/// More than five pieces of a quarter of a MiB.
const PRINT: &str = "seq 1 200000; echo on stderr >&2";

fn printed() -> String {
    let lines: Vec<String> = (1..=200_000).map(|number| number.to_string()).collect();
    lines.join("\n") + "\n"
}

fn stdout_of<'a>(run: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["workflow-run", "stdout", "--accession", run], more].concat()
}

fn completed(site: &Site, user: &User) -> String {
    let workflow = user.install(&site.bundle("prints", &chain("Prints", &[PRINT, "echo two"])));
    let run = user.schedule(workflow, "here", &[]);
    until(user, run, "completed");
    run.to_string()
}

#[test]
fn a_whole_log_comes_through_agents_and_its_end_without_them() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let agents = [(); 2].map(|()| Agent::start(&bob));
    let run = completed(&site, &bob);
    wait_for("an agent serves logs", || bob.seqware(&stdout_of(&run, &["--step", "s0"])).code == 0);
    let whole = bob.seqware(&stdout_of(&run, &["--step", "s0", "--whole"])).ok();
    assert!(whole.stdout == printed() && whole.stderr.is_empty(), "{}", whole.stderr);
    let end = bob.seqware(&stdout_of(&run, &["--step", "0"])).ok().stdout;
    assert!(end.len() == 65_536 && printed().ends_with(&end));
    let stderr = ["workflow-run", "stderr", "--accession", &run, "--step", "s0"];
    assert_eq!(bob.seqware(&stderr).ok().stdout, "on stderr\n");
    let created = bob.seqware(&stdout_of(&run, &["--whole"])).ok().stdout;
    assert_eq!(created, format!("Created '{run}.out'.\n"));
    let file = fs::read_to_string(bob.home().join(format!("{run}.out"))).unwrap();
    assert_eq!(file, format!("==> s0\n{}==> s1\ntwo\n", printed()));
    bob.seqware(&stdout_of(&run, &["--step", "s7"])).fails(3);
    let eve = site.account("eve@lab.net");
    let _hers = Agent::start(&eve);
    eve.seqware(&stdout_of(&run, &["--step", "s0"])).fails(3);

    for agent in agents {
        drop(agent);
    }
    wait_for("nobody serves logs", || {
        bob.seqware(&stdout_of(&run, &["--step", "s0", "--whole"])).code == 8
    });
    let end = bob.seqware(&stdout_of(&run, &["--step", "s0", "--whole"])).fails(8);
    assert!(end.stdout.len() == 65_536 && printed().ends_with(&end.stdout));
    for words in ["the end of 1288895 bytes", "no agent serves here", "attempt-1/stdout"] {
        assert!(end.stderr.contains(words), "{}", end.stderr);
    }
    // What is short is there as a whole.
    assert_eq!(bob.seqware(&stdout_of(&run, &["--step", "s1", "--whole"])).ok().stdout, "two\n");
}

#[test]
fn a_log_is_followed_until_its_step_is_over() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let gate = site.path("gate");
    let command =
        format!("echo first; until test -e '{}'; do sleep 0.05; done; echo last", gate.display());
    let workflow = bob.install(&site.bundle("gated", &chain("Gated", &[&command])));
    let _agent = Agent::start(&bob);
    let run = bob.schedule(workflow, "here", &[]);
    until(&bob, run, "running");
    let mut command = bob.command();
    let run = run.to_string();
    command.args(stdout_of(&run, &["--step", "s0", "--follow"]));
    let mut follower = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = follower.stdout.take().unwrap();
    let mut first = [0; 6];
    output.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"first\n");
    fs::write(&gate, "").unwrap();
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "last\n");
    assert!(follower.wait().unwrap().success());
}

#[test]
fn where_streams_are_held_back_events_and_logs_are_asked_for() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let proxy = Proxy::before(&site, Way::HeldBack);
    let _agent = Agent::start(&proxy.user(&bob));
    wait_for("the agent asks for events", || log(&bob).contains("asked for"));
    let run = completed(&site, &bob);
    let whole = bob.seqware(&stdout_of(&run, &["--step", "s0", "--whole"])).ok();
    assert!(whole.stdout == printed() && whole.stderr.is_empty(), "{}", whole.stderr);
}
