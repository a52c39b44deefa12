//! The step runner, as a scheduler would start it: real processes in run directories made by hand.
//!
//! No scheduler is needed: to the runner it is a few variables and now and then a signal.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};

use crate::site::wait_for;

const ATTEMPT: &str = "steps/0/0-one/attempt-1";
const LISTED: &str = "steps/0/1-two/attempt-1";

/// A run directory with steps; whatever works in it ends with it.
struct Run {
    folder: tempfile::TempDir,
    /// Its accession, which no other test has: a runner ends whatever carries the key of its attempt.
    swid: i64,
}

impl Run {
    /// Makes a run whose only step has this command.
    fn of(command: &str) -> Self {
        let swid = rand::random_range(1..i64::MAX);
        let run = Self { folder: tempfile::tempdir().unwrap(), swid };
        fs::create_dir(run.path("work")).unwrap();
        run.step(ATTEMPT, command, &json!({}));
        run
    }

    /// Makes a run whose only step has this command, with other words in `job.json`.
    fn with(command: &str, words: &Value) -> Self {
        let run = Self::of(command);
        run.step(ATTEMPT, command, words);
        run
    }

    fn step(&self, attempt: &str, command: &str, words: &Value) {
        let attempt = self.path(attempt);
        fs::create_dir_all(&attempt).unwrap();
        fs::write(attempt.parent().unwrap().join("command.sh"), command).unwrap();
        let wait =
            |millis: u64| json!({"secs": millis / 1_000, "nanos": millis % 1_000 * 1_000_000});
        let mut job = json!({
            "key": self.key(),
            "resources": {"threads": 1},
            "processing": 9,
            "waits": {
                "settle": wait(3_000), "accounting_grace": wait(3_000), "unclaimed": wait(20_000),
                "alive": wait(100), "silent": wait(5_000), "ghost": wait(3_000),
                "parents": wait(300),
            },
        });
        for (name, value) in words.as_object().unwrap() {
            job[name] = value.clone();
        }
        fs::write(attempt.join("job.json"), job.to_string()).unwrap();
    }

    fn key(&self) -> String {
        format!("nia-{}-abcdefghij-s0-a1", self.swid)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    fn attempt(&self, file: &str) -> PathBuf {
        self.path(ATTEMPT).join(file)
    }

    /// Returns a file of the attempt as JSON; null where it is not there.
    fn json(&self, file: &str) -> Value {
        match fs::read(self.attempt(file)) {
            Ok(text) => serde_json::from_slice(&text).unwrap(),
            Err(_) => Value::Null,
        }
    }

    /// Returns status and reason of the result.
    fn outcome(&self) -> (String, String) {
        let exit = self.json("exit.json");
        let word = |name: &str| exit["outcome"][name].as_str().unwrap_or("-").to_owned();
        (word("status"), word("reason"))
    }

    /// Returns how often a command that counts itself was started.
    fn starts(&self) -> usize {
        self.text("work/starts").lines().count()
    }

    fn log(&self) -> String {
        self.text(&format!("{ATTEMPT}/runner.log"))
    }

    /// Returns the runner as job 17 of Slurm, not started.
    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seqware"));
        command.env_clear().env("PATH", std::env::var("PATH").unwrap()).env("SLURM_JOB_ID", "17");
        if let Ok(mark) = std::env::var("NIASSA_TEST_RUN") {
            command.env("NIASSA_TEST_RUN", mark);
        }
        command.arg("step").current_dir(self.path(""));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn start(&self) -> Child {
        self.command().arg(self.path(ATTEMPT)).spawn().unwrap()
    }

    /// Starts it and waits until its command wrote a line.
    fn start_and_see_it_begin(&self) -> Child {
        let child = self.start();
        wait_for("the command has begun", || {
            self.text(&format!("{ATTEMPT}/stdout")).contains('\n')
        });
        child
    }

    /// Runs it to its end; returns its exit code.
    fn run(&self) -> i32 {
        code(end(self.start()))
    }

    /// Waits until the process whose number the command wrote into a file is gone.
    fn wait_until_gone(&self, file: &str) {
        let pid = self.text(file).trim().parse().ok().and_then(Pid::from_raw).expect("a pid");
        wait_for("what was left behind is gone", || {
            let state = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
            test_kill_process(pid).is_err() || state.is_ok_and(|stat| stat.contains(") Z "))
        });
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
            let works_at = fs::read_link(entry.path().join("cwd")).unwrap_or_default();
            if let Some(pid) = pid.and_then(Pid::from_raw)
                && works_at.starts_with(self.folder.path())
            {
                // It may have ended by itself.
                let _ended = kill_process(pid, Signal::KILL);
            }
        }
    }
}

