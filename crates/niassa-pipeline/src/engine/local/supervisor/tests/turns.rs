//! What comes to an attempt between its grant and its turn: shells that end, later lives, limits, others.

use std::io;

use rustix::process::Signal;

use super::super::ahead::Promise;
use super::*;
use crate::engine::local::journal::Started;
use crate::process_group::{has_ended, signal_group};

/// The life of a supervisor of this boot that was killed together with its guardian.
fn killed_life() -> Life {
    Life { boot: machine::boot_id(), supervisor: 1, guardian: 0, guardian_started: None }
}

/// What runs attempts, without a supervisor.
fn shop_of(place: &Place) -> Shop {
    let life = killed_life();
    let (writer, clock) = (place.writer_of(life.clone()), place.clock.clone());
    Shop::new("/bin/false".into(), Vec::new(), &life, writer, clock)
}

fn start_of(order: Order) -> Start {
    match order {
        Order::Start(start) => start,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_shell_that_did_not_live_until_its_turn_is_followed_by_another_one() {
    let place = Place::new();
    let shop = shop_of(&place);
    let [refused, killed] = [0, 1].map(|step| start_of(place.order(1, step, &[])));
    let shell = shop.start_shell(&killed).unwrap();
    signal_group(shell.id(), Signal::KILL);
    while !has_ended(shell.id()) {
        thread::sleep(Duration::from_millis(1));
    }
    let no_room = io::Error::other("there was no room for another process");
    for (start, shell) in [(refused, Err(no_room)), (killed, Ok(shell))] {
        let outcome = shop.run(&start, shell).unwrap();
        assert_eq!(outcome.status, StepStatus::Success, "{}", start.key);
    }
    let once = ["1-0", "1-1"].map(|step| (step.to_owned(), 1));
    assert_eq!(place.starts(), BTreeMap::from(once));
}

#[test]
fn what_stands_in_a_stream_stays_when_a_shell_comes_late() {
    let place = Place::new();
    let shop = shop_of(&place);
    let start = start_of(place.order(1, 0, &[]));
    let stdout = start.attempt_dir.join("stdout");
    fs::write(&stdout, "said\n").unwrap();
    Shop::discard(&shop.start_shell(&start).unwrap());
    assert_eq!(fs::read_to_string(stdout).unwrap(), "said\n");
}

#[test]
fn what_was_never_begun_is_known_to_every_later_life() {
    let place = Place::new();
    let start = start_of(place.order(1, 0, &[]));
    let (key, dir) = (start.key.clone(), start.attempt_dir.clone());
    // A number that no process has.
    let pid = (1 << 22) + 1;
    let started = Started { key: key.clone(), pid, at: NOW };
    let records = [Record::Ordered(start), Record::Granted { key }, Record::Started(started)];
    place.writer_of(killed_life()).append(&records).unwrap();
    fs::write(dir.join(format!("not-started-1-0-{pid}")), "").unwrap();
    // One sees it and is killed before it begins anything.
    let life = killed_life();
    for _ in 0..2 {
        assert!(process::never_got_the_word(&dir, &life, pid));
    }
    place.supervise(u64::MAX);
    assert_eq!(place.starts(), BTreeMap::from([("1-0".to_owned(), 1)]));
}

#[test]
fn a_kept_promise_overtakes_nobody() {
    let place = Place::new();
    let (mut supervisor, _events, lock) = place.begin(u64::MAX);
    let large = Start {
        resources: Resources { threads: 2, ..Resources::default() },
        ..start_of(place.order(1, 0, &[]))
    };
    let promised = start_of(place.order(2, 0, &[]));
    let (first, then) = (large.key.clone(), promised.key.clone());
    supervisor.startable.push_back(large);
    let promise = Promise { number: 0, attempt_dir: promised.attempt_dir.clone() };
    supervisor.ahead.promise(then.clone(), promise);
    assert!(supervisor.keep_promises(vec![promised]).is_empty());
    let turns: Vec<&AttemptKey> = supervisor.startable.iter().map(|start| &start.key).collect();
    assert_eq!(turns, [&first, &then]);
    drop(lock);
}

#[test]
fn a_time_limit_counts_from_the_start_and_ends_with_the_attempt() {
    let place = Place::new();
    let (mut supervisor, _events, lock) = place.begin(u64::MAX);
    let limited = Start {
        resources: Resources { seconds: Some(3_600), ..Resources::default() },
        ..start_of(place.order(1, 0, &[]))
    };
    let due = |supervisor: &Supervisor| {
        let alarm = supervisor.alarms.first_key_value();
        alarm.map(|(at, _)| at.saturating_duration_since(Instant::now()))
    };
    // Taken over after 50 minutes, and never begun: it waits, and its limit does not go on.
    supervisor.occupy(&limited, Duration::from_mins(50));
    assert!(due(&supervisor).unwrap() <= Duration::from_mins(10));
    supervisor.handle(Event::NeverBegun(Box::new(limited.clone()))).unwrap();
    assert_eq!(due(&supervisor), None);
    supervisor.occupy(&limited, Duration::ZERO);
    assert!(due(&supervisor).unwrap() > Duration::from_mins(59));
    supervisor.release(&limited.key);
    assert!(supervisor.alarms.is_empty());
    drop(lock);
}

#[test]
fn what_was_only_finished_says_nothing_of_how_long_steps_take() {
    let place = Place::new();
    let (mut supervisor, _events, lock) = place.begin(u64::MAX);
    let ended = |ran| {
        let start = Box::new(start_of(place.order(1, 0, &[])));
        Event::Ended { start, outcome: CANCELLED, ran }
    };
    supervisor.handle(ended(None)).unwrap();
    assert!(supervisor.recent >= SHORT_STEP, "nothing is prepared for steps of an hour");
    supervisor.handle(ended(Some(Duration::ZERO))).unwrap();
    assert!(supervisor.recent < SHORT_STEP);
    drop(lock);
}
