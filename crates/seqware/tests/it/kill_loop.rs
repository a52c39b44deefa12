//! Launchers, the service and the supervisor are killed at random; nothing is doubled or lost.
//!
//! The steps themselves count their starts, in a file that each appends one line to. Set
//! `NIASSA_SEED` to the printed number to repeat the order of the kills.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::site::{Database, Site, User, count_lines};

const RUNS: usize = 120;

/// Kills, unless everything ended before; whatever is left goes to its end in peace.
const KILLS: usize = 120;

/// How long the loop may take; without kills it takes a few seconds.
const LIMIT: Duration = Duration::from_mins(4);

fn seed() -> u64 {
    let given = std::env::var("NIASSA_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(rand::random)
}

fn tick(user: &User, arguments: &[&str]) -> Child {
    let mut command = user.command();
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("seqware starts")
}

/// Lets a command run for a random while and kills it, if it has not ended.
fn tick_and_maybe_kill(user: &User, arguments: &[&str], random: &mut StdRng) {
    let mut child = tick(user, arguments);
    let patience = Duration::from_millis(random.random_range(5..500));
    let begun = Instant::now();
    while begun.elapsed() < patience {
        if child.try_wait().expect("a status").is_some() {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
}

fn everything_ends_once(database: Database) {
    let Some(mut site) = Site::start_on(database) else { return };
    let seed = seed();
    eprintln!("NIASSA_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    // Journals of some twenty attempts: they are gone over from, and retired, all the time.
    let bob = site.account("bob@lab.net").with([("NIASSA_JOURNAL_BYTES", "20000")]);
    let starts = site.path("starts");
    let text = format!(
        "niassa: 1\nname: Counted\nversion: \"1\"\ndescription: Counts its starts\nsteps:\n  \
         - name: one\n    command: echo \"$NIASSA_KEY\" >> '{0}'\n  \
         - name: two\n    needs: [one]\n    command: echo \"$NIASSA_KEY\" >> '{0}'; sleep 0.05\n  \
         - name: three\n    needs: [two]\n    command: echo \"$NIASSA_KEY\" >> '{0}'\n",
        starts.display()
    );
    let bundle = site.bundle("counted", &text);
    let workflow =
        bob.seqware(&["bundle", "install", "--dir", bundle.to_str().unwrap()]).ok().swid();
    let runs: Vec<i64> = (0..RUNS).map(|_| bob.schedule(workflow, "here", &[])).collect();

    let begun = Instant::now();
    let launch = ["workflow-run", "launch-scheduled", "--host", "here"];
    let propagate = ["workflow-run", "propagate-statuses"];
    let mut kills = 0;
    while kills < KILLS && active(&bob) > 0 {
        match random.random_range(0..8) {
            0..=2 => tick_and_maybe_kill(&bob, &launch, &mut random),
            3..=5 => tick_and_maybe_kill(&bob, &propagate, &mut random),
            6 => {
                site.kill_service();
                site.serve();
            }
            _ => {
                site.kill(" supervise");
            }
        }
        kills += 1;
    }
    // Whatever was killed, two peaceful ticks at a time bring it to its end.
    while begun.elapsed() < LIMIT && active(&bob) > 0 {
        bob.seqware(&launch).ok();
        bob.seqware(&propagate).ok();
    }
    check(&site, &bob, &runs, seed);
}

fn active(user: &User) -> usize {
    let runs = user.seqware(&["workflow-run", "report", "--active", "--json"]).ok().json();
    runs.as_array().map_or(0, Vec::len)
}

fn check(site: &Site, bob: &User, runs: &[i64], seed: u64) {
    let starts = count_lines(&site.path("starts"));
    let doubled: Vec<_> = starts.iter().filter(|(_, count)| **count != 1).collect();
    assert!(doubled.is_empty(), "seed {seed}: started more than once: {doubled:?}");
    let mut unfinished = Vec::new();
    for run in runs {
        let status = bob.status(*run);
        if status != "completed" {
            let number = run.to_string();
            let why = bob.seqware(&["workflow-run", "explain", "--accession", &number]);
            unfinished.push((*run, status, why.stdout));
        }
    }
    assert!(unfinished.is_empty(), "seed {seed}: {unfinished:?}\n{}", site.service_log());
    assert_eq!(starts.len(), 3 * runs.len(), "seed {seed}: a step never started");
}

#[test]
fn everything_ends_once_on_sqlite() {
    everything_ends_once(Database::Sqlite);
}

#[test]
fn everything_ends_once_on_postgres() {
    everything_ends_once(Database::Postgres);
}
