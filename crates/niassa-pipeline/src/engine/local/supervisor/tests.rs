//! A supervisor with small journals, and real processes: what rotates, what is retired, what is forgotten.

mod turns;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

use niassa_model::resources::Resources;

use super::super::{Provisioning, client, journal};
use super::*;

const NOW: Timestamp = Timestamp::from_micros(1_000);

/// A clock that moves by a microsecond whenever it is looked at.
struct Ticks(AtomicI64);

impl Clock for Ticks {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

struct Place {
    folder: tempfile::TempDir,
    home: LocalHome,
    clock: Arc<Ticks>,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = LocalHome::open(folder.path()).unwrap();
        Self { folder, home, clock: Arc::new(Ticks(AtomicI64::new(1_000))) }
    }

    /// An order for a step that notes its start; makes its directories.
    fn order(&self, run: u32, step: u32, after: &[u32]) -> Order {
        let run_dir = self.folder.path().join(format!("{run}-aaaaaaaaaa"));
        fs::create_dir_all(run_dir.join("work")).unwrap();
        let step_dir = run_dir.join(format!("steps/0/{step}-a"));
        fs::create_dir_all(step_dir.join("attempt-1")).unwrap();
        let starts = self.folder.path().join("starts");
        let command = format!("echo {run}-{step} >> '{}'\n", starts.display());
        fs::write(step_dir.join("command.sh"), command).unwrap();
        Order::Start(Start {
            key: key(run, step),
            attempt_dir: step_dir.join("attempt-1"),
            resources: Resources::default(),
            after: after.iter().map(|step| key(run, *step)).collect(),
            processing: None,
            trace: None,
            provisioning: Provisioning::Nothing,
            not_before: None,
        })
    }

    fn begin(&self, journal_bytes: u64) -> Begun {
        let options = SupervisorOptions {
            executable: "/bin/false".into(),
            environment: Vec::new(),
            capacity: Capacity { threads: 2, memory_bytes: 1 << 30 },
            idle: Duration::from_millis(300),
            journal_bytes,
            retire_every: Duration::from_millis(50),
        };
        let clock: Arc<dyn Clock> = self.clock.clone();
        begin(&self.home, options, clock).unwrap().unwrap()
    }

    /// The directory of a step's first attempt.
    fn attempt_dir(&self, run: u32, step: u32) -> PathBuf {
        self.folder.path().join(format!("{run}-aaaaaaaaaa/steps/0/{step}-a/attempt-1"))
    }

    fn set_command(&self, run: u32, step: u32, command: &str) {
        fs::write(self.attempt_dir(run, step).with_file_name("command.sh"), command).unwrap();
    }

    /// Makes a journal of a life of another boot, that was cut short.
    fn writer_of_the_past(&self) -> Writer {
        let boot = String::new();
        self.writer_of(Life { boot, supervisor: 1, guardian: 0, guardian_started: None })
    }

    /// Makes a journal of a life that was cut short.
    fn writer_of(&self, life: Life) -> Writer {
        let (sender, _events) = channel();
        let clock: Arc<dyn Clock> = self.clock.clone();
        let series = Series { home: self.home.clone(), life, most_bytes: u64::MAX, clock };
        Writer::create(series, sender).unwrap()
    }

    /// Supervises until all is done and nothing is left to retire; returns how many runs are remembered.
    fn supervise(&self, journal_bytes: u64) -> usize {
        let (mut supervisor, events, lock) = self.begin(journal_bytes);
        supervisor.supervise(&events, &lock).unwrap();
        supervisor.table.remembered()
    }

    /// How often each step began.
    fn starts(&self) -> BTreeMap<String, usize> {
        let text = fs::read_to_string(self.folder.path().join("starts")).unwrap_or_default();
        let mut counts = BTreeMap::new();
        for line in text.lines() {
            *counts.entry(line.to_owned()).or_default() += 1;
        }
        counts
    }

    fn journals(&self) -> Vec<PathBuf> {
        journal::files(&self.home).unwrap()
    }

    fn ended(&self, run: u32) -> String {
        let path = self.folder.path().join(format!("{run}-aaaaaaaaaa/ended.jsonl"));
        fs::read_to_string(path).unwrap_or_default()
    }
}

fn key(run: u32, step: u32) -> AttemptKey {
    format!("nia-{run}-aaaaaaaaaa-s{step}-a1").parse().unwrap()
}

