//! What an agent or a launcher meets that is not as it should be: each says what is wrong, and no run is lost
//! or started twice.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::agent::{Agent, log, until};
use crate::clusters::chain;
use crate::proxy::{Proxy, Way};
use crate::site::{Database, Site, User, count_lines, skip, wait_for};

const LAUNCH: [&str; 4] = ["workflow-run", "launch-scheduled", "--host", "here"];

/// Installs a workflow of one step that notes each start.
fn counting(site: &Site, user: &User) -> (i64, PathBuf) {
    let starts = site.path("starts");
    let command = format!("echo $WORKFLOW_RUN_ACCESSION >> '{}'", starts.display());
    (user.install(&site.bundle("one", &chain("One", &[&command]))), starts)
}

fn started_once(starts: &std::path::Path, runs: &[i64]) {
    let once = runs.iter().map(|run| (run.to_string(), 1)).collect();
    assert_eq!(count_lines(starts), once);
}

#[test]
fn what_a_broken_service_answers_costs_no_run() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let (workflow, starts) = counting(&site, &bob);
    let proxy = Proxy::before(&site, Way::Whole);
    let _agent = Agent::start(&proxy.user(&bob));
    let mut runs = vec![bob.schedule(workflow, "here", &[])];
    until(&bob, runs[0], "completed");
    for (way, words) in [
        (Way::Garbage, "something else than the Web Service does"),
        (Way::Half, "cannot reach the Web Service"),
    ] {
        proxy.set(way);
        let run = bob.schedule(workflow, "here", &[]);
        wait_for("the agent says what is wrong", || log(&bob).contains(words));
        assert_eq!(bob.status(run), "submitted");
        proxy.set(Way::Whole);
        until(&bob, run, "completed");
        runs.push(run);
    }
    proxy.set(Way::Slow(Duration::from_millis(500)));
    let run = bob.schedule(workflow, "here", &[]);
    until(&bob, run, "completed");
    runs.push(run);
    started_once(&starts, &runs);
}

#[test]
fn an_agent_and_a_service_of_other_versions_go_on() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let (workflow, starts) = counting(&site, &bob);
    let proxy = Proxy::before(&site, Way::Newer);
    let newer = proxy.user(&bob);
    let checked = newer.seqware(&["check"]).stdout;
    assert!(checked.contains("install the same version on both sides"), "{checked}");
    let _agent = Agent::start(&newer);
    let run = bob.schedule(workflow, "here", &[]);
    until(&bob, run, "completed");
    started_once(&starts, &[run]);
    let told = "install the same version on both sides";
    wait_for("the agent says so too", || log(&bob).contains(told));
    assert_eq!(log(&bob).matches(told).count(), 1, "{}", log(&bob));
}

#[test]
fn a_token_that_is_not_good_says_why_and_the_run_waits() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let (workflow, starts) = counting(&site, &bob);
    let run = bob.schedule(workflow, "here", &[]);
    let make = |scope: &str, expires: &str| {
        let make = ["token", "create", "--scope", scope, "--expires", expires, "-q"];
        bob.seqware(&make).ok().stdout.trim().to_owned()
    };
    let short = site.token_user("short", &make("launch:here", "1s"));
    let mut refused = None;
    wait_for("the token expires", || {
        let tried = short.seqware(&["agent", "--once", "--host", "there"]);
        let is_over = tried.code == 4;
        refused = Some(tried);
        is_over
    });
    let refused = refused.unwrap().stderr;
    assert!(refused.contains("this token expired at 20"), "{refused}");
    assert!(refused.contains("seqware token create"), "{refused}");

    let long = site.token_user("long", &make("launch:here", "1h"));
    let tokens = bob.seqware(&["token", "list", "-q"]).ok().stdout;
    let newest = tokens.lines().next().unwrap();
    bob.seqware(&["token", "revoke", newest]).ok();
    let refused = long.seqware(&LAUNCH).fails(4).stderr;
    assert!(refused.contains("this token was revoked at 20"), "{refused}");

    // What is wrong is told once per work directory.
    let elsewhere = site.path("elsewhere").display().to_string();
    let wrong = site.token_user("wrong", &make("read", "1h")).with([("SW_WORK_DIR", elsewhere)]);
    let refused = wrong.seqware(&LAUNCH).fails(4).stderr;
    assert!(refused.contains("token create --scope launch:HOST"), "{refused}");
    let agent = Agent::start(&wrong);
    wait_for("the agent says so too", || log(&wrong).contains("not good for this"));
    drop(agent);

    assert_eq!(bob.status(run), "submitted");
    site.token_user("good", &make("launch:here", "1h")).launch_and_finish("here");
    assert_eq!(bob.status(run), "completed");
    started_once(&starts, &[run]);
}