fn end(mut child: Child) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(begun.elapsed() < crate::site::CEILING, "the runner does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn code(status: ExitStatus) -> i32 {
    status.code().expect("it exited")
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

fn pair(status: &str, reason: &str) -> (String, String) {
    (status.to_owned(), reason.to_owned())
}

#[test]
fn a_success_is_written_down_and_never_repeated() {
    let run = Run::of(
        "echo x >> starts; echo \"$WORKFLOW_RUN_ACCESSION $PROCESSING_ACCESSION $NIASSA_KEY\"\n\
         echo \"$NIASSA_ATTEMPT_DIR\"; pwd; cat; echo err >&2\n",
    );
    assert_eq!(run.run(), 0);
    let exit = run.json("exit.json");
    assert_eq!(exit["outcome"], json!({"status": "success", "exit_code": 0}));
    assert!(exit["started_at"].as_i64() <= exit["ended_at"].as_i64(), "{exit}");
    assert!(exit["peak_memory_bytes"].as_i64() > Some(100_000), "{exit}");
    let claim = run.json("claim");
    assert_eq!(claim["job"], "17");
    assert_eq!(claim["machine"], exit["machine"]);
    let lines = [
        format!("{} 9 {}", run.swid, run.key()),
        run.path(ATTEMPT).display().to_string(),
        run.path("work").display().to_string(),
    ];
    let stdout = run.text(&format!("{ATTEMPT}/stdout"));
    assert_eq!(stdout.lines().collect::<Vec<_>>(), lines);
    assert_eq!(run.text(&format!("{ATTEMPT}/stderr")), "err\n");
    assert!(run.attempt("alive").exists());
    assert_eq!(run.run(), 0, "it ends as its result says");
    assert_eq!(run.starts(), 1);
    let mut files: Vec<_> = fs::read_dir(run.path(ATTEMPT))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, ["alive", "claim", "exit.json", "job.json", "stderr", "stdout"]);
}

#[test]
fn every_failure_ends_with_one_and_has_its_reason() {
    for (command, reason, field, value) in [
        ("exit 7", "exit_code", "exit_code", 7),
        ("exit 99", "exit_code", "exit_code", 99),
        ("false | true; echo not reached", "exit_code", "exit_code", 1),
        ("echo $nothing_of_this_name", "exit_code", "exit_code", 1),
        ("kill -KILL $$", "signal", "signal", 9),
        ("kill -SEGV $$", "signal", "signal", 11),
    ] {
        let run = Run::of(command);
        assert_eq!(run.run(), 1, "{command}");
        assert_eq!(run.outcome(), pair("failed", reason), "{command}");
        assert_eq!(run.json("exit.json")["outcome"][field], value, "{command}");
        assert_eq!(run.run(), 1, "{command}");
    }
}

#[test]
fn what_cannot_be_started_says_so() {
    for missing in ["steps/0/0-one/command.sh", "work"] {
        let run = Run::of("true");
        fs::rename(run.path(missing), run.path("away")).unwrap();
        assert_eq!(run.run(), 1);
        assert_eq!(run.outcome(), pair("failed", "could_not_start"), "without {missing}");
        assert_eq!(run.json("exit.json")["started_at"], Value::Null);
        assert!(!run.path(missing).exists(), "it makes nothing");
    }
}