#[test]
fn hundreds_of_attempts_leave_little_behind_and_each_ran_once() {
    const RUNS: u32 = 150;
    const STEPS: u32 = 4;
    let place = Place::new();
    for runs in [1..=RUNS / 2, RUNS / 2 + 1..=RUNS] {
        let orders: Vec<Order> = runs
            .flat_map(|run| (0..STEPS).map(move |step| (run, step)))
            .map(|(run, step)| place.order(run, step, &(0..step).collect::<Vec<_>>()))
            .collect();
        client::deliver(&place.home, &orders).unwrap();
    }
    let remembered = place.supervise(64 * 1024);
    let starts = place.starts();
    assert_eq!(starts.len(), (RUNS * STEPS) as usize);
    assert!(starts.values().all(|count| *count == 1), "{starts:?}");
    let sizes: Vec<u64> =
        place.journals().iter().map(|path| fs::metadata(path).unwrap().len()).collect();
    assert!(sizes.len() <= 3 && sizes.iter().sum::<u64>() < 1024 * 1024, "{sizes:?}");
    assert!(fs::read_dir(place.home.path()).unwrap().count() <= 8);
    assert!(remembered < RUNS as usize, "{remembered} of {RUNS} runs are remembered");

    // The next life retires what is left of this one, and forgets it.
    assert_eq!(place.supervise(64 * 1024), 0);
    let lines: usize = (1..=RUNS).map(|run| place.ended(run).lines().count()).sum();
    assert_eq!(lines, (RUNS * STEPS) as usize);
    // The work directory may be mounted elsewhere when they are read.
    assert!(!place.ended(1).contains(place.folder.path().to_str().unwrap()));
}

/// Makes the journal of a supervisor of this boot that was killed: all was granted, and nothing started.
fn granted_before_a_kill(place: &Place, orders: &[Order]) {
    let boot = machine::boot_id();
    let life = Life { boot, supervisor: 1, guardian: 0, guardian_started: None };
    let writer = place.writer_of(life);
    for order in orders {
        let Order::Start(start) = order else { panic!("{order:?}") };
        writer.append(&[Record::Ordered(start.clone())]).unwrap();
        writer.append(&[Record::Granted { key: start.key.clone() }]).unwrap();
    }
}

#[test]
fn what_was_promised_before_a_kill_still_waits_for_those_before_it() {
    let place = Place::new();
    let orders = [place.order(1, 1, &[0]), place.order(1, 2, &[1]), place.order(1, 0, &[])];
    granted_before_a_kill(&place, &orders);
    place.supervise(u64::MAX);
    let starts = fs::read_to_string(place.folder.path().join("starts")).unwrap();
    assert_eq!(starts.lines().collect::<Vec<_>>(), ["1-0", "1-1", "1-2"]);
}

#[test]
fn a_promise_is_broken_when_those_before_it_fail() {
    let place = Place::new();
    let orders = [place.order(1, 0, &[]), place.order(1, 1, &[0]), place.order(1, 2, &[1])];
    place.set_command(1, 0, "exit 3\n");
    granted_before_a_kill(&place, &orders);
    place.supervise(u64::MAX);
    assert!(place.starts().is_empty());
    let said = journal::scan(&place.home, |_| true).unwrap();
    for step in [1, 2] {
        let evidence = &said[&key(1, step)];
        assert_eq!(evidence.outcome(), Some(SKIPPED));
        // The journal has its grant, so it has an end and is not closed.
        assert!(evidence.exit().is_some());
    }
}

#[test]
fn while_steps_are_short_what_follows_is_granted_before_its_turn_and_begins_once() {
    const STEPS: u32 = 12;
    let place = Place::new();
    let chain = |run: u32| (0..STEPS).map(move |step| (run, step));
    let order = |(run, step): (u32, u32)| place.order(run, step, step.checked_sub(1).as_slice());
    let orders: Vec<Order> = chain(1).map(order).collect();
    client::deliver(&place.home, &orders).unwrap();
    place.supervise(u64::MAX);
    let starts = place.starts();
    assert_eq!(starts.len(), STEPS as usize);
    assert!(starts.values().all(|count| *count == 1), "{starts:?}");
    let (mut granted, mut ended, mut ahead) = (HashSet::new(), HashSet::new(), 0);
    for path in place.journals() {
        journal::each_record(&path, 0, u64::MAX, |record| match record {
            Record::Granted { key } => {
                assert!(granted.insert(key.step.0), "it is granted once");
                ahead += u32::from(key.step.0 > 0 && !ended.contains(&(key.step.0 - 1)));
            }
            Record::Exit(exit) => {
                ended.insert(exit.key.step.0);
            }
            _ => {}
        })
        .unwrap();
    }
    assert!(ahead >= STEPS / 2, "{ahead} of {STEPS} were granted before their turn");
}

