//! What is retired and what is not, and what is left by a kill between any two steps.

use proptest::prelude::*;

use super::*;
use crate::engine::local::journal::{Ended, Evidence, Offsets, Started};
use crate::engine::local::{Provisioning, Start};
use niassa_model::resources::Resources;
use niassa_model::step::{Outcome, StepReason, StepStatus};

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

struct Place {
    folder: tempfile::TempDir,
    home: LocalHome,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = LocalHome::open(folder.path()).unwrap();
        for run in 1..=3 {
            fs::create_dir(folder.path().join(format!("{run}-aaaaaaaaaa"))).unwrap();
        }
        Self { folder, home }
    }

    fn journal(&self, number: usize) -> PathBuf {
        self.home.path().join(format!("journal-{number:020}-1.jsonl"))
    }

    /// Writes a journal that is durable to its end.
    fn write(&self, number: usize, records: &[Record]) {
        let mut lines = Vec::new();
        for record in std::iter::once(&life()).chain(records) {
            journal::encode(record, &mut lines).unwrap();
        }
        let path = self.journal(number);
        let said = journal::open_said(&path).unwrap();
        journal::say(&said, journal::Said { bytes: lines.len() as u64, open: 0 }).unwrap();
        lines.extend([0; 100]);
        fs::write(path, lines).unwrap();
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.home.path()).unwrap().flatten();
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name != "inbox").collect();
        names.sort();
        names
    }

    /// What journals and the directories of runs say together.
    fn evidence(&self) -> BTreeMap<AttemptKey, Evidence> {
        let mut found = journal::scan(&self.home, |_| true).unwrap();
        let runs: Vec<_> = (1..=3).map(|run| key(run, 0).run_and_tag()).collect();
        let unread = archive::add(&self.home, runs.iter(), &mut found);
        assert!(unread.is_empty(), "{unread:?}");
        found.into_iter().collect()
    }

    fn retire(&self) -> Pass {
        self.retire_at(NOW)
    }

    fn retire_at(&self, now: Timestamp) -> Pass {
        let mut pass = Pass::default();
        retire(&self.home, now, &mut pass).unwrap();
        pass
    }

    fn kept(&self, run: u32) -> usize {
        archive::read(&RunDir::of(self.folder.path(), key(run, 0).run, &key(run, 0).tag))
            .unwrap()
            .len()
    }
}

fn life() -> Record {
    let boot = "00000000-0000-0000-0000-000000000000".to_owned();
    Record::Life(Life { boot, supervisor: 1, guardian: 2, guardian_started: Some(3) })
}

fn key(run: u32, step: u32) -> AttemptKey {
    format!("nia-{run}-aaaaaaaaaa-s{step}-a1").parse().unwrap()
}

fn ordered(key: &AttemptKey) -> Record {
    Record::Ordered(Start {
        key: key.clone(),
        attempt_dir: "/nowhere".into(),
        resources: Resources::default(),
        after: Vec::new(),
        processing: None,
        trace: None,
        provisioning: Provisioning::Nothing,
        not_before: None,
    })
}

fn granted(key: &AttemptKey) -> Record {
    Record::Granted { key: key.clone() }
}

fn started(key: &AttemptKey) -> Record {
    Record::Started(Started { key: key.clone(), pid: 7, at: NOW })
}

fn exit(key: &AttemptKey) -> Record {
    Record::Exit(Ended {
        key: key.clone(),
        attempt_dir: None,
        outcome: Outcome {
            status: StepStatus::Success,
            reason: None,
            exit_code: Some(0),
            signal: None,
        },
        started_at: Some(NOW),
        ended_at: NOW,
        cpu_micros: Some(1),
        peak_memory_bytes: Some(2),
        message: None,
    })
}

fn closed(key: &AttemptKey) -> Record {
    let outcome = Outcome::without_exit(StepStatus::Cancelled, StepReason::CancelledBy);
    Record::Closed { key: key.clone(), outcome, message: None, at: NOW }
}

fn whole(key: &AttemptKey) -> Vec<Record> {
    vec![ordered(key), granted(key), started(key), exit(key)]
}

