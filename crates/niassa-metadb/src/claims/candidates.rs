//! Finding the runs that a launcher may claim.

use niassa_model::accession::Accession;
use niassa_model::account::LaunchHosts;
use niassa_model::host::HostLabel;
use niassa_model::place::EngineKind;
use niassa_model::run::RunStatus;
use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AnyConnection};

use super::{ClaimRequest, Want};
use crate::dialect::Dialect;
use crate::error::{During, Result};
use crate::events::accession;
use crate::pool::{Writing, column};
use crate::{Access, bulk};

/// A search for runs, with everything it depends on.
pub(super) struct Search<'search> {
    pub(super) access: &'search Access,
    pub(super) hosts: &'search LaunchHosts,
    pub(super) request: &'search ClaimRequest,
    pub(super) now: i64,
}

/// Runs of the account that the caller may work on. `$1`: account; `$2`: statuses; `$3`: labels
/// that the token allows; `$4`: places; `$5`: whether runs without a place count; `$6`: engines;
/// `$7`: time; `$8`: holder.
macro_rules! of_the_caller {
    () => {
        "from run r where r.owner = $1 \
            and r.status in (select value ->> 0 from json_each($2)) \
            and (cast($3 as text) is null \
                or r.host in (select value ->> 0 from json_each($3))) \
            and (r.place_key in (select value ->> 0 from json_each($4)) \
                or (r.place_key is null and $5 = 1)) \
            and (r.engine is null or r.engine in (select value ->> 0 from json_each($6))) \
            and (r.claim_until <= $7 or r.claim_holder = $8)"
    };
}

macro_rules! offered {
    () => {
        " and (r.offered_after <= $7 or r.claim_holder = $8) \
          order by r.claims_without_record, r.swid limit $10"
    };
}

macro_rules! with_label {
    () => {
        " and r.host = $9"
    };
}

macro_rules! with_accession {
    () => {
        " and r.swid in (select cast(value ->> 0 as bigint) from json_each($9))"
    };
}

macro_rules! in_need {
    () => {
        " and r.needs_action = 1 and (cast($9 as text) is null or r.host = $9)"
    };
}

sql! {
    /// How many runs with a label wait. `$9`: the label.
    COUNT_WITH_LABEL = concat!("select count(*) as waiting ", of_the_caller!(), with_label!());
    /// How many of these runs wait. `$9`: accessions.
    COUNT_WITH_ACCESSION =
        concat!("select count(*) as waiting ", of_the_caller!(), with_accession!());
    /// Runs with a label. `$10`: rows.
    WITH_LABEL = concat!("select r.swid ", of_the_caller!(), with_label!(), offered!());
    /// These runs. `$10`: rows.
    WITH_ACCESSION = concat!("select r.swid ", of_the_caller!(), with_accession!(), offered!());
    /// Runs that need an action. `$9`: their label, or none; `$10`: rows.
    IN_NEED = concat!("select r.swid ", of_the_caller!(), in_need!(), offered!());
    /// Runs that were cancelled, were never recorded by a launcher, and are held by nobody.
    /// `$1`: account; `$2`: time; `$3`: label, or none.
    ABANDONED_CANCELS = "select swid from run where status = 'submitted_cancel' and owner = $1 \
        and place_key is null and claim_until <= $2 and (cast($3 as text) is null or host = $3) \
        order by swid limit 100";
    /// Tells people why a run with a label waits. `$1`: account; `$2`: label; `$3`: engines that
    /// are served; `$4`: the note.
    NOTE_ENGINE = "update run set note = $4 where owner = $1 and host = $2 \
        and status in ('submitted', 'submitted_retry') and engine is not null \
        and engine not in (select value ->> 0 from json_each($3)) \
        and (note is null or note <> $4)";
}

/// The same with what SQLite has no words for: rows that another launcher is about to take are
/// skipped, so that launchers at the same time get different runs.
const WITH_LABEL_POSTGRES: &str = concat!(
    "select r.swid ",
    of_the_caller!(),
    with_label!(),
    offered!(),
    " for update of r skip locked"
);
const WITH_ACCESSION_POSTGRES: &str = concat!(
    "select r.swid ",
    of_the_caller!(),
    with_accession!(),
    offered!(),
    " for update of r skip locked"
);
const IN_NEED_POSTGRES: &str = concat!(
    "select r.swid ",
    of_the_caller!(),
    in_need!(),
    offered!(),
    " for update of r skip locked"
);

/// How the runs are named.
enum Named {
    Label(String),
    Accessions(String),
    InNeed(Option<String>),
    Nothing,
}