#[test]
fn a_shell_that_waits_for_its_turn_ends_with_its_attempt_and_leaves_nothing() {
    let place = Place::new();
    let warm: Vec<Order> = (0..4).map(|step| place.order(1, step, &[])).collect();
    let failing = [place.order(2, 0, &[]), place.order(2, 1, &[0]), place.order(2, 2, &[1])];
    let gate = place.folder.path().join("gate");
    place.set_command(
        2,
        0,
        &format!("until [ -e '{}' ]; do sleep 0.01; done; exit 3\n", gate.display()),
    );
    client::deliver(&place.home, &[warm, failing.to_vec()].concat()).unwrap();
    let waiting = place.attempt_dir(2, 1).join("stdout");
    thread::scope(|scope| {
        let supervised = scope.spawn(|| place.supervise(u64::MAX));
        let begun = Instant::now();
        while !waiting.exists() {
            assert!(begun.elapsed() < Duration::from_mins(1), "no shell was started ahead");
            thread::sleep(Duration::from_millis(5));
        }
        fs::write(&gate, "").unwrap();
        supervised.join().unwrap();
    });
    assert_eq!(place.starts().len(), 4);
    assert!(machine::with_variable("NIASSA_KEY", &key(2, 1).to_string()).is_empty());
    let left: Vec<_> = fs::read_dir(place.attempt_dir(2, 1)).unwrap().flatten().collect();
    assert!(left.iter().all(|file| !file.file_name().to_string_lossy().starts_with("not-")));
}

#[test]
fn what_was_granted_before_a_kill_waits_for_the_directory_of_its_run_and_can_be_stopped() {
    let place = Place::new();
    granted_before_a_kill(&place, &[place.order(1, 0, &[]), place.order(1, 1, &[0])]);
    let ended = place.folder.path().join("1-aaaaaaaaaa/ended.jsonl");
    fs::create_dir(&ended).unwrap();
    let (mut supervisor, events, lock) = place.begin(u64::MAX);
    client::deliver(&place.home, &[Order::Stop { key: key(1, 0) }]).unwrap();
    supervisor.read_inbox().unwrap();
    assert_eq!(supervisor.table.fate(&key(1, 0)), Some(Fate::Over));
    assert_eq!(supervisor.table.fate(&key(1, 1)), Some(Fate::Granted), "nothing is known of it");
    fs::remove_dir(&ended).unwrap();
    supervisor.supervise(&events, &lock).unwrap();
    assert!(place.starts().is_empty());
    let said = journal::scan(&place.home, |_| true).unwrap();
    assert_eq!(said[&key(1, 0)].outcome(), Some(CANCELLED));
    assert!(said[&key(1, 1)].outcome().is_some());
}

#[test]
fn an_order_that_comes_again_starts_nothing_after_its_journal_was_removed() {
    let place = Place::new();
    let orders = [place.order(1, 0, &[]), place.order(1, 1, &[0]), place.order(2, 0, &[])];
    client::deliver(&place.home, &orders).unwrap();
    place.supervise(1);
    place.supervise(1);
    assert_eq!(place.starts().len(), 3);
    assert_eq!(place.ended(1).lines().count(), 2);
    let mut spoken = journal::scan(&place.home, |_| true).unwrap();
    assert!(spoken.is_empty(), "{spoken:?}");

    // All again, with a step that is new behind one that only the directory of its run knows.
    let stop = Order::Stop { key: key(2, 0) };
    let close = Order::Close { key: key(2, 0), outcome: CANCELLED };
    let again = [place.order(1, 2, &[1]), stop, close];
    client::deliver(&place.home, &[again.as_slice(), orders.as_slice()].concat()).unwrap();
    place.supervise(u64::MAX);
    let starts = place.starts();
    assert_eq!(starts.len(), 4, "{starts:?}");
    assert!(starts.values().all(|count| *count == 1), "{starts:?}");
    spoken = journal::scan(&place.home, |_| true).unwrap();
    assert_eq!(spoken.keys().collect::<Vec<_>>(), [&key(1, 2)]);
}

