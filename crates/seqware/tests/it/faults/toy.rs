//! The other order: a launcher that submits and then records, as the original does, for comparison.
//!
//! It is a script of its own for tests, and does what is known of the original: the tick takes every
//! run that is `submitted`, hands it over, and only then notes its id and `pending`; a submission that
//! fails, or of which no id is told, fails the run; so does every answer about an id that is none, as
//! when the scheduler does not answer or has forgotten it. A job is known by its id alone.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::cell::{Cell, Manner, Victim};
use super::check::Findings;
use super::cluster::Cluster;
use super::scene::{is_stopped, patiently, put_in_front, signal_process, write_program};
use super::strike::wrong_submitter;
use crate::site::count_lines;

/// How long its ticks go on.
const CEILING: Duration = Duration::from_secs(40);

/// How long somebody is stalled, or away, while others go on.
const MEANWHILE: Duration = Duration::from_secs(4);

/// `toy launch` and `toy propagate`, in the folder of its runs.
const TOY: &str = r#"#!/bin/bash
at() {
    if [ "$STRIKE" = "$1=kill" ]; then kill -9 $$; fi
    if [ "$STRIKE" = "$1=stall" ]; then STRIKE=; kill -STOP $$; fi
}
for run in run-*; do
    status=$(<"$run/status")
    case $1/$status in
        launch/submitted)
            at launcher.to-submit
            sbatch --parsable --no-requeue --output=/dev/null --job-name="$run" "$run/job.sh" >"$run/told.$$"
            code=$?
            id=$(<"$run/told.$$")
            at launcher.submitting
            # An error of the update is swallowed.
            if [ "$STRIKE" = service=kill ]; then continue; fi
            if [ $code -ne 0 ] || [ -z "$id" ]; then
                echo failed >"$run/status"
                continue
            fi
            echo "$id" >"$run/id"
            if [ "$(<"$run/status")" = submitted ]; then echo pending >"$run/status"; fi
            ;;
        propagate/pending | propagate/running)
            state=$(squeue -h -t all -j "$(<"$run/id")" -o %T) || state=
            case $state in
                COMPLETED) echo completed >"$run/status" ;;
                PENDING | RUNNING | COMPLETING) echo running >"$run/status" ;;
                *) echo failed >"$run/status" ;;
            esac
            ;;
    esac
done
"#;

const RUNS: [&str; 2] = ["run-1", "run-2"];

/// The toy with its runs.
struct Toy {
    folder: tempfile::TempDir,
    cluster: Cluster,
}

/// Plays a cell with the toy; `None` where something is missing (noted as skipped).
pub fn play(cell: &Cell) -> Option<Findings> {
    let cluster = Cluster::of(cell)?;
    let toy = Toy { folder: tempfile::tempdir().unwrap(), cluster };
    toy.set_up();
    let is_struck = toy.strike(cell);
    fs::write(toy.path("gate"), "").unwrap();
    let mut findings = toy.until_quiet();
    if !is_struck {
        findings.wrong.push("it was not struck as meant".to_owned());
    }
    Some(findings)
}

impl Toy {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn set_up(&self) {
        write_program(&self.path("toy"), TOY);
        for run in RUNS {
            fs::create_dir(self.path(run)).unwrap();
            fs::write(self.path(run).join("status"), "submitted\n").unwrap();
            let job = format!(
                "#!/bin/bash\necho {run} >>'{starts}'\nuntil test -e '{gate}'; do sleep 0.05; done\n",
                starts = self.path("starts").display(),
                gate = self.path("gate").display(),
            );
            fs::write(self.path(run).join("job.sh"), job).unwrap();
        }
    }

