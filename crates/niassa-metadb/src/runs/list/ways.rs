//! Ways to look for runs: each along one index, in which accessions come last.
//!
//! Several ways may lead to what a filter asks for. One along which few runs are is walked whole.
//! Where none is, whoever sees everything takes the first, and everybody else what they may see:
//! their own runs, those of each study that they may read, those of each label they launch for.

use niassa_model::accession::Accession;
use niassa_model::account::{AccountId, Email};
use niassa_model::run::{Mark, RunStatus};

use super::{RunFilter, Whose};
use crate::access::Sees;
use crate::error::{During, Result};
use crate::pool::column;
use crate::runs::row::{self, Run};
use crate::{Access, MetaDb, bulk};

/// So many runs along a way are few.
const FEW: u32 = 20_000;
/// Along each of several ways at least so many are looked through.
const LEAST: u32 = 1_000;

/// A way to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// Runs that are named.
    Named,
    /// Active runs at a place, the caller's own or those it may launch for others.
    OwnAtPlace,
    /// All runs.
    Newest,
    /// Runs of an account.
    OfOwner(i64),
    /// Runs of an account with a status.
    OfOwnerWith(i64, RunStatus),
    /// Runs of an account for a label.
    OfOwnerAt(i64, String),
    /// Runs of a workflow.
    OfWorkflow(i64),
    /// Runs for a label.
    AtHost(String),
    /// Runs with a status.
    With(RunStatus),
    /// Runs with a mark.
    Marked(Mark),
    /// Runs of a study.
    OfStudy(i64),
}

/// The ways that were chosen, and the run behind which they are not walked.
pub(super) struct Chosen {
    pub(super) ways: Vec<Way>,
    pub(super) behind: Option<i64>,
}

/// Between which accessions to look, without these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) before: i64,
    pub(super) above: i64,
}

/// Conditions on a run `r`. `$3`: labels; `$4`: statuses; `$5`: workflow; `$6`: host; `$7`: place;
/// `$8`: accessions; `$9`: from; `$10`: to; `$11`: before; `$13`: 1 for own ones only, at a place
/// with those that the caller may launch; `$14`: workflow's name; `$15`: patterns; `$16`: address of
/// the account; `$17`: above; `$18`: marks.
macro_rules! filters {
    () => {
        concat!(
            " and (cast($4 as text) is null or r.status in (select value ->> 0 from json_each($4))) \
              and (cast($5 as bigint) is null or r.workflow = $5) \
              and (cast($6 as text) is null or r.host = $6) \
              and (cast($7 as text) is null or r.place_key = $7) \
              and (cast($8 as text) is null \
                or r.swid in (select cast(value ->> 0 as bigint) from json_each($8))) \
              and (cast($9 as bigint) is null or r.created_at >= $9) \
              and (cast($10 as bigint) is null or r.created_at < $10) \
              and r.swid < $11 and r.swid > $17 \
              and (cast($13 as bigint) = 0 or r.owner = $2 \
                or (cast($7 as text) is not null and ",
            granted!("r.owner", "$2", "r.host"),
            ")) \
              and (cast($14 as text) is null \
                or r.workflow in (select fw.swid from workflow fw where fw.name = $14)) \
              and (cast($16 as text) is null \
                or r.owner in (select fa.id from account fa where fa.email = $16)) \
              and (cast($18 as text) is null or not exists (select 1 from json_each($18) \
                where not exists (select 1 from run_mark fm \
                    where fm.run = r.swid and fm.mark = (value ->> 0)))) \
              and (cast($15 as text) is null or not exists (select 1 from json_each($15) \
                where lower((select hw.name || ' ' || hw.version from workflow hw \
                    where hw.swid = r.workflow) || ' ' || r.host || ' ' || coalesce(r.note, '') \
                    || ' ' || coalesce(r.directory, '')) not like (value ->> 0) escape '!')) "
        )
    };
}

/// The text of a list along a way. `$12`: rows.
macro_rules! list {
    ($way:expr) => {
        list!("", $way, "r.swid")
    };
    ($through:literal, $way:expr, $key:literal) => {
        concat!(
            "select ",
            run_columns!(),
            " from ",
            $through,
            run_tables!(),
            " where ",
            $way,
            filters!(),
            " and ",
            readable_run!(),
            " order by ",
            $key,
            " desc limit $12"
        )
    };
}

/// The run along a way behind so many newer ones. `$1`: before; `$2`: above; `$3`: how many.
macro_rules! behind {
    ($way:literal) => {
        concat!(
            "select swid from run where ",
            $way,
            "swid < $1 and swid > $2 order by swid desc limit 1 offset $3"
        )
    };
}