#[test]
fn a_journal_goes_when_all_of_it_has_ended_and_the_last_one_stays() {
    let place = Place::new();
    let (one, two) = (key(1, 0), key(2, 0));
    place.write(1, &[whole(&one), vec![ordered(&two)]].concat());
    place.write(2, &[closed(&two)]);
    place.write(3, &whole(&key(3, 0)));
    let pass = place.retire();
    assert_eq!((pass.left, pass.archived.len()), (0, 3), "the second is archived by both");
    assert_eq!(place.names().len(), 2, "{:?}", place.names());
    assert_eq!((place.kept(1), place.kept(2), place.kept(3)), (1, 1, 0));
    let pass = place.retire();
    assert_eq!((pass.left, pass.archived.len()), (0, 0));
}

#[test]
fn what_is_not_durable_yet_is_not_complete() {
    let place = Place::new();
    place.write(1, &whole(&key(1, 0)));
    place.write(2, &[]);
    let said = journal::open_said(&place.journal(2)).unwrap();
    journal::say(&said, journal::Said { bytes: 0, open: 0 }).unwrap();
    assert_eq!(place.retire().left, 0, "nothing is complete");
    assert!(place.journal(1).exists());
}

#[test]
fn a_long_attempt_keeps_its_own_records_only() {
    let place = Place::new();
    let long = key(1, 9);
    let all = |run| (0..9).flat_map(|step| whole(&key(run, step))).collect::<Vec<_>>();
    place.write(1, &[vec![ordered(&long), granted(&long)], all(1), vec![started(&long)]].concat());
    place.write(2, &all(2));
    place.write(3, &[]);
    let before = place.evidence();
    let pass = place.retire();
    assert_eq!((pass.left, pass.archived.len()), (1, 18));
    assert!(fs::metadata(place.journal(1)).unwrap().len() < 1_000);
    assert!(!place.journal(2).exists());
    assert_eq!(place.retire().left, 1, "it waits, and nothing is written again");
    let after = place.evidence();
    assert_eq!(after[&long], before[&long]);
    place.write(4, &[exit(&long)]);
    place.write(5, &[]);
    assert_eq!(place.retire().left, 0);
    assert_eq!(place.kept(1), 10);
}

#[test]
fn a_large_journal_is_not_written_again_for_little() {
    let place = Place::new();
    let of_run = |steps: std::ops::Range<u32>| steps.flat_map(|step| whole(&key(1, step)));
    let open = (200..300).map(|step| ordered(&key(1, step)));
    place.write(1, &of_run(0..200).chain(open).collect::<Vec<_>>());
    place.write(2, &whole(&key(2, 0)));
    place.write(3, &(200..220).map(|step| closed(&key(1, step))).collect::<Vec<_>>());
    assert!(fs::metadata(place.journal(1)).unwrap().len() > SMALL);
    let pass = place.retire();
    assert_eq!((pass.left, pass.archived.len()), (1, 1), "more than a quarter is open");
    place.write(4, &[]);
    place.write(5, &(220..250).map(|step| closed(&key(1, step))).collect::<Vec<_>>());
    let pass = place.retire();
    assert_eq!(pass.left, 1, "50 of 300 stay");
    assert_eq!(place.kept(1), 250);
}

#[test]
fn a_propagator_of_today_is_waited_for() {
    let place = Place::new();
    place.write(1, &whole(&key(1, 0)));
    place.write(2, &[]);
    let kept = place.home.path().join("propagated-0123456789abcdef.json");
    fs::write(&kept, "{}").unwrap();
    let now = fs::metadata(&kept).unwrap().modified().unwrap().duration_since(UNIX_EPOCH).unwrap();
    let now = Timestamp::from_micros(i64::try_from(now.as_micros()).unwrap());
    assert_eq!(place.retire_at(now).left, 1);
    let mut offsets = Offsets::default();
    assert_eq!(journal::read_new(&place.home, &mut offsets).unwrap().len(), 1);
    fs::write(&kept, serde_json::to_vec(&offsets).unwrap()).unwrap();
    assert_eq!(place.retire_at(now).left, 0);
    assert!(journal::read_new(&place.home, &mut offsets).unwrap().is_empty());
    assert_eq!(serde_json::to_value(&offsets).unwrap().as_object().unwrap().len(), 1);

    place.write(3, &whole(&key(2, 0)));
    place.write(4, &[]);
    let pass = place.retire_at(now);
    assert_eq!(pass.left, 1, "it has read the second and not the third");
    // Its file was touched once more since.
    let tomorrow = now.as_micros() + PROPAGATES_WITHIN_MICROS + 3_600_000_000;
    let tomorrow = Timestamp::from_micros(tomorrow);
    assert_eq!(place.retire_at(tomorrow).left, 0);
}

