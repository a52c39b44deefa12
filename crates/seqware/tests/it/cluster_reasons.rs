//! Every reason by which a step on a cluster can end, provoked on a real Slurm and told apart.

use std::fs;

use crate::clusters::{chain, on_slurm, prefix};
use crate::site::{Site, User, wait_for};
use crate::slurm_server::{Accounting, Memory, SlurmServer, Tuning};

/// A run of one step on Slurm, with whoever launched it.
struct Case {
    site: Site,
    bob: User,
    run: i64,
}

impl Case {
    /// Schedules and launches a run of one step.
    fn launch(slurm: &SlurmServer, step: &str) -> Self {
        let site = Site::start();
        let bob = on_slurm(&site.account("bob@lab.net"), slurm);
        let text = format!(
            "niassa: 1\nname: One\nversion: \"1\"\ndescription: One step\nsteps:\n  - name: one\n{step}"
        );
        let text = text.replace("HERE", &site.path("").display().to_string());
        let workflow = bob.install(&site.bundle("one", &text));
        let run = bob.schedule(workflow, "here", &[]);
        bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
        Self { site, bob, run }
    }

    /// Waits until its step has begun.
    fn begun(&self) {
        let begun = self.site.path("begun");
        wait_for("the step has begun", || begun.exists());
        self.bob.propagate_until(self.run, "running");
    }

    /// Returns the number of its job that can still do something.
    fn job(&self, slurm: &SlurmServer) -> String {
        let prefix = prefix(&self.bob, self.run);
        let queue =
            slurm.program("squeue", &["-h", "-t", "pending,running,suspended", "-o", "%j %i"]);
        let line = queue.lines().find(|line| line.starts_with(&prefix)).expect("a live job");
        line.rsplit_once(' ').expect("a number").1.to_owned()
    }

    /// Propagates until the run has failed, and checks why.
    #[track_caller]
    fn fails_because(&self, words: &str) {
        self.bob.propagate_until(self.run, "failed");
        let explained = self.explained();
        assert!(explained.contains(words), "{words}?\n{explained}");
    }

    fn explained(&self) -> String {
        let number = self.run.to_string();
        self.bob.seqware(&["workflow-run", "explain", "--accession", &number]).ok().stdout
    }
}

const WAITS_FOR_EVER: &str = "    command: touch 'HERE/begun'; sleep 600\n";

#[test]
fn an_exit_code_and_a_signal() {
    let Some(slurm) = SlurmServer::shared() else { return };
    Case::launch(slurm, "    command: exit 7\n").fails_because("exit code 7");
    Case::launch(slurm, "    command: kill -SEGV $$\n").fails_because("signal 11");
}

#[test]
fn a_time_limit() {
    let Some(slurm) = SlurmServer::shared() else { return };
    let case = Case::launch(slurm, "    time: 1s\n    command: sleep 600\n");
    case.fails_because("time limit");
}

#[test]
fn a_person_cancels_a_running_and_a_waiting_job() {
    let Some(slurm) = SlurmServer::shared() else { return };
    let running = Case::launch(slurm, WAITS_FOR_EVER);
    running.begun();
    slurm.program("scancel", &[&running.job(slurm)]);
    running.fails_because("cancelled");

    let site = Site::start();
    let bob = on_slurm(&site.account("bob@lab.net"), slurm).with([("SW_SLURM_PARTITION", "down")]);
    let workflow = bob.install(&site.bundle("one", &chain("One", &["true"])));
    let run = bob.schedule(workflow, "here", &[]);
    bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
    let waiting = Case { site, bob, run };
    slurm.program("scancel", &[&waiting.job(slurm)]);
    waiting.fails_because("cancelled");
}

#[test]
fn somebody_holds_a_job_and_lets_it_go_again() {
    let Some(slurm) = SlurmServer::shared() else { return };
    let site = Site::start();
    let bob = on_slurm(&site.account("bob@lab.net"), slurm).with([("SW_SLURM_PARTITION", "down")]);
    let workflow = bob.install(&site.bundle("one", &chain("One", &["true"])));
    let run = bob.schedule(workflow, "here", &[]);
    bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
    let case = Case { site, bob, run };
    let job = case.job(slurm);
    slurm.control(&["hold", &job]);
    for _ in 0..3 {
        case.bob.seqware(&["workflow-run", "propagate-statuses"]).ok();
    }
    let held = slurm.program("squeue", &["-h", "-j", &job, "-o", "%r"]);
    assert!(held.contains("Held"), "what a person holds stays held: {held}");
    assert_eq!(case.bob.status(run), "pending");
    let explained = case.explained();
    assert!(explained.contains("is held at the scheduler"), "{explained}");
    slurm.control(&["update", &format!("jobid={job}"), "partition=main"]);
    slurm.control(&["release", &job]);
    case.bob.propagate_until(run, "completed");
}

