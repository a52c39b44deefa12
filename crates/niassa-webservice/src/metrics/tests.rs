//! What is counted, and the text it is written in.

use niassa_metadb::gauges::{Gauges, Waiting};
use niassa_model::run::RunStatus;
use niassa_model::time::Timestamp;

use super::*;

fn of(gauges: &Gauges) -> String {
    let mut text = String::new();
    gauges::write(gauges, &[(RunStatus::Completed, 3)], &mut text);
    text
}

#[test]
fn labels_are_escaped_and_ages_counted_in_seconds() {
    let gauges = Gauges {
        active: vec![(RunStatus::Running, 2)],
        waiting: vec![Waiting {
            host: "a \"b\" \\c".to_owned(),
            runs: 2,
            since: Timestamp::from_micros(1_000_000),
        }],
        labels: 1,
        last_backup: Some(Timestamp::from_micros(2_000_000)),
        now: Timestamp::from_micros(8_500_000),
    };
    let text = of(&gauges);
    for line in [
        "niassa_runs{status=\"running\"} 2",
        "niassa_runs{status=\"completed\"} 3",
        "niassa_runs{status=\"submitted_cancel\"} 0",
        "niassa_waiting_runs{host=\"a \\\"b\\\" \\\\c\"} 2",
        "niassa_waiting_seconds{host=\"a \\\"b\\\" \\\\c\"} 7.5",
        "niassa_queue_age_seconds 7.5",
        "niassa_waiting_hosts 1",
        "niassa_last_backup_timestamp_seconds 2",
    ] {
        assert!(text.lines().any(|one| one == line), "no `{line}` in:\n{text}");
    }
    let nothing =
        Gauges { active: vec![], waiting: vec![], labels: 0, last_backup: None, ..gauges };
    assert!(of(&nothing).contains("niassa_queue_age_seconds 0\n"));
    assert!(!of(&nothing).contains("last_backup"));
}

#[test]
fn lags_and_calls_are_counted() {
    let metrics = Metrics::default();
    for micros in [-5, 50_000, 50_001, 7_200_000_000] {
        metrics.claim_lag.observe(micros);
    }
    let used = |engine, calls, errors| SchedulerUse { engine, calls, errors };
    metrics.scheduler_used(&[
        used(EngineKind::Slurm, 2, 1),
        used(EngineKind::Slurm, u64::MAX, 0),
        used(EngineKind::Local, 7, 7),
    ]);
    let mut text = String::new();
    metrics.write(&mut text);
    for line in [
        "# TYPE niassa_claim_lag_seconds histogram",
        "niassa_claim_lag_seconds_bucket{le=\"0.05\"} 2",
        "niassa_claim_lag_seconds_bucket{le=\"0.1\"} 3",
        "niassa_claim_lag_seconds_bucket{le=\"3600\"} 3",
        "niassa_claim_lag_seconds_bucket{le=\"+Inf\"} 4",
        "niassa_claim_lag_seconds_sum 7200.100001",
        "niassa_claim_lag_seconds_count 4",
        "niassa_propagation_lag_seconds_count 0",
        "niassa_scheduler_calls_total{engine=\"slurm\"} 1000002",
        "niassa_scheduler_errors_total{engine=\"slurm\"} 1",
        "niassa_scheduler_calls_total{engine=\"sge\"} 0",
    ] {
        assert!(text.lines().any(|one| one == line), "no `{line}` in:\n{text}");
    }
}

/// Each family is described once, before its samples, and every line is one of the three kinds.
#[test]
fn the_text_is_as_prometheus_reads_it() {
    let mut text = String::new();
    Metrics::default().write(&mut text);
    let mut family = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            assert!(rest.starts_with(&format!("{family} ")), "{line}");
        } else if let Some(rest) = line.strip_prefix("# HELP ") {
            rest.split(' ').next().unwrap().clone_into(&mut family);
        } else {
            assert!(line.starts_with(&family), "{line} is not of {family}");
            let (_, value) = line.rsplit_once(' ').unwrap();
            value.parse::<f64>().unwrap();
        }
    }
}
