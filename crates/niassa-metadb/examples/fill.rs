//! Fills a MetaDB with runs as a lab has them after years: `fill LOCATION RUNS [SEED]`.
//!
//! The MetaDB is migrated and has an account; the people made here share its password. What is
//! written depends on the numbers alone. For measuring, on a MetaDB that nobody needs: while it
//! writes, a power cut loses it. `cargo xtask bench pages` runs it.

use std::error::Error;

use sqlx::{AnyConnection, Connection, Executor, Row};

type Fallible<T> = Result<T, Box<dyn Error>>;

/// Runs of one transaction.
const BATCH: i64 = 50_000;
/// Accessions of one run: its own, those of its two steps, and that of its file.
const ACCESSIONS: i64 = 4;

/// SQLite writes faster where it may lose everything.
const SQLITE: &str = "pragma journal_mode = wal; pragma synchronous = off; \
    pragma cache_size = -400000; pragma temp_store = memory";

/// People, who schedule unlike much. `$1`: how many.
const ACCOUNTS: &str = "insert into account (email, role, password_hash, created_at) \
    with recursive n (i) as (select cast(1 as bigint) union all select i + 1 from n where i < $1) \
    select 'person' || i || '@lab.net', 'member', \
        (select password_hash from account order by id limit 1), (select now from clock) from n";
/// What studies and workflows are registered as. `$1`: kind; `$2`: how many.
const OBJECTS: &str = "insert into object (kind, owner, created_at) \
    with recursive n (i) as (select cast(1 as bigint) union all select i + 1 from n where i < $2) \
    select $1, (select min(id) from account) + 1 + i % 20, (select now from clock) from n";
/// Studies, one for each person and twenty more.
const STUDIES: &str = "insert into study (swid, title, description) \
    select swid, 'Study ' || swid, 'Whole genomes of a cohort' from object where kind = 'study'";
/// Studies belong to themselves.
const STUDIES_OF_STUDIES: &str =
    "insert into object_study (object, study) select swid, swid from study";
/// The largest study is shared with two people.
const READERS: &str = "insert into study_reader (study, account, granted_by, granted_at) \
    select (select min(swid) from study), a.id, a.id, a.created_at from account a \
    where a.email in ('person2@lab.net', 'person3@lab.net')";
/// One person launches for another.
const GRANTS: &str = "insert into launch_grant (owner, grantee, host, granted_by, granted_at) \
    select o.id, g.id, 'server1', o.id, o.created_at from account o, account g \
    where o.email = 'person1@lab.net' and g.email = 'person3@lab.net'";
/// Names of workflows.
const NAMES: &str = "insert into workflow_name (name, owner) \
    select 'Pipeline' || (swid % 12), min(owner) from object where kind = 'workflow' \
    group by swid % 12";
/// Three versions of each.
const WORKFLOWS: &str = "insert into workflow (swid, name, version, description, state) \
    select swid, 'Pipeline' || (swid % 12), '1.' || swid, 'Aligns and calls', 'external' \
    from object where kind = 'workflow'";

/// What the runs of a batch will be.
const DRAFTS: &str = "create temporary table draft (i bigint, swid bigint, owner bigint, \
    workflow bigint, study bigint, host text, status text, created bigint, ran bigint)";
/// The drafts of runs `$1` to `$2`. `$3`: the first accession; `$4`: seed; `$5`: runs in all; `$6`:
/// accessions of one run. Few people and hosts have most runs; what is new is still active.
const DRAFT: &str = "insert into draft with recursive n (i) as \
        (select cast($1 as bigint) union all select i + 1 from n where i < $2), \
    drawn as (select i, \
        (i * 1103515245 + $4 * 7919) % 2147483647 % 1000 as who, \
        (i * 742938285 + $4 * 104729) % 2147483647 % 1000 as what, \
        (i * 1583458089 + $4 * 1299709) % 2147483647 % 1000 as place, \
        (i * 950706376 + $4 * 15485863) % 2147483647 % 1000 as fate, \
        (i * 1226874159 + $4 * 32452843) % 2147483647 % 7200 as seconds from n) \
    select i, cast($3 as bigint) + i * $6, \
        (select min(id) from account) + 1 + who * who / 50000, \
        (select min(swid) from workflow) + what * what / 28000, \
        (select min(swid) from study) + who * what / 26000, \
        'server' || (1 + place * place / 84000), \
        case when i >= $5 - $5 / 200 or fate = 999 and i % 5 = 0 then \
            case when fate < 400 then 'submitted' when fate < 450 then 'submitted_retry' \
                when fate < 550 then 'pending' when fate < 980 then 'running' \
                else 'submitted_cancel' end \
        else case when fate < 880 then 'completed' when fate < 970 then 'failed' \
            else 'cancelled' end end, \
        (select now from clock) - ($5 - i) * 30000000, 60000000 + seconds * 1000000 \
    from drawn";
