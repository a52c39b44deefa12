//! Launchers: who asked for runs of a label last, and from where; and the runs that wait for them.
//!
//! A launcher is remembered by its claims, at most once a minute, so that an idle one costs a read
//! per call. What people see of it is made when they look.

use niassa_model::account::{AccountId, LaunchHosts};
use niassa_model::host::HostLabel;
use niassa_model::time::Timestamp;
use sqlx::any::AnyRow;

use crate::claims::{ClaimRequest, Want};
use crate::error::{During, Result, decode};
use crate::pool::{Writing, column, moment};
use crate::{Access, MetaDb, bulk};

/// Where a launcher runs, as far as its places tell.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Launcher {
    /// The OS user whose files and jobs its runs become.
    pub os_user: String,
    /// The machine or cluster it launches on.
    pub machine: String,
}

/// A label with a launcher that serves it, or with runs that no launcher ever asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// The account whose runs are meant; absent where nothing but a hold is known of the label.
    pub user: Option<String>,
    /// The account the launcher signs in with; absent where none was ever seen.
    pub account: Option<String>,
    /// The label.
    pub host: HostLabel,
    /// Where the launcher runs.
    pub launcher: Option<Launcher>,
    /// When the launcher asked last.
    pub seen_at: Option<Timestamp>,
    /// How long the oldest run had waited when it asked last, in microseconds.
    pub oldest_waiting_micros: Option<i64>,
    /// How many of the user's runs wait for the label now.
    pub waiting: u64,
    /// When the oldest of them was accepted.
    pub oldest_waiting: Option<Timestamp>,
    /// Why the label gives out no launches, where it does not.
    pub held_because: Option<String>,
}

/// A launcher that asks within this time of its last row is not written again, in microseconds.
const WRITTEN_EVERY: i64 = 60_000_000;
/// A launcher that was not seen for so long is forgotten, in microseconds.
const FORGOTTEN_AFTER: i64 = 90 * 86_400_000_000;
/// Most rows of one account: whoever draws a new label for each call fills nothing.
const ROWS_MOST: i64 = 1_000;

sql! {
    /// Which launchers were seen lately. `$1`: account; `$2`: label; `$3`: rows of user and machine;
    /// `$4`: since when.
    SEEN_LATELY = "select l.os_user, l.machine from json_each($3) j join launcher l \
            on l.account = $1 and l.host = $2 and l.os_user = j.value ->> 0 \
            and l.machine = j.value ->> 1 \
        where l.seen_at > $4";
    /// Remembers launchers. `$1`: account; `$2`: label; `$3`: rows of user and machine; `$4`: time;
    /// `$5`: before when a row is written again; `$6`: most rows of an account.
    ///
    /// Of each account the thousand runs are looked at that are offered next: the oldest of these.
    REMEMBER = "insert into launcher (account, host, os_user, machine, seen_at, \
            oldest_waiting_micros) \
        select cast($1 as bigint), $2, j.value ->> 0, j.value ->> 1, cast($4 as bigint), \
            coalesce(cast($4 as bigint) - (select min(o.created_at) from ( \
                select (select min(n.created_at) from (select r.created_at from run r \
                    where r.owner = w.owner and r.host = $2 \
                        and r.status in ('submitted', 'submitted_retry') \
                    order by r.claims_without_record, r.priority desc, r.swid limit 1000) n) \
                    as created_at \
                from (select cast($1 as bigint) as owner union all \
                    select g.owner from launch_grant g \
                    where g.grantee = $1 and g.host = $2 and g.revoked_at is null \
                        and (g.expires_at is null or g.expires_at > $4)) w) o), 0) \
        from json_each($3) j where (select count(*) from launcher l where l.account = $1) < $6 \
            or exists (select 1 from launcher l where l.account = $1 and l.host = $2 \
                and l.os_user = j.value ->> 0 and l.machine = j.value ->> 1) \
        on conflict (account, host, os_user, machine) do update set \
            seen_at = excluded.seen_at, \
            oldest_waiting_micros = excluded.oldest_waiting_micros \
        where launcher.seen_at <= $5";
    /// Forgets launchers of an account that were not seen since. `$1`: account; `$2`: time.
    FORGET = "delete from launcher where account = $1 and seen_at < $2";
    /// Launchers that the caller may see, with the runs that wait for them, and labels for which
    /// runs wait without any. `$1`, `$2`: as in `visible!`; `$3`: labels; `$4`: rows; `$5`: rows
    /// before.
    HOSTS = concat!("with w as (select r.owner, r.host, count(*) as waiting, \
                min(r.created_at) as oldest from run r \
            where r.status in ('submitted', 'submitted_retry') \
                and (cast($1 as bigint) = 1 or r.owner = $2 or ",
            granted!("r.owner", "$2", "r.host"), ") \
                and (cast($3 as text) is null \
                    or r.host in (select value ->> 0 from json_each($3))) \
            group by r.owner, r.host), \
        serving as (select l.account as owner, l.account, l.host, l.os_user, l.machine, \
                l.seen_at, l.oldest_waiting_micros from launcher l union all \
            select distinct g.owner, l.account, l.host, l.os_user, l.machine, l.seen_at, \
                l.oldest_waiting_micros \
            from launcher l join launch_grant g on g.grantee = l.account and g.host = l.host \
                and g.revoked_at is null \
                and (g.expires_at is null or g.expires_at > (select now from clock))) \
        select u.email as user_email, a.email as account_email, s.host as host, s.os_user, \
            s.machine, s.seen_at, s.oldest_waiting_micros, coalesce(w.waiting, 0) as waiting, \
            w.oldest, h.reason \
        from serving s join account u on u.id = s.owner join account a on a.id = s.account \
            left join w on w.owner = s.owner and w.host = s.host \
            left join host_hold h on h.host = s.host and h.released_at is null \
        where (cast($1 as bigint) = 1 or s.owner = $2 or s.account = $2) \
            and (cast($3 as text) is null \
                or s.host in (select value ->> 0 from json_each($3))) \
        union all select u.email, null, w.host, null, null, null, null, w.waiting, w.oldest, \
            h.reason \
        from w join account u on u.id = w.owner \
            left join host_hold h on h.host = w.host and h.released_at is null \
        where not exists \
            (select 1 from serving s where s.owner = w.owner and s.host = w.host) \
        union all select null, null, h.host, null, null, null, null, 0, null, h.reason \
        from host_hold h where h.released_at is null and cast($1 as bigint) = 1 \
            and (cast($3 as text) is null \
                or h.host in (select value ->> 0 from json_each($3))) \
            and not exists (select 1 from serving s where s.host = h.host) \
            and not exists (select 1 from w where w.host = h.host) \
        order by 3, 1, 2, 4, 5 limit $4 offset $5");
}

