//! A run as it stands inside a transaction: loaded under a lock, changed in memory, stored at once.
//!
//! Claims, facts, actions, cancels and retries all go this way, many runs at a time: one statement
//! loads them, one stores them. The status is stored by compare-and-set, and each event leaves an
//! entry in the log whether it changed the status or not.

pub(crate) mod assess;
mod row;

use niassa_model::accession::Accession;
use niassa_model::account::{AccountId, LaunchHosts};
use niassa_model::run::facts::StepTally;
use niassa_model::run::{RunEvent, RunStatus, RunTag};
use niassa_model::step::StepStatus;
use niassa_model::time::Timestamp;

use crate::dialect::Dialect;
use crate::error::{During, Result};
use crate::events::{self, NewEntry};
use crate::pool::Writing;
use crate::{Access, bulk};

pub(crate) use assess::assess;

/// A run under a lock. What is public here may be changed; [`store`] writes it back.
#[derive(Debug, Clone)]
pub(crate) struct RunState {
    pub(crate) swid: Accession,
    pub(crate) tag: RunTag,
    pub(crate) owner: AccountId,
    pub(crate) host: String,
    pub(crate) workflow: Accession,
    pub(crate) priority: i32,
    /// Whether the caller may change it, beside seeing it.
    pub(crate) rights: Rights,
    /// Whether the caller may launch it: it is the caller's own, or its owner allowed it.
    pub(crate) launching: Launching,
    pub(crate) status: RunStatus,
    pub(crate) cancel_requested: Option<(Timestamp, String)>,
    /// Retry requests that no launcher has answered.
    pub(crate) unanswered: i64,
    pub(crate) note: Option<String>,
    pub(crate) failure: Option<String>,
    pub(crate) place: Option<StoredPlace>,
    pub(crate) plan_sha256: Option<String>,
    pub(crate) claim: ClaimColumns,
    pub(crate) steps: StepNumbers,
    pub(crate) needs_action: bool,
    pub(crate) seen_at: Option<Timestamp>,
    /// The status that the row still has.
    stored_status: RunStatus,
    entries: Vec<NewEntry>,
}

/// Whether the caller may change a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rights {
    /// It is the caller's own, or the caller administers everything.
    Change,
    /// It is shared with the caller for reading.
    Read,
}

/// Whether the caller may launch a run, as far as its account is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Launching {
    /// It may.
    Allowed,
    /// It may not.
    Refused,
}

/// Which runs are loaded, of those that are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loading {
    /// Those that the caller may see.
    Visible,
    /// Those that the caller may launch: its own, and those of others that allowed it.
    Launchable,
}

impl Loading {
    fn number(self) -> i64 {
        match self {
            Self::Launchable => 1,
            Self::Visible => 0,
        }
    }
}

/// Where a run was placed, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredPlace {
    pub(crate) key: String,
    pub(crate) json: String,
    pub(crate) directory: String,
    pub(crate) launched_on: String,
}

/// Who holds a run, or held it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClaimColumns {
    pub(crate) holder: Option<String>,
    pub(crate) epoch: i64,
    /// 0 once it was given back.
    pub(crate) until: i64,
    pub(crate) without_record: i64,
    pub(crate) offered_after: i64,
}

/// How many steps of a run have each status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct StepNumbers {
    pub(crate) total: i64,
    pub(crate) pending: i64,
    pub(crate) running: i64,
    pub(crate) success: i64,
    pub(crate) failed: i64,
    pub(crate) skipped: i64,
    pub(crate) cancelled: i64,
    pub(crate) lost: i64,
}

impl StepNumbers {
    /// Moves one step from a status to another.
    pub(crate) fn moved(&mut self, from: StepStatus, to: StepStatus) {
        *self.of(from) -= 1;
        *self.of(to) += 1;
    }

    /// Returns the numbers that the rules about runs look at.
    pub(crate) fn tally(&self) -> StepTally {
        let number = |count: i64| u32::try_from(count).unwrap_or(0);
        StepTally {
            total: number(self.total),
            pending: number(self.pending),
            running: number(self.running),
            success: number(self.success),
            cancelled: number(self.cancelled),
        }
    }