    fn command(&self, word: &str) -> Command {
        let mut command = Command::new(self.path("toy"));
        command.arg(word).current_dir(self.folder.path()).envs(self.cluster.environment());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn tick(&self, word: &str) {
        self.command(word).status().unwrap();
    }

    fn start(&self, word: &str, strike: &str) -> Child {
        self.command(word).env("STRIKE", strike).spawn().unwrap()
    }

    fn ticks_for(&self, time: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < time {
            self.tick("launch");
            self.tick("propagate");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The same as is done to ours.
    fn strike(&self, cell: &Cell) -> bool {
        match (cell.victim, cell.manner) {
            (Victim::Launcher, Manner::Stall) => {
                let mut child = self.start("launch", &format!("{}=stall", cell.place));
                let is_struck = patiently(|| is_stopped(child.id()));
                self.ticks_for(MEANWHILE);
                signal_process(child.id().cast_signed(), rustix::process::Signal::CONT);
                child.wait().unwrap();
                is_struck
            }
            (Victim::Launcher, _) => {
                let struck = self.start("launch", &format!("{}=kill", cell.place)).wait().unwrap();
                struck.code().is_none()
            }
            (Victim::Launchers, _) => {
                let launchers: Vec<Child> = (0..6).map(|_| self.start("launch", "")).collect();
                launchers.into_iter().all(|mut launcher| launcher.wait().unwrap().success())
            }
            (Victim::Submission, _) => {
                let once = self.path("once");
                let text = wrong_submitter(cell, &self.cluster, &once);
                let (name, value) = put_in_front(self.folder.path(), "sbatch", &text);
                self.command("launch").env(name, value).status().unwrap();
                once.exists()
            }
            (Victim::Service, _) => self.start("launch", "service=kill").wait().unwrap().success(),
            (Victim::Controller, Manner::Away) => {
                let is_ready = cell.place == "launch" || self.runs_are_running();
                self.cluster.kill_controller();
                self.ticks_for(MEANWHILE);
                self.cluster.start_controller();
                is_ready
            }
            (Victim::Controller, _) => {
                self.tick("launch");
                self.cluster.kill_controller();
                self.cluster.start_controller();
                true
            }
            (Victim::Records, _) => {
                let is_ready = self.runs_are_running();
                fs::write(self.path("gate"), "").unwrap();
                let mark = self.folder.path().display().to_string();
                is_ready && patiently(|| !self.cluster.queue().contains(&mark))
            }
            _ => false,
        }
    }

    fn runs_are_running(&self) -> bool {
        self.tick("launch");
        patiently(|| count_lines(&self.path("starts")).len() == RUNS.len())
    }

    /// Tells whether something that was started in the toy's folder goes on.
    fn is_at_work(&self) -> bool {
        let folders = fs::read_dir("/proc").unwrap().flatten();
        let works_here = |entry: fs::DirEntry| {
            let folder = fs::read_link(entry.path().join("cwd"));
            folder.is_ok_and(|folder| folder.starts_with(self.folder.path()))
        };
        folders.into_iter().any(works_here)
    }

    fn status(&self, run: &str) -> String {
        fs::read_to_string(self.path(run).join("status")).unwrap().trim().to_owned()
    }

    fn jobs(&self) -> Vec<String> {
        let mark = self.folder.path().display().to_string();
        let live = ["PENDING", "RUNNING", "COMPLETING"];
        let queue = self.cluster.queue();
        let of_toy = queue.lines().filter(|line| line.contains(&mark));
        let is_live = |line: &&str| live.iter().any(|state| line.contains(state));
        of_toy.filter(is_live).map(str::to_owned).collect()
    }

    /// Lets its ticks go on, and looks what became of its runs.
    fn until_quiet(&self) -> Findings {
        let begun = Instant::now();
        let is_final = |run: &str| matches!(self.status(run).as_str(), "completed" | "failed");
        let is_quiet =
            || RUNS.iter().all(|run| is_final(run)) && self.jobs().is_empty() && !self.is_at_work();
        while begun.elapsed() < CEILING && !is_quiet() {
            self.ticks_for(Duration::from_millis(200));
        }
        let mut findings = Findings::default();
        let starts = count_lines(&self.path("starts"));
        for run in RUNS {
            let (status, count) = (self.status(run), starts.get(run).copied().unwrap_or(0));
            if count > 1 {
                findings.doubled.push(format!("{run} started {count} times"));
            }
            match status.as_str() {
                "completed" if count > 0 => {}
                "completed" => findings.lost.push(format!("{run} is completed and never started")),
                "failed" => findings.lost.push(format!("{run} is failed; started {count} times")),
                status => findings.stuck.push(format!("{run} is {status} for ever")),
            }
        }
        findings.stuck.extend(self.jobs());
        findings
    }
}
