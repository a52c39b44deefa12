//! `seqware check` against a real service, on this machine and from a node of a real cluster.

use std::sync::PoisonError;

use serde_json::Value;

use crate::clusters::on_slurm;
use crate::sge_adapter::QMASTER;
use crate::sge_runs::on_sge;
use crate::sge_server::SgeServer;
use crate::site::{Ran, Site, User, wait_for};
use crate::slurm_server::SlurmServer;

/// Returns what a check came to.
#[track_caller]
fn verdict(ran: &Ran, part: &str, check: &str) -> String {
    let found = ran.json();
    let is_it = |found: &&Value| {
        found["check"] == check && found["part"].as_str().is_some_and(|p| p.starts_with(part))
    };
    let found = found.as_array().unwrap().iter().find(is_it).cloned();
    let found = found.unwrap_or_else(|| panic!("no check `{check}` of `{part}` in {}", ran.stdout));
    found["verdict"].as_str().unwrap().to_owned()
}

fn token(user: &User, scope: &str, expires: &str) -> String {
    let made = user.seqware(&["token", "create", "--scope", scope, "--expires", expires, "--json"]);
    made.ok().json()["secret"].as_str().unwrap().to_owned()
}

#[test]
fn a_check_finds_faults_and_names_their_fix() {
    let mut site = Site::start();
    let bob = site.account("bob@lab.net");
    let good = bob.seqware(&["check", "--json"]).ok();
    let checks = good.json().as_array().unwrap().len();
    assert!(checks >= 25, "{checks} checks in {}", good.stdout);
    assert_eq!(verdict(&good, "Web Service", "backup"), "not_known");
    let origins = bob.seqware(&["check", "--settings"]).ok().stdout;
    assert!(origins.contains("(secret)") && !origins.contains("password-of"), "{origins}");
    assert!(origins.contains("default"), "{origins}");
    let shown = bob.seqware(&["check"]).ok().stdout;
    assert!(shown.contains("* * * * * ") && shown.contains("launch-scheduled"), "{shown}");
    assert!(shown.contains("\nWork directory\n") && shown.contains(" good"), "{shown}");
    site.kill_service();
    let bad = bob.seqware(&["check"]).fails(9);
    assert!(bad.stdout.contains("fix: ") && bad.stdout.contains("1 to mend"), "{}", bad.stdout);
    let engine = bob.seqware_with(&[("SW_DEFAULT_WORKFLOW_ENGINE", "oozie")], &["check"]).fails(9);
    assert!(engine.stdout.contains("SW_DEFAULT_WORKFLOW_ENGINE=local"), "{}", engine.stdout);
}

#[test]
fn a_check_sees_what_waits_what_is_held_and_what_ends_soon() {
    let site = Site::start();
    let bob = site.account("bob@lab.net").with([("SW_HOST", "here")]);
    let workflow = bob.install(&site.bundle("one", &crate::clusters::chain("One", &["true"])));
    let check = |user: &User, code| user.seqware(&["check", "--json"]).fails(code);
    assert_eq!(verdict(&check(&bob, 0), "Launching", "launches"), "good");
    bob.schedule(workflow, "here", &[]);
    assert_eq!(verdict(&check(&bob, 9), "Launching", "launches"), "bad");
    bob.launch_and_finish("here");
    site.admin().seqware(&["host", "hold", "--host", "here", "--reason", "new disks"]).ok();
    assert_eq!(verdict(&check(&bob, 0), "Launching", "hold"), "doubtful");
    for (expires, expected) in [("30d", "good"), ("1d", "doubtful")] {
        let secret = token(&bob, "read", expires);
        let reader = site.token_user(&format!("reader-{expires}"), &secret);
        assert_eq!(verdict(&check(&reader, 0), "Web Service", "token"), expected);
    }
    let admin = check(&site.admin(), 0);
    let backup = verdict(&admin, "Web Service", "backup");
    assert!(["not_known", "doubtful"].contains(&backup.as_str()), "{backup}");
}

/// Tells whether a test on a node left anything in the work directory.
fn is_clean(site: &Site) -> bool {
    let left = std::fs::read_dir(site.work_dir().join(".seqware")).into_iter().flatten().flatten();
    left.into_iter().all(|entry| !entry.file_name().to_string_lossy().starts_with("check-"))
}

#[test]
fn the_local_engine_is_tried_where_its_steps_run() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let ran = bob.seqware(&["check", "--from-node", "--json"]).ok();
    for check in ["step runner", "same directory", "same user", "node version", "node clock"] {
        assert_eq!(verdict(&ran, "From a node", check), "good", "{check}");
    }
    for check in ["hard links", "sync", "file locks", "bash"] {
        assert_eq!(verdict(&ran, "On the node", check), "good", "{check}");
    }
    assert!(is_clean(&site));
}

#[test]
fn a_node_of_slurm_is_looked_at_by_a_job_that_was_held() {
    let Some(slurm) = SlurmServer::shared() else { return };
    let site = Site::start();
    let bob = on_slurm(&site.account("bob@lab.net"), slurm);
    let ran = bob.seqware(&["check", "--from-node", "--json"]).ok();
    assert_eq!(verdict(&ran, "Settings", "scheduler"), "good");
    for check in ["holds", "step runner", "same directory", "same user"] {
        assert_eq!(verdict(&ran, "From a node", check), "good", "{check} in {}", ran.stdout);
    }
    assert_eq!(verdict(&ran, "On the node", "hard links"), "good");
    assert!(is_clean(&site));
    let nowhere = bob.with([("SW_STEP_RUNNER", "/nowhere/seqware")]);
    let ran = nowhere.seqware(&["check", "--from-node", "--json"]).fails(9);
    assert_eq!(verdict(&ran, "From a node", "step runner"), "bad", "{}", ran.stdout);
    let queue = bob.with([("SW_SLURM_PARTITION", "nowhere")]);
    let ran = queue.seqware(&["check", "--from-node", "--json"]).fails(9);
    assert_eq!(verdict(&ran, "From a node", "step runner"), "bad", "{}", ran.stdout);
    wait_for("no job is left", || {
        !slurm.program("squeue", &["-h", "-o", "%j"]).contains(&format!("nia-{}-", i64::MAX))
    });
}

#[test]
fn a_node_of_grid_engine_is_looked_at_by_a_job_that_was_held() {
    let _qmaster_runs = QMASTER.read().unwrap_or_else(PoisonError::into_inner);
    let Some(sge) = SgeServer::shared() else { return };
    let site = Site::start();
    let bob = on_sge(&site.account("bob@lab.net"), sge);
    let ran = bob.seqware(&["check", "--from-node", "--json"]).ok();
    for check in ["holds", "step runner", "accounting", "same directory", "same user"] {
        assert_eq!(verdict(&ran, "From a node", check), "good", "{check} in {}", ran.stdout);
    }
    assert!(is_clean(&site));
}
