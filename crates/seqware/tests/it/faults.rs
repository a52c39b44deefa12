//! Crash tests: each cell kills or stalls somebody once, at one place, and looks what becomes of two
//! accepted runs while ordinary ticks go on.
//!
//! `cargo xtask faults` says by the environment which cells to play, and reads what came of them: one
//! line of JSON per cell. Without the environment a sample is played.

mod cell;
mod check;
mod cluster;
pub(crate) mod postgres;
mod scene;
mod strike;
mod toy;

use std::collections::VecDeque;
use std::fs;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde_json::json;

use cell::Cell;
use check::Findings;
use postgres::SharedPostgres;
use scene::Scene;

/// Cells played at the same time: they wait more than they work.
const AT_ONCE: usize = 6;

/// What is to be played.
struct Play {
    /// The cells, in order.
    cells: Vec<Cell>,
    /// After so long no further cell is begun.
    limit: Option<Duration>,
}

/// What came of a cell.
enum Outcome {
    Played(Findings),
    Skipped,
    /// The time was over before its turn.
    LeftOut,
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

impl Play {
    /// Reads what `cargo xtask faults` wants.
    fn wanted() -> Self {
        let given = variable("NIASSA_SEED").and_then(|text| text.parse().ok());
        let seed: u64 = given.unwrap_or_else(|| u64::from(rand::random::<u32>()));
        eprintln!("seed {seed}");
        write_result(&json!({ "line": "seed", "seed": seed }));
        let mut cells = cell::all();
        if let Some(engines) = variable("NIASSA_FAULTS_ENGINE") {
            let is_wanted = |cell: &Cell| {
                let cell = cell.to_string();
                engines.split(',').any(|engine| cell.split('/').next() == Some(engine))
            };
            cells.retain(is_wanted);
        }
        let mut random = StdRng::seed_from_u64(seed);
        if let Some(part) = variable("NIASSA_FAULTS_CELL") {
            cells.retain(|cell| cell.to_string().contains(&part));
        } else if variable("NIASSA_FAULTS_ALL").is_none() {
            cells = cell::sample(&cells, &mut random);
            // Those that wait for long are begun first.
            cells.sort_by_key(|cell| !cell.is_long());
        } else {
            // What a limit leaves out is of the last engine, and left to chance.
            cells.shuffle(&mut random);
            cells.sort_by_key(|cell| cell.engine);
        }
        let seconds = variable("NIASSA_FAULTS_SECONDS").and_then(|text| text.parse().ok());
        Self { cells, limit: seconds.map(Duration::from_secs) }
    }
}

/// Crash points at which the other order can be struck in the same way.
const COMPARED: [&str; 11] = [
    "launcher/launcher.to-submit/kill",
    "launcher/launcher.submitting/kill",
    "launcher/launcher.submitting/stall",
    "launchers/any/overlap",
    "submission/after/kill",
    "submission/refusal/mute",
    "submission/any/late",
    "service/launcher.submitted/kill",
    "controller/launcher.submitted/kill",
    "controller/running/away",
    "records/any/purge",
];

#[test]
#[ignore = "cargo xtask faults plays it"]
fn matrix() {
    let play = Play::wanted();
    assert!(!play.cells.is_empty(), "no cell is called so");
    let on_postgres = play.cells.iter().any(|cell| cell.postgres);
    let _postgres = on_postgres.then(SharedPostgres::start);
    let bad = play_all(play.cells, play.limit, |cell| {
        let from = Instant::now();
        let outcome = play_alone(cell.to_string(), move || play_cell(&cell));
        tell(&cell.to_string(), &outcome, from.elapsed());
        outcome
    });
    assert_eq!(bad, 0, "cells with findings");
}

#[test]
#[ignore = "cargo xtask faults --compare plays it"]
fn comparison() {
    let is_compared = |cell: &Cell| {
        COMPARED.iter().any(|name| cell.to_string() == format!("slurm/sqlite/{name}"))
    };
    let cells: Vec<Cell> = cell::all().into_iter().filter(is_compared).collect();
    assert_eq!(cells.len(), COMPARED.len());
    let bad = play_all(cells, None, |cell| {
        let from = Instant::now();
        let theirs = format!("submit-then-record/{cell}");
        let outcome = play_alone(theirs.clone(), move || toy::play(&cell));
        tell(&theirs, &outcome, from.elapsed());
        let from = Instant::now();
        let ours = format!("intent-first/{cell}");
        let outcome = play_alone(ours.clone(), move || play_cell(&cell));
        tell(&ours, &outcome, from.elapsed());
        outcome
    });
    assert_eq!(bad, 0, "cells of our order with findings");
}

/// Plays cells, several at the same time; returns how many had findings. After the limit none is begun.
fn play_all(
    cells: Vec<Cell>,
    limit: Option<Duration>,
    play: impl Fn(Cell) -> Outcome + Sync,
) -> usize {
    let begun = Instant::now();
    let waiting: Mutex<VecDeque<Cell>> = Mutex::new(cells.into());
    // Nobody holds the list while a cell is played.
    let next = || lock(&waiting).pop_front();
    let bad = Mutex::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(cell) = next() {
                    if limit.is_some_and(|limit| begun.elapsed() > limit) {
                        tell(&cell.to_string(), &Outcome::LeftOut, Duration::ZERO);
                    } else if matches!(play(cell), Outcome::Played(found) if !found.is_empty()) {
                        *lock(&bad) += 1;
                    }
                }
            });
        }
    });
    bad.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Plays a cell in a thread of its name, by which skips and panics are told.