#[test]
fn a_grant_that_is_withdrawn_in_the_middle_of_a_launch_costs_no_run() {
    let site = Site::start();
    let (alice, svc) = (site.account("alice@lab.net"), site.account("svc@lab.net"));
    let (workflow, starts) = counting(&site, &alice);
    for (number, point) in
        ["launcher.claimed", "launcher.agreed", "launcher.delivered"].iter().enumerate()
    {
        let grant = ["grant", "launch", "--to", "svc@lab.net", "--host", "here"];
        alice.seqware(&grant).ok();
        let run = alice.schedule(workflow, "here", &[]);
        let mut command = svc.command();
        command.args(LAUNCH).env("NIASSA_FAILPOINT", format!("{point}=stall"));
        let launcher = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        wait_for("the launcher stands still", || is_stopped(launcher.id()));
        alice.seqware(&["grant", "revoke", &(number + 1).to_string()]).ok();
        kill_process(Pid::from_child(&launcher), Signal::CONT).unwrap();
        let said = launcher.wait_with_output().unwrap().stderr;
        let said = String::from_utf8_lossy(&said);
        // Before the service has agreed the launch comes to nothing, and why is said.
        let told = format!("run {run}: it may not be launched by this account any more");
        let is_told = said.contains(&told) && said.contains("seqware grant launch");
        assert_eq!(is_told, *point == "launcher.claimed", "{point}: {said}");
        svc.seqware(&["workflow-run", "propagate-statuses"]);
        let accession = run.to_string();
        svc.seqware(&["workflow-run", "report", "--accession", &accession]).fails(3);
        wait_for("her own launcher takes over", || {
            alice.seqware(&LAUNCH);
            alice.seqware(&["workflow-run", "propagate-statuses"]);
            alice.status(run) == "completed"
        });
    }
    let counted = count_lines(&starts);
    assert!(counted.len() == 3 && counted.values().all(|starts| *starts == 1), "{counted:?}");
}

fn is_stopped(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, fields)| fields.starts_with('T'))
}

#[test]
fn two_deployments_on_one_work_directory_keep_apart() {
    let sites = [Site::start(), Site::start()];
    let shared = sites[0].work_dir().display().to_string();
    let users = [0, 1].map(|number| {
        let user = sites[number].account("bob@lab.net");
        user.with([("SW_WORK_DIR", shared.clone())])
    });
    let workflows = [0, 1].map(|number| counting(&sites[number], &users[number]));
    let runs: Vec<[i64; 2]> = (0..3)
        .map(|_| [0, 1].map(|site| users[site].schedule(workflows[site].0, "here", &[])))
        .collect();
    assert!(runs.iter().all(|[first, second]| first == second), "the same accessions: {runs:?}");
    let agents = users.each_ref().map(Agent::start);
    for [first, second] in &runs {
        until(&users[0], *first, "completed");
        until(&users[1], *second, "completed");
    }
    let of = |site: usize| runs.iter().map(|pair| pair[site]).collect::<Vec<_>>();
    started_once(&workflows[0].1, &of(0));
    started_once(&workflows[1].1, &of(1));
    let directories = fs::read_dir(&shared).unwrap().flatten();
    let names = directories.map(|entry| entry.file_name().to_string_lossy().into_owned());
    assert_eq!(names.filter(|name| name.starts_with(|c: char| c.is_ascii_digit())).count(), 6);
    drop(agents);
    each_is_told_of_the_other(&sites, &users, workflows[0].0);
}