#[test]
fn a_step_is_ended_when_its_time_is_over() {
    let seconds = json!({"resources": {"threads": 1, "seconds": 1}});
    let run = Run::with("echo $$ > pid; sleep 600", &seconds);
    assert_eq!(run.run(), 1);
    assert_eq!(run.outcome(), pair("failed", "time_limit"));
    assert_eq!(run.json("exit.json")["outcome"]["signal"], 15);
    run.wait_until_gone("work/pid");
}

#[test]
fn a_step_that_does_not_listen_is_killed_after_a_grace() {
    let run = Run::of("trap '' TERM; echo begun; while true; do sleep 600 || true; done");
    let runner = run.start_and_see_it_begin();
    send(&runner, Signal::TERM);
    assert_eq!(code(end(runner)), 1);
    assert_eq!(run.json("terminated.json")["signal"], 15);
}

#[test]
fn a_mark_ends_the_step_with_all_it_started() {
    for (mark, expected) in
        [("stop", pair("cancelled", "cancelled_by")), ("fence", pair("lost", "lost"))]
    {
        let command = "setsid bash -c 'echo $$ > stray; exec sleep 600' & sleep 600 & \
            echo $! > child; while [ ! -s stray ]; do sleep 0.01; done; echo begun; wait";
        let run = Run::of(command);
        let runner = run.start_and_see_it_begin();
        fs::write(run.attempt(mark), "").unwrap();
        assert_eq!(code(end(runner)), 1);
        assert_eq!(run.outcome(), expected);
        run.wait_until_gone("work/child");
        run.wait_until_gone("work/stray");
        assert!(!run.attempt("terminated.json").exists());
    }
}

#[test]
fn a_mark_that_is_there_before_keeps_the_command_from_starting() {
    for (mark, expected) in
        [("stop", pair("cancelled", "cancelled_by")), ("fence", pair("lost", "lost"))]
    {
        let run = Run::of("echo x >> starts");
        fs::write(run.attempt(mark), "").unwrap();
        assert_eq!(run.run(), 1);
        assert_eq!(run.outcome(), expected);
        assert_eq!(run.starts(), 0);
    }
}

#[test]
fn a_scheduler_that_asks_for_the_end_is_left_to_say_why() {
    for (signal, number) in [
        (Signal::TERM, 15),
        (Signal::INT, 2),
        (Signal::USR1, 10),
        (Signal::USR2, 12),
        (Signal::XCPU, 24),
    ] {
        let run = Run::of("echo $$ > pid; echo begun; sleep 600");
        let runner = run.start_and_see_it_begin();
        send(&runner, signal);
        assert_eq!(code(end(runner)), 1);
        assert_eq!(run.json("terminated.json")["signal"], number);
        assert!(!run.attempt("exit.json").exists());
        run.wait_until_gone("work/pid");
        assert!(run.log().contains("job 17: the scheduler asked"), "{}", run.log());
    }
}

#[test]
fn a_scheduler_that_signals_everything_is_left_to_say_why() {
    for _ in 0..3 {
        let run = Run::of("echo $$ > pid; echo begun; sleep 600");
        let runner = run.start_and_see_it_begin();
        let group = run.text("work/pid").trim().parse().ok().and_then(Pid::from_raw).unwrap();
        // The command is signalled before its runner is, and has ended when that looks again.
        send(&runner, Signal::STOP);
        rustix::process::kill_process_group(group, Signal::TERM).unwrap();
        run.wait_until_gone("work/pid");
        send(&runner, Signal::TERM);
        send(&runner, Signal::CONT);
        assert_eq!(code(end(runner)), 1);
        assert_eq!(run.json("terminated.json")["signal"], 15);
        assert_eq!(run.json("exit.json"), Value::Null);
    }
}

#[test]
fn a_scheduler_that_was_told_to_cancel_is_not_asked() {
    let run = Run::of("echo begun; sleep 600");
    let runner = run.start_and_see_it_begin();
    send(&runner, Signal::STOP);
    fs::write(run.attempt("stop"), "").unwrap();
    send(&runner, Signal::TERM);
    send(&runner, Signal::CONT);
    assert_eq!(code(end(runner)), 1);
    assert_eq!(run.outcome(), pair("cancelled", "cancelled_by"));
    assert!(!run.attempt("terminated.json").exists());
}

