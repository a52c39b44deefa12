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
        Remark::Waits(words) => format!("its job waits: {words}"),
    })
}
