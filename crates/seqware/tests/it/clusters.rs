//! Runs on a real Slurm: launched once, in waves of held jobs, and told as they were.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::site::{Database, Site, User, count_lines, wait_for};
use crate::slurm_server::{SlurmServer, Tuning};

/// Somebody whose runs go to a Slurm.
pub fn on_slurm(user: &User, slurm: &SlurmServer) -> User {
    let of_client = slurm.environment().into_iter().filter(|(name, _)| name == "SLURM_CONF");
    user.with(of_client).with([("SW_DEFAULT_WORKFLOW_ENGINE", "slurm")])
}

/// A diamond of four steps that count their starts; the last one has an output.
pub fn diamond(site: &Site) -> String {
    let starts = site.path("starts");
    let starts = starts.display();
    format!(
        "niassa: 1\nname: Diamond\nversion: \"1\"\ndescription: Four steps\nsteps:\n  \
         - name: top\n    command: echo top >> '{starts}'; echo from top > top.txt\n  \
         - name: left\n    needs: [top]\n    command: echo left >> '{starts}'; cp top.txt left.txt\n  \
         - name: right\n    needs: [top]\n    command: echo right >> '{starts}'; cp top.txt right.txt\n  \
         - name: bottom\n    needs: [left, right]\n    \
           command: echo bottom >> '{starts}'; cat left.txt right.txt > both.txt\n    \
           outputs: [{{path: both.txt, meta_type: text/plain}}]\n"
    )
}

pub fn each_step_of_the_diamond_started_once(site: &Site) {
    let expected = ["top", "left", "right", "bottom"].map(|step| (step.to_owned(), 1));
    assert_eq!(count_lines(&site.path("starts")), expected.into_iter().collect());
}

/// Steps in a row, each with a command.
pub fn chain(name: &str, commands: &[&str]) -> String {
    let mut text =
        format!("niassa: 1\nname: {name}\nversion: \"1\"\ndescription: In a row\nsteps:\n");
    for (position, command) in commands.iter().enumerate() {
        text.push_str(&format!("  - name: s{position}\n    command: |\n      {command}\n"));
        if position > 0 {
            text.push_str(&format!("    needs: [s{}]\n", position - 1));
        }
    }
    text
}

/// What the names of all jobs of a run begin with.
pub fn prefix(user: &User, run: i64) -> String {
    let report = user.report(run);
    let directory = report["workflow_run_working_dir"].as_str().expect("a directory");
    let (_, name) = directory.rsplit_once('/').expect("a path");
    format!("nia-{name}-")
}

/// What the journals of a run say, in order: the kind of each line and the job it names.
fn journal_of(user: &User, run: i64) -> Vec<(String, String)> {
    let report = user.report(run);
    let directory = report["workflow_run_working_dir"].as_str().expect("a directory");
    let Ok(files) = fs::read_dir(Path::new(directory).join("journal")) else { return Vec::new() };
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let texts = files.iter().map(|file| fs::read_to_string(file).unwrap());
    let lines: Vec<String> =
        texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    let said = lines.iter().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        let (kind, about) = line["entry"].as_object().unwrap().iter().next().unwrap();
        (kind.clone(), about["name"].as_str().unwrap_or_default().to_owned())
    });
    said.collect()
}

/// The jobs that lines of a kind name.
fn named<'lines>(journal: &'lines [(String, String)], kind: &str) -> BTreeSet<&'lines str> {
    journal.iter().filter(|(of, _)| of == kind).map(|(_, name)| name.as_str()).collect()
}

fn a_run_completes_on_slurm(database: Database) {
    let Some(slurm) = SlurmServer::shared() else { return };
    let Some(site) = Site::start_on(database) else { return };
    let bob = on_slurm(&site.account("bob@lab.net"), slurm);
    let workflow = bob.install(&site.bundle("diamond", &diamond(&site)));
    let run = bob.schedule(workflow, "here", &[]);
    let launched = bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
    assert_eq!(launched.stdout, format!("Number of submitted workflows: 1\nWorking Run: {run}\n"));
    assert_eq!(launched.stderr, "");
    // Its intents stand before anything that was done: they were made durable together.
    let journal = journal_of(&bob, run);
    let kinds: Vec<&str> = journal.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds[..5], ["lease", "intent", "intent", "intent", "intent"]);
    assert_eq!(named(&journal[..5], "intent").len(), 5 - 1);
    assert_eq!(named(&journal, "submitted").len(), 4);
    assert!(!kinds.contains(&"withdrawn"), "{kinds:?}");
    bob.propagate_until(run, "completed");
    each_step_of_the_diamond_started_once(&site);
    let report = bob.report(run);
    let directory = report["workflow_run_working_dir"].as_str().unwrap_or_default();
    assert!(directory.contains(&format!("/{run}-")), "{report}");
    let number = run.to_string();
    let files = bob.seqware(&["workflow", "report", "--accession", &workflow.to_string()]).ok();
    assert!(files.stdout.contains("both.txt"), "{}", files.stdout);
    let explained = bob.seqware(&["workflow-run", "explain", "--accession", &number]).ok();
    assert!(explained.stdout.contains("completed"), "{}", explained.stdout);
}