    /// Returns how many steps ended without success.
    pub(crate) fn unsuccessful(&self) -> i64 {
        self.failed + self.skipped + self.cancelled + self.lost
    }

    fn of(&mut self, status: StepStatus) -> &mut i64 {
        match status {
            StepStatus::Pending => &mut self.pending,
            StepStatus::Running => &mut self.running,
            StepStatus::Success => &mut self.success,
            StepStatus::Failed => &mut self.failed,
            StepStatus::Skipped => &mut self.skipped,
            StepStatus::Cancelled => &mut self.cancelled,
            StepStatus::Lost => &mut self.lost,
        }
    }
}

impl RunState {
    /// Takes an event: the status follows, and the log has it either way.
    pub(crate) fn happened(&mut self, event: RunEvent, account: &str, detail: Option<String>) {
        let to = self.status.after(event).unwrap_or(self.status);
        self.entries.push(NewEntry {
            run: self.swid,
            event: event.as_str(),
            from: Some(self.status),
            to: Some(to),
            account: account.to_owned(),
            detail,
        });
        self.status = to;
    }

    /// Puts a sentence for people beside the status; the log keeps it too, once.
    pub(crate) fn noted(&mut self, note: &str, account: &str) {
        if self.note.as_deref() == Some(note) {
            return;
        }
        self.told(note, account);
        self.note = Some(note.to_owned());
    }

    /// Tells people something in the log alone.
    pub(crate) fn told(&mut self, what: &str, account: &str) {
        self.entries.push(NewEntry {
            run: self.swid,
            event: events::NOTE,
            from: None,
            to: None,
            account: account.to_owned(),
            detail: Some(what.to_owned()),
        });
    }
}

/// The condition under which a run `r` with its object `o` is loaded. `$4`: 1 for those only that the
/// caller may launch.
macro_rules! loaded {
    () => {
        concat!(
            readable!(),
            " and (cast($4 as bigint) = 0 or r.owner = $2 or ",
            granted!("r.owner", "$2", "r.host"),
            ")"
        )
    };
}

sql! {
    /// Runs that the caller may see, or may launch. `$3`: their accessions; `$4`: see `loaded!`.
    LOAD = concat!("select r.swid, r.tag, r.owner, r.host, r.workflow, r.priority, \
            case when cast($1 as bigint) = 1 or r.owner = $2 then 1 else 0 end as mine, \
            case when r.owner = $2 or ", granted!("r.owner", "$2", "r.host"), " \
                then 1 else 0 end as launching, \
            r.status, r.cancel_requested_at, r.cancel_requested_by, \
            (select count(*) from retry_request q \
                where q.run = r.swid and q.answered_at is null) as unanswered, \
            r.note, r.failure, r.place_key, r.place, r.directory, r.launched_on, r.plan_sha256, \
            r.claim_holder, r.claim_epoch, r.claim_until, r.claims_without_record, \
            r.offered_after, r.steps_total, r.steps_pending, r.steps_running, r.steps_success, \
            r.steps_failed, r.steps_skipped, r.steps_cancelled, r.steps_lost, r.needs_action, \
            r.seen_at \
        from run r join object o on o.swid = r.swid \
        where ", loaded!(), " and r.swid in \
            (select cast(value ->> 0 as bigint) from json_each($3)) \
        order by r.swid");
    /// Writes runs back, where the status is what it was when they were loaded. `$1`: time;
    /// `$2`: rows as `stored_row` makes them.
    STORE = "update run set \
            updated_at = case when run.status <> j.value ->> 2 then $1 else run.updated_at end, \
            status = j.value ->> 2, \
            cancel_requested_at = cast(j.value ->> 3 as bigint), \
            cancel_requested_by = j.value ->> 4, note = j.value ->> 5, failure = j.value ->> 6, \
            place_key = j.value ->> 7, place = j.value ->> 8, directory = j.value ->> 9, \
            launched_on = j.value ->> 10, plan_sha256 = j.value ->> 11, \
            claim_holder = j.value ->> 12, claim_epoch = cast(j.value ->> 13 as bigint), \
            claim_until = cast(j.value ->> 14 as bigint), \
            claims_without_record = cast(j.value ->> 15 as bigint), \
            offered_after = cast(j.value ->> 16 as bigint), \
            steps_total = cast(j.value ->> 17 as bigint), \
            steps_pending = cast(j.value ->> 18 as bigint), \
            steps_running = cast(j.value ->> 19 as bigint), \
            steps_success = cast(j.value ->> 20 as bigint), \
            steps_failed = cast(j.value ->> 21 as bigint), \
            steps_skipped = cast(j.value ->> 22 as bigint), \
            steps_cancelled = cast(j.value ->> 23 as bigint), \
            steps_lost = cast(j.value ->> 24 as bigint), \
            needs_action = cast(j.value ->> 25 as bigint), \
            seen_at = cast(j.value ->> 26 as bigint), \
            priority = cast(j.value ->> 27 as bigint) \
        from json_each($2) j \
        where run.swid = cast(j.value ->> 0 as bigint) and run.status = j.value ->> 1";
}