#[test]
fn of_many_jobs_one_starts_the_command() {
    let run = Run::of("echo $NIASSA_KEY >> starts");
    let start = |job: usize| {
        let mut command = run.command();
        command.arg(run.path(ATTEMPT)).env("SLURM_JOB_ID", job.to_string());
        command.spawn().unwrap()
    };
    // A runner that comes when all is over ends as the result says: the step must outlast them.
    fs::write(
        run.path("steps/0/0-one/command.sh"),
        "echo $NIASSA_KEY >> starts; while [ ! -e ../go ]; do sleep 0.02; done",
    )
    .unwrap();
    let mut runners: Vec<Child> = (1..=20).map(start).collect();
    wait_for("nineteen gave up", || run.log().lines().count() == 19);
    fs::write(run.path("go"), "").unwrap();
    let codes: Vec<i32> = runners.drain(..).map(|runner| code(end(runner))).collect();
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == 1).count(), 19, "{codes:?}");
    assert_eq!(run.starts(), 1);
    let winner = run.json("claim")["job"].as_str().unwrap().to_owned();
    let words = format!("duplicate: job {winner} on ");
    assert!(run.log().lines().all(|line| line.contains(&words)), "{}", run.log());
}

#[test]
fn an_attempt_that_was_closed_never_starts() {
    let run = Run::of("echo x >> starts");
    let closed = json!({"by": "launcher", "machine": "head", "pid": 1, "at": 1});
    fs::write(run.attempt("claim"), closed.to_string()).unwrap();
    assert_eq!(run.run(), 1);
    assert!(run.log().contains("the attempt was closed"), "{}", run.log());
    assert_eq!((run.starts(), run.json("exit.json")), (0, Value::Null));
}

#[test]
fn a_parent_without_success_keeps_the_attempt_unclaimed() {
    let words = json!({"parents": [LISTED]});
    let result = |status: &str| {
        json!({"outcome": {"status": status}, "ended_at": 1, "machine": "n"}).to_string()
    };
    for (parent, said) in [
        (None, "has no result"),
        (Some("garbage".to_owned()), "has no result"),
        (Some(result("failed")), "came to failed"),
    ] {
        let run = Run::with("echo x >> starts", &words);
        run.step(LISTED, "true", &json!({}));
        if let Some(parent) = parent {
            fs::write(run.path(LISTED).join("exit.json"), parent).unwrap();
        }
        assert_eq!(run.run(), 1);
        assert!(run.log().contains(said), "{}", run.log());
        assert!(!run.attempt("claim").exists());
        assert_eq!(run.starts(), 0);
    }
}

#[test]
fn a_parent_that_is_seen_late_is_waited_for() {
    let mut words = json!({"parents": [LISTED]});
    words["waits"] = {
        let run = Run::of("true");
        let mut waits = run.json("job.json")["waits"].clone();
        waits["parents"] = json!({"secs": 25, "nanos": 0});
        waits
    };
    let run = Run::with("echo x >> starts", &words);
    run.step(LISTED, "true", &json!({}));
    let runner = run.start();
    wait_for("the runner waits", || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", runner.id())).unwrap_or_default();
        stat.contains(") S ")
    });
    assert!(!run.attempt("claim").exists());
    let result = json!({"outcome": {"status": "success"}, "ended_at": 1, "machine": "n"});
    fs::write(run.path(LISTED).join("exit.new"), result.to_string()).unwrap();
    fs::rename(run.path(LISTED).join("exit.new"), run.path(LISTED).join("exit.json")).unwrap();
    assert_eq!(code(end(runner)), 0);
    assert_eq!(run.starts(), 1);
}

