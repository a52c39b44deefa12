//! Pages over a MetaDB of a million runs: what the service takes for lists, searches and runs, what
//! a page weighs, and when a browser paints it. SQLite; the runs are made by the same numbers each
//! time (`crates/niassa-metadb/examples/fill.rs`).

mod client;
mod paint;

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Bench;
use super::measure::median;
use super::site::{PASSWORD, Site};
use super::table::Row;
use client::Client;

/// Runs in the MetaDB, and in a quick measurement.
const RUNS: u32 = 1_000_000;
const QUICK: u32 = 100_000;
/// Looks at each page.
const LOOKS: usize = 100;
/// What a page of lists and runs may take, in milliseconds.
const MOST: f64 = 50.0;

/// Who looks: the administrator, somebody with the largest study shared, who also launches for
/// another, and somebody with nothing but their own runs.
const PEOPLE: [&str; 3] = ["bob@lab.net", "person3@lab.net", "person20@lab.net"];

/// What is typed into the box: each key, what many and what no runs have, and several at once.
const SEARCHES: [&str; 38] = [
    "",
    "status:failed",
    "status:completed",
    "status:cancelled",
    "status:failed,cancelled",
    "is:active",
    "status:submitted",
    "is:mine",
    "is:mine status:failed",
    "is:mine is:active",
    "workflow:Pipeline1",
    "workflow:Pipeline11",
    "workflow:Nothing",
    "workflow:96",
    "workflow:Pipeline5 status:running",
    "workflow:Pipeline3 status:failed",
    "host:server1",
    "host:server12",
    "host:nowhere",
    "host:server3 status:failed",
    "host:server3 status:submitted",
    "after:1h",
    "after:7d",
    "before:200d",
    "before:30d after:31d",
    "before:300d after:301d status:failed",
    "before:9999d",
    "mark:checked",
    "mark:rare",
    "mark:nobody",
    "mark:checked status:failed",
    "account:person5@lab.net",
    "account:person33@lab.net",
    "account:person5@lab.net status:failed",
    "merge",
    "zebra",
    "Pipeline3 server2",
    "status:failed workflow:Pipeline3 host:server2 after:90d merge",
];

/// Fills a MetaDB and looks at it.
pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let runs = if bench.pairs > 1 { RUNS } else { QUICK };
    let site = Site::start(&bench.seqware)?;
    let begun = Instant::now();
    let filled = Command::new(&bench.fill)
        .arg(site.metadb())
        .arg(runs.to_string())
        .output()
        .context("start the generator")?;
    ensure!(filled.status.success(), "{}", String::from_utf8_lossy(&filled.stderr));
    let took = format!("{:.0} s", begun.elapsed().as_secs_f64());
    let mut rows = vec![Row::beside(format!("{runs} runs are made in"), took)];
    let mut taken = Taken::default();
    for email in PEOPLE {
        look(&site, email, &mut taken)?;
    }
    rows.push(last("the list and its searches", taken.lists));
    rows.push(last("pages of a run", taken.runs));
    rows.push(last("the other pages", taken.others));
    let mut client = Client::sign_in(site.port, PEOPLE[0], PASSWORD)?;
    rows.push(Row::at_most("a page with all it loads, packed", weight(&mut client)?, 200.0, " KB"));
    let wide: Value = serde_json::from_str(&client.api("/v1/runs?limit=1&mine=1")?)?;
    let wide = wide["items"][0]["swid"].as_i64().context("the run of many steps is not there")?;
    let mut taken = Vec::new();
    timed(&mut client, &format!("/runs/{wide}"), &mut taken)?;
    let median = median(taken.into_iter().map(|(took, _)| took).collect());
    rows.push(Row::beside("a run of 5,000 steps in the service", format!("{median:.0} ms")));
    painted(&site, &client, bench.pairs, wide, &mut rows)?;
    Ok(rows)
}

