//! Lists of runs, newest first, a page at a time.

use std::collections::BTreeSet;

use niassa_model::accession::Accession;
use niassa_model::account::Email;
use niassa_model::run::RunStatus;

use super::row::{self, Run};
use crate::access::Sees;
use crate::error::{During, Result};
use crate::pool::column;
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
    /// Only runs of workflows with this name.
    pub workflow_name: Option<String>,
    /// Only runs of the account with this address.
    pub account: Option<Email>,
    /// Only runs with all of these in what lists show of them, in capitals or not.
    pub words: Vec<String>,
    /// Only these runs.
    pub accessions: Option<Vec<Accession>>,
    /// Only runs accepted at or after this time, in microseconds.
    pub from: Option<i64>,
    /// Only runs accepted before this time, in microseconds.
    pub to: Option<i64>,
    /// Only runs with a smaller accession: where the page before ended.
    pub before: Option<i64>,
    /// Only runs with a larger accession: how far back is looked.
    pub above: Option<i64>,
}

/// Whose runs to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Whose {
    /// All that the caller may see.
    #[default]
    Visible,
    /// The caller's own; at a place also those that it may launch for others.
    Own,
}

/// Conditions on a run `r`. `$3`: labels; `$4`: statuses; `$5`: workflow; `$6`: host; `$7`: place; `$9`: from;
/// `$10`: to; `$11`: before; `$14`: workflow's name; `$15`: patterns; `$16`: address of the account;
/// `$17`: above.
macro_rules! filters {
    () => {
        " and (cast($3 as text) is null or r.host in (select value ->> 0 from json_each($3))) \
          and (cast($4 as text) is null or r.status in (select value ->> 0 from json_each($4))) \
          and (cast($5 as bigint) is null or r.workflow = $5) \
          and (cast($6 as text) is null or r.host = $6) \
          and (cast($7 as text) is null or r.place_key = $7) \
          and (cast($9 as bigint) is null or r.created_at >= $9) \
          and (cast($10 as bigint) is null or r.created_at < $10) \
          and r.swid < $11 and r.swid > $17 \
          and (cast($14 as text) is null \
            or r.workflow in (select fw.swid from workflow fw where fw.name = $14)) \
          and (cast($15 as text) is null or not exists (select 1 from json_each($15) \
            where lower((select hw.name || ' ' || hw.version from workflow hw \
                where hw.swid = r.workflow) || ' ' || r.host || ' ' || coalesce(r.note, '') \
                || ' ' || coalesce(r.directory, '')) not like (value ->> 0) escape '!')) \
          and (cast($16 as text) is null \
            or r.owner in (select fa.id from account fa where fa.email = $16)) "
    };
}

/// The text of a list: `$which` runs of those that may be seen. `$3`: labels; `$8`: accessions;
/// `$12`: rows; `$13`: 1 for own ones only, at a place with those that the caller may launch.
macro_rules! list {
    ($which:expr, $order:literal) => {
        concat!(
            "select ",
            run_columns!(),
            " from ",
            run_tables!(),
            " where ",
            readable_run!(),
            " and ",
            $which,
            " and (cast($8 as text) is null \
                or r.swid in (select cast(value ->> 0 as bigint) from json_each($8))) \
              and (cast($13 as bigint) = 0 or r.owner = $2 \
                or (cast($7 as text) is not null and ",
            granted!("r.owner", "$2", "r.host"),
            ")) \
              order by ",
            $order,
            " desc limit $12"
        )
    };
}

