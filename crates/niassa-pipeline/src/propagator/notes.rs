//! What people should know of a run on a cluster, in one line.

use niassa_model::place::EngineKind;
use niassa_model::run::cluster::ClusterDecision;
use niassa_model::run::sighting::Remark;
use niassa_model::step::StepReason;
use niassa_model::time::Timestamp;

use crate::reconcile::cluster::RunLook;

/// Remarks that are told; more of a wide run would say nothing new.
const REMARKS: usize = 3;

/// Says what a look remarked; empty where all goes its way.
pub(super) fn of_remarks(look: &RunLook, decision: &ClusterDecision) -> String {
    let mut lines: Vec<String> = Vec::new();
    for (step, remark) in &decision.remarks {
        let label = look.run.plan.steps[step.as_usize()].label();
        if let Some(words) = words(remark) {
            lines.push(format!("step {label}: {words}"));
        }
    }
    let more = lines.len().saturating_sub(REMARKS);
    lines.truncate(REMARKS);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines.join("; ")
}

/// Says since when a scheduler does not answer.
pub(super) fn of_silence(engine: EngineKind, since: Timestamp) -> String {
    format!("{engine} has not answered since {since}; what is known of the run is as it was then")
}

fn words(remark: &Remark) -> Option<String> {
    Some(match remark {
        Remark::HeldBySomebody(job) => format!("its job {job} is held at the scheduler, not by us"),
        Remark::Suspended(job) => format!("its job {job} is suspended"),
        Remark::Requeued(job) => format!("its job {job} was put back into the queue by force"),
        Remark::Silent(StepReason::NodeFailure) => {
            "its node failed; it counts as lost once it has long been silent".to_owned()
        }
        Remark::Silent(_) => {
            "its job is gone without a word; it counts as lost once it has long been silent"
                .to_owned()
        }
        Remark::HandedOverAgain(why) => format!("it is handed over again: {why}"),
        Remark::Waits(words) if words.contains("Dependency") || words.contains("None") => {
            return None;
        }
        Remark::Waits(words) => match what_helps(words) {
            Some(hint) => format!("its job waits: {words}: {hint}"),
            None => format!("its job waits: {words}"),
        },
    })
}

/// What helps a job that waits for something that does not come by itself. The words are Slurm's own reasons, as
/// listed in `squeue(1)`.
fn what_helps(words: &str) -> Option<&'static str> {
    const HINTS: [(&str, &str); 7] = [
        (
            "BadConstraints",
            "no node can give what the step asks for; cancel the run and let the step ask for less",
        ),
        (
            "PartitionTimeLimit",
            "the step asks for more time than the partition gives; cancel the run, or name another by --queue",
        ),
        (
            "PartitionNodeLimit",
            "the step asks for more than the partition gives; cancel the run, or name another by --queue",
        ),
        (
            "PartitionDown",
            "its partition takes no jobs now; ask the site, or cancel the run and name another by --queue",
        ),
        (
            "PartitionInactive",
            "its partition takes no jobs now; ask the site, or cancel the run and name another by --queue",
        ),
        ("Limit", "a limit of its account or QOS is reached; it goes on when other jobs end"),
        ("ReqNodeNotAvail", "a node that it needs is not available; ask the site"),
    ];
    HINTS.iter().find(|(reason, _)| words.contains(reason)).map(|(_, hint)| *hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_come_by_itself_has_a_hint() {
        for (words, hint) in [
            ("PENDING BadConstraints", Some("let the step ask for less")),
            ("PENDING QOSMaxCpuPerUserLimit", Some("when other jobs end")),
            ("PENDING PartitionTimeLimit", Some("more time than the partition gives")),
            ("PENDING Resources", None),
            ("PENDING Priority", None),
        ] {
            let told = what_helps(words);
            assert_eq!(told.is_some(), hint.is_some(), "{words}");
            assert!(hint.is_none_or(|hint| told.unwrap_or_default().contains(hint)), "{words}");
        }
    }
}
