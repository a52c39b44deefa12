//! Limits: how many runs of a workflow, of an account or with a label may run at a time.
//!
//! What counts is pending or running, is being cancelled after its launch, for its processes may still
//! run, or was given to a launcher that has not recorded its launch yet. Where limits are set, launchers
//! and those who make runs already claimed take turns, so that two of them never fill one twice.

use std::collections::BTreeMap;

use niassa_model::accession::Accession;
use niassa_model::account::{AccountId, Email};
use niassa_model::host::HostLabel;
use niassa_model::run::RunStatus;
use niassa_model::time::Timestamp;
use sqlx::any::AnyRow;

use crate::audit::{self, Deed};
use crate::dialect::Dialect;
use crate::error::{During, Result, decode};
use crate::pool::{Writing, column, commit, now_in};
use crate::run_state::RunState;
use crate::{Access, MetaDb, bulk};

/// What a limit is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LimitOn {
    /// The runs of a workflow.
    Workflow(Accession),
    /// The runs of an account.
    Account(Email),
    /// The runs with a label.
    Host(HostLabel),
}

/// A limit as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunLimit {
    /// What it is on.
    pub on: LimitOn,
    /// How many runs may run at a time.
    pub runs: u32,
    /// How many do.
    pub running: u64,
    /// The address of the account that set it.
    pub set_by: String,
    /// When.
    pub set_at: Timestamp,
}

/// What a limit is on, as a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitKind {
    /// A workflow.
    Workflow,
    /// An account.
    Account,
    /// A label.
    Host,
}

/// A limit that keeps a run waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FullLimit {
    /// What it is on: the run's workflow, account or label.
    pub kind: LimitKind,
    /// How many runs may run at a time.
    pub runs: i64,
}

/// How many runs a limit `l` counts. `$1`: time. The sum of texts keeps the database from going
/// through all runs that wait: few of them are claimed.
macro_rules! running {
    () => {
        "(select count(*) from run r where r.status in ('pending', 'running', 'submitted_cancel') \
            and (r.status <> 'submitted_cancel' or r.place_key is not null \
                or r.claim_until > cast($1 as bigint)) and \
            case l.kind when 'workflow' then cast(r.workflow as text) \
                when 'account' then cast(r.owner as text) else r.host end = l.subject) + \
         (select count(*) from run r where r.claim_until > 0 \
            and r.claim_until > cast($1 as bigint) \
            and (r.status || '') in ('submitted', 'submitted_retry') and \
            case l.kind when 'workflow' then cast(r.workflow as text) \
                when 'account' then cast(r.owner as text) else r.host end = l.subject) as running"
    };
}

sql! {
    /// All limits, with how many runs each counts. `$1`: time.
    LIMITS = concat!("select l.kind, l.subject, l.runs, ", running!(), " from run_limit l");
    /// The same for people.
    LIST = concat!("select l.kind, coalesce(a.email, l.subject) as subject, l.runs, ", running!(),
        ", b.email as set_by, l.set_at from run_limit l join account b on b.id = l.set_by \
            left join account a on l.kind = 'account' and cast(a.id as text) = l.subject \
        order by l.kind, l.subject");
    /// Limits on a run, with how many runs each counts. `$1`: time; `$2`: run.
    OF_RUN = concat!("select l.kind, l.runs, ", running!(), " from run_limit l join run o \
            on l.subject = case l.kind when 'workflow' then cast(o.workflow as text) \
                when 'account' then cast(o.owner as text) else o.host end \
        where o.swid = $2 order by l.kind");
    /// The subject of a limit, where there is such a thing. `$1`: kind; `$2`: accession, address or
    /// label.
    SUBJECT = "select cast(w.swid as text) as subject from workflow w \
            where $1 = 'workflow' and cast(w.swid as text) = $2 \
        union all select cast(a.id as text) from account a where $1 = 'account' and a.email = $2 \
        union all select cast($2 as text) where $1 = 'host'";
    /// Sets a limit. `$1`: kind; `$2`: subject; `$3`: runs; `$4`: by whom; `$5`: time.
    SET = "insert into run_limit (kind, subject, runs, set_by, set_at) values ($1, $2, $3, $4, $5) \
        on conflict (kind, subject) do update set runs = excluded.runs, set_by = excluded.set_by, \
            set_at = excluded.set_at";
    /// Removes a limit. `$1`: kind; `$2`: subject.
    REMOVE = "delete from run_limit where kind = $1 and subject = $2 returning runs";
}