/// Agents say once what is wrong, a tick of cron when it begins, `check` whenever it is asked; each with what to
/// do, and none refuses to work for it.
fn each_is_told_of_the_other(sites: &[Site; 2], users: &[User; 2], workflow: i64) {
    let fix = "give each deployment a SW_WORK_DIR of its own";
    for (user, other) in [(&users[0], sites[1].url()), (&users[1], sites[0].url())] {
        let before = log(user).len();
        let agent = Agent::start(user);
        wait_for("the agent says so", || log(user)[before..].contains(fix));
        assert!(log(user)[before..].contains(other), "{}", log(user));
        let run = user.schedule(workflow, "here", &[]);
        until(user, run, "completed");
        assert_eq!(log(user)[before..].matches(fix).count(), 1, "{}", log(user));
        drop(agent);
        let first = user.seqware(&LAUNCH).ok().stderr;
        assert!(first.contains(other) && first.contains(fix), "{first}");
        assert_eq!(user.seqware(&LAUNCH).ok().stderr, "", "cron mails it once");
        let checked = user.seqware(&["check", "--json"]).json();
        let found =
            checked.as_array().unwrap().iter().find(|found| found["check"] == "deployments");
        let found = found.unwrap_or_else(|| panic!("{checked}"));
        assert_eq!(
            (&found["verdict"], &found["fix"]),
            (&"doubtful".into(), &fix.into()),
            "{found}"
        );
        assert!(found["finding"].as_str().unwrap().contains(other), "{found}");
        let taking_in = sites.iter().find(|site| site.url() != other).unwrap().admin();
        let taking_in = taking_in.with([("SW_WORK_DIR", sites[0].work_dir())]);
        let told = taking_in.seqware(&["metadb", "reconcile"]).ok().stderr;
        assert!(told.contains(other) && told.contains("do not take them in"), "{told}");
    }
    // Where nothing can be noted, nothing is said and all goes on.
    let marks = sites[0].work_dir().join(".niassa-deployments");
    fs::remove_dir_all(&marks).unwrap();
    fs::write(&marks, "").unwrap();
    let over = users[0].seqware(&LAUNCH).ok().stderr;
    assert!(over.contains("over after") && over.contains("(deployments)"), "{over}");
    assert_eq!(users[1].seqware(&["agent", "--once", "--host", "here"]).ok().stderr, "");
}

/// A library that makes the clock of a process an hour fast.
const FAST_CLOCK: &str = r"
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t which, struct timespec *now) {
    int done = syscall(SYS_clock_gettime, which, now);
    if (done == 0 && which == CLOCK_REALTIME) now->tv_sec += 3600;
    return done;
}
";

#[test]
fn a_clock_that_is_an_hour_fast_is_told_and_costs_no_run() {
    let Some(site) = Site::start_on(Database::Sqlite) else { return };
    let (source, library) = (site.path("fast.c"), site.path("fast.so"));
    fs::write(&source, FAST_CLOCK).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
    if !compiler.status().is_ok_and(|status| status.success()) {
        skip("no C compiler");
        return;
    }
    let bob = site.account("bob@lab.net");
    let (workflow, starts) = counting(&site, &bob);
    let fast = bob.with([("LD_PRELOAD", library.display().to_string())]);
    let checked = fast.seqware(&["check"]).stdout;
    let line = checked.lines().find(|line| line.contains("clock")).unwrap_or(&checked);
    assert!(line.contains("3600") || line.contains("3599") || line.contains("3601"), "{checked}");
    let _agent = Agent::start(&fast);
    let run = bob.schedule(workflow, "here", &[]);
    until(&bob, run, "completed");
    started_once(&starts, &[run]);
}
