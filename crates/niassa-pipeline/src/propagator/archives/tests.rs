//! What is told of directories of runs, and what is not told again.

use std::fs::OpenOptions;
use std::io::Write;

use niassa_model::step::{AttemptKey, Outcome, StepReason, StepStatus};
use niassa_model::time::Timestamp;

use super::*;
use crate::engine::local::journal::Record;

struct Place {
    folder: tempfile::TempDir,
    home: LocalHome,
    runs: Vec<(Accession, RunTag)>,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = LocalHome::open(folder.path()).unwrap();
        let runs: Vec<_> = [1, 2].iter().map(|run| (key(*run, 0).run, key(*run, 0).tag)).collect();
        for (run, tag) in &runs {
            fs::create_dir(RunDir::of(folder.path(), *run, tag).path()).unwrap();
        }
        Self { folder, home, runs }
    }

    fn dir(&self, run: usize) -> RunDir {
        let (run, tag) = &self.runs[run - 1];
        RunDir::of(self.folder.path(), *run, tag)
    }

    fn end(&self, run: u32, step: u32) {
        let outcome = Outcome::without_exit(StepStatus::Cancelled, StepReason::CancelledBy);
        let at = Timestamp::from_micros(5);
        let closed = Record::Closed { key: key(run, step), outcome, message: None, at };
        archive::keep(&self.dir(run as usize), &[closed]).unwrap();
    }

    /// What a process with this filter tells first.
    fn process(&self, filter: &PropagateFilter) -> ToldArchives {
        ToldArchives::open(&self.home, "bob", filter)
    }

    fn tell(&self, archives: &mut ToldArchives) -> Vec<AttemptKey> {
        let untold = Untold::read(self.folder.path(), archives.of(&self.runs));
        let (news, read) = untold.into_parts();
        archives.are_told(read);
        archives.keep(self.runs.iter().map(|(run, tag)| (run, tag))).unwrap();
        assert!(news.iter().all(|(_, evidence)| evidence.outcome().is_some()));
        news.into_iter().map(|(key, _)| key).collect()
    }
}

fn key(run: u32, step: u32) -> AttemptKey {
    format!("nia-{run}-aaaaaaaaaa-s{step}-a1").parse().unwrap()
}

#[test]
fn an_end_is_told_once_whatever_process_asks() {
    let place = Place::new();
    let all = PropagateFilter::default();
    place.end(1, 0);
    place.end(2, 0);
    let mut archives = place.process(&all);
    assert_eq!(place.tell(&mut archives), [key(1, 0), key(2, 0)]);
    assert!(place.tell(&mut archives).is_empty());
    place.end(2, 1);
    let mut next = place.process(&all);
    assert_eq!(place.tell(&mut next), [key(2, 1)]);
    let one = PropagateFilter { accessions: Some(vec![key(1, 0).run]), ..all };
    assert_eq!(place.tell(&mut place.process(&one)).len(), 3, "it keeps nothing and begins anew");
}

#[test]
fn what_was_read_but_not_told_is_read_again() {
    let place = Place::new();
    place.end(1, 0);
    let mut archives = place.process(&PropagateFilter::default());
    let untold = Untold::read(place.folder.path(), archives.of(&place.runs));
    assert_eq!(untold.news.len(), 1);
    assert_eq!(place.tell(&mut archives), [key(1, 0)]);
}

#[test]
fn a_torn_line_is_waited_for_and_a_shorter_file_is_a_new_one() {
    let place = Place::new();
    place.end(1, 0);
    let whole = fs::read(place.dir(1).ended()).unwrap();
    place.end(1, 1);
    let both = fs::read(place.dir(1).ended()).unwrap();
    fs::write(place.dir(1).ended(), &both[..both.len() - 5]).unwrap();
    let mut archives = place.process(&PropagateFilter::default());
    assert_eq!(place.tell(&mut archives), [key(1, 0)]);
    let mut file = OpenOptions::new().append(true).open(place.dir(1).ended()).unwrap();
    file.write_all(&both[both.len() - 5..]).unwrap();
    assert_eq!(place.tell(&mut archives), [key(1, 1)]);
    fs::write(place.dir(1).ended(), &whole).unwrap();
    assert_eq!(place.tell(&mut archives), [key(1, 0)]);
}

#[test]
fn lengths_hold_for_one_boot_and_for_active_runs() {
    let place = Place::new();
    let all = PropagateFilter::default();
    place.end(1, 0);
    let mut archives = place.process(&all);
    place.tell(&mut archives);
    archives.keep(std::iter::empty()).unwrap();
    assert_eq!(place.tell(&mut place.process(&all)), [key(1, 0)], "it was forgotten");

    archives = place.process(&all);
    assert!(place.tell(&mut archives).is_empty());
    archives.told.boot = "another".to_owned();
    archives.is_kept = false;
    place.tell(&mut archives);
    assert_eq!(place.tell(&mut place.process(&all)), [key(1, 0)]);
}

#[test]
fn a_run_that_cannot_be_read_holds_up_nobody() {
    let place = Place::new();
    fs::create_dir(place.dir(1).ended()).unwrap();
    place.end(2, 0);
    let archives = place.process(&PropagateFilter::default());
    let untold = Untold::read(place.folder.path(), archives.of(&place.runs));
    assert_eq!(untold.news.len(), 1);
    assert_eq!(untold.unread[0].0, place.runs[0].0);
}