#[test]
fn an_order_that_comes_again_starts_nothing_after_its_run_was_moved_aside_for_a_while() {
    let place = Place::new();
    let order = place.order(1, 0, &[]);
    client::deliver(&place.home, std::slice::from_ref(&order)).unwrap();
    place.supervise(u64::MAX);
    let (dir, aside) = (place.folder.path().join("1-aaaaaaaaaa"), place.folder.path().join("1"));
    fs::rename(&dir, &aside).unwrap();
    place.supervise(1);
    fs::rename(&aside, &dir).unwrap();
    client::deliver(&place.home, &[order]).unwrap();
    place.supervise(1);
    assert_eq!(place.starts(), BTreeMap::from([("1-0".to_owned(), 1)]));
    assert_eq!(place.ended(1).lines().count(), 1);
}

#[test]
fn a_supervisor_goes_on_where_the_journal_of_a_parent_was_removed() {
    let place = Place::new();
    client::deliver(&place.home, &[place.order(1, 0, &[])]).unwrap();
    place.supervise(1);
    place.supervise(1);
    assert_eq!(place.ended(1).lines().count(), 1);
    // A life that was killed after it took up an order: the parent is known to the directory alone.
    let writer = place.writer_of_the_past();
    let Order::Start(start) = place.order(1, 1, &[0]) else { unreachable!() };
    // After a power cut a journal may be back that says half of what was archived.
    let back = Record::Granted { key: key(1, 0) };
    let Order::Start(first) = place.order(1, 0, &[]) else { unreachable!() };
    writer.append(&[Record::Ordered(first), back, Record::Ordered(start)]).unwrap();
    place.supervise(1);
    let starts = place.starts();
    assert_eq!(starts, BTreeMap::from([("1-0".to_owned(), 1), ("1-1".to_owned(), 1)]));
}

#[test]
fn an_archive_that_cannot_be_read_holds_orders_back() {
    let place = Place::new();
    let order = place.order(1, 0, &[]);
    let ended = place.folder.path().join("1-aaaaaaaaaa/ended.jsonl");
    fs::create_dir(&ended).unwrap();
    client::deliver(&place.home, &[order]).unwrap();
    let (mut supervisor, _events, lock) = place.begin(u64::MAX);
    supervisor.read_inbox().unwrap();
    assert_eq!((supervisor.table.open(), supervisor.untakable.len()), (0, 1), "it is said once");
    fs::remove_dir(&ended).unwrap();
    supervisor.read_inbox().unwrap();
    assert_eq!((supervisor.table.open(), supervisor.untakable.len()), (1, 0));
    drop(lock);
}

#[test]
fn attempts_wait_for_the_directory_of_their_run_and_hold_up_no_others() {
    let place = Place::new();
    let writer = place.writer_of_the_past();
    let mut ordered = Vec::new();
    for (run, step) in [(1, 0), (1, 1), (1, 2), (2, 0)] {
        let Order::Start(start) = place.order(run, step, &[]) else { unreachable!() };
        ordered.push(Record::Ordered(start));
    }
    ordered.push(Record::Granted { key: key(1, 1) });
    ordered.push(Record::Granted { key: key(1, 2) });
    writer.append(&ordered).unwrap();
    let folder = place.folder.path().join("1-aaaaaaaaaa");
    fs::create_dir(folder.join("ended.jsonl")).unwrap();
    let (mut supervisor, _events, lock) = place.begin(u64::MAX);
    supervisor.read_inbox().unwrap();
    assert_eq!(supervisor.table.open(), 4, "none of them was lost or forgotten");
    let granted = supervisor.table.grant(10);
    assert_eq!(granted.iter().map(|start| &start.key).collect::<Vec<_>>(), [&key(2, 0)]);

    // One has ended and was archived; a journal is back that says it is open.
    fs::remove_dir(folder.join("ended.jsonl")).unwrap();
    let run = crate::run_dir::RunDir::of(place.folder.path(), key(1, 1).run, &key(1, 1).tag);
    let success =
        Outcome { status: StepStatus::Success, reason: None, exit_code: Some(0), signal: None };
    let end = Record::Closed { key: key(1, 1), outcome: success, message: None, at: NOW };
    super::super::archive::keep(&run, &[end]).unwrap();
    supervisor.read_inbox().unwrap();
    assert_eq!(supervisor.table.fate(&key(1, 1)), Some(Fate::Succeeded));
    assert_eq!(supervisor.table.fate(&key(1, 2)), Some(Fate::Over), "it is lost");
    let granted = supervisor.table.grant(10);
    assert_eq!(granted.iter().map(|start| &start.key).collect::<Vec<_>>(), [&key(1, 0)]);
    assert!(supervisor.held.is_empty());
    drop(lock);
}

