//! Lists of runs, newest first, a page at a time.

use std::collections::BTreeSet;

use niassa_model::accession::Accession;
use niassa_model::run::RunStatus;

use super::row::{self, Run};
use crate::error::{During, Result};
use crate::{Access, MetaDb, bulk};

/// Which runs to list. All conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunFilter {
    /// Whose runs.
    pub whose: Whose,
    /// Only runs with one of these statuses.
    pub statuses: Option<BTreeSet<RunStatus>>,
    /// Only runs of this workflow.
    pub workflow: Option<Accession>,
    /// Only runs for this label.
    pub host: Option<String>,
    /// Only runs at the place with this key.
    pub place_key: Option<String>,
    /// Only these runs.
    pub accessions: Option<Vec<Accession>>,
    /// Only runs accepted at or after this time, in microseconds.
    pub from: Option<i64>,
    /// Only runs accepted before this time, in microseconds.
    pub to: Option<i64>,
    /// Only runs with a smaller accession: where the page before ended.
    pub before: Option<i64>,
}

/// Whose runs to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Whose {
    /// All that the caller may see.
    #[default]
    Visible,
    /// The caller's own.
    Own,
}

/// The text of a list. `$3`: labels; `$4`: statuses; `$5`: workflow; `$6`: host; `$7`: place;
/// `$8`: accessions; `$9`: from; `$10`: to; `$11`: before; `$12`: rows; `$13`: 1 for own ones only.
macro_rules! list {
    ($statuses:literal, $accessions:literal, $order:literal) => {
        concat!(
            "select ",
            run_columns!(),
            " from ",
            run_tables!(),
            " where ",
            visible_run!(),
            $statuses,
            " and (cast($5 as bigint) is null or r.workflow = $5) \
              and (cast($6 as text) is null or r.host = $6) \
              and (cast($7 as text) is null or r.place_key = $7) ",
            $accessions,
            " and (cast($9 as bigint) is null or r.created_at >= $9) \
              and (cast($10 as bigint) is null or r.created_at < $10) \
              and r.swid < $11 and (cast($13 as bigint) = 0 or r.owner = $2) \
              order by ",
            $order,
            " desc limit $12"
        )
    };
}

sql! {
    /// Runs, looked through from the newest on.
    NEWEST = list!(
        " and (cast($4 as text) is null or r.status in (select value ->> 0 from json_each($4)))",
        " and (cast($8 as text) is null \
            or r.swid in (select cast(value ->> 0 as bigint) from json_each($8)))",
        "r.swid");
    /// The caller's own runs, looked through from the newest on.
    NEWEST_OWN = list!(
        " and r.owner = $2 \
          and (cast($4 as text) is null or r.status in (select value ->> 0 from json_each($4)))",
        " and (cast($8 as text) is null \
            or r.swid in (select cast(value ->> 0 as bigint) from json_each($8)))",
        "r.swid");
    /// Runs with few statuses, found by them: the sum keeps the database from going through all.
    WITH_STATUS = list!(
        " and r.status in (select value ->> 0 from json_each($4))",
        " and (cast($8 as text) is null \
            or r.swid in (select cast(value ->> 0 as bigint) from json_each($8)))",
        "(r.swid + 0)");
    /// Runs that are named.
    NAMED = list!(
        " and (cast($4 as text) is null or r.status in (select value ->> 0 from json_each($4)))",
        " and r.swid in (select cast(value ->> 0 as bigint) from json_each($8))",
        "(r.swid + 0)");
}

impl MetaDb {
    /// Returns runs that the caller may see, newest first.
    pub async fn runs(&self, access: &Access, filter: &RunFilter, limit: u32) -> Result<Vec<Run>> {
        const OPERATION: &str = "list runs";
        let statuses = filter.statuses.as_ref();
        let words = statuses.map(|all| bulk::words(all.iter().map(|status| status.as_str())));
        let named = filter.accessions.as_ref().map(|named| bulk::numbers(named.iter().copied()));
        let found = sqlx::query(filter.statement())
            .bind(access.everything())
            .bind(access.account.0)
            .bind(access.hosts_json())
            .bind(words)
            .bind(filter.workflow.map(Accession::get))
            .bind(filter.host.clone())
            .bind(filter.place_key.clone())
            .bind(named)
            .bind(filter.from)
            .bind(filter.to)
            .bind(filter.before.unwrap_or(i64::MAX))
            .bind(i64::from(limit))
            .bind(match filter.whose {
                Whose::Own => 1_i64,
                Whose::Visible => 0,
            })
            .fetch_all(self.reader())
            .await
            .during(OPERATION)?;
        found.iter().map(|found| row::read(found, OPERATION)).collect()
    }
}

impl RunFilter {
    /// Chooses the way to look: active runs are few among many, final ones are everywhere.
    fn statement(&self) -> &'static str {
        if self.accessions.is_some() {
            return NAMED;
        }
        match &self.statuses {
            Some(statuses) if statuses.iter().all(|status| status.is_active()) => WITH_STATUS,
            Some(_) | None => match self.whose {
                Whose::Own => NEWEST_OWN,
                Whose::Visible => NEWEST,
            },
        }
    }
}
