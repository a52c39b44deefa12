//! Notes beside the status of runs. They are no verdicts and need no claim.
//!
//! A note outlives what the steps alone say of a run that goes on, and nothing of a run that ends
//! with the same call.

use std::collections::BTreeMap;

use niassa_model::accession::Accession;
use niassa_model::run::{RunStatus, RunTag};

use crate::Access;
use crate::run_state::RunState;

/// What people should know of a run now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunNote {
    /// The run.
    pub run: Accession,
    /// Its tag.
    pub tag: RunTag,
    /// The note; empty removes what is there.
    pub note: String,
}

/// Why a note was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteRefused {
    /// The account has no such run, or the token is for other hosts.
    #[error("there is no such run for this caller")]
    NoSuchRun,
    /// The accession is another run's: the MetaDB was restored since.
    #[error("the run with this accession has another tag")]
    AnotherRun,
    /// A run that is over has its last word already.
    #[error("the run is {0} already")]
    Over(RunStatus),
}

/// Notes that are taken, by their run, each with the one that stood there before.
pub(super) struct Wanted<'note>(BTreeMap<Accession, (&'note str, Option<String>)>);

impl<'note> Wanted<'note> {
    /// Chooses the notes that are taken; of several for one run the last counts. Also returns those
    /// that are refused, by their position.
    pub(super) fn choose(
        runs: &[RunState],
        notes: &'note [RunNote],
    ) -> (Self, Vec<(usize, NoteRefused)>) {
        let by_swid: BTreeMap<Accession, &RunState> =
            runs.iter().map(|run| (run.swid, run)).collect();
        let (mut wanted, mut refused) = (BTreeMap::new(), Vec::new());
        for (position, note) in notes.iter().enumerate() {
            match check(by_swid.get(&note.run).copied(), note) {
                Ok(run) => {
                    wanted.insert(run.swid, (note.note.as_str(), run.note.clone()));
                }
                Err(why) => refused.push((position, why)),
            }
        }
        (Self(wanted), refused)
    }

    /// Returns the runs with a note.
    pub(super) fn runs(&self) -> impl Iterator<Item = Accession> {
        self.0.keys().copied()
    }

    /// Puts the notes beside the runs that go on. What stood there before is what a note is compared
    /// with: one that says the same again leaves no entry in the log.
    pub(super) fn put(self, access: &Access, runs: &mut [RunState]) {
        let mut wanted = self.0;
        for run in runs.iter_mut().filter(|run| run.status.is_active()) {
            let Some((note, before)) = wanted.remove(&run.swid) else { continue };
            if note.is_empty() {
                run.note = None;
                continue;
            }
            run.note = before;
            run.noted(note, &access.email);
        }
    }
}

fn check<'run>(
    run: Option<&'run RunState>,
    note: &RunNote,
) -> std::result::Result<&'run RunState, NoteRefused> {
    let run = run.ok_or(NoteRefused::NoSuchRun)?;
    if run.tag != note.tag {
        return Err(NoteRefused::AnotherRun);
    }
    if !run.status.is_active() {
        return Err(NoteRefused::Over(run.status));
    }
    Ok(run)
}
