//! Finding the runs that a launcher may claim.
//!
//! Conditions on owner, label and status stand in the statements as an index has them, so that a
//! claim reads the runs that wait and not all that ever were.

use std::time::Instant;

use niassa_model::accession::Accession;
use niassa_model::account::{AccountId, LaunchHosts};
use niassa_model::host::HostLabel;
use niassa_model::place::EngineKind;
use sqlx::Any;
use sqlx::any::AnyArguments;
use sqlx::query::Query;

use super::{ClaimRequest, Want};
use crate::dialect::Dialect;
use crate::error::{During, Result};
use crate::events::accession;
use crate::limits::Limits;
use crate::pool::{Writing, column};
use crate::{Access, MetaDb, bulk};

/// A search for runs, with everything it depends on.
pub(crate) struct Search<'search> {
    pub(crate) access: &'search Access,
    pub(crate) hosts: &'search LaunchHosts,
    pub(crate) request: &'search ClaimRequest,
    pub(crate) now: i64,
    /// The accounts whose runs are looked for: the caller, and those that allow it to launch theirs.
    pub(crate) owners: &'search [AccountId],
}

/// Runs of an account that the caller may work on: its own, or one that allowed it. `$1`: the owner;
/// `$2`: labels that the token allows; `$3`: places; `$4`: engines; `$5`: time; `$6`: holder; `$7`:
/// the caller; `$8`: what names them.
macro_rules! of_the_caller {
    ($place:literal) => {
        concat!(
            "from run r where r.owner = $1 and (r.owner = $7 or ",
            granted!("r.owner", "$7", "r.host"),
            ") and (cast($2 as text) is null \
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

/// Counts runs to launch, ten thousand at most: a claim must not cost more the more runs wait. A
/// tick launches no more than it was told; the next one goes on.
macro_rules! counted {
    ($named:expr) => {
        concat!(
            "select count(*) as waiting from (select 1 as one ",
            to_launch!(),
            $named,
            " limit 10000) w"
        )
    };
}

macro_rules! with_accession {
    () => {
        "and r.swid in (select cast(value ->> 0 as bigint) from json_each($8)) "
    };
}

macro_rules! active {
    () => {
        "and r.status in ('submitted', 'pending', 'running', 'submitted_cancel', \
            'submitted_retry') "
    };
}

/// A label that is held gives out nothing new.
macro_rules! not_held {
    () => {
        "and not exists (select 1 from host_hold h where h.host = r.host \
            and h.released_at is null) "
    };
}

/// Nor does what has as many runs as it may. `$10`: rows of kind and subject of full limits.
macro_rules! not_full {
    () => {
        "and not exists (select 1 from json_each($10) f where f.value ->> 1 = \
            case f.value ->> 0 when 'workflow' then cast(r.workflow as text) \
                when 'account' then cast(r.owner as text) else r.host end) "
    };
}

/// Healthy runs first, of these the most urgent, of these the oldest.
macro_rules! by_priority {
    () => {
        "and (r.offered_after <= $5 or r.claim_holder = $6) \
         order by r.claims_without_record, r.priority desc, r.swid limit $9"
    };
}

macro_rules! offered {
    () => {
        "and (r.offered_after <= $5 or r.claim_holder = $6) \
         order by r.claims_without_record, r.swid limit $9"
    };
}

macro_rules! in_need {
    () => {
        "and r.needs_action = 1 and (cast($8 as text) is null or r.host = $8) "
    };
}

/// What `ABANDONED_CANCELS` finds.
macro_rules! abandoned_cancels {
    () => {
        concat!(
            "select r.swid from run r where r.owner = $1 \
        and (r.owner = $5 or ",
            granted!("r.owner", "$5", "r.host"),
            ") and r.status = 'submitted_cancel' \
        and (cast($2 as text) is null or r.host in (select value ->> 0 from json_each($2))) \
        and r.place_key is null and r.claim_until <= $3 \
        and (cast($4 as text) is null or r.host = $4) \
        order by r.swid limit 100"
        )
    };
}
#[cfg(test)]
pub(crate) use abandoned_cancels;

sql! {
    /// How many runs with a label wait. `$8`: the label.
    COUNT_WITH_LABEL = counted!("and r.host = $8");
    /// How many of these runs wait. `$8`: accessions.
    COUNT_WITH_ACCESSION = counted!(with_accession!());
    /// Runs with a label to launch. `$9`: rows.
    WITH_LABEL =
        concat!("select r.swid ", to_launch!(), "and r.host = $8 ", not_held!(), not_full!(), by_priority!());
    /// These runs, to launch. `$9`: rows.
    WITH_ACCESSION =
        concat!("select r.swid ", to_launch!(), with_accession!(), not_held!(), not_full!(), by_priority!());
    /// These runs, to act on. `$9`: rows.
    ACT_WITH_ACCESSION =
        concat!("select r.swid ", to_act_on!(), active!(), with_accession!(), offered!());
    /// Runs that need an action. `$8`: their label, or none; `$9`: rows.
    IN_NEED = concat!("select r.swid ", to_act_on!(), in_need!(), offered!());
    /// Runs that were cancelled, were never recorded by a launcher, and are held by nobody.
    /// `$1`: owner; `$2`: labels that the token allows; `$3`: time; `$4`: label, or none; `$5`:
    /// caller.
    ABANDONED_CANCELS = abandoned_cancels!();
    /// Waiting runs with a label that demand an engine which is not served, and of which nobody was
    /// told. `$1`: owner; `$2`: labels that the token allows; `$3`: label; `$4`: engines; `$5`:
    /// caller.
    OTHER_ENGINE = concat!("select r.swid from run r where r.owner = $1 and r.host = $3 \
        and (r.owner = $5 or ", granted!("r.owner", "$5", "r.host"), ") and r.status in ('submitted', 'submitted_retry') \
        and (cast($2 as text) is null or r.host in (select value ->> 0 from json_each($2))) \
        and r.engine is not null and r.engine not in (select value ->> 0 from json_each($4)) \
        and r.note is null order by r.swid limit 100");
    /// Accounts that allow the caller to launch their runs. `$1`: caller; `$2`: for this label, or
    /// any.
    ALLOWING = "select distinct g.owner from launch_grant g where g.grantee = $1 \
        and (cast($2 as text) is null or g.host = $2) and g.revoked_at is null \
        and (g.expires_at is null or g.expires_at > (select now from clock)) order by g.owner";
}

/// The same with what SQLite has no words for: rows that another launcher is about to take are
/// skipped, so that launchers at the same time get different runs.
macro_rules! skipping {
    ($($part:expr),*) => {
        concat!("select r.swid ", $($part,)* " for update of r skip locked")
    };
}
const WITH_LABEL_POSTGRES: &str =
    skipping!(to_launch!(), "and r.host = $8 ", not_held!(), not_full!(), by_priority!());
const WITH_ACCESSION_POSTGRES: &str =
    skipping!(to_launch!(), with_accession!(), not_held!(), not_full!(), by_priority!());
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
    /// Counts the runs that wait for the caller, whether they are offered now or later: of each account
    /// ten thousand at most.
    pub(crate) async fn waiting(&self, metadb: &MetaDb, operation: &'static str) -> Result<u64> {
        let (statement, named) = match (self.request.want, self.named()) {
            (Want::Launch, Named::Label(label)) => (COUNT_WITH_LABEL, label),
            (Want::Launch, Named::Accessions(accessions)) => (COUNT_WITH_ACCESSION, accessions),
            (Want::Launch, Named::InNeed(_) | Named::Nothing) | (Want::Act, _) => return Ok(0),
        };
        let mut all = 0;
        for owner in self.owners {
            all += self.waiting_of(*owner, metadb, statement, &named, operation).await?;
        }
        Ok(all)
    }

    /// Counts those of one account; what was many a moment ago is not counted again.
    async fn waiting_of(
        &self,
        owner: AccountId,
        metadb: &MetaDb,
        statement: &'static str,
        named: &str,
        operation: &'static str,
    ) -> Result<u64> {
        let (caller, request) = (self.access.account, self.request);
        let what = format!(
            "{owner:?} {caller:?} {named:?} {:?} {:?} {:?}",
            self.hosts, request.places, request.engines
        );
        let at = Instant::now();
        if let Some(count) = metadb.recent_counts().recall(&what, at) {
            return Ok(count);
        }
        let query = self.bound(statement, owner).bind(named.to_owned());
        let row = query.fetch_one(metadb.reader()).await.during(operation)?;
        let count: i64 = column(&row, "waiting", operation)?;
        let count = u64::try_from(count).unwrap_or(0);
        metadb.recent_counts().keep(what, count, at);
        Ok(count)
    }

    /// Finds runs that the caller may get now, at most so many, in the order in which it gets them.
    pub(crate) async fn claimable(
        &self,
        transaction: &mut Writing,
        dialect: Dialect,
        limits: &Limits,
        most: usize,
        operation: &'static str,
    ) -> Result<Vec<Accession>> {
        let (sqlite, postgres, named) = match (self.named(), self.request.want) {
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
        let mut of_each = Vec::with_capacity(self.owners.len());
        for owner in self.owners {
            let query = self.bound(statement, *owner).bind(named.clone());
            let query = query.bind(i64::try_from(most).unwrap_or(i64::MAX));
            let query = match self.request.want {
                Want::Launch => query.bind(limits.full()),
                Want::Act => query,
            };
            let rows = query.fetch_all(&mut **transaction).await.during(operation)?;
            let found = rows.iter().map(|row| accession(row, "swid", operation));
            of_each.push(found.collect::<Result<Vec<_>>>()?);
        }
        Ok(in_turns(of_each, most))
    }

    /// Finds cancelled runs that were never recorded by a launcher and that nobody holds.
    pub(crate) async fn abandoned_cancels(
        &self,
        metadb: &MetaDb,
        operation: &'static str,
    ) -> Result<Vec<Accession>> {
        let mut found = Vec::new();
        for owner in self.owners {
            let rows = sqlx::query(ABANDONED_CANCELS)
                .bind(owner.0)
                .bind(self.labels())
                .bind(self.now)
                .bind(self.request.host.as_ref().map(|host| host.as_str().to_owned()))
                .bind(self.access.account.0)
                .fetch_all(metadb.reader())
                .await
                .during(operation)?;
            for row in &rows {
                found.push(accession(row, "swid", operation)?);
            }
        }
        Ok(found)
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
        let mut found = Vec::new();
        for owner in self.owners {
            let rows = sqlx::query(OTHER_ENGINE)
                .bind(owner.0)
                .bind(self.labels())
                .bind(host.as_str())
                .bind(bulk::words(self.engines()))
                .bind(self.access.account.0)
                .fetch_all(metadb.reader())
                .await
                .during(operation)?;
            for row in &rows {
                found.push(accession(row, "swid", operation)?);
            }
        }
        Ok(found)
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

    /// Binds the first seven parameters.
    fn bound(
        &self,
        statement: &'static str,
        owner: AccountId,
    ) -> Query<'static, Any, AnyArguments> {
        sqlx::query(statement)
            .bind(owner.0)
            .bind(self.labels())
            .bind(bulk::words(self.request.places.iter().map(String::as_str)))
            .bind(bulk::words(self.engines()))
            .bind(self.now)
            .bind(self.request.holder.clone())
            .bind(self.access.account.0)
    }
}

/// Finds the accounts whose runs a caller may launch: its own first, then those that allow it. No
/// account is always the first to be served: the turn begins somewhere else each time.
pub(crate) async fn owners(
    metadb: &MetaDb,
    access: &Access,
    request: &ClaimRequest,
    operation: &'static str,
) -> Result<Vec<AccountId>> {
    let rows = sqlx::query(ALLOWING)
        .bind(access.account.0)
        .bind(request.host.as_ref().map(|host| host.as_str().to_owned()))
        .fetch_all(metadb.reader())
        .await
        .during(operation)?;
    let mut owners = vec![access.account];
    for row in &rows {
        owners.push(AccountId(column(row, "owner", operation)?));
    }
    let first = rand::random_range(0..owners.len());
    owners.rotate_left(first);
    Ok(owners)
}

/// Takes from each account in turns, so that one with many runs keeps nobody waiting.
fn in_turns(of_each: Vec<Vec<Accession>>, most: usize) -> Vec<Accession> {
    let mut of_each: Vec<_> = of_each.into_iter().map(Vec::into_iter).collect();
    let mut taken = Vec::new();
    loop {
        let before = taken.len();
        for of_one in &mut of_each {
            if taken.len() < most {
                taken.extend(of_one.next());
            }
        }
        if taken.len() == before {
            return taken;
        }
    }
}