#[test]
fn a_run_completes_on_slurm_with_sqlite() {
    a_run_completes_on_slurm(Database::Sqlite);
}

#[test]
fn a_run_completes_on_slurm_with_postgres() {
    a_run_completes_on_slurm(Database::Postgres);
}

#[test]
fn overlapping_launchers_hand_each_run_to_slurm_once() {
    let Some(slurm) = SlurmServer::shared() else { return };
    let site = Site::start();
    let bob = on_slurm(&site.account("bob@lab.net"), slurm);
    let starts = site.path("starts");
    let command = format!("echo $WORKFLOW_RUN_ACCESSION >> '{}'", starts.display());
    let workflow = bob.install(&site.bundle("one", &chain("One", &[&command])));
    let runs: Vec<i64> = (0..6).map(|_| bob.schedule(workflow, "here", &[])).collect();
    let launchers: Vec<_> = (0..8)
        .map(|_| {
            let mut command = bob.command();
            command.args(["workflow-run", "launch-scheduled", "--host", "here"]);
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut launcher in launchers {
        launcher.wait().unwrap();
    }
    for run in &runs {
        bob.propagate_until(*run, "completed");
    }
    let starts = count_lines(&starts);
    assert_eq!(starts, runs.iter().map(|run| (run.to_string(), 1)).collect());
}

#[test]
fn no_intent_stands_before_the_service_knows_of_its_attempt() {
    let Some(slurm) = SlurmServer::shared() else { return };
    let site = Site::start();
    let bob = on_slurm(&site.account("bob@lab.net"), slurm);
    let workflow = bob.install(&site.bundle("one", &chain("One", &["true"])));
    let run = bob.schedule(workflow, "here", &[]);
    let mut launcher = bob.command();
    launcher.args(["workflow-run", "launch-scheduled", "--host", "here"]);
    launcher.env("NIASSA_FAILPOINT", "launcher.looked=kill").stdout(Stdio::null());
    assert!(!launcher.status().unwrap().success());
    // Nobody would wait for the job of an attempt of a retry that is not known.
    let folders = fs::read_dir(site.work_dir()).unwrap().flatten();
    let begun = format!("{run}-");
    let dir = folders.map(|entry| entry.path()).find(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&begun))
    });
    let journals = fs::read_dir(dir.expect("a run directory").join("journal")).unwrap();
    let texts = journals.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    let text: String = texts.collect();
    assert!(text.contains("lease") && !text.contains("intent"), "{text}");
}

#[test]
fn a_retry_on_slurm_repeats_only_what_did_not_succeed() {
    let Some(slurm) = SlurmServer::shared() else { return };
    let site = Site::start();
    let bob = on_slurm(&site.account("bob@lab.net"), slurm);
    let (starts, cure) = (site.path("starts"), site.path("cure"));
    let (starts, cure) = (starts.display(), cure.display());
    let commands = [
        format!("echo first >> '{starts}'"),
        format!("echo second >> '{starts}'; echo broken >&2; test -e '{cure}'"),
        format!("echo third >> '{starts}'"),
    ];
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    let workflow = bob.install(&site.bundle("fragile", &chain("Fragile", &commands)));
    let run = bob.schedule(workflow, "here", &[]);
    bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
    bob.propagate_until(run, "failed");
    let number = run.to_string();
    let explained = bob.seqware(&["workflow-run", "explain", "--accession", &number]).ok();
    assert!(explained.stdout.contains("s1"), "{}", explained.stdout);
    bob.seqware(&["workflow-run", "stderr", "--accession", &number]).ok();
    let stderr = fs::read_to_string(bob.home().join(format!("{run}.err"))).unwrap();
    assert!(stderr.contains("broken"), "{stderr}");
    fs::write(site.path("cure"), "").unwrap();
    bob.seqware(&["workflow-run", "retry", "--accession", &number]).ok();
    bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
    bob.propagate_until(run, "completed");
    let starts = count_lines(&site.path("starts"));
    assert_eq!((starts["first"], starts["second"], starts["third"]), (1, 2, 1));
}