sql! {
    NAMED = list!("r.swid in (select cast(value ->> 0 as bigint) from json_each($8))");
    OWN_AT_PLACE = list!(
        "",
        "r.owner in (select cast($2 as bigint) union all \
            select lg.owner from launch_grant lg where lg.grantee = $2) and r.place_key = $7 \
            and r.status in (select value ->> 0 from json_each($4))",
        "(r.swid + 0)");
    NEWEST = list!("1 = 1");
    /// `$19`: account.
    OF_OWNER = list!("r.owner = $19");
    /// `$19`: account; `$20`: status.
    OF_OWNER_WITH = list!("r.owner = $19 and r.status = $20");
    /// `$19`: account; `$20`: label.
    OF_OWNER_AT = list!("r.owner = $19 and r.host = $20");
    /// `$19`: workflow.
    OF_WORKFLOW = list!("r.workflow = $19");
    /// `$19`: label.
    AT_HOST = list!("r.host = $19");
    /// `$19`: status.
    WITH = list!("r.status = $19");
    /// `$19`: mark. The join keeps the order in which SQLite goes through the tables.
    MARKED = list!(
        "run_mark rm cross join ",
        "rm.mark = $19 and rm.run = r.swid and rm.run < $11 and rm.run > $17",
        "rm.run");
    /// `$19`: study. The join keeps the order in which SQLite goes through the tables.
    OF_STUDY = list!(
        "object_study os cross join ",
        "os.study = $19 and os.object = r.swid and os.object < $11 and os.object > $17",
        "os.object");
    /// The registry has an index of nothing but these, which is walked faster than the runs.
    BEHIND_NEWEST = "select swid from object where kind = 'workflow_run' \
        and swid < $1 and swid > $2 order by swid desc limit 1 offset $3";
    /// `$4`: account.
    BEHIND_OF_OWNER = behind!("owner = $4 and ");
    /// `$4`: account; `$5`: status.
    BEHIND_OF_OWNER_WITH = behind!("owner = $4 and status = $5 and ");
    /// `$4`: account; `$5`: label.
    BEHIND_OF_OWNER_AT = behind!("owner = $4 and host = $5 and ");
    /// `$4`: workflow.
    BEHIND_OF_WORKFLOW = behind!("workflow = $4 and ");
    /// `$4`: label.
    BEHIND_AT_HOST = behind!("host = $4 and ");
    /// `$4`: status.
    BEHIND_WITH = behind!("status = $4 and ");
    /// `$4`: mark.
    BEHIND_MARKED = "select run as swid from run_mark where mark = $4 \
        and run < $1 and run > $2 order by run desc limit 1 offset $3";
    /// `$4`: study.
    BEHIND_OF_STUDY = "select object as swid from object_study where study = $4 \
        and object < $1 and object > $2 order by object desc limit 1 offset $3";
    /// The workflows with a name. `$1`: the name.
    WORKFLOWS = "select swid from workflow where name = $1 order by swid";
    /// The account with an address. `$1`: the address.
    ACCOUNT = "select id as swid from account where email = $1";
    /// The studies that an account may read. `$1`: account.
    STUDIES = "select study as swid from study_reader where account = $1 order by study";
    /// For whom and which label an account may launch. `$1`: account.
    GRANTS = "select distinct g.owner, g.host from launch_grant g where g.grantee = $1 \
        and g.revoked_at is null and (g.expires_at is null or g.expires_at > (select now from clock)) \
        order by g.owner, g.host";
}

const OPERATION: &str = "list runs";

/// Chooses ways that together lead to all that a filter asks for and the caller may see. With
/// `looked`, they are walked so far that about so many runs are looked through.
pub(super) async fn choose(
    metadb: &MetaDb,
    access: &Access,
    filter: &RunFilter,
    span: Span,
    looked: Option<u32>,
) -> Result<Chosen> {
    let whole = |ways| Chosen { ways, behind: None };
    if filter.accessions.is_some() {
        return Ok(whole(vec![Way::Named]));
    }
    if filter.whose == Whose::Own && filter.place_key.is_some() && filter.asks_for_active() {
        return Ok(whole(vec![Way::OwnAtPlace]));
    }
    let Some(choices) = choices(metadb, access, filter).await? else {
        return Ok(whole(Vec::new()));
    };
    let last = choices.len() - 1;
    if last == 0 && (looked.is_none() || !filter.narrows()) {
        return Ok(whole(choices.into_iter().flatten().collect()));
    }
    let (mut first, most) = (None, looked.unwrap_or(FEW));
    for (number, ways) in choices.into_iter().enumerate() {
        let behind = behind(metadb, &ways, span, most).await?;
        if behind.is_none() {
            return Ok(whole(ways));
        }
        let takes_this = match access.sees {
            Sees::Everything => first.is_none(),
            Sees::Own => number == last || first.is_none() && filter.asks_for_one(),
        };
        if takes_this {
            first = Some(Chosen { ways, behind: looked.and(behind) });
        }
    }
    Ok(first.unwrap_or_else(|| whole(Vec::new())))
}

