//! Finding the runs that a launcher may claim.
//!
//! Conditions on owner, label and status stand in the statements as an index has them, so that a
//! claim reads the runs that wait and not all that ever were.

use niassa_model::accession::Accession;
use niassa_model::account::LaunchHosts;
use niassa_model::host::HostLabel;
use niassa_model::place::EngineKind;
use sqlx::Any;
use sqlx::any::AnyArguments;
use sqlx::query::Query;

use super::{ClaimRequest, Want};
use crate::dialect::Dialect;
use crate::error::{During, Result};
use crate::events::accession;
use crate::pool::{Writing, column};
use crate::{Access, MetaDb, bulk};

/// A search for runs, with everything it depends on.
pub(crate) struct Search<'search> {
    pub(crate) access: &'search Access,
    pub(crate) hosts: &'search LaunchHosts,
    pub(crate) request: &'search ClaimRequest,
    pub(crate) now: i64,
}

/// Runs of the account that the caller may work on. `$1`: account; `$2`: labels that the token
/// allows; `$3`: places; `$4`: engines; `$5`: time; `$6`: holder; `$7`: what names them.
macro_rules! of_the_caller {
    ($place:literal) => {
        concat!(
            "from run r where r.owner = $1 \
                and (cast($2 as text) is null \
                    or r.host in (select value ->> 0 from json_each($2))) and ",
            $place,
            " and (r.engine is null or r.engine in (select value ->> 0 from json_each($4))) \
              and (r.claim_until <= $5 or r.claim_holder = $6) "
        )
    };
}

macro_rules! to_launch {
    () => {
        concat!(
            of_the_caller!(
                "(r.place_key is null or r.place_key in (select value ->> 0 from json_each($3)))"
            ),
            "and r.status in ('submitted', 'submitted_retry') "
        )
    };
}

macro_rules! to_act_on {
    () => {
        of_the_caller!("r.place_key in (select value ->> 0 from json_each($3))")
    };
}

macro_rules! with_accession {
    () => {
        "and r.swid in (select cast(value ->> 0 as bigint) from json_each($7)) "
    };
}

macro_rules! active {
    () => {
        "and r.status in ('submitted', 'pending', 'running', 'submitted_cancel', \
            'submitted_retry') "
    };
}

macro_rules! offered {
    () => {
        "and (r.offered_after <= $5 or r.claim_holder = $6) \
         order by r.claims_without_record, r.swid limit $8"
    };
}

macro_rules! in_need {
    () => {
        "and r.needs_action = 1 and (cast($7 as text) is null or r.host = $7) "
    };
}

sql! {
    /// How many runs with a label wait. `$7`: the label.
    COUNT_WITH_LABEL = concat!("select count(*) as waiting ", to_launch!(), "and r.host = $7");
    /// How many of these runs wait. `$7`: accessions.
    COUNT_WITH_ACCESSION =
        concat!("select count(*) as waiting ", to_launch!(), with_accession!());
    /// Runs with a label to launch. `$8`: rows.
    WITH_LABEL = concat!("select r.swid ", to_launch!(), "and r.host = $7 ", offered!());
    /// These runs, to launch. `$8`: rows.
    WITH_ACCESSION = concat!("select r.swid ", to_launch!(), with_accession!(), offered!());
    /// These runs, to act on. `$8`: rows.
    ACT_WITH_ACCESSION =
        concat!("select r.swid ", to_act_on!(), active!(), with_accession!(), offered!());
    /// Runs that need an action. `$7`: their label, or none; `$8`: rows.
    IN_NEED = concat!("select r.swid ", to_act_on!(), in_need!(), offered!());
    /// Runs that were cancelled, were never recorded by a launcher, and are held by nobody.
    /// `$1`: account; `$2`: labels that the token allows; `$3`: time; `$4`: label, or none.
    ABANDONED_CANCELS = "select r.swid from run r where r.owner = $1 \
        and r.status = 'submitted_cancel' \
        and (cast($2 as text) is null or r.host in (select value ->> 0 from json_each($2))) \
        and r.place_key is null and r.claim_until <= $3 \
        and (cast($4 as text) is null or r.host = $4) \
        order by r.swid limit 100";
    /// Waiting runs with a label that demand an engine which is not served, and of which nobody was
    /// told. `$1`: account; `$2`: labels that the token allows; `$3`: label; `$4`: engines.
    OTHER_ENGINE = "select r.swid from run r where r.owner = $1 and r.host = $3 \
        and r.status in ('submitted', 'submitted_retry') \
        and (cast($2 as text) is null or r.host in (select value ->> 0 from json_each($2))) \
        and r.engine is not null and r.engine not in (select value ->> 0 from json_each($4)) \
        and r.note is null order by r.swid limit 100";
}

/// The same with what SQLite has no words for: rows that another launcher is about to take are
/// skipped, so that launchers at the same time get different runs.
macro_rules! skipping {
    ($($part:expr),*) => {
        concat!("select r.swid ", $($part,)* " for update of r skip locked")
    };
}
const WITH_LABEL_POSTGRES: &str = skipping!(to_launch!(), "and r.host = $7 ", offered!());
const WITH_ACCESSION_POSTGRES: &str = skipping!(to_launch!(), with_accession!(), offered!());
const ACT_WITH_ACCESSION_POSTGRES: &str =
    skipping!(to_act_on!(), active!(), with_accession!(), offered!());