/// Where limits are set, one launcher at a time looks at them. SQLite has one writer anyway.
const TURNS_ON_POSTGRES: &str = "select kind from run_limit order by kind, subject for update";

impl LimitOn {
    /// Returns the word for what it is on.
    pub fn kind(&self) -> LimitKind {
        match self {
            Self::Workflow(_) => LimitKind::Workflow,
            Self::Account(_) => LimitKind::Account,
            Self::Host(_) => LimitKind::Host,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Workflow(swid) => swid.to_string(),
            Self::Account(email) => email.to_string(),
            Self::Host(label) => label.to_string(),
        }
    }
}

impl LimitKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Workflow => "workflow",
            Self::Account => "account",
            Self::Host => "host",
        }
    }
}

impl MetaDb {
    /// Sets a limit. Returns whether there is such a workflow or account. For administrators.
    pub async fn set_limit(&self, access: &Access, on: &LimitOn, runs: u32) -> Result<bool> {
        const OPERATION: &str = "set a limit";
        let mut tx = self.begin(OPERATION).await?;
        let now = now_in(&mut tx, OPERATION).await?;
        let Some(subject) = subject(&mut tx, on, OPERATION).await? else { return Ok(false) };
        sqlx::query(SET)
            .bind(on.kind().as_str())
            .bind(subject)
            .bind(i64::from(runs))
            .bind(access.account.0)
            .bind(now)
            .execute(&mut *tx)
            .await
            .during(OPERATION)?;
        let deed = Deed {
            action: "limit_set",
            subject: format!("{} {}", on.kind().as_str(), on.name()),
            detail: Some(runs.to_string()),
        };
        audit::tell(&mut tx, self.dialect(), now, access, deed, OPERATION).await?;
        commit(tx, OPERATION).await?;
        Ok(true)
    }

    /// Removes a limit. Returns whether there was one. For administrators.
    pub async fn remove_limit(&self, access: &Access, on: &LimitOn) -> Result<bool> {
        const OPERATION: &str = "remove a limit";
        let mut tx = self.begin(OPERATION).await?;
        let Some(subject) = subject(&mut tx, on, OPERATION).await? else { return Ok(false) };
        let removed = sqlx::query(REMOVE)
            .bind(on.kind().as_str())
            .bind(subject)
            .fetch_optional(&mut *tx)
            .await
            .during(OPERATION)?;
        if removed.is_some() {
            let now = now_in(&mut tx, OPERATION).await?;
            let subject = format!("{} {}", on.kind().as_str(), on.name());
            let deed = Deed { action: "limit_remove", subject, detail: None };
            audit::tell(&mut tx, self.dialect(), now, access, deed, OPERATION).await?;
        }
        commit(tx, OPERATION).await?;
        Ok(removed.is_some())
    }

    /// Lists all limits. For administrators.
    pub async fn limits(&self) -> Result<Vec<RunLimit>> {
        const OPERATION: &str = "list limits";
        let now = self.now().await?.as_micros();
        let rows = sqlx::query(LIST).bind(now).fetch_all(self.reader()).await.during(OPERATION)?;
        rows.iter().map(|row| limit(row, OPERATION)).collect()
    }

    /// Returns a limit that keeps a run waiting, if one does.
    pub(crate) async fn full_limit_of(
        &self,
        run: Accession,
        operation: &'static str,
    ) -> Result<Option<FullLimit>> {
        let now = self.now().await?.as_micros();
        let rows = sqlx::query(OF_RUN)
            .bind(now)
            .bind(run.get())
            .fetch_all(self.reader())
            .await
            .during(operation)?;
        full(&rows, operation)
    }
}

/// Finds the first limit that is full.
fn full(rows: &[AnyRow], operation: &'static str) -> Result<Option<FullLimit>> {
    for row in rows {
        let runs: i64 = column(row, "runs", operation)?;
        if column::<i64>(row, "running", operation)? >= runs {
            return Ok(Some(FullLimit { kind: kind(row, operation)?, runs }));
        }
    }
    Ok(None)
}

/// The room that limits leave while runs are chosen.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    /// By kind and subject.
    room: BTreeMap<(&'static str, String), Room>,
}

/// The room that one limit leaves.
#[derive(Debug, Clone, Copy)]
struct Room {
    left: i64,
    limit: FullLimit,
}