#[test]
fn a_run_whose_directory_is_missing_keeps_its_records_until_it_is_back() {
    let place = Place::new();
    let (dir, aside) =
        (place.folder.path().join("2-aaaaaaaaaa"), place.folder.path().join("aside"));
    fs::rename(&dir, &aside).unwrap();
    place.write(1, &[whole(&key(2, 0)), whole(&key(1, 0))].concat());
    place.write(2, &[]);
    let before = journal::scan(&place.home, |_| true).unwrap();
    let pass = place.retire();
    assert_eq!((pass.left, pass.archived), (1, vec![key(1, 0)]));
    assert!(!dir.exists());
    let after = journal::scan(&place.home, |_| true).unwrap();
    assert_eq!(after, HashMap::from([(key(2, 0), before[&key(2, 0)].clone())]));
    fs::write(&dir, "a file in its place").unwrap();
    assert_eq!(place.retire().left, 1);
    fs::remove_file(&dir).unwrap();
    fs::rename(&aside, &dir).unwrap();
    let pass = place.retire();
    assert_eq!((pass.left, pass.archived, place.kept(2)), (0, vec![key(2, 0)], 1));
}

#[test]
fn behind_a_journal_that_stays_others_go_and_leave_the_ends_that_it_needs() {
    let place = Place::new();
    let many = || (0..600).map(|step| key(1, step));
    place.write(1, &many().map(|key| ordered(&key)).collect::<Vec<_>>());
    let end = |step| vec![granted(&key(1, step)), exit(&key(1, step))];
    place.write(2, &[end(0), whole(&key(2, 0)), whole(&key(2, 1))].concat());
    place.write(3, &whole(&key(3, 0)));
    place.write(4, &[]);
    assert!(fs::metadata(place.journal(1)).unwrap().len() > SMALL);
    let before = place.evidence();
    let pass = place.retire();
    assert_eq!((pass.left, pass.archived.len()), (2, 3), "the first stays, and an end behind it");
    assert!(!place.journal(3).exists());
    assert_eq!((place.kept(1), place.kept(2), place.kept(3)), (0, 2, 1));
    let said = journal::scan(&place.home, |_| true).unwrap();
    assert_eq!(said.len(), 600);
    assert!(said.iter().all(|(key, said)| *said == before[key]));
    assert_eq!(place.retire().archived, [], "nothing is written again");
    // The rest ends, and all of it goes.
    place.write(5, &many().skip(1).map(|key| closed(&key)).collect::<Vec<_>>());
    place.write(6, &[]);
    assert_eq!(place.retire().left, 0);
    assert_eq!(place.kept(1), 600);
}

#[test]
fn an_end_stays_where_a_journal_before_it_could_not_be_archived() {
    let place = Place::new();
    let one = key(2, 0);
    let files = [place.journal(1), place.journal(2), place.journal(3)];
    place.write(1, &[ordered(&one), granted(&one), whole(&key(1, 0)).remove(0)]);
    place.write(2, &[exit(&key(1, 0)), exit(&one)]);
    place.write(3, &[]);
    let dir = place.folder.path().join("2-aaaaaaaaaa");
    fs::remove_dir(&dir).unwrap();
    let mut ledger = Ledger::new(&place.home, &files).unwrap();
    let first = ledger.archive(&files[0]).unwrap().unwrap();
    assert_eq!(first.ended, [key(1, 0)]);
    // Its directory is back in the middle of the pass.
    fs::create_dir(&dir).unwrap();
    ledger.out_of_reach.clear();
    let second = ledger.archive(&files[1]).unwrap().unwrap();
    assert!(second.replacement.is_some());
    for retired in [first, second] {
        retired.take_effect().unwrap();
    }
    assert!(journal::scan(&place.home, |_| true).unwrap()[&one].exit().is_some());
    assert_eq!((place.retire().left, place.kept(2)), (0, 1));
}

