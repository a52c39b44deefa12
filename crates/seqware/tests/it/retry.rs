//! Failing, retrying, cancelling, rescheduling: on both databases where it matters.

use std::fs;

use crate::site::{Database, Site, User, count_lines, wait_for};

/// Three chained steps; the second fails until a file is there.
fn fragile(site: &Site) -> String {
    let starts = site.path("starts");
    let cure = site.path("cure");
    format!(
        "niassa: 1\nname: Fragile\nversion: \"1\"\ndescription: Fails until it is cured\nsteps:\n  \
         - name: first\n    command: echo first >> '{starts}'\n  \
         - name: second\n    needs: [first]\n    command: |\n      echo second >> '{starts}'\n      \
         test -e '{cure}'\n  \
         - name: third\n    needs: [second]\n    command: echo third >> '{starts}'\n",
        starts = starts.display(),
        cure = cure.display()
    )
}

fn install(site: &Site, user: &User, name: &str, text: &str) -> i64 {
    let bundle = site.bundle(name, text);
    user.seqware(&["bundle", "install", "--dir", bundle.to_str().unwrap()]).ok().swid()
}

fn a_retry_repeats_only_what_did_not_succeed(database: Database) {
    let Some(site) = Site::start_on(database) else { return };
    let bob = site.account("bob@lab.net");
    let workflow = install(&site, &bob, "fragile", &fragile(&site));
    let run = bob.schedule(workflow, "here", &[]);
    bob.launch_and_finish("here");
    assert_eq!(bob.status(run), "failed");
    let starts = count_lines(&site.path("starts"));
    assert_eq!((starts["first"], starts["second"], starts.get("third")), (1, 1, None));
    let number = run.to_string();
    let explained = bob.seqware(&["workflow-run", "explain", "--accession", &number]).ok();
    assert!(explained.stdout.contains("second"), "{}", explained.stdout);
    assert!(explained.stdout.contains("exit"), "{}", explained.stdout);

    fs::write(site.path("cure"), "").unwrap();
    let retried = bob.seqware(&["workflow-run", "retry", "--accession", &number]).ok();
    assert_eq!(
        retried.stdout,
        format!("Submitted request to retry workflow run with SWID [{run}]\n")
    );
    assert_eq!(bob.status(run), "submitted_retry");
    bob.launch_and_finish("here");
    assert_eq!(bob.status(run), "completed");
    let starts = count_lines(&site.path("starts"));
    assert_eq!((starts["first"], starts["second"], starts["third"]), (1, 2, 1));
    bob.seqware(&["workflow-run", "retry", "--accession", &number]).fails(5);
}

#[test]
fn a_retry_repeats_only_what_did_not_succeed_on_sqlite() {
    a_retry_repeats_only_what_did_not_succeed(Database::Sqlite);
}

#[test]
fn a_retry_repeats_only_what_did_not_succeed_on_postgres() {
    a_retry_repeats_only_what_did_not_succeed(Database::Postgres);
}

#[test]
fn a_policy_repeats_a_step_without_a_person() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let starts = site.path("starts");
    let text = format!(
        "niassa: 1\nname: Again\nversion: \"1\"\ndescription: Succeeds at the third try\nsteps:\n  \
         - name: again\n    command: |\n      echo again >> '{starts}'\n      \
         test \"$(wc -l < '{starts}')\" -ge 3\n    retry: {{max: 2}}\n  \
         - name: behind\n    needs: [again]\n    command: echo behind >> '{starts}'\n",
        starts = starts.display()
    );
    let workflow = install(&site, &bob, "again", &text);
    let run = bob.schedule(workflow, "here", &[]);
    bob.launch_and_finish("here");
    assert_eq!(bob.status(run), "completed");
    let starts = count_lines(&starts);
    assert_eq!((starts["again"], starts["behind"]), (3, 1));
}

fn a_cancel_stops_what_runs_and_what_waits(database: Database) {
    let Some(site) = Site::start_on(database) else { return };
    let bob = site.account("bob@lab.net");
    let pids = site.path("pids");
    let text = format!(
        "niassa: 1\nname: Long\nversion: \"1\"\ndescription: Sleeps with a child\nsteps:\n  \
         - name: long\n    command: |\n      sleep 600 & echo $! >> '{0}'\n      \
         timeout 600 sleep 601 & echo $! >> '{0}'\n      echo $$ >> '{0}'\n      wait\n  \
         - name: behind\n    needs: [long]\n    command: echo behind >> '{0}'\n",
        pids.display()
    );
    let workflow = install(&site, &bob, "long", &text);
    let run = bob.schedule(workflow, "here", &[]);
    let waiting = bob.schedule(workflow, "nowhere", &[]);
    bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
    bob.propagate_until(run, "running");
    wait_for("the step has written its pids", || count_lines(&pids).len() == 3);

    let both = format!("{run},{waiting}");
    let cancelled = bob.seqware(&["workflow-run", "cancel", "--accession", &both]).ok();
    assert_eq!(
        cancelled.stdout,
        format!("Submitted request to cancel workflow run with SWID(s) [{run}, {waiting}]\n")
    );
    assert_eq!(bob.status(run), "submitted_cancel");
    assert_eq!(bob.status(waiting), "cancelled", "nobody ever claimed it");
    bob.propagate_until(run, "cancelled");
    for pid in count_lines(&pids).keys() {
        let pid: u32 = pid.parse().expect("only pids: the step behind never ran");
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "{pid} is still there");
    }
}