fn play_alone(name: String, play: impl FnOnce() -> Option<Findings> + Send + 'static) -> Outcome {
    match std::thread::Builder::new().name(name).spawn(play).unwrap().join() {
        Ok(Some(findings)) => Outcome::Played(findings),
        Ok(None) => Outcome::Skipped,
        Err(panic) => {
            let words = panic.downcast_ref::<String>().cloned();
            let words = words.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            let wrong = vec![words.unwrap_or_default()];
            Outcome::Played(Findings { wrong, ..Findings::default() })
        }
    }
}

fn play_cell(cell: &Cell) -> Option<Findings> {
    let mut scene = Scene::of(cell)?;
    let is_struck = strike::strike(cell, &mut scene);
    let unquiet = check::until_quiet(cell, &scene);
    let mut findings = check::check(cell, &scene, unquiet);
    if !is_struck {
        findings.wrong.push("it was not struck as meant".to_owned());
    }
    if !findings.is_empty() {
        scene.keep_for_people(cell);
    }
    Some(findings)
}

/// Prints a line for people, and appends one for `cargo xtask faults`.
fn tell(cell: &str, outcome: &Outcome, took: Duration) {
    let seconds = took.as_secs_f64();
    let (word, findings) = match outcome {
        Outcome::Played(findings) if findings.is_empty() => ("ok", findings.clone()),
        Outcome::Played(findings) => ("BAD", findings.clone()),
        Outcome::Skipped => ("skipped", Findings::default()),
        Outcome::LeftOut => ("left out", Findings::default()),
    };
    if !matches!(outcome, Outcome::LeftOut) {
        eprintln!("{word:8}{seconds:6.1} s  {cell}  {findings}");
    }
    write_result(&json!({
        "line": "cell",
        "cell": cell,
        "outcome": word,
        "seconds": seconds,
        "doubled": findings.doubled,
        "lost": findings.lost,
        "stuck": findings.stuck,
        "wrong": findings.wrong,
    }));
}

/// Appends a line for `cargo xtask faults`.
fn write_result(line: &serde_json::Value) {
    let Some(file) = variable("NIASSA_FAULTS_RESULTS") else { return };
    let mut file = fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}