const IN_NEED_POSTGRES: &str = skipping!(to_act_on!(), in_need!(), offered!());

/// How the runs are named.
enum Named {
    Label(String),
    Accessions(String),
    InNeed(Option<String>),
    Nothing,
}

impl Search<'_> {
    /// Counts the runs that wait for the caller, whether they are offered now or later.
    pub(crate) async fn waiting(&self, metadb: &MetaDb, operation: &'static str) -> Result<u64> {
        let (statement, seventh) = match (self.request.want, self.named()) {
            (Want::Launch, Named::Label(label)) => (COUNT_WITH_LABEL, label),
            (Want::Launch, Named::Accessions(accessions)) => (COUNT_WITH_ACCESSION, accessions),
            (Want::Launch, Named::InNeed(_) | Named::Nothing) | (Want::Act, _) => return Ok(0),
        };
        let row = self.bound(statement).bind(seventh).fetch_one(metadb.reader()).await;
        let waiting: i64 = column(&row.during(operation)?, "waiting", operation)?;
        Ok(u64::try_from(waiting).unwrap_or(0))
    }

    /// Finds the runs that the caller gets now.
    pub(crate) async fn claimable(
        &self,
        transaction: &mut Writing,
        dialect: Dialect,
        operation: &'static str,
    ) -> Result<Vec<Accession>> {
        let (sqlite, postgres, seventh) = match (self.named(), self.request.want) {
            (Named::Label(label), _) => (WITH_LABEL, WITH_LABEL_POSTGRES, Some(label)),
            (Named::Accessions(list), Want::Launch) => {
                (WITH_ACCESSION, WITH_ACCESSION_POSTGRES, Some(list))
            }
            (Named::Accessions(list), Want::Act) => {
                (ACT_WITH_ACCESSION, ACT_WITH_ACCESSION_POSTGRES, Some(list))
            }
            (Named::InNeed(label), _) => (IN_NEED, IN_NEED_POSTGRES, label),
            (Named::Nothing, _) => return Ok(Vec::new()),
        };
        let statement = match dialect {
            Dialect::Sqlite => sqlite,
            Dialect::Postgres => postgres,
        };
        let query = self.bound(statement).bind(seventh).bind(i64::from(self.request.limit));
        let rows = query.fetch_all(&mut **transaction).await.during(operation)?;
        rows.iter().map(|row| accession(row, "swid", operation)).collect()
    }

    /// Finds cancelled runs that were never recorded by a launcher and that nobody holds.
    pub(crate) async fn abandoned_cancels(
        &self,
        metadb: &MetaDb,
        operation: &'static str,
    ) -> Result<Vec<Accession>> {
        let rows = sqlx::query(ABANDONED_CANCELS)
            .bind(self.access.account.0)
            .bind(self.labels())
            .bind(self.now)
            .bind(self.request.host.as_ref().map(|host| host.as_str().to_owned()))
            .fetch_all(metadb.reader())
            .await
            .during(operation)?;
        rows.iter().map(|row| accession(row, "swid", operation)).collect()
    }

    /// Finds waiting runs that demand an engine which this launcher does not serve.
    pub(crate) async fn demanding_another_engine(
        &self,
        metadb: &MetaDb,
        operation: &'static str,
    ) -> Result<Vec<Accession>> {
        let (Some(host), Want::Launch) = (&self.request.host, self.request.want) else {
            return Ok(Vec::new());
        };
        let rows = sqlx::query(OTHER_ENGINE)
            .bind(self.access.account.0)
            .bind(self.labels())
            .bind(host.as_str())
            .bind(bulk::words(self.engines()))
            .fetch_all(metadb.reader())
            .await
            .during(operation)?;
        rows.iter().map(|row| accession(row, "swid", operation)).collect()
    }

    /// Says which engines the launcher serves.
    pub(crate) fn engine_note(&self) -> String {
        let engines: Vec<&str> = self.engines().collect();
        let host = self.request.host.as_ref().map(HostLabel::as_str).unwrap_or_default();
        let engines = engines.join(", ");
        format!("the launcher of {host} serves the engine {engines}; this run demands another one")
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

    /// The labels that the token allows, where it narrows them.
    fn labels(&self) -> Option<String> {
        match self.hosts {
            LaunchHosts::Any => None,
            LaunchHosts::Only(hosts) => Some(bulk::words(hosts.iter().map(HostLabel::as_str))),
        }
    }

    /// Binds the first six parameters.
    fn bound(&self, statement: &'static str) -> Query<'static, Any, AnyArguments> {
        sqlx::query(statement)
            .bind(self.access.account.0)
            .bind(self.labels())
            .bind(bulk::words(self.request.places.iter().map(String::as_str)))
            .bind(bulk::words(self.engines()))
            .bind(self.now)
            .bind(self.request.holder.clone())
    }
}
