//! Runs on a real Grid Engine, which is blind to how the jobs before ended: the files decide.

use std::fs;
use std::sync::PoisonError;

use crate::clusters::{chain, diamond, each_step_of_the_diamond_started_once, prefix};
use crate::sge_adapter::QMASTER;
use crate::sge_server::SgeServer;
use crate::site::{Site, User, count_lines, wait_for};

/// Somebody whose runs go to a Grid Engine.
pub fn on_sge(user: &User, sge: &SgeServer) -> User {
    let of_client = sge
        .environment()
        .into_iter()
        .filter(|(name, _)| name.to_string_lossy().starts_with("SGE_"));
    user.with(of_client).with([("SW_DEFAULT_WORKFLOW_ENGINE", "sge")])
}

#[test]
fn a_run_completes_on_grid_engine() {
    let _qmaster_runs = QMASTER.read().unwrap_or_else(PoisonError::into_inner);
    let Some(sge) = SgeServer::shared() else { return };
    let site = Site::start();
    let bob = on_sge(&site.account("bob@lab.net"), sge);
    let workflow = bob.install(&site.bundle("diamond", &diamond(&site)));
    let run = bob.schedule(workflow, "here", &[]);
    let launched = bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
    assert_eq!(launched.stderr, "");
    bob.propagate_until(run, "completed");
    each_step_of_the_diamond_started_once(&site);
}

#[test]
fn what_stands_behind_a_failed_step_never_starts_on_grid_engine() {
    let _qmaster_runs = QMASTER.read().unwrap_or_else(PoisonError::into_inner);
    let Some(sge) = SgeServer::shared() else { return };
    let site = Site::start();
    let bob = on_sge(&site.account("bob@lab.net"), sge);
    let (starts, cure) = (site.path("starts"), site.path("cure"));
    let commands = [
        format!("echo first >> '{}'; test -e '{}'", starts.display(), cure.display()),
        format!("echo second >> '{}'", starts.display()),
    ];
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    let workflow = bob.install(&site.bundle("fragile", &chain("Fragile", &commands)));
    let run = bob.schedule(workflow, "here", &[]);
    bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
    bob.propagate_until(run, "failed");
    assert_eq!(count_lines(&starts).get("second"), None);
    fs::write(&cure, "").unwrap();
    bob.seqware(&["workflow-run", "retry", "--accession", &run.to_string()]).ok();
    bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
    bob.propagate_until(run, "completed");
    let starts = count_lines(&starts);
    assert_eq!((starts["first"], starts["second"]), (2, 1));
}

#[test]
fn a_cancel_on_grid_engine_stops_what_runs_and_closes_what_waits() {
    let _qmaster_runs = QMASTER.read().unwrap_or_else(PoisonError::into_inner);
    let Some(sge) = SgeServer::shared() else { return };
    let site = Site::start();
    let bob = on_sge(&site.account("bob@lab.net"), sge);
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
    bob.seqware(&["workflow-run", "cancel", "--accession", &run.to_string()]).ok();
    bob.propagate_until(run, "cancelled");
    assert!(!behind.exists());
    let prefix = prefix(&bob, run);
    wait_for("no job of the run is left", || !sge.tell("qstat", &["-xml", "-r"]).contains(&prefix));
}

#[test]
fn a_wide_step_goes_to_grid_engine_as_an_array() {
    let _qmaster_runs = QMASTER.read().unwrap_or_else(PoisonError::into_inner);
    let Some(sge) = SgeServer::shared() else { return };
    let site = Site::start();
    let bob = on_sge(&site.account("bob@lab.net"), sge);
    let starts = site.path("starts");
    let text = format!(
        "niassa: 1\nname: Wide\nversion: \"1\"\ndescription: Elements\nparameters:\n  \
         xs: {{type: list, items: {{name: string}}}}\nsteps:\n  \
         - name: each\n    foreach: {{x: xs}}\n    command: echo \"$x_name\" >> '{starts}'\n  \
         - name: gather\n    needs: [each]\n    command: echo gather >> '{starts}'\n",
        starts = starts.display()
    );
    let workflow = bob.install(&site.bundle("wide", &text));
    let names: Vec<String> = (0..6).map(|n| format!("{{\"name\": \"e{n}\"}}")).collect();
    let run = bob.schedule(workflow, "here", &[&format!("xs=[{}]", names.join(", "))]);
    bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
    bob.propagate_until(run, "completed");
    let lines = fs::read_to_string(&starts).unwrap();
    assert_eq!(lines.lines().count(), 7);
    assert_eq!(lines.lines().last(), Some("gather"));
}