/// Looks with a browser.
fn painted(
    site: &Site,
    client: &Client,
    times: usize,
    wide: i64,
    rows: &mut Vec<Row>,
) -> Result<()> {
    let wide = format!("/runs/{wide}");
    for (path, name) in [
        ("/runs", "the list"),
        ("/runs?q=status%3Afailed", "a search"),
        (wide.as_str(), "a run of 5,000 steps"),
    ] {
        let Some(paint) = paint::of(site, path, client.cookie(), times)? else {
            rows.push(Row::beside("first paint", "no chromedriver is installed"));
            return Ok(());
        };
        rows.push(Row::at_most(format!("{name}: first paint"), paint.first, 1_000.0, " ms"));
        let what = format!("{name}: it can be used");
        rows.push(Row::at_most(what, paint.interactive, 1_000.0, " ms"));
    }
    Ok(())
}

/// What looks took, in milliseconds, with what was looked at.
#[derive(Default)]
struct Taken {
    lists: Vec<(f64, String)>,
    runs: Vec<(f64, String)>,
    others: Vec<(f64, String)>,
}

/// The 99th percentile over all looks, and of which page that one was.
fn last(what: &str, mut taken: Vec<(f64, String)>) -> Row {
    taken.sort_by(|one, other| one.0.total_cmp(&other.0));
    let last = taken.get((taken.len() * 99 / 100).min(taken.len().saturating_sub(1)));
    let (last, path) = last.cloned().unwrap_or((f64::NAN, String::new()));
    let what = format!("{what}, 99th percentile of {} looks (`{path}`)", taken.len());
    Row::at_most(what, last, MOST, " ms")
}

/// Looks at everything as somebody.
fn look(site: &Site, email: &str, taken: &mut Taken) -> Result<()> {
    let mut client = Client::sign_in(site.port, email, PASSWORD)?;
    for search in SEARCHES {
        let path = format!("/runs?q={}", client::escaped(search));
        timed(&mut client, &path, &mut taken.lists)?;
    }
    timed(&mut client, "/runs?after=1000", &mut taken.lists)?;
    for status in ["completed", "failed", "running"] {
        let Some(run) = newest(&mut client, status)? else { continue };
        for part in ["", "/steps", "/logs", "/files", "/values", "/events"] {
            timed(&mut client, &format!("/runs/{run}{part}"), &mut taken.runs)?;
        }
    }
    for path in ["/workflows", "/workflows/70", "/studies", "/files", "/hosts", "/account"] {
        timed(&mut client, path, &mut taken.others)?;
    }
    Ok(())
}

fn timed(client: &mut Client, path: &str, taken: &mut Vec<(f64, String)>) -> Result<()> {
    for _ in 0..LOOKS {
        let answer = client.get(path)?;
        taken.push((answer.seconds * 1_000.0, path.to_owned()));
    }
    Ok(())
}

/// Finds the newest run with a status that the client may see.
fn newest(client: &mut Client, status: &str) -> Result<Option<i64>> {
    let mut path = format!("/v1/runs?limit=1&status={status}");
    loop {
        let page: Value =
            serde_json::from_str(&client.api(&path)?).context("read a page of runs")?;
        let found = page["items"][0]["swid"].as_i64();
        // A page may be empty and not the last: only so many runs are looked through at once.
        match page["next"].as_str().filter(|_| found.is_none()) {
            Some(next) => path = format!("/v1/runs?limit=1&status={status}&after={next}"),
            None => return Ok(found),
        }
    }
}

/// Weighs a page with style and scripts, as they travel.
#[expect(clippy::cast_precision_loss, reason = "a page is far below 2^52 bytes")]
fn weight(client: &mut Client) -> Result<f64> {
    let page = client.get("/runs")?;
    let text = client.plain("/runs")?;
    let linked = text.split('"').filter(|part| part.starts_with("/assets/"));
    let mut bytes = page.bytes;
    for path in linked.map(str::to_owned).collect::<Vec<_>>() {
        bytes += client.get(&path)?.bytes;
    }
    Ok(bytes as f64 / 1_024.0)
}
