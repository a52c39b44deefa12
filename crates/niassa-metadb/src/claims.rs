//! Claims: leases of launchers on runs, by the database's clock, with a rising epoch.
//!
//! Any number of launchers may claim at once: on PostgreSQL they skip what another one is about to
//! take, on SQLite they take turns. A claim that ended without a record is offered again later each
//! time, up to a minute, and behind the others; it is never withheld.

pub(crate) mod candidates;
pub(crate) mod details;
pub(crate) mod precedence;
pub(crate) mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use niassa_model::accession::Accession;
use niassa_model::account::LaunchHosts;
use niassa_model::host::HostLabel;
use niassa_model::limits::CLAIM_BACKOFF_SECONDS;
use niassa_model::place::{EngineKind, Place};
use niassa_model::run::{RunEvent, RunStatus, RunTag};
use niassa_model::time::Timestamp;
use tokio::try_join;

use crate::dialect::Dialect;
use crate::error::Result;
use crate::launchers::{self, Launcher};
use crate::limits::Limits;
use crate::pool::{Writing, commit, now_in, retrying};
use crate::run_state::{self, Loading, RunState};
use crate::{Access, MetaDb};

/// Asks for runs to work on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRequest {
    /// Random per process; fenced records must come from the same holder.
    pub holder: String,
    /// Which runs.
    pub want: Want,
    /// Only these, whatever their label.
    pub accessions: Option<Vec<Accession>>,
    /// Only runs of this label. A launcher that names neither gets nothing.
    pub host: Option<HostLabel>,
    /// The keys of the places the caller serves; a run that has another place is not offered.
    pub places: Vec<String>,
    /// Where the caller runs, to be remembered as a launcher of the label.
    pub launchers: Vec<Launcher>,
    /// The engines the caller serves; a run that demands another one is not offered.
    pub engines: Vec<EngineKind>,
    /// At most so many runs.
    pub limit: u32,
    /// How long the claims last.
    pub lease: Duration,
}

/// What a claim is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Runs in `submitted` or `submitted_retry`.
    Launch,
    /// Active runs that have a place: those that were named, or those that need an action.
    Act,
}

/// The runs that were claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// How many runs were waiting for this caller before the call.
    pub waiting: u64,
    /// The runs.
    pub claims: Vec<ClaimedRun>,
}

/// One claimed run with all that is needed to act on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedRun {
    /// The run.
    pub swid: Accession,
    /// Its tag.
    pub tag: RunTag,
    /// The epoch of the claim.
    pub epoch: i64,
    /// When the claim lapses.
    pub until: Timestamp,
    /// Its status.
    pub status: RunStatus,
    /// What people want of it.
    pub wish: Wish,
    /// Retry requests that no launcher has answered, oldest first.
    pub retries: Vec<String>,
    /// Where it was launched before, if it was.
    pub place: Option<Place>,
    /// The plan recorded before, if one was.
    pub plan_sha256: Option<String>,
    /// The workflow.
    pub workflow: Accession,
    /// The workflow's name.
    pub workflow_name: String,
    /// The workflow's version.
    pub workflow_version: String,
    /// The SHA-256 of the bundle's archive.
    pub bundle_sha256: String,
    /// The values as resolved, as JSON.
    pub values: String,
    /// The engine demanded, if one was.
    pub engine: Option<EngineKind>,
    /// Options for the scheduler, as JSON.
    pub options: String,
    /// The address of the account on whose behalf.
    pub account: String,
    /// The id of the request by which it was asked for, where one is known.
    pub trace: Option<String>,
    /// The label it was scheduled for.
    pub host: String,
    /// What it descends from.
    pub parents: Vec<Accession>,
    /// How long ago it was scheduled, in microseconds.
    pub age_micros: i64,
}

/// What people want of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// That it runs to its end.
    Launch,
    /// That it stops.
    Cancel,
    /// That its steps without success are tried again.
    Retry,
}

/// A claim, as its holder knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The run.
    pub swid: Accession,
    /// The epoch of the claim.
    pub epoch: i64,
}

/// Whether a claim still counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimState {
    /// It does.
    Held,
    /// Its holder must not touch the run any more.
    Stale,
}

/// From so many claims without a record on, people are told.
const CLAIMS_TO_NOTE: i64 = 5;

impl MetaDb {
    /// Claims runs of the account, and of those that allow it to launch theirs, for the hosts its
    /// token allows.
    pub async fn claim_runs(
        &self,
        access: &Access,
        hosts: &LaunchHosts,
        request: &ClaimRequest,
    ) -> Result<Claimed> {
        let _under_way = self.precedence().claim();
        retrying(|| self.claim_once(access, hosts, request)).await
    }