#[test]
fn an_element_of_an_array_finds_its_line() {
    let slurm = [("SLURM_ARRAY_JOB_ID", "40"), ("SLURM_ARRAY_TASK_ID", "2")];
    let sge = [("SLURM_JOB_ID", ""), ("JOB_ID", "40"), ("SGE_TASK_ID", "2")];
    for (variables, job) in [(&slurm[..], "40_2"), (&sge[..], "40.2")] {
        let run = Run::of("false");
        run.step(LISTED, "echo x >> starts", &json!({}));
        fs::create_dir(run.path("lists")).unwrap();
        fs::write(run.path("lists/1"), format!("{ATTEMPT}\n{LISTED}\n")).unwrap();
        let start = |variables: &[(&str, &str)]| {
            let mut command = run.command();
            command.arg("--list").arg(run.path("lists/1")).envs(variables.iter().copied());
            code(end(command.spawn().unwrap()))
        };
        assert_eq!(start(variables), 0);
        let claim = run.text(&format!("{LISTED}/claim"));
        assert!(claim.contains(&format!("\"job\":\"{job}\"")), "{claim}");
        assert!(!run.attempt("claim").exists());
        assert_eq!(start(&[]), 1, "no element");
        assert_eq!(start(&[("SLURM_ARRAY_TASK_ID", "3")]), 1, "no such line");
    }
}

#[test]
fn killed_anywhere_the_command_starts_at_most_once() {
    for (point, starts, second) in [
        ("runner.begun", 1..=1, 0),
        ("runner.before-claim", 1..=1, 0),
        ("runner.claimed", 0..=0, 1),
        ("runner.started", 0..=1, 1),
        ("runner.ended", 1..=1, 1),
        ("runner.before-exit", 1..=1, 1),
        ("runner.after-exit", 1..=1, 0),
    ] {
        let run = Run::of("echo x >> starts");
        let mut command = run.command();
        command.arg(run.path(ATTEMPT)).env("NIASSA_FAILPOINT", format!("{point}=kill"));
        let status = end(command.spawn().unwrap());
        assert_eq!(status.signal(), Some(9), "{point} was reached");
        assert_eq!(run.run(), second, "{point}");
        assert!(starts.contains(&run.starts()), "{point}: {}", run.starts());
    }
}

#[test]
fn a_runner_that_stood_still_goes_on_with_its_claim() {
    let run = Run::of("echo x >> starts");
    let mut command = run.command();
    command.arg(run.path(ATTEMPT)).env("NIASSA_FAILPOINT", "runner.claimed=stall");
    let first = command.spawn().unwrap();
    wait_for("it stands still", || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", first.id())).unwrap_or_default();
        stat.contains(") T ")
    });
    assert_eq!(run.run(), 1, "a duplicate");
    assert_eq!(run.starts(), 0);
    send(&first, Signal::CONT);
    assert_eq!(code(end(first)), 0);
    assert_eq!(run.starts(), 1);
}

#[test]
fn a_runner_that_is_killed_takes_the_shell_along() {
    let run = Run::of("echo $$ > pid; echo begun; while true; do sleep 0.05; done");
    let mut runner = run.start_and_see_it_begin();
    runner.kill().unwrap();
    runner.wait().unwrap();
    run.wait_until_gone("work/pid");
    assert_eq!(run.run(), 1);
    assert_eq!(run.json("exit.json"), Value::Null);
}

fn outputs(run: &Run, paths: &[&str]) {
    let outputs: Vec<_> =
        paths.iter().map(|path| json!({"path": path, "meta_type": "text/plain"})).collect();
    let file = json!({"folder": run.path("out"), "outputs": outputs});
    fs::write(run.path("steps/0/0-one/provision.json"), file.to_string()).unwrap();
}