/// Registers the runs.
const RUN_OBJECTS: &str = "insert into object (swid, kind, owner, created_at) \
    select swid, 'workflow_run', owner, created from draft";
/// Registers their steps, unless they wait.
const STEP_OBJECTS: &str = "insert into object (swid, kind, owner, anchor, created_at) \
    select d.swid + s.n, 'processing', d.owner, d.swid, d.created from draft d, \
        (select 1 as n union all select 2) s where d.status not in ('submitted')";
/// Registers their files.
const FILE_OBJECTS: &str = "insert into object (swid, kind, owner, anchor, created_at) \
    select swid + 3, 'file', owner, swid, created + ran from draft where status = 'completed'";
/// Puts them into studies.
const OBJECT_STUDIES: &str =
    "insert into object_study (object, study) select swid, study from draft";
/// The runs themselves.
const RUNS: &str = "insert into run (swid, tag, owner, workflow, host, options, priority, status, \
        note, place_key, place, directory, launched_on, plan_sha256, claim_epoch, claim_until, \
        claims_without_record, offered_after, steps_total, steps_pending, steps_running, \
        steps_success, steps_failed, steps_skipped, steps_cancelled, steps_lost, needs_action, \
        created_at, updated_at, seen_at) \
    select d.swid, 'fill' || substr(a.b, cast(1 + d.i / 33554432 % 32 as integer), 1) \
            || substr(a.b, cast(1 + d.i / 1048576 % 32 as integer), 1) \
            || substr(a.b, cast(1 + d.i / 32768 % 32 as integer), 1) \
            || substr(a.b, cast(1 + d.i / 1024 % 32 as integer), 1) \
            || substr(a.b, cast(1 + d.i / 32 % 32 as integer), 1) \
            || substr(a.b, cast(1 + d.i % 32 as integer), 1), \
        d.owner, d.workflow, d.host, '{}', 0, d.status, \
        case d.status when 'failed' then 'step merge failed with exit code 7' \
            when 'running' then 'step merge is running' end, \
        case when d.status <> 'submitted' then 'w/u' || d.owner || '/slurm/main' end, \
        case when d.status <> 'submitted' then '{\"work_dir_id\":\"w\",\"os_user\":\"u' \
            || d.owner || '\",\"engine\":\"slurm\",\"cluster\":\"main\"}' end, \
        case when d.status <> 'submitted' then '/data/u' || d.owner || '/runs/' || d.swid end, \
        case when d.status <> 'submitted' then d.host end, null, \
        case when d.status <> 'submitted' then 1 else 0 end, 0, 0, 0, \
        case when d.status <> 'submitted' then 2 else 0 end, \
        case when d.status in ('pending', 'submitted_retry', 'submitted_cancel') then 2 else 0 end, \
        case when d.status = 'running' then 1 else 0 end, \
        case d.status when 'completed' then 2 when 'failed' then 1 when 'running' then 1 \
            else 0 end, \
        case when d.status = 'failed' then 1 else 0 end, 0, \
        case when d.status = 'cancelled' then 2 else 0 end, 0, 0, d.created, \
        case when d.status in ('completed', 'failed', 'cancelled') then d.created + d.ran \
            else d.created end, \
        case when d.status <> 'submitted' then d.created + d.ran end \
    from draft d, (select 'abcdefghijklmnopqrstuvwxyz234567' as b) a";
/// Their values.
const VALUES: &str = "insert into run_values (run, resolved, sources) \
    select swid, '{\"sample\":\"S' || i || '\",\"reference\":\"/data/hg38.fa\"}', '[]' from draft";
/// What they descend from.
const PARENTS: &str = "insert into run_parent (run, parent) select swid, study from draft";
/// Their logs: scheduled, launched, started, and how they ended.
const EVENTS: &str = "insert into run_event (run, at, event, from_status, to_status, account) \
    select d.swid, d.created + e.n * 1000000, e.event, e.was, \
        case when e.n < 3 then e.became else d.status end, 'person' || d.owner || '@lab.net' \
    from draft d, (select 0 as n, 'scheduled' as event, null as was, 'submitted' as became \
        union all select 1, 'launched', 'submitted', 'pending' \
        union all select 2, 'started', 'pending', 'running' \
        union all select 3, 'finished', 'running', '') e \
    where e.n = 0 or e.n < 3 and d.status not in ('submitted') \
        or d.status in ('completed', 'failed', 'cancelled')";