#[test]
fn a_run_that_cannot_be_read_counts_as_open_and_others_go() {
    let place = Place::new();
    let bad = RunDir::of(place.folder.path(), key(2, 0).run, &key(2, 0).tag);
    fs::create_dir(bad.ended()).unwrap();
    place.write(1, &[vec![ordered(&key(2, 0))], whole(&key(1, 0))].concat());
    place.write(2, &whole(&key(3, 0)));
    place.write(3, &[]);
    let pass = place.retire();
    assert_eq!((pass.left, pass.archived.len()), (1, 2));
}

#[test]
fn a_pass_that_fails_tells_of_what_it_did() {
    let place = Place::new();
    for number in 1..=AT_ONCE + 1 {
        place.write(number, &whole(&key(1, u32::try_from(number).unwrap())));
    }
    // The mark of the last one but one is no file, so it cannot be removed.
    place.write(AT_ONCE + 2, &[]);
    let mark = place.journal(AT_ONCE + 1).with_extension("synced");
    fs::remove_file(&mark).unwrap();
    fs::create_dir(&mark).unwrap();
    let mut pass = Pass::default();
    assert!(retire(&place.home, NOW, &mut pass).is_err());
    assert_eq!((pass.left, pass.archived.len()), (1, AT_ONCE));
}

#[test]
fn exits_that_cannot_be_removed_are_no_reason_to_forget_a_pass() {
    let place = Place::new();
    fs::create_dir(place.home.path().join("exits-nobody-1-1.jsonl")).unwrap();
    place.write(1, &whole(&key(1, 0)));
    place.write(2, &[]);
    assert_eq!(place.retire().archived, [key(1, 0)]);
}

#[test]
fn a_run_that_cannot_be_written_keeps_its_records_and_holds_up_nobody() {
    let place = Place::new();
    let bad = RunDir::of(place.folder.path(), key(2, 0).run, &key(2, 0).tag);
    fs::create_dir(bad.ended()).unwrap();
    place.write(1, &[whole(&key(1, 0)), whole(&key(2, 0))].concat());
    place.write(2, &[]);
    let before = journal::scan(&place.home, |_| true).unwrap();
    assert_eq!(place.retire().left, 1);
    let after = journal::scan(&place.home, |_| true).unwrap();
    assert_eq!(after[&key(2, 0)], before[&key(2, 0)]);
    assert_eq!((after.len(), place.kept(1)), (1, 1));
    fs::remove_dir(bad.ended()).unwrap();
    assert_eq!(place.retire().left, 0);
}

#[test]
fn exits_of_a_guardian_go_with_its_last_journal() {
    let place = Place::new();
    let Record::Life(life) = life() else { unreachable!() };
    let exits = guardian::exits_file(&place.home, &life.boot, life.guardian, Some(3));
    fs::write(&exits, "").unwrap();
    let own = std::process::id();
    let living =
        guardian::exits_file(&place.home, &machine::boot_id(), own, machine::start_ticks(own));
    fs::write(&living, "").unwrap();
    place.write(1, &[]);
    place.retire();
    assert!(exits.exists(), "a journal speaks of it");
    for file in [place.journal(1), place.journal(1).with_extension("synced")] {
        fs::remove_file(file).unwrap();
    }
    place.retire();
    assert!(!exits.exists());
    assert!(living.exists(), "its guardian lives");
}

#[test]
fn a_torn_line_of_an_archive_is_no_record_and_spoils_none() {
    let place = Place::new();
    let run = RunDir::of(place.folder.path(), key(1, 0).run, &key(1, 0).tag);
    fs::write(run.ended(), b"{\"record\":\"exi").unwrap();
    archive::keep(&run, &[exit(&key(1, 0)), closed(&key(1, 1))]).unwrap();
    archive::keep(&run, &[exit(&key(1, 0))]).unwrap();
    assert_eq!(archive::read(&run).unwrap(), [exit(&key(1, 0)), closed(&key(1, 1))]);
}

