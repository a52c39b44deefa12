//! What the MetaDB says of all runs, as metrics.

use niassa_metadb::gauges::Gauges;
use niassa_model::run::RunStatus;

use super::text::{Kind, family, seconds};

/// Writes the numbers; `ended` are the runs that ended, by status.
pub(crate) fn write(gauges: &Gauges, ended: &[(RunStatus, i64)], text: &mut String) {
    let help = "Runs, by status: active ones as of now, those that ended as counted within the \
        last minute.";
    let mut runs = family(text, "niassa_runs", Kind::Gauge, help);
    for status in RunStatus::ALL {
        let counted = gauges.active.iter().chain(ended).find(|(of, _)| *of == status);
        runs.sample(&[("status", status.as_str())], counted.map_or(0, |(_, runs)| *runs));
    }
    let help = "Host labels for which runs wait for a launcher.";
    family(text, "niassa_waiting_hosts", Kind::Gauge, help).sample(&[], gauges.labels);
    let help = "How long the run has waited that waits the longest.";
    let first = gauges.waiting.iter().map(|waiting| gauges.now.micros_since(waiting.since)).max();
    family(text, "niassa_queue_age_seconds", Kind::Gauge, help)
        .sample(&[], seconds(first.unwrap_or(0)));
    let help = "Runs that wait for a launcher, by host label; of the 100 that wait the longest.";
    let mut waiting = family(text, "niassa_waiting_runs", Kind::Gauge, help);
    for host in &gauges.waiting {
        waiting.sample(&[("host", &host.host)], host.runs);
    }
    let help = "How long the first of them has waited.";
    let mut ages = family(text, "niassa_waiting_seconds", Kind::Gauge, help);
    for host in &gauges.waiting {
        ages.sample(&[("host", &host.host)], seconds(gauges.now.micros_since(host.since)));
    }
    if let Some(at) = gauges.last_backup {
        let help = "When the last backup of the MetaDB was made.";
        family(text, "niassa_last_backup_timestamp_seconds", Kind::Gauge, help)
            .sample(&[], seconds(at.as_micros()));
    }
}