/// Their steps.
const STEPS: &str = "insert into step (run, idx, swid, name, element, after_steps, threads, \
        memory_bytes, seconds, retry, attempt, status, reason) \
    select d.swid, s.n - 1, d.swid + s.n, s.name, null, s.after, 4, 8589934592, 7200, \
        '{\"max\":0}', 1, \
        case when d.status = 'completed' or d.status in ('failed', 'running') and s.n = 1 \
            then 'success' when d.status in ('failed', 'running', 'cancelled') then d.status \
            else 'pending' end, \
        case when d.status = 'failed' and s.n = 2 then 'exit_code' \
            when d.status = 'cancelled' then 'cancelled_by' end \
    from draft d, (select 1 as n, 'align' as name, '[]' as after \
        union all select 2, 'merge', '[0]') s where d.status not in ('submitted')";
/// Their attempts.
const ATTEMPTS: &str = "insert into attempt (run, idx, number, status, reason, exit_code, cause, \
        threads, memory_bytes, seconds, engine_id, machine, started_at, ended_at, cpu_micros, \
        peak_memory_bytes) \
    select s.run, s.idx, 1, s.status, s.reason, \
        case s.status when 'success' then 0 when 'failed' then 7 end, 'first', 4, 8589934592, 7200, \
        cast(d.i * 2 + s.idx as text), 'node' || (d.i % 200), d.created + s.idx * d.ran / 2, \
        case when s.status in ('success', 'failed') then d.created + (s.idx + 1) * d.ran / 2 end, \
        d.ran * 3 / 2, 6000000000 \
    from draft d join step s on s.run = d.swid where s.status <> 'pending'";
/// The last lines of what failed.
const LOGS: &str = "insert into attempt_log (run, idx, number, stream, path, size, tail) \
    select s.run, s.idx, 1, 'stderr', '/data/runs/' || s.run || '/stderr', 40 * 40, \
        replace(cast('1234567890123456789012345678901234567890' as text), '1', \
            'merging part, no cure is there yet ') \
    from draft d join step s on s.run = d.swid where s.status = 'failed'";
/// Their files.
const FILES: &str = "insert into file (swid, path, meta_type, size, sha256, processing) \
    select swid + 3, '/data/results/' || swid || '/report.vcf.gz', 'text/vcf-4-gzip', 1000000 + i, \
        'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', swid + 2 \
    from draft where status = 'completed'";
/// What people marked: every fourth run as checked, one of a thousand with a rare word.
const MARKS: &str = "insert into run_mark (run, mark, given_by, given_at) \
    select swid, 'checked', owner, created + ran from draft where i % 4 = 1 \
    union all select swid, 'rare', owner, created + ran from draft where i % 1000 = 1";
/// Launchers that were seen just now.
const LAUNCHERS: &str = "insert into launcher (account, host, os_user, machine, seen_at, \
        oldest_waiting_micros) \
    select distinct owner, host, 'u' || owner, host, (select now from clock), 0 from run \
    where status = 'running'";

/// One run of 5,000 steps that is at work, of the oldest account. `$1`: its accession; its steps
/// have those behind it.
const WIDE_OBJECTS: &str = "insert into object (swid, kind, owner, anchor, created_at) \
    with recursive n (i) as (select cast(0 as bigint) union all select i + 1 from n where i < 5000) \
    select cast($1 as bigint) + i, case when i = 0 then 'workflow_run' else 'processing' end, \
        (select min(id) from account), case when i > 0 then cast($1 as bigint) end, \
        (select now from clock) from n";
const WIDE_RUN: &str = "insert into run (swid, tag, owner, workflow, host, options, priority, status, \
        claim_epoch, claim_until, claims_without_record, offered_after, steps_total, steps_pending, \
        steps_running, steps_success, steps_failed, steps_skipped, steps_cancelled, steps_lost, \
        needs_action, created_at, updated_at) \
    select swid, 'widewidewi', owner, (select min(swid) from workflow), 'server1', '{}', 0, \
        'running', 1, 0, 0, 0, 5000, 2992, 9, 1999, 0, 0, 0, 0, 0, created_at, created_at \
    from object where swid = $1";
