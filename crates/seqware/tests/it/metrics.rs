//! What `/metrics` says while runs wait, are claimed, and become known.

use crate::clusters::{chain, on_slurm};
use crate::http::ask;
use crate::site::{Site, wait_for};
use crate::slurm_server::SlurmServer;

/// Returns the value of a sample, named as it stands in the text.
#[track_caller]
fn value(site: &Site, sample: &str) -> f64 {
    let text = ask(site, "GET", "/metrics", &[], b"").body;
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    let line = line.unwrap_or_else(|| panic!("no {sample} in:\n{text}"));
    line.parse().unwrap()
}

/// Returns the value of a sample that counts something.
#[track_caller]
fn count(site: &Site, sample: &str) -> u64 {
    let value = value(site, sample);
    format!("{value}").parse().unwrap_or_else(|_| panic!("{sample} is {value}"))
}

#[test]
fn waiting_claims_and_ends_are_counted() {
    let site = Site::start();
    let bob = site.account("bob@lab.net");
    let workflow = bob.install(&site.bundle("two", &chain("Two", &["true", "true"])));
    assert_eq!(count(&site, "niassa_queue_age_seconds"), 0);
    bob.schedule(workflow, "here", &[]);
    bob.schedule(workflow, "nobody's", &[]);
    assert_eq!(count(&site, "niassa_waiting_hosts"), 2);
    assert_eq!(count(&site, "niassa_waiting_runs{host=\"nobody's\"}"), 1);
    assert!(value(&site, "niassa_waiting_seconds{host=\"here\"}") > 0.0);
    assert_eq!(count(&site, "niassa_claim_lag_seconds_count"), 0);
    bob.launch_and_finish("here");
    // Ended runs are counted seldom where counting takes long.
    wait_for("the run counts", || count(&site, "niassa_runs{status=\"completed\"}") == 1);
    assert_eq!(count(&site, "niassa_runs{status=\"submitted\"}"), 1);
    assert_eq!(count(&site, "niassa_claim_lag_seconds_count"), 1);
    assert!(value(&site, "niassa_claim_lag_seconds_sum") > 0.0);
    assert_eq!(count(&site, "niassa_propagation_lag_seconds_count"), 2, "two steps ended");
    assert_eq!(count(&site, "niassa_waiting_hosts"), 1);
}

#[test]
fn launchers_tell_how_often_they_ask_slurm() {
    let Some(slurm) = SlurmServer::shared() else { return };
    let site = Site::start();
    let bob = on_slurm(&site.account("bob@lab.net"), slurm);
    let workflow = bob.install(&site.bundle("one", &chain("One", &["true"])));
    let run = bob.schedule(workflow, "here", &[]);
    bob.seqware(&["workflow-run", "launch-scheduled", "--host", "here"]).ok();
    let launched = value(&site, "niassa_scheduler_calls_total{engine=\"slurm\"}");
    assert!(launched >= 2.0, "{launched}: at least a look and a submission");
    bob.propagate_until(run, "completed");
    assert!(value(&site, "niassa_scheduler_calls_total{engine=\"slurm\"}") > launched);
}
