//! What happens in a lab: Bob schedules on one host, `niassa-bob` launches on another, and what came
//! of it is looked at from both.

use std::path::Path;

use anyhow::{Context, Result};

use super::checks::{CEILING, Checks, MINUTE, wait_for};
use super::cron;
use super::host::Host;
use super::lab::DOMAIN;
use super::layout::Layout;
use super::site::{Actors, Cluster, Site};

/// The workflow: two steps that say who runs them, and leave a line per start.
const WORKFLOW: &str = r#"niassa: 1
name: WhoAmI
version: "1.0"
description: Says who runs it
parameters:
  greeting: {type: string, default: hello}
steps:
  - name: greet
    command: |
      echo x >> starts-of-greet
      echo "$greeting from $(id -un) on $(hostname --long)"
      id -un > user.txt
    outputs: [{path: user.txt, meta_type: text/plain}]
  - name: count
    needs: [greet]
    command: |
      echo x >> starts-of-count
      wc -c < user.txt > count.txt
"#;

/// Tells the story of a layout, with the document in `root`; returns how many checks passed.
pub(super) fn tell(root: &Path, layout: Layout, executable: &Path) -> Result<u32> {
    let site = Site::start(layout, root, executable)?;
    let mut story = Story { actors: site.actors(), site: &site, checks: Checks::default() };
    let told = site.set_up().and_then(|()| story.tell());
    if told.is_err() {
        println!("{}", site.logs());
    }
    told?;
    Ok(story.checks.passed())
}

/// A story while it is told.
struct Story<'a> {
    site: &'a Site,
    actors: Actors,
    checks: Checks,
}