#[test]
fn a_grant_that_lost_its_order_with_the_power_is_made_again() {
    let place = Place::new();
    let writer = place.writer_of_the_past();
    writer.append(&[Record::Granted { key: key(1, 0) }]).unwrap();
    client::deliver(&place.home, &[place.order(1, 0, &[])]).unwrap();
    place.supervise(u64::MAX);
    assert_eq!(place.starts(), BTreeMap::from([("1-0".to_owned(), 1)]));
    let said = journal::scan(&place.home, |_| true).unwrap();
    assert_eq!(said[&key(1, 0)].outcome().map(|outcome| outcome.status), Some(StepStatus::Success));
    // Later lives know it.
    client::deliver(&place.home, &[place.order(1, 0, &[])]).unwrap();
    place.supervise(1);
    assert_eq!(place.starts(), BTreeMap::from([("1-0".to_owned(), 1)]));
}

#[test]
fn a_small_journal_is_replaced_whatever_room_was_made_for_it() {
    let place = Place::new();
    let writer = place.writer_of_the_past();
    let Order::Start(open) = place.order(1, 0, &[]) else { unreachable!() };
    let Order::Start(over) = place.order(1, 1, &[]) else { unreachable!() };
    let closed = Record::Closed { key: key(1, 1), outcome: SKIPPED, message: None, at: NOW };
    writer.append(&[Record::Ordered(open), Record::Ordered(over), closed]).unwrap();
    place.writer_of_the_past();
    let first = place.journals().remove(0);
    assert!(fs::metadata(&first).unwrap().len() > 64 * 1024, "most of it is zeros");
    let mut pass = Pass::default();
    super::super::retire::retire(&place.home, NOW, &mut pass).unwrap();
    assert_eq!((pass.left, pass.archived), (1, vec![key(1, 1)]));
    assert!(fs::metadata(&first).unwrap().len() < 1024);
}

#[test]
fn a_journal_that_cannot_be_begun_leaves_nothing_behind() {
    let place = Place::new();
    let own = std::process::id();
    let now = place.clock.0.load(Ordering::Relaxed);
    // Where it would say how much of it is durable there is a folder.
    let mark = place.home.path().join(format!("journal-{now:020}-{own}.synced"));
    fs::create_dir(&mark).unwrap();
    let life = Life { boot: String::new(), supervisor: 1, guardian: 0, guardian_started: None };
    let clock: Arc<dyn Clock> = place.clock.clone();
    let series = Series { home: place.home.clone(), life, most_bytes: u64::MAX, clock };
    assert!(Writer::create(series, channel().0).is_err());
    assert!(mark.exists());
    assert_eq!(place.journals(), Vec::<PathBuf>::new());
}

#[test]
fn readers_see_every_end_once_while_journals_rotate() {
    let place = Place::new();
    let orders: Vec<Order> =
        (0..40).map(|step| place.order(1, step, &(0..step).collect::<Vec<_>>())).collect();
    client::deliver(&place.home, &orders).unwrap();
    // It keeps how far it has read, so nothing is removed before.
    let kept = place.home.path().join("propagated-0000000000000000.json");
    fs::write(&kept, "{}").unwrap();
    let home = place.home.clone();
    let reader = thread::spawn(move || {
        let (mut offsets, mut ended) = (journal::Offsets::default(), Vec::new());
        let begun = Instant::now();
        while ended.len() < 40 && begun.elapsed() < Duration::from_secs(30) {
            let news = journal::read_new(&home, &mut offsets).unwrap();
            ended.extend(news.into_iter().filter(|(_, said)| said.exit().is_some()));
            let temporary = kept.with_extension("tmp");
            fs::write(&temporary, serde_json::to_vec(&offsets).unwrap()).unwrap();
            fs::rename(&temporary, &kept).unwrap();
            thread::sleep(Duration::from_millis(1));
        }
        ended.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    });
    place.supervise(2_000);
    let mut ended = reader.join().unwrap();
    let told_in_order = ended.is_sorted_by_key(|key| key.step);
    ended.sort();
    ended.dedup();
    assert_eq!((ended.len(), told_in_order), (40, true));
    assert!(place.journals().len() < 10, "{:?}", place.journals());
}