    async fn claim_once(
        &self,
        access: &Access,
        hosts: &LaunchHosts,
        request: &ClaimRequest,
    ) -> Result<Claimed> {
        const OPERATION: &str = "claim runs";
        let dialect = self.dialect();
        // What only has to be known, and what rarely has to be done, does not hold up other writers.
        let owners = candidates::owners(self, access, request, OPERATION);
        let (now, owners) = try_join!(self.now(), owners)?;
        let now = now.as_micros();
        let search = candidates::Search { access, hosts, request, now, owners: &owners };
        let ((), (), waiting, due) = try_join!(
            self.cancel_abandoned(&search, OPERATION),
            self.note_other_engines(&search, OPERATION),
            search.waiting(self, OPERATION),
            launchers::due(self, access, hosts, request, now, OPERATION),
        )?;
        let mut transaction = self.begin_by_keys(OPERATION).await?;
        let now = now_in(&mut transaction, OPERATION).await?;
        let search = candidates::Search { now, ..search };
        let mut runs = choose(&search, &mut transaction, dialect, OPERATION).await?;
        for run in &mut runs {
            take(run, request, now, &access.email);
        }
        run_state::store(&mut transaction, dialect, now, &runs, OPERATION).await?;
        if let Some(due) = due {
            launchers::remember(&mut transaction, &due, now, OPERATION).await?;
        }
        let claims = details::load(&mut transaction, &runs, OPERATION).await?;
        commit(transaction, OPERATION).await?;
        Ok(Claimed { waiting: waiting.max(claims.len() as u64), claims })
    }

    /// Ends runs that were cancelled before a launcher recorded anything of them, and that nobody
    /// holds now: without a record there was no permission, so nothing of them can run.
    async fn cancel_abandoned(
        &self,
        search: &candidates::Search<'_>,
        operation: &'static str,
    ) -> Result<()> {
        let abandoned = search.abandoned_cancels(self, operation).await?;
        let end = |run: &mut RunState, now: i64| {
            if is_abandoned_cancel(run, now) {
                confirm_cancel(run, &search.access.email);
            }
        };
        self.change_found(search, abandoned, end, operation).await
    }

    /// Tells people, once, about runs that demand an engine which this launcher does not serve.
    async fn note_other_engines(
        &self,
        search: &candidates::Search<'_>,
        operation: &'static str,
    ) -> Result<()> {
        let demanding = search.demanding_another_engine(self, operation).await?;
        let note = search.engine_note();
        let tell = |run: &mut RunState, _now: i64| {
            if run.note.is_none() {
                run.noted(&note, &search.access.email);
            }
        };
        self.change_found(search, demanding, tell, operation).await
    }

    async fn change_found(
        &self,
        search: &candidates::Search<'_>,
        found: Vec<Accession>,
        change: impl Fn(&mut RunState, i64),
        operation: &'static str,
    ) -> Result<()> {
        if found.is_empty() {
            return Ok(());
        }
        let (dialect, access) = (self.dialect(), search.access);
        let mut transaction = self.begin_by_keys(operation).await?;
        let now = now_in(&mut transaction, operation).await?;
        let mut runs = run_state::load(
            &mut transaction,
            dialect,
            access,
            Loading::Launchable,
            found,
            operation,
        )
        .await?;
        for run in &mut runs {
            change(run, now);
        }
        run_state::store(&mut transaction, dialect, now, &runs, operation).await?;
        commit(transaction, operation).await
    }

    /// Makes claims last longer. Answers in the order asked.
    pub async fn renew_claims(
        &self,
        access: &Access,
        hosts: &LaunchHosts,
        holder: &str,
        held: &[Held],
        lease: Duration,
    ) -> Result<Vec<ClaimState>> {
        const OPERATION: &str = "renew claims";
        let renew = |run: &mut RunState, now: i64| run.claim.until = now + micros(lease);
        retrying(|| self.change_claims(access, hosts, holder, held, renew, OPERATION)).await
    }

    /// Gives claims back. Answers in the order asked.
    pub async fn release_claims(
        &self,
        access: &Access,
        hosts: &LaunchHosts,
        holder: &str,
        held: &[Held],
    ) -> Result<Vec<ClaimState>> {
        const OPERATION: &str = "release claims";
        let release = |run: &mut RunState, now: i64| give_back(run, now, &access.email);
        retrying(|| self.change_claims(access, hosts, holder, held, release, OPERATION)).await
    }

