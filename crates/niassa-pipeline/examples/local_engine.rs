//! Measures the local engine alone: `local_engine CHAINS LENGTH` runs chains of `true` steps and
//! prints wall and processor seconds as JSON. Directories are made, and durable, before the clock starts, as
//! a Makefile is written before make is timed. `cargo xtask bench` runs it.
#![expect(clippy::print_stdout, reason = "it prints what it measured")]
#![expect(clippy::disallowed_methods, reason = "it is a program of its own, with its own clock")]

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use niassa_model::resources::Resources;
use niassa_model::step::AttemptKey;
use niassa_model::time::{Clock, Timestamp};
use niassa_pipeline::engine::local::supervisor::{self, SupervisorOptions};
use niassa_pipeline::engine::local::watch::Watch;
use niassa_pipeline::engine::local::{
    LocalHome, Order, Provisioning, Start, archive, client, guardian, journal,
};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros());
        Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
    }
}

fn main() -> Fallible<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let own = std::env::current_exe()?;
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["guard", "--work-dir", work_dir] => {
            Ok(guardian::run(&LocalHome::open(Path::new(work_dir))?, &own, &SystemClock)?)
        }
        ["supervise", "--work-dir", work_dir] => {
            let home = LocalHome::open(Path::new(work_dir))?;
            let mut options =
                SupervisorOptions::of_this_machine(own, std::env::vars_os().collect());
            // The process ends soon after its work, so that its children's time can be read.
            options.idle = Duration::from_millis(1);
            Ok(supervisor::run(&home, options, Arc::new(SystemClock))?)
        }
        [folder, chains, length] => measure(Path::new(folder), chains.parse()?, length.parse()?),
        _ => Err("usage: local_engine FOLDER CHAINS LENGTH".into()),
    }
}

fn measure(folder: &Path, chains: u32, length: u32) -> Fallible<()> {
    let home = LocalHome::open(folder)?;
    let orders = prepare(folder, chains, length)?;
    // An engine is given no order before its directories are durable: else its first sync waits for them.
    rustix::fs::syncfs(fs::File::open(folder)?)?;
    let mut open: HashSet<AttemptKey> = orders.iter().map(|order| order.key().clone()).collect();
    let runs: HashSet<_> = open.iter().map(AttemptKey::run_and_tag).collect();
    let begun = Instant::now();
    client::deliver(&home, &orders)?;
    let mut engine = Command::new(std::env::current_exe()?);
    let mut engine = engine.arg("guard").arg("--work-dir").arg(folder).spawn()?;
    let mut offsets = journal::Offsets::default();
    let mut watch = Watch::default();
    let mut told_at = Instant::now();
    let wall = loop {
        let news = journal::read_new(&home, &mut offsets)?;
        if !news.is_empty() {
            told_at = Instant::now();
            forget_ended(&mut open, news);
        } else if told_at.elapsed() >= Duration::from_secs(1) {
            // What was retired before it was read stands in the directories of the runs.
            let mut known = journal::scan(&home, |key| open.contains(key))?;
            if let Some(unread) = archive::add(&home, runs.iter(), &mut known).pop() {
                return Err(unread.error.into());
            }
            told_at = Instant::now();
            forget_ended(&mut open, known);
        }
        if open.is_empty() {
            break begun.elapsed();
        }
        watch.wait(&home, &offsets, Duration::from_millis(50))?;
    };
    engine.wait()?;
    println!("{{\"wall\": {}, \"cpu\": {}}}", wall.as_secs_f64(), children_cpu());
    Ok(())
}

fn forget_ended(
    open: &mut HashSet<AttemptKey>,
    said: impl IntoIterator<Item = (AttemptKey, journal::Evidence)>,
) {
    for (key, evidence) in said {
        if evidence.outcome().is_some() {
            open.remove(&key);
        }
    }
}

fn prepare(folder: &Path, chains: u32, length: u32) -> Fallible<Vec<Order>> {
    let mut orders = Vec::new();
    for chain in 0..chains {
        let run = folder.join(format!("{}-aaaaaaaaaa", chain + 1));
        fs::create_dir_all(run.join("work"))?;
        for step in 0..length {
            let directory: PathBuf = run.join(format!("steps/0/{step}-a"));
            fs::create_dir_all(directory.join("attempt-1"))?;
            fs::write(directory.join("command.sh"), "true\n")?;
            let key = |step: u32| format!("nia-{}-aaaaaaaaaa-s{step}-a1", chain + 1).parse();
            orders.push(Order::Start(Start {
                key: key(step)?,
                attempt_dir: directory.join("attempt-1"),
                resources: Resources::default(),
                after: if step == 0 { Vec::new() } else { vec![key(step - 1)?] },
                processing: None,
                trace: None,
                provisioning: Provisioning::Nothing,
                not_before: None,
            }));
        }
    }
    Ok(orders)
}

/// Processor seconds of all children that were waited for, down to the steps.
fn children_cpu() -> f64 {
    // SAFETY: getrusage fills the whole struct it is given, and zeroes are a valid one.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage);
        usage
    };
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec.cast_unsigned())
            + Duration::from_micros(time.tv_usec.cast_unsigned())
    };
    (time(usage.ru_utime) + time(usage.ru_stime)).as_secs_f64()
}