#[test]
fn a_cancel_stops_what_runs_and_what_waits_on_sqlite() {
    a_cancel_stops_what_runs_and_what_waits(Database::Sqlite);
}

#[test]
fn a_cancel_stops_what_runs_and_what_waits_on_postgres() {
    a_cancel_stops_what_runs_and_what_waits(Database::Postgres);
}

#[test]
fn what_was_granted_and_has_no_room_never_starts_after_a_cancel() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let starts = site.path("starts");
    let text = format!(
        "niassa: 1\nname: Crowd\nversion: \"1\"\ndescription: More steps than processors\n\
         parameters:\n  items: {{type: list, items: int}}\nsteps:\n  \
         - name: long\n    foreach: {{item: items}}\n    command: |\n      \
         echo \"$NIASSA_KEY\" >> '{}'\n      sleep 600\n",
        starts.display()
    );
    let workflow = install(&site, &bob, "crowd", &text);
    let items: Vec<String> = (0..64).map(|item| item.to_string()).collect();
    let run = bob.schedule(workflow, "here", &[&format!("items=[{}]", items.join(","))]);
    bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
    let slots = std::thread::available_parallelism().unwrap().get();
    wait_for("every processor has a step", || count_lines(&starts).len() == slots);
    let number = run.to_string();
    bob.seqware(&["workflow-run", "cancel", "--accession", &number]).ok();
    bob.propagate_until(run, "cancelled");
    assert_eq!(count_lines(&starts).len(), slots, "nothing started after the cancel");
}

#[test]
fn a_lock_of_cron_is_not_held_by_the_steps() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let text = "niassa: 1\nname: Nap\nversion: \"1\"\ndescription: Sleeps\nsteps:\n  \
        - name: nap\n    command: sleep 600\n";
    let workflow = install(&site, &bob, "nap", text);
    let run = bob.schedule(workflow, "here", &[]);
    let lock = site.path("lock");
    let tick = format!(
        "flock --nonblock '{}' seqware workflow-run launch-scheduled --host here",
        lock.display()
    );
    bob.shell(&tick).ok();
    bob.propagate_until(run, "running");
    bob.shell(&tick).ok();
}

#[test]
fn a_run_is_rescheduled_elsewhere_with_the_values_it_had() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let said = site.path("said");
    let text = format!(
        "niassa: 1\nname: Say\nversion: \"1\"\ndescription: Says something\nparameters:\n  \
         word: {{type: string, default: nothing}}\nsteps:\n  \
         - name: say\n    command: echo \"$word\" >> '{}'\n",
        said.display()
    );
    let workflow = install(&site, &bob, "say", &text);
    let run = bob.schedule(workflow, "nowhere", &["word=something else"]);
    let number = run.to_string();
    let again = bob
        .seqware(&["workflow-run", "reschedule", "--accession", &number, "--host", "here"])
        .ok()
        .swid();
    assert!(again > run);
    bob.launch_and_finish("here");
    assert_eq!(bob.status(again), "completed");
    assert_eq!(bob.status(run), "submitted");
    assert_eq!(fs::read_to_string(said).unwrap(), "something else\n");
}

#[test]
fn a_run_whose_place_is_gone_is_ended_and_moved() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let (found, said) = (site.path("found"), site.path("said"));
    let text = format!(
        "niassa: 1\nname: Stuck\nversion: \"1\"\ndescription: Hangs until a file is there\nsteps:\n  \
         - name: stuck\n    command: test -e '{}' && echo done >> '{}' || sleep 600\n",
        found.display(),
        said.display()
    );
    let workflow = install(&site, &bob, "stuck", &text);
    let run = bob.schedule(workflow, "gone", &[]);
    let number = run.to_string();
    let dead = ["workflow-run", "cancel", "--accession", &number, "--it-is-dead"];
    bob.seqware(&dead).fails(5);
    bob.seqware(&["workflow-run", "launch-scheduled", "--host", "gone"]).ok();
    bob.propagate_until(run, "running");
    let line = format!("Submitted request to cancel workflow run with SWID(s) [{number}]");
    assert_eq!(bob.seqware(&dead).ok().stdout.trim(), line);
    assert_eq!(bob.status(run), "cancelled");
    let why = bob.seqware(&["workflow-run", "explain", "--accession", &number]).ok().stdout;
    assert!(why.contains("bob@lab.net said that its place on"), "{why}");

    fs::write(&found, "").unwrap();
    let again = bob
        .seqware(&["workflow-run", "reschedule", "--accession", &number, "--host", "here"])
        .ok()
        .swid();
    let new = again.to_string();
    let why = bob.seqware(&["workflow-run", "explain", "--accession", &new]).ok().stdout;
    assert!(why.contains("waiting for a launcher on here, never seen"), "{why}");
    bob.launch_and_finish("here");
    assert_eq!(bob.status(again), "completed");
    assert_eq!(bob.status(run), "cancelled", "it stays as it was ended");
    let hosts = bob.seqware(&["host", "list", "--tsv"]).ok().stdout;
    let row = hosts.lines().find(|line| line.contains("\there\t")).expect("the label");
    assert!(row.starts_with("bob@lab.net\tbob@lab.net\there\t"), "{hosts}");
}
