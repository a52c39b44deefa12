//! Scheduling and claiming on PostgreSQL with fsync on, beside `pgbench`, which commits the same rows.
//!
//! The reference writes the rows of one run with one statement and one commit, from sixteen connections: no
//! HTTP, no sign-in, no check of anything, no answer but a count. Both write into the same database, by turns.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::Bench;
use super::http::Poster;
use super::measure::median;
use super::schedule::{CLIENTS, ROUND, authorization, last_of_hundred, request, round};
use super::site::Site;
use super::table::Row;
use crate::test::postgres::{Durability, Server};

/// Commits a second that are enough, however fast the reference is.
const ENOUGH: f64 = 2_000.0;
/// The share of the reference that is enough.
const SHARE: f64 = 0.6;

/// Launchers that claim while runs are scheduled, and how long each waits between two claims of fifty: all
/// together they take no more runs than are scheduled.
const CLAIMERS: usize = 4;
const CLAIM_EVERY: Duration = Duration::from_millis(200);
/// Long enough for some hundred claims.
const CLAIM_ROUND: Duration = Duration::from_secs(10);

/// The rows of one run, as the newest one has them.
const SAME_ROWS: &str = "\
with sample as (select r.*, v.resolved, v.sources from run r join run_values v on v.run = r.swid
        where r.swid = :sample),
    made as (insert into object (kind, owner, created_at)
        select 'workflow_run', owner, created_at from sample returning swid),
    run_row as (insert into run (swid, tag, owner, workflow, host, engine, options, status, claim_holder,
            claim_epoch, claim_until, claims_without_record, offered_after, steps_total, steps_pending,
            steps_running, steps_success, steps_failed, steps_skipped, steps_cancelled, steps_lost,
            needs_action, rescheduled_from, created_at, updated_at, priority)
        select made.swid, substr(translate(md5(made.swid || ':' || random()), '0189', 'ghij'), 1, 10), owner, workflow, host, engine,
            options, status, claim_holder, claim_epoch, claim_until, claims_without_record, offered_after,
            steps_total, steps_pending, steps_running, steps_success, steps_failed, steps_skipped,
            steps_cancelled, steps_lost, needs_action, rescheduled_from, created_at, updated_at, priority
        from made, sample),
    values_row as (insert into run_values (run, resolved, sources)
        select made.swid, resolved, sources from made, sample),
    parents as (insert into run_parent (run, parent)
        select made.swid, p.parent from made, run_parent p where p.run = :sample),
    studies as (insert into object_study (object, study)
        select made.swid, s.study from made, object_study s where s.object = :sample),
    events as (insert into run_event (run, at, event, from_status, to_status, account, detail)
        select made.swid, at, event, from_status, to_status, account, detail
        from made, run_event e where e.run = :sample)
insert into idempotency (account, key, request_sha256, answer, created_at)
    select i.account, 'pgbench-' || made.swid, i.request_sha256, i.answer, i.created_at
    from made, (select * from idempotency limit 1) i;
";

pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let Some(server) = Server::start(Durability::Synced)? else {
        return Ok(vec![Row::beside(
            "schedules on PostgreSQL",
            "not measured: postgresql is missing",
        )]);
    };
    let url = server.url();
    let site = Site::start_at(&bench.seqware, Some(&url))?;
    let body = request(&site)?;
    round(site.port, &body, Duration::from_millis(500))?;
    let script = tempfile::NamedTempFile::new().context("make a script")?;
    fs::write(script.path(), SAME_ROWS).context("write a script")?;
    let sample = ask(&url, "select max(swid) from run")?;
    let (mut rates, mut references, mut lasts) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.pairs.min(3) {
        let (rate, last) = round(site.port, &body, ROUND)?;
        rates.push(rate);
        lasts.push(last);
        references.push(pgbench(&url, script.path(), &sample)?);
    }
    let claims = claims_under_load(site.port, &body)?;
    let (rate, reference) = (median(rates), median(references));
    let goal = ENOUGH.min(SHARE * reference);
    Ok(vec![
        Row::at_least("PostgreSQL, schedules from 16 clients", rate, goal, " /s"),
        Row::beside(
            "PostgreSQL, the same rows by pgbench",
            format!("{reference:.0} /s; ours are {:.2} of that", rate / reference),
        ),
        Row::beside(
            "PostgreSQL, 99th percentile of one schedule",
            format!("{:.1} ms", median(lasts)),
        ),
        Row::at_most("PostgreSQL, 99th percentile of a claim under that load", claims, 50.0, " ms"),
    ])
}

/// Returns how many commits a second the reference makes.
fn pgbench(url: &str, script: &Path, sample: &str) -> Result<f64> {
    let clients = CLIENTS.to_string();
    let seconds = ROUND.as_secs().to_string();
    let mut command = Command::new("pgbench");
    command.args(["-n", "-M", "prepared", "-c", &clients, "-j", "2", "-T", &seconds]);
    command.arg("-D").arg(format!("sample={sample}")).arg("-f").arg(script).arg(url);
    let output = command.output().context("start pgbench")?;
    let told = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "pgbench: {told}{complaint}");
    let line = told.lines().find_map(|line| line.strip_prefix("tps = "));
    let number = line.and_then(|line| line.split_whitespace().next()).context("no tps was told")?;
    number.parse().context("tps is a number")
}

fn ask(url: &str, question: &str) -> Result<String> {
    let output =
        Command::new("psql").args([url, "-Atqc", question]).output().context("start psql")?;
    ensure!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Returns the 99th percentile of claims in milliseconds, while sixteen clients schedule.
fn claims_under_load(port: u16, body: &str) -> Result<f64> {
    let begun = Instant::now();
    let taken = std::thread::scope(|scope| {
        let load = scope.spawn(|| round(port, body, CLAIM_ROUND));
        let claimers: Vec<_> =
            (0..CLAIMERS).map(|number| scope.spawn(move || claim(port, number, begun))).collect();
        let mut all = Vec::new();
        for claimer in claimers {
            all.extend(claimer.join().ok().context("a launcher panicked")??);
        }
        load.join().ok().context("the load panicked")??;
        Ok::<_, anyhow::Error>(all)
    })?;
    last_of_hundred(taken).context("nothing was claimed")
}

/// Claims again and again, as a launcher of its own, until the time is over.
fn claim(port: u16, number: usize, begun: Instant) -> Result<Vec<f64>> {
    let place = serde_json::json!({
        "work_dir_id": format!("w{number}"), "os_user": "bob", "engine": "local", "cluster": "c",
    });
    let body = serde_json::json!({
        "holder": format!("bench-{number}"), "want": "launch", "host": "h", "places": [place], "limit": 50,
    });
    let (body, authorization) = (body.to_string(), authorization());
    let mut poster = Poster::connect(port)?;
    // The first claim of a launcher opens connections and plans every statement.
    poster.post("/v1/claims", &authorization, &format!("first-{number}"), &body)?;
    let mut taken = Vec::new();
    while begun.elapsed() < CLAIM_ROUND {
        let one = Instant::now();
        let key = format!("claim-{number}-{}", taken.len());
        poster.post("/v1/claims", &authorization, &key, &body)?;
        taken.push(one.elapsed().as_secs_f64() * 1_000.0);
        std::thread::sleep(CLAIM_EVERY);
    }
    Ok(taken)
}
