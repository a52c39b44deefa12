//! One wave over many runs: while one run's jobs are being handed over, the next run's are made ready.
//!
//! Workers take a ready job before they make another run ready, so that intents run ahead of the calls by
//! no more than there are workers. The number of calls at a time is the cluster's.

use std::collections::VecDeque;
use std::iter::Enumerate;
use std::slice::IterMut;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use niassa_model::job::JobId;
use niassa_model::limits::SUBMISSIONS_IN_FLIGHT;
use niassa_model::step::AttemptKey;

use super::{ClaimedRun, Cluster};
use crate::engine::cluster::{JobRequest, SubmitError};
use crate::failpoint;

/// A job that is about to be handed over, with the run it belongs to.
pub(super) struct Waiting {
    pub(super) position: usize,
    pub(super) attempts: Vec<AttemptKey>,
    pub(super) request: JobRequest,
}

/// What became of a call; none where it was not made, as the queue was full.
pub(super) type Handed = Option<Result<JobId, SubmitError>>;

/// Makes each run ready, by its position, and hands over its jobs. Once the queue is full the rest is left
/// out.
pub(super) fn hand_over_wave(
    cluster: &Cluster,
    runs: &mut [ClaimedRun],
    make_ready: impl Fn(usize, &mut ClaimedRun) -> Vec<Waiting> + Sync,
) -> Vec<(Waiting, Handed)> {
    let workers = SUBMISSIONS_IN_FLIGHT;
    let wave = Wave {
        cluster,
        make_ready,
        state: Mutex::new(State {
            runs: runs.iter_mut().enumerate(),
            ready: VecDeque::new(),
            being_made_ready: 0,
            done: Vec::new(),
            room: Room::Free,
        }),
        changed: Condvar::new(),
    };
    thread::scope(|scope| {
        for _ in 1..workers {
            scope.spawn(|| wave.work());
        }
        wave.work();
    });
    wave.state.into_inner().unwrap_or_else(PoisonError::into_inner).done
}

struct Wave<'wave, R> {
    cluster: &'wave Cluster,
    make_ready: R,
    state: Mutex<State<'wave>>,
    changed: Condvar,
}

struct State<'wave> {
    runs: Enumerate<IterMut<'wave, ClaimedRun>>,
    ready: VecDeque<Waiting>,
    being_made_ready: usize,
    done: Vec<(Waiting, Handed)>,
    room: Room,
}

/// Whether the queue takes jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    Free,
    Full,
}

/// What a worker does next.
enum Next<'wave> {
    Submit(Box<Waiting>),
    MakeReady(usize, &'wave mut ClaimedRun),
    Nothing,
}

impl<'wave, R: Fn(usize, &mut ClaimedRun) -> Vec<Waiting>> Wave<'wave, R> {
    fn work(&self) {
        loop {
            match self.next() {
                Next::Submit(job) => self.submit(*job),
                Next::MakeReady(position, run) => {
                    let _made = MakingReady(self);
                    let jobs = (self.make_ready)(position, run);
                    if !jobs.is_empty() {
                        failpoint::reach("launcher.intended");
                    }
                    self.lock().ready.extend(jobs);
                }
                Next::Nothing => return,
            }
        }
    }

    fn next(&self) -> Next<'wave> {
        let mut state = self.lock();
        loop {
            if state.room == Room::Full {
                let left_out: Vec<Waiting> = state.ready.drain(..).collect();
                state.done.extend(left_out.into_iter().map(|job| (job, None)));
            } else if let Some(job) = state.ready.pop_front() {
                return Next::Submit(Box::new(job));
            } else if let Some((position, run)) = state.runs.next() {
                state.being_made_ready += 1;
                return Next::MakeReady(position, run);
            }
            if state.being_made_ready == 0 {
                return Next::Nothing;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn submit(&self, job: Waiting) {
        failpoint::reach("launcher.to-submit");
        let in_flight = self.cluster.slots.take();
        let result = self.cluster.scheduler.submit(&job.request);
        drop(in_flight);
        failpoint::reach("launcher.submitting");
        let mut state = self.lock();
        if matches!(result, Err(SubmitError::Full(_))) {
            state.room = Room::Full;
        }
        state.done.push((job, Some(result)));
    }

    fn lock(&self) -> MutexGuard<'_, State<'wave>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run is being made ready, until this is dropped: also by a panic, for which nobody must wait.
struct MakingReady<'making, 'wave, R>(&'making Wave<'wave, R>);

impl<R> Drop for MakingReady<'_, '_, R> {
    fn drop(&mut self) {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).being_made_ready -= 1;
        self.0.changed.notify_all();
    }
}