#[test]
fn a_job_that_is_put_back_by_force_does_not_start_again() {
    let Some(slurm) = SlurmServer::shared() else { return };
    let case = Case::launch(slurm, "    command: echo x >> 'HERE/begun'; sleep 600\n");
    case.begun();
    let job = case.job(slurm);
    slurm.control(&["update", &format!("jobid={job}"), "requeue=1"]);
    slurm.control(&["requeue", &job]);
    case.fails_because("preempted");
    assert_eq!(fs::read_to_string(case.site.path("begun")).unwrap(), "x\n");
}

#[test]
fn a_node_fails_and_a_policy_goes_on_elsewhere() {
    let _one_at_a_time = SlurmServer::heavy();
    let Some(slurm) = SlurmServer::own() else { return };
    let step = "    command: |\n      echo x >> 'HERE/begun'\n      \
                if test \"$(wc -l < 'HERE/begun')\" = 1; then sleep 600; fi\n    retry: {max: 1}\n";
    let case = Case::launch(&slurm, step);
    case.begun();
    let node = slurm.program("squeue", &["-h", "-o", "%N"]).trim().to_owned();
    slurm.kill_node(&node);
    slurm.control(&["update", &format!("nodename={node}"), "state=down", "reason=test"]);
    case.bob.propagate_until(case.run, "completed");
    let directory = case.bob.report(case.run)["workflow_run_working_dir"].clone();
    let exit = format!("{}/steps/0/0-one/attempt-1/exit.json", directory.as_str().unwrap());
    let exit = fs::read_to_string(exit).unwrap();
    assert!(exit.contains("node_failure"), "{exit}");
    assert_eq!(fs::read_to_string(case.site.path("begun")).unwrap(), "x\nx\n");
}

#[test]
fn jobs_that_slurm_has_forgotten_are_known_by_their_files() {
    let _one_at_a_time = SlurmServer::heavy();
    let tuning = Tuning { min_job_age: 2, ..Tuning::default() };
    let Some(slurm) = SlurmServer::own_with(tuning) else { return };
    let case = Case::launch(&slurm, "    command: touch 'HERE/begun'\n");
    wait_for("slurm has forgotten the job", || {
        case.site.path("begun").exists()
            && slurm.program("squeue", &["-h", "-t", "all", "-o", "%j"]).trim().is_empty()
    });
    case.bob.propagate_until(case.run, "completed");
}

#[test]
fn a_controller_that_is_restarted_keeps_its_jobs_and_what_was_let_go() {
    let _one_at_a_time = SlurmServer::heavy();
    let Some(slurm) = SlurmServer::own() else { return };
    let case = Case::launch(
        &slurm,
        "    command: touch 'HERE/begun'; until test -e 'HERE/gate'; do sleep 0.1; done\n",
    );
    case.begun();
    slurm.kill_controller();
    slurm.start_controller();
    case.bob.seqware(&["workflow-run", "propagate-statuses"]).ok();
    assert_eq!(case.bob.status(case.run), "running");
    fs::write(case.site.path("gate"), "").unwrap();
    case.bob.propagate_until(case.run, "completed");
}

/// Where the queue has forgotten a job whose runner was killed, only the accounting knows how it ended. After
/// the controller lost its memory it deals out the same numbers to strangers: theirs are not ours.
#[test]
fn the_accounting_knows_how_a_forgotten_job_ended_and_whose_number_it_was() {
    let _one_at_a_time = SlurmServer::heavy();
    let tuning = Tuning { min_job_age: 2, accounting: Accounting::Database, ..Tuning::default() };
    let Some(slurm) = SlurmServer::own_with(tuning) else { return };
    let case = Case::launch(&slurm, "    command: kill -KILL $PPID; sleep 600\n");
    let told = |word: &str| {
        slurm.program("sacct", &["-n", "-X", "-S", "2020-01-01", "-o", "State"]).contains(word)
    };
    wait_for("the accounting knows its end", || told("FAILED"));
    slurm.forget_all_jobs();
    let stranger = slurm.program("sbatch", &["--parsable", "--output=/dev/null", "--wrap=true"]);
    assert_eq!(stranger.trim(), "1", "the number is dealt out again");
    wait_for("the accounting knows the stranger's end", || told("COMPLETED"));
    case.fails_because("signal 9");
}

#[test]
fn slurms_own_word_for_a_step_that_was_out_of_memory() {
    let _one_at_a_time = SlurmServer::heavy();
    let tuning = Tuning { memory: Memory::ControlGroups, ..Tuning::default() };
    let Some(slurm) = SlurmServer::own_with(tuning) else { return };
    let case = Case::launch(
        &slurm,
        "    memory: 64M\n    command: head -c 1G /dev/zero | tail -c 1G >/dev/null\n",
    );
    case.fails_because("out of memory");
}