#[test]
fn a_cancel_on_slurm_stops_what_runs_and_closes_what_waits() {
    let Some(slurm) = SlurmServer::shared() else { return };
    let site = Site::start();
    let bob = on_slurm(&site.account("bob@lab.net"), slurm);
    let (begun, behind) = (site.path("begun"), site.path("behind"));
    let commands = [
        format!("touch '{}'; sleep 600", begun.display()),
        format!("touch '{}'", behind.display()),
    ];
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    let workflow = bob.install(&site.bundle("long", &chain("Long", &commands)));
    let run = bob.schedule(workflow, "here", &[]);
    bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
    wait_for("the step has begun", || begun.exists());
    bob.propagate_until(run, "running");
    bob.seqware(&["workflow-run", "cancel", "--accession", &run.to_string()]).ok();
    assert_eq!(bob.status(run), "submitted_cancel");
    bob.propagate_until(run, "cancelled");
    assert!(!behind.exists());
    let prefix = prefix(&bob, run);
    wait_for("no job of the run is in the queue", || {
        let queue = slurm.program("squeue", &["-h", "-t", "pending,running", "-o", "%j"]);
        !queue.contains(&prefix)
    });
    let left = site.processes();
    assert!(!left.iter().any(|(_, line)| line.contains("sleep")), "{left:?}");
}

#[test]
fn a_wide_step_goes_to_slurm_as_an_array_within_the_window() {
    let Some(slurm) = SlurmServer::shared() else { return };
    let site = Site::start();
    let bob = on_slurm(&site.account("bob@lab.net"), slurm).with([("SW_MAX_JOBS", "5")]);
    let starts = site.path("starts");
    let text = format!(
        "niassa: 1\nname: Wide\nversion: \"1\"\ndescription: Elements\nparameters:\n  \
         xs: {{type: list, items: {{name: string}}}}\nsteps:\n  \
         - name: each\n    foreach: {{x: xs}}\n    command: echo \"$x_name\" >> '{starts}'\n  \
         - name: gather\n    needs: [each]\n    command: sort '{starts}' > all.txt\n",
        starts = starts.display()
    );
    let workflow = bob.install(&site.bundle("wide", &text));
    let names: Vec<String> = (0..12).map(|n| format!("{{\"name\": \"e{n}\"}}")).collect();
    let run = bob.schedule(workflow, "here", &[&format!("xs=[{}]", names.join(", "))]);
    bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
    let queue = slurm.program("squeue", &["-h", "-r", "-t", "all", "-o", "%j %i"]);
    let prefix = prefix(&bob, run);
    let of_run: Vec<&str> = queue.lines().filter(|line| line.starts_with(&prefix)).collect();
    assert_eq!(of_run.len(), 5, "{queue}");
    assert!(of_run.iter().all(|line| line.contains("-l0 ")), "one array: {queue}");
    bob.propagate_until(run, "completed");
    let starts = count_lines(&starts);
    assert_eq!(starts.len(), 12);
    assert!(starts.values().all(|count| *count == 1), "{starts:?}");
}

#[test]
fn a_queue_that_is_not_there_fails_the_run_with_slurms_own_words() {
    let Some(slurm) = SlurmServer::shared() else { return };
    let site = Site::start();
    let bob = on_slurm(&site.account("bob@lab.net"), slurm);
    let workflow = bob.install(&site.bundle("one", &chain("One", &["true"])));
    let accession = workflow.to_string();
    let run = bob
        .seqware(&[
            "workflow",
            "schedule",
            "--accession",
            &accession,
            "--host",
            "here",
            "--queue",
            "nowhere",
        ])
        .ok()
        .swid();
    wait_for("the run has failed", || {
        bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
        bob.seqware(&["workflow-run", "propagate-statuses"]).ok();
        bob.status(run) == "failed"
    });
    let number = run.to_string();
    let explained = bob.seqware(&["workflow-run", "explain", "--accession", &number]).ok();
    assert!(explained.stdout.contains("could not start"), "{}", explained.stdout);
    assert!(explained.stdout.contains("partition"), "{}", explained.stdout);
}