impl Story<'_> {
    fn tell(&mut self) -> Result<()> {
        self.hosts_know_their_names()?;
        self.prepare()?;
        self.by_hand()?;
        self.tokens_launch_only()?;
        let run = self.schedule_another()?;
        self.strangers_launch_nothing(&run)?;
        self.by_cron(&run)
    }

    fn hosts_know_their_names(&mut self) -> Result<()> {
        for host in self.site.hosts() {
            let name = host.ok("root", "hostname --long")?;
            let wanted = format!("{}.{DOMAIN}", host.name());
            self.checks.is_equal(format!("`hostname --long` says {wanted}"), &name, &wanted)?;
        }
        if self.actors.speaks_tls {
            let distrusted = "SW_REST_CA=/etc/ssl/certs/ca-certificates.crt seqware workflow list";
            let ran = self.site.scheduling().run(self.actors.user, distrusted)?;
            ran.ends_with(6, distrusted)?;
            self.checks.holds("without the lab's authority nobody is trusted");
        }
        Ok(())
    }

    /// Installs the workflow as object 1 and makes studies until there is an object 99.
    fn prepare(&mut self) -> Result<()> {
        let (host, user) = (self.site.scheduling(), self.actors.user);
        host.write(&format!("/home/{user}/my-workflow/workflow.yaml"), WORKFLOW, user, "0644")?;
        host.write(&format!("/home/{user}/workflow.ini"), "greeting=good day\n", user, "0644")?;
        self.shown("install", host, user)?;
        let studies = "for n in $(seq 2 99); do \
            seqware create study --title \"study $n\" --description d || exit; done | tail -n 1";
        let last = host.ok(user, studies)?;
        self.checks.is_equal("object 99 is there", &last, "Created study with SWID: 99")
    }

    /// The commands of the document one after the other, as people type them.
    fn by_hand(&mut self) -> Result<()> {
        let (scheduling, user) = (self.site.scheduling(), self.actors.user);
        let (running, launcher) = (self.site.running(), self.actors.launcher);
        self.shown(self.actors.schedule, scheduling, user)?;
        self.shown("launch", running, launcher)?;
        wait_for("the run completes", CEILING, || {
            for (shown, ran) in self.site.block(running, launcher, "propagate")? {
                ran.ok(&shown.command)?;
            }
            let status = self.status("100")?;
            Ok(if status == "completed" { Ok(()) } else { Err(status) })
        })?;
        self.checks.holds("run 100, launched by hand, completed");
        self.shown("look", scheduling, user)
    }

    /// A launcher's token launches, and is good for nothing else.
    fn tokens_launch_only(&mut self) -> Result<()> {
        if !self.actors.speaks_tls {
            return Ok(());
        }
        let mut printed = String::new();
        for (shown, ran) in self.site.block(self.site.scheduling(), self.actors.user, "token")? {
            printed = ran.ok(&shown.command)?;
        }
        let setting = printed.trim_end();
        let (running, launcher) = (self.site.running(), self.actors.launcher);
        let launch = format!("{setting} seqware workflow-run launch-scheduled");
        let none = "Number of submitted workflows: 0\n";
        self.checks.is_equal("a token launches", &running.ok(launcher, &launch)?, none)?;
        let make = format!("{setting} seqware create study --title t --description d");
        running.run(launcher, &make)?.ends_with(4, &make)?;
        self.checks.holds("a launcher's token makes nothing");
        Ok(())
    }

    /// Schedules once more and returns the run's accession.
    fn schedule_another(&mut self) -> Result<String> {
        let (host, user) = (self.site.scheduling(), self.actors.user);
        let mut printed = String::new();
        for (shown, ran) in self.site.block(host, user, self.actors.schedule)? {
            printed = ran.ok(&shown.command)?;
        }
        let run = printed.trim_end().strip_prefix("Created workflow run with SWID: ");
        Ok(run
            .with_context(|| format!("not so: a run was scheduled; there is: {printed}"))?
            .to_owned())
    }

    /// Another account's launcher, and one for another label, find nothing of a run that waits.
    fn strangers_launch_nothing(&mut self, run: &str) -> Result<()> {
        let (running, launcher) = (self.site.running(), self.actors.launcher);
        let none = "Number of submitted workflows: 0\n";
        let launch = "seqware workflow-run launch-scheduled";
        let of_eve = running.ok("eve", launch)?;
        self.checks.is_equal(
            "a launcher with other credentials launches nothing",
            &of_eve,
            none,
        )?;
        let report = format!("seqware workflow-run report --accession {run}");
        running.run("eve", &report)?.ends_with(3, &report)?;
        self.checks.holds("other credentials see nothing of the run");
        let elsewhere = running.ok(launcher, &format!("{launch} --host server3.{DOMAIN}"))?;
        self.checks.is_equal("a launcher for another label launches nothing", &elsewhere, none)?;
        if self.site.hosts().len() > 1 {
            let here = self.site.scheduling().ok(self.actors.user, launch)?;
            let what = "the same account on the scheduling host launches nothing";
            self.checks.is_equal(what, &here, none)?;
        }
        let status = self.status(run)?;
        self.checks.is_equal("the run still waits", &status, "submitted")
    }

    /// Cron launches the run in one minute and tells its end in the next.
    fn by_cron(&mut self, run: &str) -> Result<()> {
        let (running, launcher) = (self.site.running(), self.actors.launcher);
        let document = self.site.document();
        let (script, crontab) = (document.text("status.cron")?, document.text("crontab")?);
        if self.actors.cluster != Cluster::None {
            cron::install(running, launcher, script, crontab)?;
        }
        let installed = running.ok(launcher, "crontab -l")?;
        let crontab = cron::of_user(crontab, launcher);
        self.checks.is_equal("the crontab is the documented one", &installed, &crontab)?;
        cron::start(running)?;
        let words = format!("Number of submitted workflows: 1\nWorking Run: {run}\n");
        wait_for("cron launches the run", MINUTE, || {
            let log = cron::log(running, launcher)?;
            Ok(if log.contains(&words) { Ok(()) } else { Err(log) })
        })?;
        self.checks.holds("cron launched the run");
        wait_for("cron tells the end of the run", MINUTE, || {
            let status = self.status(run)?;
            Ok(if status == "completed" { Ok(()) } else { Err(status) })
        })?;
        self.checks.holds("cron told that the run completed");
        let log = cron::log(running, launcher)?;
        self.log_rotates()?;
        let known = [
            "Number of submitted workflows: ",
            "Working Run: ",
            "Propagated workflow engine statuses",
        ];
        let only_known = log.lines().all(|line| known.iter().any(|words| line.starts_with(words)));
        self.checks.is_true(
            "the log holds what the commands print and nothing else",
            only_known,
            &log,
        )?;
        self.jobs_are_the_launchers(run)?;
        self.what_bob_sees(run)?;
        self.whose_files_they_are(run)
    }

    /// The log is moved away, and the next tick finds one to write to.
    fn log_rotates(&mut self) -> Result<()> {
        let launcher = self.actors.launcher;
        let there = cron::rotate_log(self.site.running(), launcher, self.site.rotation()?)?;
        let wanted = format!("status.log {launcher}\nstatus.log.1 {launcher}");
        self.checks.is_equal("the log is rotated", &there, &wanted)
    }

    /// The cluster knows the jobs as those of the OS user who launched.
    fn jobs_are_the_launchers(&mut self, run: &str) -> Result<()> {
        let (running, launcher) = (self.site.running(), self.actors.launcher);
        let list = match self.actors.cluster {
            Cluster::None => return Ok(()),
            Cluster::Slurm => "squeue --noheader --states=all --format='%u %j'",
            Cluster::GridEngine => {
                "qacct -j | awk '$1 == \"owner\" { who = $2 } $1 == \"jobname\" { print who, $2 }'"
            }
        };
        let jobs = running.root(&format!("{list} | grep nia-{run}-"))?;
        let all_his = jobs.lines().all(|line| line.starts_with(&format!("{launcher} ")));
        self.checks.is_true(format!("the jobs on the cluster are {launcher}'s"), all_his, &jobs)
    }

    /// The one who scheduled reads report and log on the host where that was done.
    fn what_bob_sees(&mut self, run: &str) -> Result<()> {
        let (scheduling, user) = (self.site.scheduling(), self.actors.user);
        let mut shown = self.site.document().commands("look")?;
        for one in &mut shown {
            one.command = one.command.replace("100", run);
        }
        let mut seen = String::new();
        for one in &shown {
            seen.push_str(&scheduling.ok(user, &one.command)?);
        }
        let host = format!("{}.{DOMAIN}", self.site.running().name());
        let said = format!("good day from {} on {host}", self.actors.launcher);
        let has_all = seen.contains("completed") && seen.contains(&said);
        self.checks.is_true(
            "report and log tail are read where the run was scheduled",
            has_all,
            &seen,
        )
    }

    /// Everything that came of the runs is the launcher's, and each step started once.
    fn whose_files_they_are(&mut self, run: &str) -> Result<()> {
        let (running, launcher) = (self.site.running(), self.actors.launcher);
        let runs = format!("/home/{launcher}/runs");
        let all = running.root(&format!("find {runs}/100-* {runs}/{run}-* | wc -l"))?;
        let number: u32 = all.trim().parse().context("count files")?;
        self.checks.is_true("the runs left files", number > 20, &all)?;
        let strange = running.root(&format!("find {runs} ! -user {launcher}"))?;
        self.checks.is_equal(
            format!("all {number} files of the runs are {launcher}'s"),
            &strange,
            "",
        )?;
        let starts = running.root(&format!("cat {runs}/{run}-*/work/starts-of-*"))?;
        self.checks.is_equal("each step started once", &starts, "x\nx")?;
        if self.site.hosts().len() > 1 {
            let user = self.actors.user;
            let here =
                self.site.scheduling().root(&format!("find /home/{user} -name '{run}-*'"))?;
            self.checks.is_equal("nothing of the run is on the scheduling host", &here, "")?;
        }
        Ok(())
    }

    fn status(&self, run: &str) -> Result<String> {
        let line = format!("seqware workflow-run report --accession {run} --json");
        let report = self.site.scheduling().ok(self.actors.user, &line)?;
        let report: serde_json::Value = serde_json::from_str(&report).context("read a report")?;
        let row = report.get(0).unwrap_or(&report);
        Ok(row["workflow_run_status"].as_str().unwrap_or("none").to_owned())
    }

    /// Runs a block of the document, and compares what it prints with what stands there.
    fn shown(&mut self, block: &str, host: &Host, person: &str) -> Result<()> {
        for (shown, ran) in self.site.block(host, person, block)? {
            let printed = ran.ok(&shown.command)?;
            let what = format!("{person}@{}: {}", host.name(), shown.command);
            if shown.output.is_empty() {
                self.checks.holds(what);
            } else {
                self.checks.is_equal(what, &printed, &shown.output)?;
            }
        }
        Ok(())
    }
}