    async fn change_claims(
        &self,
        access: &Access,
        hosts: &LaunchHosts,
        holder: &str,
        held: &[Held],
        change: impl Fn(&mut RunState, i64),
        operation: &'static str,
    ) -> Result<Vec<ClaimState>> {
        let dialect = self.dialect();
        let mut transaction = self.begin_by_keys(operation).await?;
        let now = now_in(&mut transaction, operation).await?;
        let named = held.iter().map(|held| held.swid);
        let mut runs = run_state::load(
            &mut transaction,
            dialect,
            access,
            Loading::Launchable,
            named,
            operation,
        )
        .await?;
        runs.retain(|run| {
            run_state::is_of(run, hosts) && held.iter().any(|held| is_held(run, holder, *held))
        });
        for run in &mut runs {
            change(run, now);
        }
        run_state::store(&mut transaction, dialect, now, &runs, operation).await?;
        commit(transaction, operation).await?;
        let state = |held: &Held| match runs.iter().any(|run| run.swid == held.swid) {
            true => ClaimState::Held,
            false => ClaimState::Stale,
        };
        Ok(held.iter().map(state).collect())
    }
}

/// Chooses the runs that the caller gets, locked, as far as limits have room. Where one becomes full
/// on the way, others are looked for behind what it held back.
async fn choose(
    search: &candidates::Search<'_>,
    transaction: &mut Writing,
    dialect: Dialect,
    operation: &'static str,
) -> Result<Vec<RunState>> {
    let mut limits = match search.request.want {
        Want::Launch => Limits::load(transaction, dialect, search.now, operation).await?,
        Want::Act => Limits::default(),
    };
    let most = usize::try_from(search.request.limit).unwrap_or(usize::MAX);
    let (mut chosen, mut seen) = (Vec::new(), BTreeSet::new());
    loop {
        let room = most.saturating_add(seen.len());
        let found = search.claimable(transaction, dialect, &limits, room, operation).await?;
        let found: Vec<_> = found.into_iter().filter(|swid| !seen.contains(swid)).collect();
        let named = found.iter().copied();
        let loaded = run_state::load_locked(transaction, search.access, named, operation).await?;
        let mut loaded: BTreeMap<_, _> = loaded.into_iter().map(|run| (run.swid, run)).collect();
        let mut has_held_back = false;
        for swid in found {
            let Some(run) = loaded.remove(&swid) else { continue };
            if chosen.len() == most {
                break;
            }
            seen.insert(swid);
            if limits.admit(&run, search.now) {
                chosen.push(run);
            } else {
                has_held_back = true;
            }
        }
        if !has_held_back || chosen.len() == most {
            chosen.sort_unstable_by_key(|run| run.swid);
            return Ok(chosen);
        }
    }
}

/// Tells whether a claim is the one that counts. A claim that lapsed and that nobody took since
/// still is; one that was given back is not.
pub(crate) fn is_held(run: &RunState, holder: &str, held: Held) -> bool {
    run.swid == held.swid
        && run.claim.until > 0
        && run.claim.epoch == held.epoch
        && run.claim.holder.as_deref() == Some(holder)
}

/// Tells whether a cancelled run was never recorded by a launcher and is held by nobody.
pub(crate) fn is_abandoned_cancel(run: &RunState, now: i64) -> bool {
    run.status == RunStatus::SubmittedCancel && run.place.is_none() && run.claim.until <= now
}

/// Confirms the cancel of a run of which nothing can run.
pub(crate) fn confirm_cancel(run: &mut RunState, account: &str) {
    let why = "it was never handed to an engine".to_owned();
    run.happened(RunEvent::Cancelled, account, Some(why));
    run.needs_action = false;
    run.note = None;
}

fn take(run: &mut RunState, request: &ClaimRequest, now: i64, account: &str) {
    let claim = &mut run.claim;
    let before = claim.without_record;
    claim.holder = Some(request.holder.clone());
    claim.epoch += 1;
    claim.until = now + micros(request.lease);
    claim.without_record = before + 1;
    claim.offered_after = claim.until + backoff(before);
    if before >= CLAIMS_TO_NOTE && run.note.is_none() {
        let note = format!("claimed {before} times without a record; look at its launcher's log");
        run.noted(&note, account);
    }
}

fn give_back(run: &mut RunState, now: i64, account: &str) {
    run.claim.until = 0;
    let waits = matches!(run.status, RunStatus::Submitted | RunStatus::SubmittedRetry);
    if waits && run.claim.offered_after > 0 {
        run.claim.offered_after = now + backoff(run.claim.without_record - 1);
    } else if !waits {
        run.claim.without_record = 0;
        run.claim.offered_after = 0;
    }
    if is_abandoned_cancel(run, now) {
        confirm_cancel(run, account);
    }
}

/// How long a run is not offered after so many claims without a record, in microseconds.
fn backoff(without_record: i64) -> i64 {
    let exponent = u32::try_from(without_record.clamp(0, 16)).unwrap_or(0);
    2_i64.pow(exponent).min(CLAIM_BACKOFF_SECONDS) * 1_000_000
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests;