impl Search<'_> {
    /// Counts the runs that wait for the caller, whether they are offered now or later.
    pub(super) async fn waiting(
        &self,
        transaction: &mut Writing,
        operation: &'static str,
    ) -> Result<u64> {
        let (statement, ninth) = match (self.request.want, self.named()) {
            (Want::Launch, Named::Label(label)) => (COUNT_WITH_LABEL, label),
            (Want::Launch, Named::Accessions(accessions)) => (COUNT_WITH_ACCESSION, accessions),
            (Want::Launch, Named::InNeed(_) | Named::Nothing) | (Want::Act, _) => return Ok(0),
        };
        self.note_engines(transaction, operation).await?;
        let row = self.bound(statement).bind(ninth).fetch_one(connection(transaction)).await;
        let waiting: i64 = column(&row.during(operation)?, "waiting", operation)?;
        Ok(u64::try_from(waiting).unwrap_or(0))
    }

    /// Finds the runs that the caller gets now.
    pub(super) async fn claimable(
        &self,
        transaction: &mut Writing,
        dialect: Dialect,
        operation: &'static str,
    ) -> Result<Vec<Accession>> {
        let (sqlite, postgres, ninth) = match self.named() {
            Named::Label(label) => (WITH_LABEL, WITH_LABEL_POSTGRES, Some(label)),
            Named::Accessions(list) => (WITH_ACCESSION, WITH_ACCESSION_POSTGRES, Some(list)),
            Named::InNeed(label) => (IN_NEED, IN_NEED_POSTGRES, label),
            Named::Nothing => return Ok(Vec::new()),
        };
        let statement = match dialect {
            Dialect::Sqlite => sqlite,
            Dialect::Postgres => postgres,
        };
        let query = self.bound(statement).bind(ninth).bind(i64::from(self.request.limit));
        let rows = query.fetch_all(connection(transaction)).await.during(operation)?;
        rows.iter().map(|row| accession(row, "swid", operation)).collect()
    }

    /// Finds cancelled runs that were never recorded by a launcher and that nobody holds.
    pub(super) async fn abandoned_cancels(
        &self,
        transaction: &mut Writing,
        operation: &'static str,
    ) -> Result<Vec<Accession>> {
        let rows = sqlx::query(ABANDONED_CANCELS)
            .bind(self.access.account.0)
            .bind(self.now)
            .bind(self.request.host.as_ref().map(|host| host.as_str().to_owned()))
            .fetch_all(connection(transaction))
            .await
            .during(operation)?;
        rows.iter().map(|row| accession(row, "swid", operation)).collect()
    }

    /// Tells people about runs that demand an engine which this launcher does not serve.
    async fn note_engines(&self, transaction: &mut Writing, operation: &'static str) -> Result<()> {
        let Some(host) = &self.request.host else { return Ok(()) };
        let engines: Vec<&str> = self.engines().collect();
        let note = format!(
            "the launcher of {host} serves the engine {} only; this run demands another one",
            engines.join(", ")
        );
        let done = sqlx::query(NOTE_ENGINE)
            .bind(self.access.account.0)
            .bind(host.as_str())
            .bind(bulk::words(self.engines()))
            .bind(note)
            .execute(connection(transaction))
            .await;
        done.during(operation).map(drop)
    }

    fn named(&self) -> Named {
        let label = self.request.host.as_ref().map(|host| host.as_str().to_owned());
        match (&self.request.accessions, label, self.request.want) {
            (Some(accessions), _, _) => {
                Named::Accessions(bulk::numbers(accessions.iter().copied()))
            }
            (None, label, Want::Act) => Named::InNeed(label),
            (None, Some(label), Want::Launch) => Named::Label(label),
            (None, None, Want::Launch) => Named::Nothing,
        }
    }

    fn engines(&self) -> impl Iterator<Item = &'static str> {
        self.request.engines.iter().map(|engine| EngineKind::as_str(*engine))
    }

    /// Binds the first eight parameters.
    fn bound(&self, statement: &'static str) -> Query<'static, Any, AnyArguments> {
        let statuses = RunStatus::ALL.into_iter().filter(|status| match self.request.want {
            Want::Launch => matches!(status, RunStatus::Submitted | RunStatus::SubmittedRetry),
            Want::Act => status.is_active(),
        });
        let hosts = match self.hosts {
            LaunchHosts::Any => None,
            LaunchHosts::Only(hosts) => Some(bulk::words(hosts.iter().map(HostLabel::as_str))),
        };
        sqlx::query(statement)
            .bind(self.access.account.0)
            .bind(bulk::words(statuses.map(RunStatus::as_str)))
            .bind(hosts)
            .bind(bulk::words(self.request.places.iter().map(String::as_str)))
            .bind(match self.request.want {
                Want::Launch => 1_i64,
                Want::Act => 0,
            })
            .bind(bulk::words(self.engines()))
            .bind(self.now)
            .bind(self.request.holder.clone())
    }
}

fn connection(transaction: &mut Writing) -> &mut AnyConnection {
    transaction
}
