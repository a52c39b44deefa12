//! The propagator: tells the service what the engine did, and acts where a run waits for somebody.
//!
//! Facts need no claim: whatever the journals say since the last look is recorded, late and
//! repeatedly if need be. A run is claimed only when it needs an action: a cancel, a retry, a
//! further attempt, or because the engine has nothing of it although it is active. That last case
//! is a launcher that was killed between its record and its orders.

mod archives;
mod cluster;
pub(crate) mod facts;
mod notes;
mod offsets;
mod pauses;
mod recorded;

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use niassa_api::claims::{ClaimRuns, ClaimWant};
use niassa_api::client::{Client, ClientError};
use niassa_api::facts::{AttemptFact, FactsRecorded, Need, RecordFacts};
use niassa_api::runs::RunQuery;
use niassa_model::accession::Accession;
use niassa_model::host::HostLabel;
use niassa_model::limits::{CLAIM_BATCH, FACTS_PER_CALL, PAGE_MOST};
use niassa_model::place::Place;
use niassa_model::run::{RunStatus, RunTag};
use niassa_model::time::Clock;

use crate::ended_marks::EndedMarks;
use crate::engine::cluster::calls as scheduler;
use crate::engine::local::journal::{self, Offsets};
use crate::engine::local::watch::Watch;
use crate::reconcile::{Listener, PipelineError, PipelineSettings, Reconciler, Snapshot, blocking};
use archives::{ToldArchives, Untold};
use cluster::ClusterWatch;
use offsets::OffsetsFile;
use pauses::Pauses;

/// How long the list of active runs is trusted: a cancel or a retry is noticed after it.
const LIST_EVERY: Duration = Duration::from_secs(1);

/// How often active runs are compared with everything the engine has.
const COMPARE_EVERY: Duration = Duration::from_secs(2);

/// How often a comparison looks for ended attempts that journals do not tell any more, in the directories
/// of runs that go on. The first one of a process always does.
const ARCHIVES_EVERY: Duration = Duration::from_mins(5);

/// Runs whose ended attempts are in memory at a time.
const ARCHIVES_AT_A_TIME: usize = 100;

/// Which runs to look after, of those this OS user launched from this work directory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PropagateFilter {
    /// Only runs that were scheduled for this label.
    pub host: Option<HostLabel>,
    /// Only these runs.
    pub accessions: Option<Vec<Accession>>,
}

/// What a tick came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PropagateReport {
    /// Runs that are still active here.
    pub active: u64,
    /// Runs whose status changed, with the new one.
    pub changed: Vec<(Accession, RunStatus)>,
    /// Facts that were recorded.
    pub facts: u64,
    /// How often a scheduler's program was called. It does not grow with the number of runs.
    pub scheduler_calls: u64,
}

/// A propagator of one account, on one machine, for one work directory.
pub struct Propagator {
    reconciler: Reconciler,
    filter: PropagateFilter,
    threads: NonZeroUsize,
    offsets: OffsetsFile,
    watch: Watch,
    active: BTreeMap<Accession, ActiveRun>,
    listed_at: Option<Instant>,
    compared_at: Option<Instant>,
    archives: ToldArchives,
    archives_told_at: Option<Instant>,
    /// Active runs that could not be read, and were told to be.
    unread: HashSet<Accession>,
    pauses: Pauses,
    clusters: Vec<ClusterWatch>,
    marks: EndedMarks,
}

#[derive(Debug, Clone)]
struct ActiveRun {
    tag: RunTag,
    status: RunStatus,
    need: Need,
}