/// Returns what could be walked, the most promising first, what the caller may see at all last;
/// nothing where a name is nobody's.
async fn choices(
    metadb: &MetaDb,
    access: &Access,
    filter: &RunFilter,
) -> Result<Option<Vec<Vec<Way>>>> {
    let with = |way: fn(RunStatus) -> Way| {
        filter.statuses.as_ref().map(|all| all.iter().copied().map(way).collect::<Vec<_>>())
    };
    let mut choices = Vec::new();
    if let Some(owner) = owner(metadb, access, filter).await? {
        let Some(owner) = owner else { return Ok(None) };
        let of_statuses = filter.statuses.as_ref().map(|all| {
            all.iter().map(|status| Way::OfOwnerWith(owner, *status)).collect::<Vec<_>>()
        });
        choices.push(of_statuses.unwrap_or_else(|| vec![Way::OfOwner(owner)]));
        if filter.whose == Whose::Own {
            return Ok(Some(choices));
        }
    }
    let is_active = filter.asks_for_active();
    choices.extend(with(Way::With).filter(|_| is_active));
    choices.extend(filter.marks.first().map(|mark| vec![Way::Marked(mark.clone())]));
    if let Some(workflow) = filter.workflow {
        choices.push(vec![Way::OfWorkflow(workflow.get())]);
    }
    if let Some(name) = &filter.workflow_name {
        let named = metadb.numbers(WORKFLOWS, name.clone()).await?;
        choices.push(named.into_iter().map(Way::OfWorkflow).collect());
    }
    choices.extend(filter.host.clone().map(|host| vec![Way::AtHost(host)]));
    choices.extend(with(Way::With).filter(|_| !is_active));
    match access.sees {
        // Along any other way are no more than along this one.
        Sees::Everything if choices.is_empty() => choices.push(vec![Way::Newest]),
        Sees::Everything => {}
        Sees::Own => choices.push(metadb.visible_ways(access.account).await?),
    }
    Ok(Some(choices))
}

/// Returns whose runs are asked for, where it is one account's; its number, where there is such one.
async fn owner(
    metadb: &MetaDb,
    access: &Access,
    filter: &RunFilter,
) -> Result<Option<Option<i64>>> {
    match (filter.whose, &filter.account) {
        (Whose::Own, _) => Ok(Some(Some(access.account.0))),
        (Whose::Visible, Some(email)) => {
            let found = metadb.numbers(ACCOUNT, email.as_str().to_owned()).await?;
            Ok(Some(found.first().copied()))
        }
        (Whose::Visible, None) => Ok(None),
    }
}

/// Returns the run behind which ways are not walked, so that about so many are looked through;
/// nothing where all of them together are no more.
async fn behind(metadb: &MetaDb, ways: &[Way], span: Span, most: u32) -> Result<Option<i64>> {
    let number = u32::try_from(ways.len()).unwrap_or(u32::MAX).max(1);
    let each = (most / number).max(LEAST.min(most));
    let mut behind = None;
    for way in ways {
        behind = behind.max(metadb.run_behind(way, span, each).await?);
    }
    Ok(behind)
}

impl MetaDb {
    /// Returns runs along a way that a filter asks for and the caller may see, newest first.
    pub(super) async fn runs_along(
        &self,
        way: &Way,
        access: &Access,
        filter: &RunFilter,
        span: Span,
        limit: u32,
    ) -> Result<Vec<Run>> {
        let statuses = filter.statuses.as_ref();
        let words = statuses.map(|all| bulk::words(all.iter().map(|status| status.as_str())));
        let named = filter.accessions.as_ref().map(|named| bulk::numbers(named.iter().copied()));
        let query = sqlx::query(way.list())
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
            .bind(span.before)
            .bind(i64::from(limit))
            .bind(match filter.whose {
                Whose::Own => 1_i64,
                Whose::Visible => 0,
            })
            .bind(filter.workflow_name.clone())
            .bind(filter.patterns())
            .bind(filter.account.as_ref().map(Email::as_str).map(str::to_owned))
            .bind(span.above)
            .bind(filter.marks());
        let found = way.bound(query).fetch_all(self.reader()).await.during(OPERATION)?;
        found.iter().map(|found| row::read(found, OPERATION)).collect()
    }