/// Launchers to be remembered with a claim.
pub(crate) struct Due {
    account: AccountId,
    host: String,
    /// Rows of user and machine.
    rows: String,
}

/// Chooses the launchers of a claim that were not written for a minute. Only a caller that asks for
/// all runs of a label, and may, is a launcher of it.
pub(crate) async fn due(
    metadb: &MetaDb,
    access: &Access,
    hosts: &LaunchHosts,
    request: &ClaimRequest,
    now: i64,
    operation: &'static str,
) -> Result<Option<Due>> {
    let (Some(host), None, Want::Launch) = (&request.host, &request.accessions, request.want)
    else {
        return Ok(None);
    };
    if matches!(hosts, LaunchHosts::Only(labels) if !labels.contains(host)) {
        return Ok(None);
    }
    let row = |launcher: &Launcher| [launcher.os_user.clone(), launcher.machine.clone()];
    let mut rows: Vec<[String; 2]> = request.launchers.iter().map(row).collect();
    rows.sort_unstable();
    rows.dedup();
    let lately = sqlx::query(SEEN_LATELY)
        .bind(access.account.0)
        .bind(host.as_str().to_owned())
        .bind(bulk::rows(&rows))
        .bind(now - WRITTEN_EVERY)
        .fetch_all(metadb.reader())
        .await
        .during(operation)?;
    for seen in &lately {
        let seen: [String; 2] =
            [column(seen, "os_user", operation)?, column(seen, "machine", operation)?];
        rows.retain(|row| *row != seen);
    }
    let due =
        Due { account: access.account, host: host.as_str().to_owned(), rows: bulk::rows(&rows) };
    Ok((!rows.is_empty()).then_some(due))
}

/// Remembers launchers, inside the transaction of their claim.
pub(crate) async fn remember(
    transaction: &mut Writing,
    due: &Due,
    now: i64,
    operation: &'static str,
) -> Result<()> {
    sqlx::query(FORGET)
        .bind(due.account.0)
        .bind(now - FORGOTTEN_AFTER)
        .execute(&mut **transaction)
        .await
        .during(operation)?;
    let done = sqlx::query(REMEMBER)
        .bind(due.account.0)
        .bind(&due.host)
        .bind(&due.rows)
        .bind(now)
        .bind(now - WRITTEN_EVERY)
        .bind(ROWS_MOST)
        .execute(&mut **transaction)
        .await;
    done.during(operation).map(drop)
}

impl MetaDb {
    /// Lists labels with their launchers and the runs that wait, sorted by label: so many rows,
    /// behind so many.
    pub async fn hosts(&self, access: &Access, limit: u32, behind: i64) -> Result<Vec<Host>> {
        const OPERATION: &str = "list hosts";
        let rows = sqlx::query(HOSTS)
            .bind(access.everything())
            .bind(access.account.0)
            .bind(access.hosts_json())
            .bind(i64::from(limit))
            .bind(behind)
            .fetch_all(self.reader())
            .await
            .during(OPERATION)?;
        rows.iter().map(|row| host(row, OPERATION)).collect()
    }
}

fn host(row: &AnyRow, operation: &'static str) -> Result<Host> {
    let text = |name: &'static str| column::<Option<String>>(row, name, operation);
    let label: String = column(row, "host", operation)?;
    let launcher = match (text("os_user")?, text("machine")?) {
        (Some(os_user), Some(machine)) => Some(Launcher { os_user, machine }),
        _ => None,
    };
    Ok(Host {
        user: text("user_email")?,
        account: text("account_email")?,
        host: decode(label.parse(), operation, &label, "a host label")?,
        launcher,
        seen_at: moment(row, "seen_at", operation)?,
        oldest_waiting_micros: column(row, "oldest_waiting_micros", operation)?,
        waiting: u64::try_from(column::<i64>(row, "waiting", operation)?).unwrap_or(0),
        oldest_waiting: moment(row, "oldest", operation)?,
        held_because: text("reason")?,
    })
}

#[cfg(test)]
mod tests;