impl Limits {
    /// Loads all limits, inside the transaction of a claim: until it ends, no other one looks at them.
    pub(crate) async fn load(
        transaction: &mut Writing,
        dialect: Dialect,
        now: i64,
        operation: &'static str,
    ) -> Result<Self> {
        if dialect == Dialect::Postgres {
            let locked = sqlx::query(TURNS_ON_POSTGRES).fetch_all(&mut **transaction).await;
            if locked.during(operation)?.is_empty() {
                return Ok(Self::default());
            }
        }
        let rows = sqlx::query(LIMITS).bind(now).fetch_all(&mut **transaction).await;
        let mut room = BTreeMap::new();
        for row in &rows.during(operation)? {
            let kind = kind(row, operation)?;
            let runs: i64 = column(row, "runs", operation)?;
            let left = runs - column::<i64>(row, "running", operation)?;
            let key = (kind.as_str(), column(row, "subject", operation)?);
            room.insert(key, Room { left, limit: FullLimit { kind, runs } });
        }
        Ok(Self { room })
    }

    /// Returns the limits without room, as rows of kind and subject.
    pub(crate) fn full(&self) -> String {
        let full = self.room.iter().filter(|(_, room)| room.left <= 0);
        let full: Vec<_> = full.map(|((kind, subject), _)| (kind, subject)).collect();
        bulk::rows(&full)
    }

    /// Tells whether a run may be launched, and takes the room it needs. A run that its holder claims
    /// once more has its room already.
    pub(crate) fn admit(&mut self, run: &RunState, now: i64) -> bool {
        let waits = matches!(run.status, RunStatus::Submitted | RunStatus::SubmittedRetry);
        if !waits || run.claim.until > now {
            return true;
        }
        self.take(run.workflow, run.owner, &run.host).is_ok()
    }

    /// Takes the room that a run needs, or says which limit has none.
    pub(crate) fn take(
        &mut self,
        workflow: Accession,
        owner: AccountId,
        host: &str,
    ) -> std::result::Result<(), FullLimit> {
        if self.room.is_empty() {
            return Ok(());
        }
        let keys = [
            (LimitKind::Account.as_str(), owner.0.to_string()),
            (LimitKind::Host.as_str(), host.to_owned()),
            (LimitKind::Workflow.as_str(), workflow.to_string()),
        ];
        let mut of_run = keys.iter().filter_map(|key| self.room.get(key));
        if let Some(full) = of_run.find(|room| room.left <= 0) {
            return Err(full.limit);
        }
        for key in &keys {
            if let Some(room) = self.room.get_mut(key) {
                room.left -= 1;
            }
        }
        Ok(())
    }
}

async fn subject(
    tx: &mut Writing,
    on: &LimitOn,
    operation: &'static str,
) -> Result<Option<String>> {
    let row = sqlx::query(SUBJECT)
        .bind(on.kind().as_str())
        .bind(on.name())
        .fetch_optional(&mut **tx)
        .await
        .during(operation)?;
    row.map(|row| column(&row, "subject", operation)).transpose()
}

fn kind(row: &AnyRow, operation: &'static str) -> Result<LimitKind> {
    let word: String = column(row, "kind", operation)?;
    let kinds = [LimitKind::Workflow, LimitKind::Account, LimitKind::Host];
    let kind = kinds.into_iter().find(|kind| kind.as_str() == word);
    decode(kind.ok_or("an unknown kind"), operation, &word, "what a limit is on")
}

fn limit(row: &AnyRow, operation: &'static str) -> Result<RunLimit> {
    let subject: String = column(row, "subject", operation)?;
    let on = match kind(row, operation)? {
        LimitKind::Workflow => {
            LimitOn::Workflow(decode(subject.parse(), operation, &subject, "an accession")?)
        }
        LimitKind::Account => {
            LimitOn::Account(decode(subject.parse(), operation, &subject, "an address")?)
        }
        LimitKind::Host => {
            LimitOn::Host(decode(subject.parse(), operation, &subject, "a host label")?)
        }
    };
    let runs: i64 = column(row, "runs", operation)?;
    Ok(RunLimit {
        on,
        runs: decode(u32::try_from(runs), operation, runs, "a number of runs")?,
        running: u64::try_from(column::<i64>(row, "running", operation)?).unwrap_or(0),
        set_by: column(row, "set_by", operation)?,
        set_at: Timestamp::from_micros(column(row, "set_at", operation)?),
    })
}

#[cfg(test)]
mod tests;