    async fn run_behind(&self, way: &Way, span: Span, runs: u32) -> Result<Option<i64>> {
        let Some(statement) = way.behind() else { return Ok(None) };
        let query = sqlx::query(statement).bind(span.before).bind(span.above).bind(i64::from(runs));
        let row = way.bound(query).fetch_optional(self.reader()).await.during(OPERATION)?;
        row.map(|row| column(&row, "swid", OPERATION)).transpose()
    }

    /// Returns the ways to all that an account may see.
    async fn visible_ways(&self, account: AccountId) -> Result<Vec<Way>> {
        let mut ways = vec![Way::OfOwner(account.0)];
        let studies = sqlx::query(STUDIES).bind(account.0).fetch_all(self.reader()).await;
        for row in &studies.during(OPERATION)? {
            ways.push(Way::OfStudy(column(row, "swid", OPERATION)?));
        }
        let grants = sqlx::query(GRANTS).bind(account.0).fetch_all(self.reader()).await;
        for row in &grants.during(OPERATION)? {
            let (owner, host) = (column(row, "owner", OPERATION)?, column(row, "host", OPERATION)?);
            ways.push(Way::OfOwnerAt(owner, host));
        }
        Ok(ways)
    }

    async fn numbers(&self, statement: &'static str, name: String) -> Result<Vec<i64>> {
        let rows =
            sqlx::query(statement).bind(name).fetch_all(self.reader()).await.during(OPERATION)?;
        rows.iter().map(|row| column(row, "swid", OPERATION)).collect()
    }
}

type Query = sqlx::query::Query<'static, sqlx::Any, sqlx::any::AnyArguments>;

impl Way {
    fn list(&self) -> &'static str {
        match self {
            Self::Named => NAMED,
            Self::OwnAtPlace => OWN_AT_PLACE,
            Self::Newest => NEWEST,
            Self::OfOwner(_) => OF_OWNER,
            Self::OfOwnerWith(..) => OF_OWNER_WITH,
            Self::OfOwnerAt(..) => OF_OWNER_AT,
            Self::OfWorkflow(_) => OF_WORKFLOW,
            Self::AtHost(_) => AT_HOST,
            Self::With(_) => WITH,
            Self::Marked(_) => MARKED,
            Self::OfStudy(_) => OF_STUDY,
        }
    }

    /// What is named is looked at whole.
    fn behind(&self) -> Option<&'static str> {
        match self {
            Self::Named | Self::OwnAtPlace => None,
            Self::Newest => Some(BEHIND_NEWEST),
            Self::OfOwner(_) => Some(BEHIND_OF_OWNER),
            Self::OfOwnerWith(..) => Some(BEHIND_OF_OWNER_WITH),
            Self::OfOwnerAt(..) => Some(BEHIND_OF_OWNER_AT),
            Self::OfWorkflow(_) => Some(BEHIND_OF_WORKFLOW),
            Self::AtHost(_) => Some(BEHIND_AT_HOST),
            Self::With(_) => Some(BEHIND_WITH),
            Self::Marked(_) => Some(BEHIND_MARKED),
            Self::OfStudy(_) => Some(BEHIND_OF_STUDY),
        }
    }

    /// Binds what the way is of, behind everything else.
    fn bound(&self, query: Query) -> Query {
        match self {
            Self::Named | Self::OwnAtPlace | Self::Newest => query,
            Self::OfOwner(number) | Self::OfWorkflow(number) | Self::OfStudy(number) => {
                query.bind(*number)
            }
            Self::OfOwnerWith(owner, status) => query.bind(*owner).bind(status.as_str()),
            Self::OfOwnerAt(owner, host) => query.bind(*owner).bind(host.clone()),
            Self::AtHost(host) => query.bind(host.clone()),
            Self::With(status) => query.bind(status.as_str()),
            Self::Marked(mark) => query.bind(mark.as_str().to_owned()),
        }
    }
}

impl RunFilter {
    /// Returns the marks as rows.
    fn marks(&self) -> Option<String> {
        let marks = || bulk::words(self.marks.iter().map(Mark::as_str));
        (!self.marks.is_empty()).then(marks)
    }

    /// Tells whether only active runs are asked for: these are few among many.
    fn asks_for_active(&self) -> bool {
        self.statuses.as_ref().is_some_and(|all| all.iter().all(|status| status.is_active()))
    }

    /// Tells whether the runs of one account are asked for.
    fn asks_for_one(&self) -> bool {
        self.whose == Whose::Own || self.account.is_some()
    }

    /// Tells whether anything but the order and whose they are decides which runs are listed.
    fn narrows(&self) -> bool {
        let rest = Self { before: None, whose: Whose::default(), ..self.clone() };
        rest != Self::default()
    }
}