sql! {
    /// The run behind so many newer ones. `$1`: before; `$2`: how many.
    BEHIND_NEWEST = "select swid from run where swid < $1 order by swid desc limit 1 offset $2";
    /// Runs, looked through from the newest on: for who sees everything.
    NEWEST = list!(concat!("1 = 1", filters!()), "r.swid");
    /// The newest runs of three kinds, each found by an index of its own: the caller's, those of
    /// studies that it may read, and those that it may launch for others.
    NEWEST_VISIBLE = list!(
        concat!(
            "r.swid in (select m.swid from (select r.swid from run r where r.owner = $2 ",
            filters!(),
            " order by r.swid desc limit $12) m union all \
              select s.swid from (select r.swid from run r where r.swid in \
                (select os.object from object_study os where os.study in \
                    (select sr.study from study_reader sr where sr.account = $2)) ",
            filters!(),
            " order by r.swid desc limit $12) s union all \
              select l.swid from (select r.swid from run r where r.owner in \
                (select lg.owner from launch_grant lg where lg.grantee = $2) and ",
            granted!("r.owner", "$2", "r.host"),
            filters!(),
            " order by r.swid desc limit $12) l)"
        ),
        "r.swid");
    /// The caller's own runs, looked through from the newest on.
    NEWEST_OWN = list!(concat!("r.owner = $2", filters!()), "r.swid");
    /// Runs at a place that are the caller's own or that it may launch for others.
    OWN_AT_PLACE = list!(
        concat!(
            "r.owner in (select cast($2 as bigint) union all \
                select lg.owner from launch_grant lg where lg.grantee = $2) and r.place_key = $7 \
                and r.status in (select value ->> 0 from json_each($4))",
            filters!()
        ),
        "(r.swid + 0)");
    /// Runs with few statuses, found by them: the sum keeps the database from going through all.
    WITH_STATUS = list!(
        concat!("r.status in (select value ->> 0 from json_each($4))", filters!()),
        "(r.swid + 0)");
    /// Runs that are named.
    NAMED = list!(
        concat!(
            "r.swid in (select cast(value ->> 0 as bigint) from json_each($8))",
            filters!()
        ),
        "(r.swid + 0)");
}

impl MetaDb {
    /// Returns runs that the caller may see, newest first.
    pub async fn runs(&self, access: &Access, filter: &RunFilter, limit: u32) -> Result<Vec<Run>> {
        const OPERATION: &str = "list runs";
        let statuses = filter.statuses.as_ref();
        let words = statuses.map(|all| bulk::words(all.iter().map(|status| status.as_str())));
        let named = filter.accessions.as_ref().map(|named| bulk::numbers(named.iter().copied()));
        let found = sqlx::query(filter.statement(access.sees))
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
            .bind(filter.workflow_name.as_deref())
            .bind(filter.patterns())
            .bind(filter.account.as_ref().map(Email::as_str))
            .bind(filter.above.unwrap_or(0))
            .fetch_all(self.reader())
            .await
            .during(OPERATION)?;
        found.iter().map(|found| row::read(found, OPERATION)).collect()
    }
}

impl MetaDb {
    /// Returns the run behind so many newer ones, whoever may see them; nothing where there are not
    /// as many. Looking only above it is bounded work.
    pub async fn run_behind_newest(&self, before: Option<i64>, runs: u32) -> Result<Option<i64>> {
        const OPERATION: &str = "find how far back to look for runs";
        let row = sqlx::query(BEHIND_NEWEST)
            .bind(before.unwrap_or(i64::MAX))
            .bind(i64::from(runs))
            .fetch_optional(self.reader())
            .await
            .during(OPERATION)?;
        row.map(|row| column(&row, "swid", OPERATION)).transpose()
    }
}

impl RunFilter {
    /// Returns the words as patterns that stand for any text around them.
    fn patterns(&self) -> Option<String> {
        if self.words.is_empty() {
            return None;
        }
        let pattern = |word: &String| {
            let mut pattern = String::from("%");
            for c in word.to_lowercase().chars() {
                if matches!(c, '!' | '%' | '_') {
                    pattern.push('!');
                }
                pattern.push(c);
            }
            pattern.push('%');
            pattern
        };
        let patterns: Vec<String> = self.words.iter().map(pattern).collect();
        Some(bulk::words(patterns.iter().map(String::as_str)))
    }

    /// Chooses the way to look: active runs are few among many, final ones are everywhere.
    fn statement(&self, sees: Sees) -> &'static str {
        if self.accessions.is_some() {
            return NAMED;
        }
        let are_few = |statuses: &BTreeSet<RunStatus>| statuses.iter().all(|s| s.is_active());
        let are_few = self.statuses.as_ref().is_some_and(are_few);
        match (self.whose, sees) {
            (Whose::Own, _) if are_few && self.place_key.is_some() => OWN_AT_PLACE,
            (Whose::Own, _) => NEWEST_OWN,
            (Whose::Visible, Sees::Own) => NEWEST_VISIBLE,
            (Whose::Visible, Sees::Everything) if are_few => WITH_STATUS,
            (Whose::Visible, Sees::Everything) => NEWEST,
        }
    }
}