/// Where a pass is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Killed {
    No,
    /// Ends are kept, perhaps with a journal's replacement beside it.
    Archived,
    /// A journal's mark is removed, or it is replaced and its size is not said.
    InBetween,
}

/// One journal at a time is retired up to some moment, as by a pass that is killed there.
fn begin_to_retire(place: &Place, killed: Killed) {
    let files = journal::files(&place.home).unwrap();
    if journal::sealed(&files).is_empty() {
        return;
    }
    let mut ledger = Ledger::new(&place.home, &files).unwrap();
    let Some(retired) = ledger.archive(&files[0]).unwrap() else { return };
    match (killed, retired.replacement) {
        (Killed::No | Killed::Archived, _) => {}
        (Killed::InBetween, None) => {
            fs::remove_file(files[0].with_extension("synced")).unwrap();
        }
        (Killed::InBetween, Some(replacement)) => fs::rename(replacement, &files[0]).unwrap(),
    }
}

/// A whole pass that keeps as many journals as may be, while a run has no directory.
fn retire_little(place: &Place) {
    let dir = place.folder.path().join("2-aaaaaaaaaa");
    let aside = dir.with_extension("aside");
    fs::rename(&dir, &aside).unwrap();
    let files = journal::files(&place.home).unwrap();
    let mut ledger = Ledger::new(&place.home, &files).unwrap();
    ledger.small = 0;
    let mut journals = journal::sealed(&files).iter();
    let mut pass = Pass { left: files.len(), ..Pass::default() };
    while ledger.retire_some(&mut journals, &mut pass).unwrap() {}
    fs::rename(&aside, &dir).unwrap();
}

/// Tells whether everything is said that was said before, and by the journals alone that is open what is.
fn check_nothing_is_forgotten(
    place: &Place,
    before: &BTreeMap<AttemptKey, Evidence>,
) -> Result<(), TestCaseError> {
    let after = place.evidence();
    prop_assert_eq!(before.len(), after.len());
    for (key, before) in before {
        let after = &after[key];
        prop_assert_eq!(before.outcome(), after.outcome(), "{}", key);
        prop_assert_eq!(before.exit(), after.exit());
        if before.outcome().is_none() {
            prop_assert_eq!(before, after, "what is open is kept whole");
        }
    }
    for (key, said) in journal::scan(&place.home, |_| true).unwrap() {
        prop_assert_eq!(said.outcome(), before[&key].outcome());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nothing_is_forgotten_wherever_a_pass_is_killed(
        // For each attempt: its run, how many of its records there are, and in which file each stands.
        attempts in prop::collection::vec((1..=3_u32, 1..=4_usize, any::<bool>(), prop::array::uniform4(0..5_usize)), 1..16),
        killed in prop::sample::select(vec![Killed::No, Killed::Archived, Killed::InBetween]),
        little_before in any::<bool>(),
    ) {
        let place = Place::new();
        let mut files: Vec<Vec<Record>> = vec![Vec::new(); 6];
        for (step, (run, count, is_closed, mut places)) in attempts.into_iter().enumerate() {
            let key = key(run, u32::try_from(step).unwrap());
            let records = match is_closed {
                true => vec![ordered(&key), closed(&key)],
                false => whole(&key),
            };
            places.sort_unstable();
            for (record, file) in records.into_iter().take(count).zip(places) {
                files[file].push(record);
            }
        }
        for (number, records) in files.iter().enumerate() {
            place.write(number, records);
        }
        let before = place.evidence();
        if killed != Killed::No {
            begin_to_retire(&place, killed);
        }
        if little_before {
            retire_little(&place);
            check_nothing_is_forgotten(&place, &before)?;
        }
        let pass = place.retire();
        check_nothing_is_forgotten(&place, &before)?;
        prop_assert_eq!(pass.left, journal::files(&place.home).unwrap().len() - 1);
        prop_assert!(place.names().iter().all(|name| !name.starts_with(TEMPORARY)));
        let marks = place.names().iter().filter(|name| name.ends_with(".synced")).count();
        prop_assert_eq!(marks, pass.left + 1, "each journal has its mark");
    }
}
