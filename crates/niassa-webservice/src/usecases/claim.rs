//! Claims runs for a launcher, makes its claims last longer, and takes them back.

use niassa_api::claims::{
    Claim, ClaimRuns, ClaimState, ClaimStates, ClaimWant, Claimed, ClaimedWorkflow, Desire,
    HeldClaim, HeldClaims, SchedulerOptions,
};
use niassa_api::error::ProblemCode;
use niassa_metadb::Access;
use niassa_metadb::claims::{self, ClaimRequest, ClaimedRun, Held, Want, Wish};
use niassa_metadb::launchers::Launcher;
use niassa_model::account::LaunchHosts;
use niassa_model::limits::CLAIM_BATCH;
use niassa_model::place::{EngineKind, Place};

use super::findings::Findings;
use crate::app::App;
use crate::error::Failed;

/// Most bytes of a holder's name.
const HOLDER_BYTES: usize = 255;
/// Most claims that one call renews or gives back, and most objects that one call names.
const NAMED_MOST: usize = 1_000;

/// Claims runs of the account.
pub(crate) async fn claim(
    app: &App,
    access: &Access,
    hosts: &LaunchHosts,
    request: ClaimRuns,
) -> Result<Claimed, Failed> {
    check_holder(&request.holder)?;
    check_number(request.accessions.as_ref().map_or(0, Vec::len))?;
    check_places(&request.places)?;
    let mut engines: Vec<_> = request.places.iter().map(|place| place.engine).collect();
    engines.sort_unstable();
    engines.dedup();
    let request = ClaimRequest {
        holder: request.holder,
        want: match request.want {
            ClaimWant::Launch => Want::Launch,
            ClaimWant::Act => Want::Act,
        },
        accessions: request.accessions,
        host: request.host,
        places: request.places.iter().map(Place::key).collect(),
        launchers: request.places.iter().map(launcher).collect(),
        engines,
        limit: request.limit.min(CLAIM_BATCH),
        lease: app.lease,
    };
    let claimed = app.metadb.claim_runs(access, hosts, &request).await?;
    // The first claim alone: what comes after it is no longer the queue's doing.
    for run in claimed.claims.iter().filter(|run| run.epoch == 1 && run.wish == Wish::Launch) {
        app.metrics.claim_lag.observe(run.age_micros);
    }
    let claims = claimed.claims.into_iter().map(answer).collect::<Result<_, _>>()?;
    Ok(Claimed { waiting: claimed.waiting, lease_seconds: app.lease.as_secs(), claims })
}

/// Makes claims last longer.
pub(crate) async fn renew(
    app: &App,
    access: &Access,
    hosts: &LaunchHosts,
    request: HeldClaims,
) -> Result<ClaimStates, Failed> {
    let held = held(&request)?;
    let states = app.metadb.renew_claims(access, hosts, &request.holder, &held, app.lease).await?;
    Ok(answers(states))
}

/// Takes claims back.
pub(crate) async fn release(
    app: &App,
    access: &Access,
    hosts: &LaunchHosts,
    request: HeldClaims,
) -> Result<ClaimStates, Failed> {
    let held = held(&request)?;
    let states = app.metadb.release_claims(access, hosts, &request.holder, &held).await?;
    Ok(answers(states))
}

/// Refuses a holder that no launcher of ours would be.
pub(super) fn check_holder(holder: &str) -> Result<(), Failed> {
    if holder.is_empty() || holder.len() > HOLDER_BYTES || holder.contains('\0') {
        let detail = format!("a holder has 1 to {HOLDER_BYTES} bytes");
        return Err(Failed::new(ProblemCode::Invalid, detail));
    }
    Ok(())
}

/// Refuses a call that names more objects than one call may.
pub(super) fn check_number(named: usize) -> Result<(), Failed> {
    if named > NAMED_MOST {
        let detail = format!("{named} objects are named; one call takes {NAMED_MOST}");
        return Err(Failed::new(ProblemCode::TooLarge, detail));
    }
    Ok(())
}

/// Refuses places that no launcher of ours would name.
fn check_places(places: &[Place]) -> Result<(), Failed> {
    check_number(places.len())?;
    let mut findings = Findings::default();
    for place in places {
        findings.path("the OS user of a place", &place.os_user);
        findings.path("the cluster of a place", &place.cluster);
    }
    findings.settle()
}

/// Names where a launcher runs. A local engine's cluster is the machine's name, followed by twelve
/// characters of its number, which tell people nothing.
fn launcher(place: &Place) -> Launcher {
    let machine = match (place.engine, place.cluster.rsplit_once('-')) {
        (EngineKind::Local, Some((name, number))) if number.len() == 12 && !name.is_empty() => name,
        _ => &place.cluster,
    };
    Launcher { os_user: place.os_user.clone(), machine: machine.to_owned() }
}

fn held(request: &HeldClaims) -> Result<Vec<Held>, Failed> {
    check_holder(&request.holder)?;
    check_number(request.runs.len())?;
    let held = |claim: &HeldClaim| Held { swid: claim.swid, epoch: claim.epoch };
    Ok(request.runs.iter().map(held).collect())
}

fn answers(states: Vec<claims::ClaimState>) -> ClaimStates {
    let state = |state| match state {
        claims::ClaimState::Held => ClaimState::Held,
        claims::ClaimState::Stale => ClaimState::Stale,
    };
    ClaimStates { states: states.into_iter().map(state).collect() }
}

fn answer(run: ClaimedRun) -> Result<Claim, Failed> {
    let values = serde_json::from_str(&run.values).map_err(|error| Failed::internal(&error))?;
    let options: SchedulerOptions =
        serde_json::from_str(&run.options).map_err(|error| Failed::internal(&error))?;
    Ok(Claim {
        swid: run.swid,
        tag: run.tag,
        epoch: run.epoch,
        until: run.until,
        status: run.status,
        desire: match run.wish {
            Wish::Launch => Desire::Launch,
            Wish::Cancel => Desire::Cancel,
            Wish::Retry => Desire::Retry,
        },
        retries: run.retries,
        place: run.place,
        plan_sha256: run.plan_sha256,
        workflow: ClaimedWorkflow {
            swid: run.workflow,
            name: run.workflow_name,
            version: run.workflow_version,
            bundle_sha256: run.bundle_sha256,
        },
        values,
        engine: run.engine,
        options,
        account: run.account,
        host: run.host.parse().ok(),
        trace: run.trace,
        parents: run.parents,
    })
}