#[test]
fn outputs_are_kept_once_the_command_has_succeeded() {
    let words = json!({"provisioning": "outputs"});
    let run = Run::with("echo made > a.txt", &words);
    outputs(&run, &["a.txt"]);
    assert_eq!(run.run(), 0);
    assert_eq!(run.text("out/a.txt"), "made\n");
    assert_eq!(run.json("outputs.json")[0]["size"], 5);

    let run = Run::with("true", &words);
    outputs(&run, &["a.txt"]);
    assert_eq!(run.run(), 1);
    assert_eq!(run.outcome(), pair("failed", "provision_out"));
    assert_eq!(run.json("exit.json")["outcome"]["exit_code"], 0);
    assert!(run.text(&format!("{ATTEMPT}/stderr")).contains("made no "));

    let run = Run::with("echo made > a.txt; exit 3", &words);
    outputs(&run, &["a.txt"]);
    assert_eq!(run.run(), 1);
    assert_eq!(run.outcome(), pair("failed", "exit_code"));
    assert!(!run.path("out").exists());
}

#[test]
fn a_stop_reaches_the_keeping_of_outputs() {
    // Nothing but holes, and more of them than can be checksummed within the ceiling.
    let run = Run::with("truncate -s 200G a.txt; echo begun", &json!({"provisioning": "outputs"}));
    outputs(&run, &["a.txt"]);
    let runner = run.start_and_see_it_begin();
    fs::write(run.attempt("stop"), "").unwrap();
    assert_eq!(code(end(runner)), 1);
    assert_eq!(run.outcome(), pair("cancelled", "cancelled_by"));
    assert!(!run.attempt("outputs.json").exists());
}

#[test]
fn a_hostile_environment_stays_behind() {
    let run = Run::of("env > seen; echo x >> starts");
    fs::write(run.path("evil.sh"), "echo evil >> starts; exit 0\n").unwrap();
    let mut command = run.command();
    command
        .arg(run.path(ATTEMPT))
        .env("BASH_ENV", run.path("evil.sh"))
        .env("SHELLOPTS", "noexec")
        .env("NIASSA_FAILPOINT", "no.such.point=kill")
        .envs([("SLURM_ARRAY_TASK_ID", "5"), ("SBATCH_X", "1"), ("SGE_ROOT", "/x")])
        .envs([("SW_REST_PASS", "secret"), ("SW_DB_PASS", "secret"), ("AWS_X", "secret")])
        .envs([("NIASSA_KEY", "another"), ("WORKFLOW_RUN_ACCESSION", "8")])
        .envs([("MINE", "kept"), ("LD_PRELOAD", "")]);
    assert_eq!(code(end(command.spawn().unwrap())), 0);
    let seen = run.text("work/seen");
    for word in ["SLURM", "SBATCH", "SGE_", "secret", "BASH_ENV", "another", "_FAILPOINT"] {
        assert!(!seen.contains(word), "{word} in {seen}");
    }
    assert!(
        seen.contains("MINE=kept\n")
            && seen.contains(&format!("WORKFLOW_RUN_ACCESSION={}\n", run.swid)),
        "{seen}"
    );
    assert_eq!(run.text("work/starts"), "x\n");
}

#[test]
fn what_a_successful_step_leaves_in_its_group_is_ended() {
    let run = Run::of("sleep 600 & echo $! > child");
    assert_eq!(run.run(), 0);
    run.wait_until_gone("work/child");
}

#[test]
fn garbage_starts_nothing_and_makes_nothing() {
    for (file, text) in [("job.json", "{"), ("job.json", "{}"), ("exit.json", "["), ("claim", "x")]
    {
        let run = Run::of("echo x >> starts");
        fs::write(run.attempt(file), text).unwrap();
        assert_eq!(run.run(), 1, "{file} {text}");
        assert_eq!(run.starts(), 0, "{file} {text}");
        assert!(run.log().contains("of the attempt"), "{file}: {}", run.log());
    }
    let run = Run::of("echo x >> starts");
    let mut nowhere = run.command();
    assert_eq!(code(end(nowhere.arg(run.path("steps/0/5-no/attempt-1")).spawn().unwrap())), 1);
    assert!(!run.path("steps/0/5-no").exists());
    let mut no_job = run.command();
    no_job.arg(run.path(ATTEMPT)).env_remove("SLURM_JOB_ID");
    assert_eq!(code(end(no_job.spawn().unwrap())), 1);
    assert!(!Path::new(&run.attempt("claim")).exists());
}
