//! The whole loop with service, MetaDB and launcher, and one direct launch, against make.

use std::fs;

use anyhow::{Context, Result};

use super::Bench;
use super::measure::{self, Took, process_cpu};
use super::pairs::Pairs;
use super::reference;
use super::site::Site;
use super::table::Row;

const INDEPENDENT: usize = 1_000;
const CHAINS: usize = 200;
const LENGTH: usize = 3;

/// `launch-scheduled` and then `propagate-statuses --until-done`, with a warm supervisor.
pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let site = Site::start(&bench.seqware)?;
    let wide = site.install("wide", &wide())?;
    let chain = site.install("chain", CHAIN)?;
    let folder = tempfile::tempdir().context("make a folder")?;
    let params = folder.path().join("items.json");
    let items: Vec<usize> = (0..INDEPENDENT).collect();
    fs::write(&params, serde_json::to_vec(&serde_json::json!({ "items": items }))?)
        .context("write parameters")?;
    let params = params.display().to_string();
    let wide_once = || -> Result<Took> {
        site.swid(&[
            "workflow",
            "schedule",
            "--accession",
            &wide.to_string(),
            "--host",
            "h",
            "--params",
            &params,
        ])?;
        launch_and_finish(&site)
    };
    let chains_once = || -> Result<Took> {
        for _ in 0..CHAINS {
            let accession = chain.to_string();
            site.swid(&["workflow", "schedule", "--accession", &accession, "--host", "h"])?;
        }
        launch_and_finish(&site)
    };
    wide_once()?;
    let mut rows = Vec::new();
    let pairs =
        Pairs::measure(bench, wide_once, || reference::independent(folder.path(), INDEPENDENT))?;
    rows.extend(pairs.rows("whole loop, 1,000 independent steps", "make", 1.5));
    let pairs_of_chains =
        Pairs::measure(bench, chains_once, || reference::chains(folder.path(), CHAINS, LENGTH))?;
    rows.extend(pairs_of_chains.rows("whole loop, 200 runs of 3 chained steps", "make", 1.6));
    rows.extend(direct(bench, &site, folder.path())?);
    Ok(rows)
}

fn launch_and_finish(site: &Site) -> Result<Took> {
    let others = || -> Result<f64> {
        let engine: f64 =
            site.engine_pids().into_iter().filter_map(|pid| process_cpu(pid).ok()).sum();
        Ok(engine + process_cpu(site.service_pid())?)
    };
    let before = others()?;
    let launched =
        measure::command(&mut site.seqware(&["workflow-run", "launch-scheduled", "--host", "h"]))?;
    let finished = measure::command(&mut site.seqware(&[
        "workflow-run",
        "propagate-statuses",
        "--until-done",
    ]))?;
    let both = launched.plus(finished);
    Ok(Took { wall: both.wall, cpu: both.cpu + others()? - before })
}

/// One `bundle launch` of three chained steps.
fn direct(bench: &Bench, site: &Site, folder: &std::path::Path) -> Result<Vec<Row>> {
    let bundle = site.bundle("direct", CHAIN)?;
    let launch = || measure::command(&mut site.seqware(&["bundle", "launch", "--dir", &bundle]));
    launch()?;
    let warm = Pairs::measure(bench, launch, || reference::chains(folder, 1, LENGTH))?;
    let mut rows = warm.rows("one `bundle launch` of 3 chained steps, warm", "make", 3.0);
    let cold = Site::start(&bench.seqware)?;
    let bundle = cold.bundle("direct", CHAIN)?;
    let took = measure::command(&mut cold.seqware(&["bundle", "launch", "--dir", &bundle]))?;
    rows.push(Row::beside("the same, cold", format!("{:.0} ms", took.wall * 1_000.0)));
    Ok(rows)
}

const CHAIN: &str = "niassa: 1\nname: Chain\nversion: \"1\"\ndescription: three steps\nsteps:\n  \
    - {name: a, command: 'true'}\n  - {name: b, needs: [a], command: 'true'}\n  \
    - {name: c, needs: [b], command: 'true'}\n";

fn wide() -> String {
    "niassa: 1\nname: Wide\nversion: \"1\"\ndescription: many steps\nparameters:\n  \
     items: {type: list, items: int}\nsteps:\n  - {name: a, foreach: {item: items}, command: 'true'}\n"
        .to_owned()
}