impl Propagator {
    /// Opens the work directory. `identity` names the service and the account: what was read from
    /// the journals is remembered for each apart.
    pub fn new(
        client: Client,
        identity: &str,
        settings: PipelineSettings,
        filter: PropagateFilter,
        threads: NonZeroUsize,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, PipelineError> {
        let reconciler = Reconciler::new(client, settings, clock)?;
        let offsets = OffsetsFile::open(&reconciler.home, identity, &filter);
        let archives = ToldArchives::open(&reconciler.home, identity, &filter);
        let clusters = reconciler.clusters.served.iter();
        let clusters = clusters
            .map(|cluster| ClusterWatch::new(cluster.clone(), reconciler.work_dir(), identity))
            .collect();
        let marks = EndedMarks::of(reconciler.work_dir());
        Ok(Self {
            marks,
            reconciler,
            filter,
            threads,
            offsets,
            watch: Watch::default(),
            active: BTreeMap::new(),
            listed_at: None,
            compared_at: None,
            archives,
            archives_told_at: None,
            unread: HashSet::new(),
            pauses: Pauses::default(),
            clusters,
        })
    }

    /// Leaves out what the journals say so far: for a run that is yet to be launched.
    pub fn begin_here(&mut self) -> Result<(), PipelineError> {
        self.offsets.offsets = Offsets::at_the_end(&self.reconciler.home)?;
        self.compared_at = Some(Instant::now());
        Ok(())
    }

    /// Makes the next tick ask for everything anew: somebody asked for something.
    pub fn look_now(&mut self) {
        self.listed_at = None;
        for watch in &mut self.clusters {
            watch.look_now();
        }
    }

    /// Records what happened since the last tick, and acts where somebody has to.
    pub async fn propagate_tick(
        &mut self,
        on: Listener<'_>,
    ) -> Result<PropagateReport, PipelineError> {
        let mut report = PropagateReport::default();
        let calls = scheduler::total();
        // Read first, list second: a run is listed as active before its first line is written.
        let home = self.reconciler.home.clone();
        let mut offsets = self.offsets.offsets.clone();
        let (news, offsets) = blocking(move || {
            journal::read_new(&home, &mut offsets).map(|records| (records, offsets))
        })
        .await??;
        crate::failpoint::reach("propagator.read");
        let unknown = news.iter().any(|(key, _)| !self.active.contains_key(&key.run));
        if unknown || self.listed_at.is_none_or(|at| at.elapsed() >= LIST_EVERY) {
            self.list(&mut report).await?;
        }
        let ours = news.into_iter().filter(|(key, _)| self.is_active(key.run, &key.tag)).collect();
        self.record(ours, &mut report).await?;
        crate::failpoint::reach("propagator.recorded");
        self.offsets.keep(offsets, self.reconciler.clock.now())?;
        crate::failpoint::reach("propagator.kept");
        let mut need = Vec::new();
        if self.compared_at.is_none_or(|at| at.elapsed() >= COMPARE_EVERY) {
            need = self.compare(&mut report).await?;
            self.compared_at = Some(Instant::now());
        }
        let asks = self.active.iter().filter(|(_, run)| run.need == Need::Action);
        need.extend(asks.map(|(swid, _)| *swid));
        let place = self.reconciler.place.clone();
        for run in self.act(&place, need, on).await? {
            // What is still needed is told by the next facts, or by the next list.
            if let Some(run) = self.active.get_mut(&run) {
                run.need = Need::Nothing;
            }
        }
        if !self.active.is_empty() {
            self.reconciler.ensure_supervisor()?;
        }
        self.tell_ended(&mut report).await?;
        self.look_after_clusters(&mut report, on).await?;
        let on_clusters: usize = self.clusters.iter().map(|watch| watch.active.len()).sum();
        report.active = (self.active.len() + on_clusters) as u64;
        report.scheduler_calls = scheduler::total() - calls;
        self.reconciler.tell_scheduler_use().await;
        Ok(report)
    }

    /// Waits until the engine has something to tell, at most so long.
    pub async fn wait_for_change(&mut self, timeout: Duration) -> Result<(), PipelineError> {
        if self.clusters.iter().any(|watch| !watch.active.is_empty()) {
            self.marks.listen();
        }
        let (home, offsets) = (self.reconciler.home.clone(), self.offsets.offsets.clone());
        let mut watch = std::mem::take(&mut self.watch);
        let wait = move || watch.wait(&home, &offsets, timeout).map(|()| watch);
        self.watch = blocking(wait).await??;
        Ok(())
    }

    fn is_active(&self, run: Accession, tag: &RunTag) -> bool {
        self.active.get(&run).is_some_and(|active| active.tag == *tag)
    }

    /// Asks for the active runs of this host's engine.
    async fn list(&mut self, report: &mut PropagateReport) -> Result<(), ClientError> {
        let before = std::mem::take(&mut self.active);
        self.active = self.listed(&self.reconciler.place, &before, report).await?;
        self.listed_at = Some(Instant::now());
        Ok(())
    }

    /// Asks for the active runs of a place.
    async fn listed(
        &self,
        place: &Place,
        before: &BTreeMap<Accession, ActiveRun>,
        report: &mut PropagateReport,
    ) -> Result<BTreeMap<Accession, ActiveRun>, ClientError> {
        let mut query = RunQuery {
            active: Some(1),
            mine: Some(1),
            place: Some(place.key()),
            host: self.filter.host.as_ref().map(ToString::to_string),
            accessions: self.filter.accessions.as_ref().map(|accessions| {
                accessions.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
            }),
            limit: Some(PAGE_MOST),
            ..RunQuery::default()
        };
        let mut active = BTreeMap::new();
        loop {
            let page = self.reconciler.client.runs(&query).await?;
            for run in page.items {
                let known = before.get(&run.swid);
                if known.is_some_and(|known| known.status != run.status) {
                    report.changed.push((run.swid, run.status));
                }
                let row = ActiveRun { tag: run.tag, status: run.status, need: run.need };
                active.insert(run.swid, row);
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(active),
            }
        }
    }

    /// Records facts, at most 1,000 per call.
    async fn record(
        &mut self,
        news: Vec<facts::News>,
        report: &mut PropagateReport,
    ) -> Result<(), PipelineError> {
        let mut news = facts::merged(news).into_iter().peekable();
        while news.peek().is_some() {
            // The ends of streams are read for one call at a time: a million ends fit no memory.
            let some: Vec<facts::News> = news.by_ref().take(FACTS_PER_CALL).collect();
            let (threads, home) = (self.threads, self.reconciler.home.clone());
            let facts = blocking(move || facts::make(home.work_dir(), &some, threads)).await?;
            for call in facts::into_calls(facts) {
                self.record_call(call, report).await?;
            }
        }
        Ok(())
    }

    async fn record_call(
        &mut self,
        facts: Vec<AttemptFact>,
        report: &mut PropagateReport,
    ) -> Result<(), PipelineError> {
        report.facts += facts.len() as u64;
        let request = RecordFacts { facts, ..RecordFacts::default() };
        let answer = self.reconciler.client.record_facts(&request).await?;
        take_answer(answer, &mut self.active, report);
        Ok(())
    }

    /// Compares active runs with everything the engine has. What it knows is recorded once more;
    /// runs of which it has nothing open are returned. One that cannot be read keeps only itself.
    async fn compare(
        &mut self,
        report: &mut PropagateReport,
    ) -> Result<Vec<Accession>, PipelineError> {
        let wanted: HashSet<(Accession, RunTag)> =
            self.active.iter().map(|(swid, run)| (*swid, run.tag.clone())).collect();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let home = self.reconciler.home.clone();
        let snapshot = blocking(move || Snapshot::to_compare(&home, &wanted)).await??;
        let open = snapshot.runs_with_open_attempts();
        for (run, why) in snapshot.unread() {
            self.tell_unread(*run, why);
        }
        let is_idle =
            |swid: &Accession| !open.contains(swid) && !snapshot.unread().contains_key(swid);
        let idle: HashSet<Accession> = self.active.keys().copied().filter(is_idle).collect();
        let known = snapshot.news(|key| idle.contains(&key.run));
        self.record(known, report).await?;
        if self.archives_told_at.is_none_or(|at| at.elapsed() >= ARCHIVES_EVERY) {
            self.tell_archived(&open, report).await?;
            self.archives_told_at = Some(Instant::now());
        }
        Ok(idle.into_iter().filter(|swid| self.active.contains_key(swid)).collect())
    }

    /// Records ended attempts of some runs that journals do not tell any more.
    async fn tell_archived(
        &mut self,
        runs: &HashSet<Accession>,
        report: &mut PropagateReport,
    ) -> Result<(), PipelineError> {
        let active = self.active.iter().filter(|(swid, _)| runs.contains(swid));
        let runs: Vec<(Accession, RunTag)> =
            active.map(|(swid, run)| (*swid, run.tag.clone())).collect();
        for some in runs.chunks(ARCHIVES_AT_A_TIME) {
            let (work_dir, told) = (self.reconciler.work_dir().to_owned(), self.archives.of(some));
            let untold = blocking(move || Untold::read(&work_dir, told)).await?;
            for (run, why) in &untold.unread {
                self.tell_unread(*run, why);
            }
            let (news, read) = untold.into_parts();
            self.record(news, report).await?;
            self.archives.are_told(read);
            self.archives.keep(self.active.iter().map(|(swid, run)| (swid, &run.tag)))?;
        }
        let active = &self.active;
        self.unread.retain(|run| active.contains_key(run));
        Ok(())
    }

    /// Tells people once that a run cannot be read.
    fn tell_unread(&mut self, run: Accession, why: &str) {
        if self.unread.insert(run) {
            tracing::warn!(%run, why, "what has ended of a run cannot be read; it is left as it is");
        }
    }

    /// Claims runs of a place that need somebody and does what is missing; returns those it had.
    async fn act(
        &mut self,
        place: &Place,
        mut need: Vec<Accession>,
        on: Listener<'_>,
    ) -> Result<Vec<Accession>, PipelineError> {
        need.sort_unstable();
        need.dedup();
        need.retain(|run| self.pauses.is_due(*run));
        let mut acted = Vec::new();
        for batch in need.chunks(CLAIM_BATCH as usize) {
            let request = ClaimRuns {
                holder: self.reconciler.holder.clone(),
                want: ClaimWant::Act,
                host: self.filter.host.clone(),
                accessions: Some(batch.to_vec()),
                places: vec![place.clone()],
                limit: CLAIM_BATCH,
            };
            let claimed = self.reconciler.client.claim_runs(&request).await?;
            crate::failpoint::reach("propagator.claimed");
            for claim in &claimed.claims {
                self.pauses.acted(claim.swid);
                acted.push(claim.swid);
            }
            if !claimed.claims.is_empty() {
                self.reconciler.reconcile(claimed, on).await?;
            }
        }
        Ok(acted)
    }
}

/// Takes over what the service says of runs after facts.
fn take_answer(
    answer: FactsRecorded,
    active: &mut BTreeMap<Accession, ActiveRun>,
    report: &mut PropagateReport,
) {
    for refused in &answer.refused {
        tracing::warn!(why = refused.why, "a fact was refused");
    }
    for run in answer.runs {
        let Some(known) = active.get_mut(&run.swid) else { continue };
        if known.status != run.status {
            report.changed.push((run.swid, run.status));
        }
        (known.status, known.need) = (run.status, run.need);
        if !run.status.is_active() {
            active.remove(&run.swid);
        }
    }
}