const WIDE_STEPS: &str = "insert into step (run, idx, swid, name, element, after_steps, threads, \
        retry, attempt, status) \
    with recursive n (i) as (select cast(1 as bigint) union all select i + 1 from n where i < 5000) \
    select cast($1 as bigint), i - 1, cast($1 as bigint) + i, case i when 1 then 'index' \
            when 5000 then 'merge' else case i % 2 when 0 then 'align' else 'call' end end, \
        case when i between 2 and 4999 then i / 2 - 1 end, \
        case when i = 1 then '[]' when i % 2 = 0 and i < 5000 then '[0]' \
            else '[' || (i - 2) || ']' end, 1, '{\"max\":0}', \
        case when i < 2009 then 1 else 0 end, \
        case when i < 2000 then 'success' when i < 2009 then 'running' else 'pending' end from n";
const WIDE_ATTEMPTS: &str = "insert into attempt (run, idx, number, status, cause, threads, machine, \
        started_at, ended_at) \
    select s.run, s.idx, 1, s.status, 'first', 1, 'node1', r.created_at + s.idx * 100000, \
        case s.status when 'success' then r.created_at + s.idx * 100000 + 9000000 end \
    from step s join run r on r.swid = s.run where s.run = $1 and s.attempt = 1";

/// What is written for each batch of drafts, in this order.
const OF_DRAFTS: [(&str, &str); 13] = [
    ("objects", RUN_OBJECTS),
    ("steps' objects", STEP_OBJECTS),
    ("files' objects", FILE_OBJECTS),
    ("studies", OBJECT_STUDIES),
    ("runs", RUNS),
    ("values", VALUES),
    ("parents", PARENTS),
    ("events", EVENTS),
    ("steps", STEPS),
    ("attempts", ATTEMPTS),
    ("logs", LOGS),
    ("files", FILES),
    ("marks", MARKS),
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Fallible<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (location, runs, seed) = match arguments.as_slice() {
        [location, runs] => (location, runs.parse()?, 1),
        [location, runs, seed] => (location, runs.parse()?, seed.parse()?),
        _ => return Err("usage: fill LOCATION RUNS [SEED]".into()),
    };
    sqlx::any::install_default_drivers();
    let is_server = location.starts_with("postgres");
    let url = if is_server { location.clone() } else { format!("sqlite://{location}?mode=rw") };
    let mut metadb = AnyConnection::connect(&url).await?;
    if !is_server {
        metadb.execute(sqlx::raw_sql(SQLITE)).await?;
    }
    surroundings(&mut metadb).await?;
    let row = metadb.fetch_one("select max(swid) + 1 from object").await?;
    let first: i64 = row.try_get(0)?;
    metadb.execute(DRAFTS).await?;
    for from in (0..runs).step_by(usize::try_from(BATCH)?) {
        batch(&mut metadb, from, runs, first, seed).await?;
    }
    metadb.execute(LAUNCHERS).await?;
    let wide = first + runs * ACCESSIONS;
    for statement in [WIDE_OBJECTS, WIDE_RUN, WIDE_STEPS, WIDE_ATTEMPTS] {
        sqlx::query(statement).bind(wide).execute(&mut metadb).await?;
    }
    if is_server {
        // Accessions were given by hand; the next one comes after them. A server counts by itself
        // what its plans need, but not at once.
        let last = "select setval(pg_get_serial_sequence('object', 'swid'), max(swid)) from object";
        metadb.execute(last).await?;
        metadb.execute("analyze").await?;
    }
    Ok(metadb.close().await?)
}

/// Makes people, studies and workflows.
async fn surroundings(metadb: &mut AnyConnection) -> Fallible<()> {
    sqlx::query(ACCOUNTS).bind(40_i64).execute(&mut *metadb).await?;
    for (kind, number) in [("study", 60_i64), ("workflow", 36)] {
        sqlx::query(OBJECTS).bind(kind).bind(number).execute(&mut *metadb).await?;
    }
    for statement in [STUDIES, STUDIES_OF_STUDIES, READERS, GRANTS, NAMES, WORKFLOWS] {
        metadb.execute(statement).await?;
    }
    Ok(())
}

/// Writes runs, with all that belongs to them.
async fn batch(
    metadb: &mut AnyConnection,
    from: i64,
    runs: i64,
    first: i64,
    seed: i64,
) -> Fallible<()> {
    let mut tx = metadb.begin().await?;
    tx.execute("delete from draft").await?;
    sqlx::query(DRAFT)
        .bind(from)
        .bind((from + BATCH).min(runs) - 1)
        .bind(first)
        .bind(seed)
        .bind(runs)
        .bind(ACCESSIONS)
        .execute(&mut *tx)
        .await?;
    for (what, statement) in OF_DRAFTS {
        let written = tx.execute(statement).await;
        written.map_err(|error| format!("{what} from run {from} on: {error}"))?;
    }
    Ok(tx.commit().await?)
}