/// Keeps other writers away from runs until the transaction ends: from those that `LOAD` loads, and
/// from no others. SQLite has one writer anyway.
const LOCK_ON_POSTGRES: &str = concat!(
    "select r.swid from run r join object o on o.swid = r.swid where ",
    loaded!(),
    " and r.swid in (select cast(value ->> 0 as bigint) from json_each($3)) \
      order by r.swid for update of r"
);

/// Loads runs that the caller may launch, or all that it may see, locked until the transaction ends, ordered by
/// accession.
pub(crate) async fn load(
    transaction: &mut Writing,
    dialect: Dialect,
    access: &Access,
    loading: Loading,
    runs: impl IntoIterator<Item = Accession>,
    operation: &'static str,
) -> Result<Vec<RunState>> {
    let runs = bulk::numbers(runs);
    if dialect == Dialect::Postgres {
        sqlx::query(LOCK_ON_POSTGRES)
            .bind(access.everything())
            .bind(access.account.0)
            .bind(&runs)
            .bind(loading.number())
            .execute(&mut **transaction)
            .await
            .during(operation)?;
    }
    read(transaction, access, loading, runs, operation).await
}

/// Loads runs that the caller may launch and that this transaction has locked already, ordered by accession.
pub(crate) async fn load_locked(
    transaction: &mut Writing,
    access: &Access,
    runs: impl IntoIterator<Item = Accession>,
    operation: &'static str,
) -> Result<Vec<RunState>> {
    read(transaction, access, Loading::Launchable, bulk::numbers(runs), operation).await
}

async fn read(
    transaction: &mut Writing,
    access: &Access,
    loading: Loading,
    runs: String,
    operation: &'static str,
) -> Result<Vec<RunState>> {
    let rows = sqlx::query(LOAD)
        .bind(access.everything())
        .bind(access.account.0)
        .bind(runs)
        .bind(loading.number())
        .fetch_all(&mut **transaction)
        .await
        .during(operation)?;
    rows.iter().map(|row| row::read(row, operation)).collect()
}

/// Tells whether the caller, with a token for these hosts, works on a run: both have to allow it.
pub(crate) fn is_of(run: &RunState, hosts: &LaunchHosts) -> bool {
    let for_host = match hosts {
        LaunchHosts::Any => true,
        LaunchHosts::Only(labels) => labels.iter().any(|label| label.as_str() == run.host),
    };
    run.launching == Launching::Allowed && for_host
}

/// Stores runs as they are now, with the entries of their logs.
pub(crate) async fn store(
    transaction: &mut Writing,
    dialect: Dialect,
    now: i64,
    runs: &[RunState],
    operation: &'static str,
) -> Result<()> {
    if runs.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = runs.iter().map(row::stored).collect();
    sqlx::query(STORE)
        .bind(now)
        .bind(bulk::rows(&rows))
        .execute(&mut **transaction)
        .await
        .during(operation)?;
    let entries: Vec<NewEntry> = runs.iter().flat_map(|run| run.entries.clone()).collect();
    events::write(transaction, dialect, now, &entries, operation).await
}