#[test]
fn while_slurm_is_away_nothing_is_lost_and_nothing_is_said_to_have_failed() {
    let Some(slurm) = SlurmServer::own() else { return };
    let site = Site::start();
    let bob = on_slurm(&site.account("bob@lab.net"), &slurm);
    let gate = site.path("gate");
    let wait = format!("until test -e '{}'; do sleep 0.1; done", gate.display());
    let workflow = bob.install(&site.bundle("gated", &chain("Gated", &[&wait, "true"])));
    let first = bob.schedule(workflow, "here", &[]);
    bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
    bob.propagate_until(first, "running");
    slurm.stop_controller();
    let second = bob.schedule(workflow, "here", &[]);
    let launched = bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).fails(7);
    assert!(launched.stderr.contains("slurm does not answer"), "{}", launched.stderr);
    let told = bob.seqware(&["workflow-run", "propagate-statuses"]).fails(7);
    assert!(told.stderr.contains("slurm does not answer"), "{}", told.stderr);
    assert_eq!((bob.status(first).as_str(), bob.status(second).as_str()), ("running", "submitted"));
    let number = first.to_string();
    let explained = bob.seqware(&["workflow-run", "explain", "--accession", &number]).ok();
    assert!(explained.stdout.contains("slurm has not answered since"), "{}", explained.stdout);
    slurm.start_controller();
    fs::write(&gate, "").unwrap();
    wait_for("both runs completed", || {
        bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
        bob.seqware(&["workflow-run", "propagate-statuses"]).ok();
        [first, second].iter().all(|run| bob.status(*run) == "completed")
    });
}

#[test]
fn a_full_queue_takes_the_rest_later() {
    let _one_at_a_time = SlurmServer::heavy();
    let tuning = Tuning { max_job_count: 4, min_job_age: 2, ..Tuning::default() };
    let Some(slurm) = SlurmServer::own_with(tuning) else { return };
    let site = Site::start();
    let bob = on_slurm(&site.account("bob@lab.net"), &slurm);
    let starts = site.path("starts");
    let commands: Vec<String> =
        (0..3).map(|n| format!("echo s{n} >> '{}'", starts.display())).collect();
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    let workflow = bob.install(&site.bundle("three", &chain("Three", &commands)));
    let runs = [(); 3].map(|()| bob.schedule(workflow, "here", &[]));
    bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
    for run in runs {
        let journal = journal_of(&bob, run);
        let (intended, submitted) = (named(&journal, "intent"), named(&journal, "submitted"));
        let left: BTreeSet<&str> = intended.difference(&submitted).copied().collect();
        assert_eq!(left, named(&journal, "withdrawn"), "nobody waits for jobs that there are not");
    }
    wait_for("every run completed", || {
        bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
        bob.seqware(&["workflow-run", "propagate-statuses"]).ok();
        runs.iter().all(|run| bob.status(*run) == "completed")
    });
    assert!(count_lines(&starts).values().all(|count| *count == 3));
}

#[test]
fn nodes_can_have_the_program_themselves() {
    let Some(slurm) = SlurmServer::shared() else { return };
    let site = Site::start();
    let own = site.path("it's here/seqware");
    fs::create_dir(own.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_seqware"), &own).unwrap();
    let bob = on_slurm(&site.account("bob@lab.net"), slurm).with([("SW_STEP_RUNNER", &own)]);
    let workflow = bob.install(&site.bundle("one", &chain("One", &["true"])));
    let run = bob.schedule(workflow, "here", &[]);
    bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
    bob.propagate_until(run, "completed");
    let copies = fs::read_dir(site.work_dir().join(".seqware")).unwrap().flatten();
    assert_eq!(copies.filter(|entry| entry.path().join("seqware").exists()).count(), 0);
}

#[test]
fn a_policy_on_slurm_gives_more_memory_to_the_next_attempt() {
    let Some(slurm) = SlurmServer::shared() else { return };
    let site = Site::start();
    let bob = on_slurm(&site.account("bob@lab.net"), slurm);
    let asked = site.path("asked");
    let text = format!(
        "niassa: 1\nname: Grow\nversion: \"1\"\ndescription: Grows\nsteps:\n  \
         - name: grow\n    memory: 64M\n    command: |\n      \
             echo \"$NIASSA_KEY\" >> '{asked}'\n      test \"$(wc -l < '{asked}')\" -ge 2\n    \
             retry: {{max: 2, memory: x2}}\n",
        asked = asked.display()
    );
    let workflow = bob.install(&site.bundle("grow", &text));
    let run = bob.schedule(workflow, "here", &[]);
    bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
    bob.propagate_until(run, "completed");
    let queue = slurm.program("squeue", &["-h", "-t", "all", "-o", "%j %m"]);
    let prefix = prefix(&bob, run);
    let memory: Vec<&str> = queue
        .lines()
        .filter(|line| line.starts_with(&prefix))
        .filter_map(|line| line.split(' ').nth(1))
        .collect();
    assert!(memory.contains(&"64M") && memory.contains(&"128M"), "{queue}");
}
